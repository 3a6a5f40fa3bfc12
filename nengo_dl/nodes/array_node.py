"""Nodes that compute a fixed function of arrays, on every Nengo backend.

Nengo's connections are linear, and neurons are independent of each other. An
`ArrayNode` combines values in other ways, such as the maximum of a window, a product or
a softmax. It has a NumPy form for ``nengo.Simulator``, and a TensorFlow form in
``nengo_dl/nodes/array_node_kernel.py``, which is differentiable and calls no Python.
"""

import math
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import nengo
import numpy as np
from nengo.builder import Builder, Signal
from nengo.builder.operator import Operator, Reset
from nengo.params import Parameter

from nengo_dl.nodes.array_functions import ARRAYWISE, COMBINATIONS, ELEMENTWISE


@dataclass(frozen=True)
class ArrayFunction:
    """A function from an array of one shape to an array of another.

    Parameters
    ----------
    shape_in, shape_out : tuple of int
        Shapes without the minibatch axis; ``()`` for no input.
    """

    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]

    def __call__(self, x):
        """Compute an array of shape ``shape_out`` from one of shape ``shape_in``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(ArrayFunction):
    """A constant output of ones, for connections whose weights are biases."""

    def __call__(self, x):
        """Return ones."""
        del x
        return np.ones(self.shape_out)


@dataclass(frozen=True)
class Reduce(ArrayFunction):
    """Combine several arrays, stacked on the first axis, element by element.

    Parameters
    ----------
    how : str
        "maximum", "minimum", "multiply" or any other name in ``COMBINATIONS``.
    """

    how: str

    def __call__(self, x):
        """Combine along the first axis."""
        if self.how == "where":
            return np.where(x[0] != 0, x[1], x[2])
        return reduce(COMBINATIONS[self.how], x)


@dataclass(frozen=True)
class Function(ArrayFunction):
    """Compute a NumPy function, by name.

    Parameters
    ----------
    name : str
        A name in ``ELEMENTWISE`` or ``ARRAYWISE``.
    arguments : tuple of (str, object)
        More arguments of that function.
    """

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __call__(self, x):
        """Compute the function."""
        function = ELEMENTWISE.get(self.name) or ARRAYWISE[self.name]
        return function(x, **dict(self.arguments))


@dataclass(frozen=True)
class Softmax(ArrayFunction):
    """Compute the softmax: exponentials, divided by their sum.

    Parameters
    ----------
    axes : tuple of int
        The axes of the sum, not counting the minibatch axis.
    """

    axes: tuple[int, ...]

    def __call__(self, x):
        """Compute the softmax."""
        exps = np.exp(x - x.max(axis=self.axes, keepdims=True))
        return exps / exps.sum(axis=self.axes, keepdims=True)


@dataclass(frozen=True, eq=False)
class Scale(ArrayFunction):
    """Multiply each element by its own factor.

    Unlike the weights of a connection, the factors are not parameters of a simulation.

    Parameters
    ----------
    factors : ndarray of float, of shape ``shape_in``
        The factors.
    """

    factors: np.ndarray = field(repr=False)

    def __call__(self, x):
        """Multiply."""
        return self.factors * x


@dataclass(frozen=True, eq=False)
class MaxPool(ArrayFunction):
    """Compute maxima over windows.

    Parameters
    ----------
    index : ndarray of int, shape (n_positions_out, n_taps)
        Which input positions belong to each window; -1 for none.
    window, strides : tuple of int
        The geometry of the windows, along each spatial axis.
    padding : str
        "valid" or "same".
    channels_last : bool
        Whether the axis of the channels is the last one, in both shapes.
    tau : float or None
        Time constant, in seconds, over which windows compare spike trains. None for the
        maximum of each step.
    """

    index: np.ndarray = field(repr=False)
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str
    channels_last: bool
    tau: float | None = None

    def __call__(self, x):
        """Compute the maxima."""
        channel = -1 if self.channels_last else 0
        x = np.moveaxis(x, channel, -1).reshape(-1, x.shape[channel])
        x = np.concatenate([x, np.full_like(x[:1], -np.inf)])
        y = x[self.index].max(axis=1)
        last = (*np.moveaxis(np.empty(self.shape_out), channel, -1).shape,)
        return np.moveaxis(y.reshape(last), -1, channel)


class ArrayNode(nengo.Node):
    """Compute a fixed function of arrays.

    Parameters
    ----------
    function : `ArrayFunction`
        The function.
    label : str, optional
        A name, for messages and plots.

    Notes
    -----
    Signals are flattened arrays, in row-major order.

    Examples
    --------
    .. testcode::

       from nengo_dl.nodes.array_node import ArrayNode, Reduce

       with nengo.Network() as net:
           stimulus = nengo.Node([2.0, 3.0, 5.0, 7.0])
           product = ArrayNode(Reduce((2, 2), (2,), "multiply"))
           nengo.Connection(stimulus, product, synapse=None)
           probe = nengo.Probe(product)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(1)
       print(sim.data[probe])

    .. testoutput::

       [[10. 21.]]
    """

    function = Parameter("function", readonly=True)

    def __init__(self, function: ArrayFunction, label: str | None = None):
        super().__init__(label=label)
        self.function = function
        self.size_in = math.prod(function.shape_in) if function.shape_in else 0
        self.size_out = math.prod(function.shape_out)
        self.output = self.compute

    def compute(self, t, x=()):
        """Compute the output from the flat input, in NumPy."""
        del t
        x = np.reshape(x, self.function.shape_in or (0,))
        return np.ravel(self.function(x))


class SimArrayFunction(Operator):
    """Compute the function of an `ArrayNode`.

    Parameters
    ----------
    function : `ArrayFunction`
        The function.
    input : Signal or None
        The input, flattened; None for a function without one.
    output : Signal
        The output, flattened.
    state : tuple of Signal
        For maxima of spike trains: the filtered inputs, and the part of each window's
        maximum that will be left in the next step.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[output, *state]``
    2. incs ``[]``
    3. reads ``[input]``, if there is one
    4. updates ``[]``
    """

    def __init__(self, function, input, output, state=(), tag=None):
        super().__init__(tag=tag)
        self.function = function
        self.sets = [output, *state]
        self.incs = []
        self.reads = [] if input is None else [input]
        self.updates = []

    @property
    def output(self):
        """(Signal) The output, flattened."""
        return self.sets[0]

    @property
    def state(self):
        """(list of Signal) The values that are kept between steps."""
        return self.sets[1:]

    def make_step(self, signals, dt, rng):
        """Return a function that does one step in NumPy."""
        del rng
        function, output = self.function, signals[self.output]
        x = signals[self.reads[0]] if self.reads else np.zeros(0)
        shape_in = function.shape_in or (0,)

        def step_array_function():
            output[...] = np.ravel(function(x.reshape(shape_in)))

        if not self.state:
            return step_array_function
        had, left = (signals[signal] for signal in self.state)
        decay = math.exp(-dt / function.tau)

        def step_maxima_of_spikes():
            had[...] = decay * had + x
            now = np.ravel(function(had.reshape(shape_in)))
            output[...] = now - left
            left[...] = decay * now

        return step_maxima_of_spikes


@Builder.register(ArrayNode)
def build_array_node(model, node):
    """Build an `ArrayNode` into a model, of any simulator."""
    function = node.function
    signal_in = None
    if node.size_in:
        signal_in = Signal(shape=(node.size_in,), name=f"{node}.in")
        model.add_op(Reset(signal_in))
    signal_out = Signal(shape=(node.size_out,), name=f"{node}.out")
    state: tuple[Signal, ...] = ()
    if isinstance(function, MaxPool) and function.tau is not None:
        state = (
            Signal(shape=(node.size_in,), name=f"{node}.had"),
            Signal(shape=(node.size_out,), name=f"{node}.left"),
        )
    model.add_op(SimArrayFunction(function, signal_in, signal_out, state))
    model.sig[node]["in"] = signal_in
    model.sig[node]["out"] = signal_out
    model.params[node] = None
