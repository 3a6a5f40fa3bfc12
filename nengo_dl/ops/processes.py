"""Processes with input, first of all synapses, registered per type.

A process without input is no kernel: it depends on time alone and is evaluated on the
host ahead of the time loop (`nengo_dl.engine.feeds`).
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.processes import SimProcess
from nengo.synapses import LinearFilter

from nengo_dl.graph.kernel import Kernel, Write, constant, slot
from nengo_dl.ops import host
from nengo_dl.ops.registry import Builder

# Filters with at most this many state variables are written out, which fuses; larger
# ones are matrix products.
MAX_UNROLLED_ORDER = 6


class ProcessStep(NamedTuple):
    """A registered process type."""

    build: Callable[..., "Callable | WithConstants"]
    merge_key: Callable[[Any], Hashable]
    is_elementwise: bool


class WithConstants(NamedTuple):
    """The step of a process that gets numbers as further arguments.

    Nothing has to be compiled anew for other numbers, if their sizes are the same.

    Parameters
    ----------
    fn : callable
        The step.
    constants : mapping of str to float or ndarray
        The numbers, which become tensors of shape (size, 1).
    """

    fn: Callable[..., tuple]
    constants: Mapping[str, Any]


steps: dict[type, ProcessStep] = {}


def register(
    *process_types: type,
    merge_key: Callable[[Any], Hashable],
    is_elementwise: bool = False,
) -> Callable:
    """Register the decorated function for process types.

    Parameters
    ----------
    *process_types : type
        Matched exactly.
    merge_key : callable
        From an operator to a hashable value; operators with equal keys share a kernel.
    is_elementwise : bool
        Whether each element of the output depends on one of the input.

    Returns
    -------
    decorate : callable
        Takes a function and returns it. That function gets the merged operators and a
        `BuildContext`, and returns a function from the input and the state variables,
        each of shape (total size, minibatch_size or 1), to a tuple of the output and
        the new state variables; or a ``WithConstants``.
    """

    def decorate(build):
        step = ProcessStep(build, merge_key, is_elementwise)
        steps.update(dict.fromkeys(process_types, step))
        return build

    return decorate


def _merge_key(op):
    step = steps.get(type(op.process))
    if step is None:
        return (type(op.process), op.mode, tuple(op.state))
    return (type(op.process), op.mode, tuple(op.state), step.merge_key(op))


@Builder.register(
    SimProcess,
    merge_key=_merge_key,
    is_host=lambda op: type(op.process) not in steps,
    is_elementwise=lambda op: getattr(
        steps.get(type(op.process)), "is_elementwise", False
    ),
)
def build_sim_process(ops, ctx):
    """Build one step of processes. Reads ``input``, writes ``output`` and ``state``."""
    step = steps.get(type(ops[0].process))
    if step is None:
        return host.build_processes(ops, ctx)
    states = [slot(op.state[name] for op in ops) for name in ops[0].state]
    output = Write(
        slot(op.output for op in ops), "inc" if ops[0].mode == "inc" else "set"
    )
    kind, fn = type(ops[0].process).__name__, step.build(ops, ctx)
    constants: Mapping[str, Any] = {}
    if isinstance(fn, WithConstants):
        fn, constants = fn
    numbers = (constant(x, ctx.dtype, f"{kind}.{s}") for s, x in constants.items())
    return Kernel(
        name=kind,
        reads=(slot(op.input for op in ops), *states, *numbers),
        writes=(output, *(Write(views, "set") for views in states)),
        fn=fn,
    )


def _lowpass_key(op):
    return op.state["X"].shape[0]


@register(nengo.Lowpass, merge_key=_lowpass_key, is_elementwise=True)
def build_lowpass(ops, ctx):
    r"""Build first-order lowpass filters, with any time constants.

    .. math:: y_t = e^{-dt / \tau} y_{t-1} + (1 - e^{-dt / \tau}) u_t

    With :math:`\tau = 0` the filter is the identity, and the delay of one step that a
    synapse always has remains.
    """
    found = {}
    for op in ops:  # there may be thousands, of a few kinds
        if op.process not in found:
            found[op.process] = _system(op, ctx.dt)
    systems = [found[op.process] for op in ops]
    sizes = [op.input.size for op in ops]
    if systems[0].order == 0:
        d = _per_element([system.D for system in systems], sizes)
        return WithConstants(lambda u, X, d: (d * u, X), {"d": d})
    a = _per_element([system.A.item() for system in systems], sizes)
    b = _per_element([system.B.item() * system.C.item() for system in systems], sizes)

    def fn(u, X, a, b):
        X = a * X + b * u
        return X, X

    return WithConstants(fn, {"a": a, "b": b})


def _filter_key(op):
    return (op.process, op.input.size)


@register(nengo.Alpha, LinearFilter, merge_key=_filter_key)
def build_linear_filter(ops, ctx):
    r"""Build a discretised linear filter.

    .. math::
       x_{t+1} &= A x_t + B u_t \\
       y_t &= C x_t + D u_t

    A filter without passthrough (D = 0) gives :math:`C x_{t+1}` instead, one step
    earlier, as Nengo does.
    """
    k, size = len(ops), ops[0].input.size
    A, B, C, D = system = _system(ops[0], ctx.dt)
    order = system.order
    if order == 0:
        return lambda u, X: (D * u, X)
    if order == 1 and D == 0:
        # Nengo keeps the output as the state, with C folded into B
        B, C = B * C, np.ones_like(C)

    def fn(u, X):
        u = tf.reshape(u, (k, 1, size, -1))
        X = tf.reshape(X, (k, order, size, -1))
        new = _apply(A, X) + tf.constant(B[..., None], X.dtype) * u
        y = _apply(C, new) if D == 0 else _apply(C, X) + D * u
        return tf.reshape(y, (k * size, -1)), tf.reshape(new, (k * order * size, -1))

    return fn


class _System(NamedTuple):
    """A discrete state-space system with shapes (n, n), (n, 1), (1, n) and a float."""

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: float

    @property
    def order(self):
        return len(self.A)


def _system(op, dt):
    """Ask Nengo for the matrices of a filter."""
    state = {name: np.array(sig.initial_value) for name, sig in op.state.items()}
    shape = op.input.shape
    step = op.process.make_step(shape, shape, dt, None, state)
    order = len(step.A)
    return _System(
        np.asarray(step.A, dtype=float),
        np.reshape(step.B, (order, 1)),
        np.reshape(step.C, (1, order)),
        float(np.ravel(step.D)[0]),
    )


def _per_element(values, sizes):
    """Return one float if all are equal, else one value for each element."""
    if all(value == values[0] for value in values):
        return float(values[0])
    return np.repeat(np.asarray(values, dtype=float), sizes)[:, None]


def _apply(matrix, X):
    """Multiply an (r, c) matrix with a tensor of shape (k, c, size, .)."""
    rows, columns = matrix.shape
    if columns > MAX_UNROLLED_ORDER:
        return tf.einsum("rc,kcsb->krsb", tf.constant(matrix, X.dtype), X)
    parts = [X[:, j : j + 1] for j in range(columns)]
    return tf.concat(
        [
            sum(float(matrix[i, j]) * parts[j] for j in range(columns))
            for i in range(rows)
        ],
        axis=1,
    )


def _triangle_key(op):
    return (op.state["X"].shape, op.process.t)


@register(nengo.synapses.Triangle, merge_key=_triangle_key)
def build_triangle(ops, ctx):
    """Build a filter with a triangular impulse response, over a ring of past inputs.

    The state is the output ``Y``, the scaled inputs ``X`` of the last taps, and the
    position ``Xi`` of the newest.
    """
    k = len(ops)
    n_taps, *shape = ops[0].state["X"].shape
    size = int(np.prod(shape))
    weights = np.arange(n_taps, 0, -1, dtype=float)
    weights /= weights.sum()
    first, difference = weights[0], weights[-1]
    names = tuple(ops[0].state)
    taps = np.arange(n_taps).reshape(n_taps, 1, 1)

    def fn(u, *values):
        state = dict(zip(names, values, strict=True))
        X = tf.reshape(state["X"], (k, n_taps, size, -1))
        u = tf.reshape(u, (k, 1, size, -1))
        Y = tf.reshape(state["Y"], (k, size, -1))
        Y = Y + first * u[:, 0] - tf.reduce_sum(X, axis=1)
        position = tf.math.floormod(state["Xi"] + 1, n_taps)
        newest = tf.equal(
            tf.constant(taps, X.dtype), tf.reshape(position, (k, 1, 1, -1))
        )
        X = tf.where(newest, difference * u, X)
        new = {
            "Y": tf.reshape(Y, (k * size, -1)),
            "X": tf.reshape(X, (k * n_taps * size, -1)),
            "Xi": position,
        }
        return (new["Y"], *(new[name] for name in names))

    return fn
