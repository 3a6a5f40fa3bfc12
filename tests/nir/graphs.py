"""Graphs that are also run by the frameworks that NIR connects.

This imports NumPy and ``nir`` alone, so that `tests.nir.record` can run it beside these
frameworks. All numbers are drawn from seeds, and have all digits of single precision.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nir
import numpy as np

N_ITEMS, N_STEPS = 4, 60
# The graph of a converted Keras model, see `tests.nir.test_converted`
CONVERTED = Path(__file__).parent / "data" / "converted.nir"


class Case(NamedTuple):
    """A graph, and how a framework runs it.

    Parameters
    ----------
    name : str
        What is special about it.
    peer : str
        The framework; its numerics have that name.
    make : callable
        From the time step to the graph.
    reset : str
        "zero" or "subtract".
    dt : float
        The time step.
    rate : float
        How probable a spike is that arrives in a step.
    is_read_whole : bool
        Whether the framework's own reader has read the graph, or it was run node by
        node.
    late : str, optional
        What is a step late in cycles, if not what the numerics of the framework say.
    """

    name: str
    peer: str
    make: Callable
    reset: str = "zero"
    dt: float = 1e-4
    rate: float = 0.3
    is_read_whole: bool = False
    late: str | None = None

    @property
    def label(self):
        """How files and pytest name it."""
        return f"{self.peer}-{self.name}-{self.reset}"


class Draw:
    """Draws arrays in single precision."""

    def __init__(self, seed):
        self.rng = np.random.RandomState(seed)

    def normal(self, *shape, scale=1.0):
        """Draw weights."""
        return (scale * self.rng.normal(size=shape)).astype(np.float32)

    def uniform(self, low, high, *shape):
        """Draw parameters."""
        return self.rng.uniform(low, high, size=shape).astype(np.float32)

    def affine(self, n_in, n_out):
        """Draw a matrix and biases."""
        scale = 1.5 / np.sqrt(n_in)
        return nir.Affine(
            self.normal(n_out, n_in, scale=scale), self.normal(n_out, scale=0.1)
        )

    def conv(self, n_in, n_out, kernel, stride=1, padding=0, groups=1, dilation=1):
        """Draw a convolution of two dimensions."""
        shape = (n_out, n_in // groups, kernel, kernel)
        return nir.Conv2d(
            input_shape=None,
            weight=self.normal(*shape, scale=2 / np.sqrt(np.prod(shape[1:]))),
            stride=(stride, stride),
            padding=(padding, padding),
            dilation=(dilation, dilation),
            groups=groups,
            bias=self.normal(n_out, scale=0.1),
        )


def snn_lif(draw, dt, *shape):
    """Neurons as snnTorch writes them: inputs are not scaled."""
    beta = np.full(shape, draw.uniform(0.7, 0.95), np.float32)
    tau = dt / (1 - beta)
    zero, one = np.zeros_like(beta), np.ones_like(beta)
    return nir.LIF(tau=tau, r=tau / dt, v_leak=zero, v_threshold=one, v_reset=zero)


def snn_synaptic(draw, dt, *shape):
    """Neurons with a synapse, as snnTorch writes them."""
    alpha = np.full(shape, draw.uniform(0.6, 0.9), np.float32)
    beta = np.full(shape, draw.uniform(0.7, 0.95), np.float32)
    tau_syn, tau_mem = dt / (1 - alpha), dt / (1 - beta)
    zero, one = np.zeros_like(beta), np.ones_like(beta)
    return nir.CubaLIF(
        tau_syn=tau_syn,
        tau_mem=tau_mem,
        r=tau_mem / dt,
        v_leak=zero,
        v_threshold=one,
        v_reset=zero,
        w_in=tau_syn / dt,
    )


def norse_lif(draw, dt, *shape):
    """Neurons as norse reads them, with parameters of their own."""
    tau = dt * draw.uniform(2, 8, *shape)
    zero = np.zeros_like(tau)
    return nir.LIF(
        tau=tau,
        r=np.ones_like(tau),
        v_leak=draw.uniform(0, 0.05, *shape),
        v_threshold=draw.uniform(0.05, 0.2, *shape),
        v_reset=zero,
    )


def norse_cuba(draw, dt, *shape):
    """Neurons with a synapse, as norse reads them."""
    tau_syn, tau_mem = (dt * draw.uniform(2, 8, *shape) for _ in range(2))
    zero = np.zeros_like(tau_syn)
    return nir.CubaLIF(
        tau_syn=tau_syn,
        tau_mem=tau_mem,
        r=draw.uniform(0.5, 2, *shape),
        v_leak=draw.uniform(0, 0.02, *shape),
        v_threshold=draw.uniform(0.05, 0.2, *shape),
        v_reset=zero,
        w_in=draw.uniform(0.5, 2, *shape),
    )


def integrate(draw, dt, *shape):
    """Neurons that do not leak."""
    del draw, dt
    one = np.ones(shape, np.float32)
    return nir.IF(r=one, v_threshold=one, v_reset=0 * one)


def sinabs_lif(draw, dt, *shape):
    """Leaky neurons as sinabs writes them: time constants count steps."""
    del dt
    tau = np.full(shape, draw.uniform(3, 9), np.float32)
    zero, one = np.zeros_like(tau), np.ones_like(tau)
    return nir.LIF(tau=tau, r=one, v_leak=zero, v_threshold=one, v_reset=zero)


def in_a_row(**nodes):
    """Return a graph of nodes one after the other."""
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names, names[1:], strict=False)))


def forward(neurons, seed=0, sizes=(12, 48, 10)):
    """Two layers."""

    def make(dt):
        draw, (n_in, n_hidden, n_out) = Draw(seed), sizes
        return in_a_row(
            input=nir.Input([n_in]),
            fc1=draw.affine(n_in, n_hidden),
            hidden=neurons(draw, dt, n_hidden),
            fc2=draw.affine(n_hidden, n_out),
            last=neurons(draw, dt, n_out),
            output=nir.Output([n_out]),
        )

    return make


def recurrent(neurons, seed=0, nested=True, sizes=(12, 38, 7)):
    """A layer that hears its own spikes, in a graph of its own or not."""

    def make(dt):
        draw, (n_in, n, n_out) = Draw(seed), sizes
        before = {"input": nir.Input([n_in]), "fc1": draw.affine(n_in, n)}
        loop = {"lif": neurons(draw, dt, n), "w_rec": draw.affine(n, n)}
        after = {
            "fc2": draw.affine(n, n_out),
            "last": neurons(draw, dt, n_out),
            "output": nir.Output([n_out]),
        }
        cycle = [("lif", "w_rec"), ("w_rec", "lif")]
        ends = [("fc2", "last"), ("last", "output"), ("input", "fc1")]
        if not nested:
            edges = [("fc1", "lif"), *cycle, ("lif", "fc2"), *ends]
            return nir.NIRGraph(before | loop | after, edges)
        inner = nir.NIRGraph(
            {"input": nir.Input([n]), **loop, "output": nir.Output([n])},
            [("input", "lif"), *cycle, ("lif", "output")],
        )
        edges = [("fc1", "rec"), ("rec", "fc2"), *ends]
        return nir.NIRGraph(before | {"rec": inner} | after, edges)

    return make


def convolutional(neurons, pool=None, seed=0):
    """Convolutions, perhaps pooled, and a layer behind them."""

    def make(dt):
        draw = Draw(seed)
        nodes = {
            "input": nir.Input([2, 12, 12]),
            "conv1": draw.conv(2, 4, 3, padding=1),
            "lif1": neurons(draw, dt, 4, 12, 12),
        }
        side, stride = 12, 2
        if pool is not None:
            two = np.array([2, 2])
            nodes["pool"] = pool(two, two, np.array([0, 0]))
            side, stride = 6, 1
        side = (side - 3) // stride + 1
        nodes["conv2"] = draw.conv(4, 6, 3, stride=stride)
        nodes["lif2"] = neurons(draw, dt, 6, side, side)
        nodes["flatten"] = nir.Flatten(np.array([6, side, side]), 0, -1)
        nodes["fc"] = draw.affine(6 * side * side, 5)
        nodes["last"] = neurons(draw, dt, 5)
        nodes["output"] = nir.Output([5])
        return in_a_row(**nodes)

    return make


LATE_SUMS = {"is_read_whole": True, "late": "sums"}
CASES = [
    *(
        Case(name, "snntorch", make(neurons), reset, **how)
        for reset in ("zero", "subtract")
        for name, make, neurons, how in [
            ("lif", forward, snn_lif, {"is_read_whole": True}),
            ("synaptic", forward, snn_synaptic, {"is_read_whole": True}),
            ("recurrent-lif", recurrent, snn_lif, {}),
            ("recurrent-synaptic", recurrent, snn_synaptic, {}),
            ("conv", convolutional, snn_lif, {}),
            # its reader has other cycles than its recurrent modules, which are above
            ("nested-lif", recurrent, snn_lif, LATE_SUMS),
            ("nested-synaptic", recurrent, snn_synaptic, LATE_SUMS),
        ]
    ),
    Case("pooled", "snntorch", convolutional(snn_lif, nir.AvgPool2d)),
    *(
        Case(name, "norse", graph, reset, 0.001, is_read_whole=True)
        for reset in ("zero", "subtract")
        for name, graph in [
            ("cuba", forward(norse_cuba)),
            ("recurrent-cuba", recurrent(norse_cuba, nested=False)),
        ]
    ),
    Case("lif", "norse", forward(norse_lif), dt=0.001, is_read_whole=True),
    *(
        Case("nested-" + name, "norse", graph, reset, 0.001, is_read_whole=True)
        for name, graph, reset in [
            ("cuba", recurrent(norse_cuba), "subtract"),
            ("lif", recurrent(norse_lif), "zero"),
        ]
    ),
    # its reader always resets LIF to a voltage
    Case("lif", "norse", forward(norse_lif), "subtract", 0.001),
    Case("pooled", "norse", convolutional(norse_lif, nir.SumPool2d), dt=0.001),
    Case("if", "sinabs", forward(integrate), "subtract", 1.0),
    Case("lif", "sinabs", forward(sinabs_lif), "subtract", 1.0),
    Case("conv", "sinabs", convolutional(integrate), "subtract", 1.0),
    Case("pooled", "sinabs", convolutional(integrate, nir.SumPool2d), "subtract", 1.0),
    Case("converted", "sinabs", lambda dt: nir.read(CONVERTED), "subtract", 1.0),
]


def random_input(case, graph, seed=1, n_items=N_ITEMS, n_steps=N_STEPS):
    """Draw spikes, of shape (n_items, n_steps, *shape)."""
    shape = tuple(int(n) for n in graph.nodes["input"].input_type["input"])
    rng = np.random.RandomState(seed)
    return (rng.uniform(size=(n_items, n_steps, *shape)) < case.rate).astype(np.float32)
