"""From graphs to Nengo networks: one function for each kind of node.

Signals are flattened in row-major order, channels first, as in the graph. So a Flatten
moves nothing, and all arrays keep their order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import nengo
import numpy as np
from nengo.ensemble import Neurons

from nengo_dl.biases import set_biases
from nengo_dl.nir.kinds import Windows, windows
from nengo_dl.nir.normal import Graph, Part
from nengo_dl.nir.numerics import Numerics, Recursion, noted, recursion_of
from nengo_dl.nodes.array_node import ArrayNode, Constant
from nengo_dl.nodes.stencil import Stencil
from nengo_dl.stepped import SteppedLI, SteppedLIF
from nengo_dl.wiring import set_wiring

Obj: TypeAlias = nengo.Node | Neurons

ONE_STEP = 0  # the synapse of a connection that is a step late


@dataclass(frozen=True, eq=False)
class Made:
    """Nengo objects that a part has become.

    Weights are those of connections, by the names of the fields they come from.
    """

    target: Obj  # what arrives is connected to this
    output: Obj
    weights: dict[str, nengo.Connection] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Build:
    """A graph and the network that is being made of it."""

    graph: Graph
    net: nengo.Network
    dt: float
    how: Numerics
    one: list[nengo.Node] = field(default_factory=list)

    def constant(self) -> nengo.Node:
        """Return a node that puts out 1."""
        if not self.one:
            self.one.append(ArrayNode(Constant((), (1,)), label="one"))
        return self.one[0]

    def node(self, part: Part, name: str = "") -> nengo.Node:
        """Make a node that passes on what arrives at a part, or leaves it."""
        label = f"{part.name}.{name}" if name else part.name
        size = part.size_in if name else part.size_out
        return nengo.Node(size_in=size, label=label)

    def link(
        self,
        pre: Any,
        post: Any,
        transform: Any = None,
        synapse: Any = None,
        label: str = "",
    ):
        """Connect two objects; training leaves the connection as it is."""
        conn = nengo.Connection(
            pre, post, transform=transform, synapse=synapse, label=label or None
        )
        self.net.config[conn].trainable = False
        return conn


BUILDERS: dict[str, Callable[[Part, Build], Made]] = {}


def register(*kinds: str) -> Callable:
    """Register the decorated builder for kinds of nodes."""

    def decorate(
        builder: Callable[[Part, Build], Made],
    ) -> Callable[[Part, Build], Made]:
        BUILDERS.update(dict.fromkeys(kinds, builder))
        return builder

    return decorate


def build(part: Part, b: Build) -> Made:
    """Make the objects of a part; edges come later."""
    return BUILDERS[part.kind](part, b)


# --- what passes on ---------------------------------------------------------------


@register("Input", "Output", "Flatten")
def build_pass(part: Part, b: Build) -> Made:
    """Make a node that passes on what arrives; a source for an input of the graph."""
    if part.name in b.graph.inputs:
        node = nengo.Node(np.zeros(part.size_out), label=part.name)
    else:
        node = b.node(part)
    return Made(node, node)


@register("Delay")
def build_delay(part: Part, b: Build) -> Made:
    """Make a connection for each length of delay."""
    before, output = b.node(part, "input"), b.node(part)
    steps = np.round(part.full(part.values["delay"]) / b.dt).astype(int)
    for n in np.unique(steps):
        index = np.flatnonzero(steps == n).tolist()
        synapse = (None, ONE_STEP)[n] if n < 2 else _delay(n)
        if len(index) == part.size_in:
            b.link(before, output, None, synapse)
        else:
            b.link(before[index], output[index], None, synapse)
    return Made(before, output)


def _delay(n: int) -> nengo.LinearFilter:
    """Return a synapse that delays by n steps."""
    return nengo.LinearFilter([1], [1, *[0] * n], analog=False)


# --- weights ----------------------------------------------------------------------


@register("Affine", "Linear")
def build_matrix(part: Part, b: Build) -> Made:
    """Make a connection with full weights."""
    return _weighted(part, b, part.values["weight"])


@register("Scale")
def build_scale(part: Part, b: Build) -> Made:
    """Make a connection with a weight for each element."""
    factors = np.array(part.full(part.values["scale"]), dtype=float)
    n = part.size_in
    made = _weighted(part, b, nengo.transforms.Dense((n, n), init=factors))
    return Made(made.target, made.output, {"scale": made.weights["weight"]})


@register("Conv1d", "Conv2d")
def build_convolution(part: Part, b: Build) -> Made:
    """Make a connection with a convolution."""
    return _windowed(part, b, part.values["weight"], part.values["groups"])


@register("AvgPool2d", "SumPool2d")
def build_pool(part: Part, b: Build) -> Made:
    """Make a connection with equal weights in each window."""
    channels, kernel = part.shape_in[0], windows(dict(part.values)).kernel
    value = 1.0 if part.kind == "SumPool2d" else 1 / np.prod(kernel)
    made = _windowed(part, b, np.full((channels, 1, *kernel), value), channels)
    return Made(made.target, made.output)


def _windowed(part: Part, b: Build, weight: np.ndarray, groups: int) -> Made:
    """Make the objects of weights that are shared between positions."""
    chosen, space = windows(dict(part.values)), part.shape_in[1:]
    kernel = np.moveaxis(np.asarray(weight, dtype=float), (0, 1), (-1, -2))
    if max(chosen.dilation) > 1:
        init = kernel.reshape(-1, *kernel.shape[-2:])
        transform = Stencil(
            _taps(chosen, space), int(np.prod(space)), init, groups, channels_last=False
        )
        return _weighted(part, b, transform)
    is_same = chosen.lengths(space) == space and all(
        s == 1 and low == (k - 1) // 2
        for s, low, k in zip(chosen.stride, chosen.before, chosen.kernel, strict=True)
    )
    padded = None
    if not is_same and any(chosen.before + chosen.after):
        padded = chosen.padded(space)
    transform = nengo.Convolution(
        kernel.shape[-1],
        (part.shape_in[0], *(padded or space)),
        kernel_size=chosen.kernel,
        strides=chosen.stride,
        padding="same" if is_same else "valid",
        channels_last=False,
        init=kernel,
        groups=groups,
    )
    return _weighted(part, b, transform, padded)


def _taps(chosen: Windows, space: tuple[int, ...]) -> np.ndarray:
    """Return which position each tap reads, of shape (n_windows, n_taps)."""
    numbers = np.pad(
        np.arange(np.prod(space)).reshape(space),
        list(zip(chosen.before, chosen.after, strict=True)),
        constant_values=-1,
    )
    starts = np.indices(chosen.lengths(space)).reshape(len(space), -1, 1)
    offsets = np.indices(chosen.kernel).reshape(len(space), 1, -1)
    scale = (len(space), 1, 1)
    stride, dilation = (
        np.reshape(chosen.stride, scale),
        np.reshape(chosen.dilation, scale),
    )
    return numbers[tuple(starts * stride + offsets * dilation)]


def _padding(
    part: Part, b: Build, space: tuple[int, ...]
) -> tuple[nengo.Node, nengo.Node]:
    """Make nodes without and with zeros around what arrives."""
    chosen, (channels, *inner) = windows(dict(part.values)), part.shape_in
    before = b.node(part, "input")
    padded = nengo.Node(
        size_in=channels * int(np.prod(space)), label=f"{part.name}.padded"
    )
    index = np.arange(padded.size_in).reshape(channels, *space)
    within = [slice(low, low + n) for low, n in zip(chosen.before, inner, strict=True)]
    inside = index[(slice(None),) + tuple(within)]
    b.link(before, padded[inside.ravel().tolist()])
    return before, padded


def _weighted(part: Part, b: Build, transform: Any, padded: Any = None) -> Made:
    """Make a connection with weights, and one with biases."""
    output = b.node(part)
    if padded is None:
        before = source = b.node(part, "input")
    else:
        before, source = _padding(part, b, padded)
    weights = {"weight": b.link(source, output, transform, label=part.name)}
    bias = part.values.get("bias")
    if bias is not None:
        weights["bias"] = _bias(part, b, output, np.asarray(bias, dtype=float))
    return Made(before, output, weights)


def _bias(
    part: Part, b: Build, output: nengo.Node, bias: np.ndarray
) -> nengo.Connection:
    """Make connections that bring biases, one for each channel."""
    name = f"{part.name}.bias"
    n_each = part.size_out // len(bias)
    relay = output if n_each == 1 else nengo.Node(size_in=len(bias), label=name)
    conn = b.link(b.constant(), relay, bias.reshape(-1, 1), label=name)
    set_wiring(b.net, conn)
    if relay is not output:
        b.link(relay[np.repeat(np.arange(len(bias)), n_each).tolist()], output)
    return conn


# --- neurons ----------------------------------------------------------------------


@register("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "Threshold")
def build_neurons(part: Part, b: Build) -> Made:
    """Make an ensemble."""
    how = noted(b.how, part.notes)
    recursion = recursion_of(part.kind, part.values, b.dt, how, part.notes)
    ensemble = nengo.Ensemble(
        part.size_in,
        1,
        neuron_type=_neuron_type(part, recursion, how),
        encoders=np.ones((part.size_in, 1)),
        eval_points=np.zeros((1, 1)),
        gain=np.array(part.full(recursion.gain), dtype=float),
        bias=np.array(part.full(recursion.current_leak), dtype=float),
        label=part.name,
    )
    set_biases(b.net, ensemble, ())
    b.net.config[ensemble].trainable = False
    return Made(ensemble.neurons, ensemble.neurons)


def _neuron_type(part: Part, recursion: Recursion, how: Numerics) -> SteppedLI:
    """Return the neuron type of a recursion; its decays are those of the recursion."""

    def of(values):
        full = np.array(part.full(values), dtype=float)
        return float(full[0]) if np.all(full == full[0]) else full

    def tau(left):
        with np.errstate(divide="ignore"):
            return of(1 / (1 - np.asarray(left, dtype=float)))

    tau_rc, tau_syn = tau(recursion.b), 0.0 if recursion.a is None else tau(recursion.a)
    # in each step, this part of the leak voltage is added
    gone = part.full(np.where(np.isinf(tau_rc), 1, 1 / np.asarray(tau_rc)))
    v_leak = of(part.full(recursion.leak) / gone)
    state = {}
    initial = {"voltage": recursion.voltage, "current": recursion.current}
    for name, values in initial.items():
        if np.any(values):
            state[name] = np.array(part.full(values), dtype=float)
    if not recursion.spikes:
        return SteppedLI(
            tau_rc, tau_syn, v_leak, unit="step", initial_state=state or None
        )
    is_threshold = part.kind == "Threshold"
    subtracted = "snntorch" if how.late_subtraction else "subtract"
    return SteppedLIF(
        tau_rc,
        tau_syn,
        of(recursion.threshold),
        of(recursion.v_reset),
        v_leak,
        "zero" if is_threshold or how.reset == "zero" else subtracted,
        1 if is_threshold else how.max_spikes,
        of(recursion.min_voltage),
        is_threshold or how.strict,
        unit="step",
        initial_state=state or None,
    )
