"""Kernels that run Python in every step: the only such calls of the engine.

They exist for what the user wrote in Python: node functions of an input, functions on
direct connections, and neuron types and processes that have no TensorFlow step. Several
of them that can run at the same time are one call into Python.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from nengo.builder import Signal
from nengo.builder.node import SimPyFunc
from nengo.exceptions import SimulationError

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.ops.registry import BuildContext, Builder, HostError

Signals = list[Signal]
Arrays = Sequence[np.ndarray]
# Types of single numbers
NUMBERS = frozenset((bool, int, float, np.float32, np.float64, np.int64))


def owner(signal: Signal) -> str:
    """Return the name of the object that a signal was built for."""
    return signal.base.name.rsplit(".", 1)[0]


def _kernel(
    name: str,
    ctx: BuildContext,
    reads: list[Signals],
    writes: list[tuple[Signals, str]],
    run: Callable[[float, Arrays, Arrays], None],
    reason: str,
) -> Kernel:
    """Build a kernel that calls ``run``, see `Kernel.python`.

    Exceptions of the user's code do not survive TensorFlow, so they are kept in
    ``ctx.host``, from where the simulator raises them.
    """
    sizes = [sum(signal.size for signal in signals) for signals, _ in writes]

    def call(key, *arrays):
        results = [np.empty((size, key[2]), ctx.dtype) for size in sizes]
        try:
            with ctx.host.calling():
                inputs = [x.T for x in arrays]
                run(float(key[1]) * ctx.dt, inputs, [y.T for y in results])
        except BaseException as exc:
            ctx.host.error = exc
            raise HostError(reason) from exc
        return results

    def fn(key, *tensors):
        results = tf.numpy_function(call, [key, *tensors], [ctx.dtype] * len(sizes))
        for result, size in zip(results, sizes, strict=True):
            result.set_shape((size, ctx.minibatch_size))
        return tuple(results)

    return Kernel(
        name=name,
        reads=tuple(slot(signals) for signals in reads),
        writes=tuple(Write(slot(signals), mode) for signals, mode in writes),
        fn=fn,
        host=reason,
        python=run,
        keyed=True,
    )


def call_ahead(fn: Callable, arguments: list, specs: list[tf.TensorSpec]) -> list:
    """Call Python once, ahead of the time loop; ``fn`` returns an array per spec."""
    results = tf.numpy_function(fn, arguments, [spec.dtype for spec in specs])
    results = tf.nest.flatten(results)  # run eagerly, one result comes without a list
    return [tf.ensure_shape(x, s.shape) for x, s in zip(results, specs, strict=True)]


def _pieces(array: np.ndarray, signals: Signals) -> Iterator[np.ndarray]:
    """Split one item's slot into a fresh array per signal."""
    stop = 0
    for signal in signals:
        start, stop = stop, stop + signal.size
        yield array[start:stop].reshape(signal.shape).copy()


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(np.ravel(piece) for piece in pieces)])


def _warn(reason: str, cure: str) -> None:
    warnings.warn(
        f"{reason}; it runs in Python each step, and what lies between is compiled "
        f"piecewise. Register a TensorFlow step with @nengo_dl.ops.{cure}.",
        stacklevel=2,
    )


def _list(names: list[str]) -> str:
    """Name the first few of several objects."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


class _Call(NamedTuple):
    """A function, its name in messages, its part of the input, and of the results."""

    fn: Callable[..., Any]
    name: str
    source: slice | None
    x_shape: tuple[int, ...]
    target: slice | None
    y_shape: tuple[int, ...]


@Builder.register(
    SimPyFunc,
    merge_key=lambda op: (op.t is None, op.x is None, op.output is None),
    is_host=lambda op: True,
)
def build_sim_py_func(ops, ctx):
    """Build calls of Python functions. Sets ``output``, reads ``t``, ``x``."""
    inputs = [op.x for op in ops if op.x is not None]
    outputs = [op.output for op in ops if op.output is not None]
    calls = _calls(ops)
    takes_time = ops[0].t is not None
    host, dtype = ctx.host, ctx.dtype
    bound = float(np.finfo(dtype).max)

    def run(t, arrays, results):
        for item, y in enumerate(results[0]):
            for fn, host.where, source, x_shape, target, y_shape in calls:
                if source is None:
                    value = fn(t) if takes_time else fn()
                else:
                    x = arrays[0][item, source].reshape(x_shape).copy()
                    value = fn(t, x) if takes_time else fn(x)
                if target is None:
                    continue
                # the usual values need no further checks, which would take longer than
                # the usual function: if the square is bounded, so are all elements
                if type(value) in NUMBERS:
                    is_good = y_shape == (1,) and -bound < value < bound
                elif type(value) is np.ndarray and value.dtype.kind == "f":
                    is_good = value.shape == y_shape and value.dot(value) < bound
                else:
                    is_good = False
                if not is_good:
                    value = check_output(value, y_shape, host.where, dtype)
                y[target] = value

    return _kernel(
        "SimPyFunc",
        ctx,
        [inputs] if inputs else [],
        [(outputs, "set")],
        run,
        f"{_list([call.name for call in calls])} calls a Python function in every step",
    )


def _calls(ops) -> list[_Call]:
    """Return the functions of operators, and where inputs and results are in slots."""
    names = [owner(op.x if op.output is None else op.output) for op in ops]
    sources = _slices([op.x for op in ops])
    targets = _slices([op.output for op in ops])
    return [
        _Call(op.fn, name, source, _shape(op.x), target, _shape(op.output))
        for op, name, source, target in zip(ops, names, sources, targets, strict=True)
    ]


def _slices(signals: Sequence[Signal | None]) -> list[slice | None]:
    """Return where each of several signals is in a slot of all that there are."""
    slices: list[slice | None] = []
    stop = 0
    for signal in signals:
        start, stop = stop, stop + (0 if signal is None else signal.size)
        slices.append(None if signal is None else slice(start, stop))
    return slices


def _shape(signal: Signal | None) -> tuple[int, ...]:
    return () if signal is None else signal.shape


def check_output(value, shape, name, dtype):
    """Return a user's value as a flat array; raise SimulationError for any other."""
    expected = (
        f"{name}: expected the function to return finite numbers of shape {shape}"
    )
    if value is None:
        raise SimulationError(
            f"{expected} (got None). Return a value on every path of the function."
        )
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"not a number: {array.dtype}")
        with np.errstate(over="ignore"):
            array = array.astype(dtype)
        if not np.all(np.isfinite(array)):
            raise SimulationError(
                f"{expected} (got the non-finite value {value!r}). Check for divisions "
                "by zero and overflow."
            )
        # by assignment, which lets leading axes of length 1 go, as Nengo's does
        output = np.empty(shape, dtype=dtype)
        output[...] = array
        return output.ravel()
    except (TypeError, ValueError) as exc:
        raise SimulationError(
            f"{expected} (got {value!r} of type {type(value).__name__}, an invalid "
            "type or shape). Return an array, or a number for a single dimension."
        ) from exc


def build_neurons(ops, ctx):
    """Build neurons that have only a NumPy step. Sets ``output``, ``state``."""
    extras = ctx.host.add(lambda streams: _extras(ops, ctx, streams))

    def step(item, i, t, J, state):
        del t
        output = np.zeros_like(J)
        ops[i].neurons.step(ctx.dt, J, output, **state, **extras()[item][i])
        return output

    kind = ("neuron type", type(ops[0].neurons).__name__, "neurons")
    return _stepped(ops, ctx, kind, [op.J for op in ops], step)


def build_processes(ops, ctx):
    """Build processes that have only a NumPy step. Reads ``input``."""
    made = ctx.host.add(lambda streams: _make_steps(ops, ctx, streams))
    names = [owner(op.output) for op in ops]

    def step(item, i, t, x, state):
        call, own = made()[item][i]
        for name, array in state.items():
            own[name][...] = array
        result = call(t, x)
        for name, array in state.items():
            array[...] = own[name]
        return check_output(result, ops[i].output.shape, names[i], ctx.dtype)

    kind = ("process", type(ops[0].process).__name__, "processes")
    mode = "inc" if ops[0].mode == "inc" else "set"
    return _stepped(ops, ctx, kind, [op.input for op in ops], step, mode)


def _stepped(ops, ctx, kind: tuple[str, str, str], inputs: Signals, step, mode="set"):
    """Build objects of a kind: its word, its type, and where steps are registered.

    ``step(item, i, t, x, state)`` does a step of the i-th operator for an item of the
    minibatch. It returns the output, and changes the arrays of the state.
    """
    word, name, room = kind
    names = [owner(op.output) for op in ops]
    reason = f"{_list(names)}: {word} {name}"
    _warn(f"{reason} has no TensorFlow step", f"{room}.register({name})")
    outputs = [op.output for op in ops]
    states = {key: [op.state[key] for op in ops] for key in ops[0].state}
    reads = [inputs, *states.values()]

    def run(t, arrays, new):
        for item in range(len(arrays[0])):
            x, *state = (
                list(_pieces(array[item], signals))
                for array, signals in zip(arrays, reads, strict=True)
            )
            results = []
            for i, ctx.host.where in enumerate(names):
                own = {key: row[i] for key, row in zip(states, state, strict=True)}
                results.append(step(item, i, t, x[i], own))
            for array, pieces in zip(new, (results, *state), strict=True):
                array[item] = _joined(pieces)

    writes = [(outputs, mode), *((signals, "set") for signals in states.values())]
    return _kernel(name, ctx, reads, writes, run, f"{reason} runs in Python")


class _PerItem:
    """Something for each minibatch item, made when an item is first asked for."""

    def __init__(self, ctx: BuildContext, make: Callable[[int], Any]):
        self._make = make
        self._made = [make(item) for item in range(ctx.minibatch_size or 1)]

    def __getitem__(self, item: int) -> Any:
        while len(self._made) <= item:
            self._made.append(self._make(len(self._made)))
        return self._made[item]


def _extras(ops, ctx, streams):
    """Give each minibatch item its random streams."""

    def make(item):
        extras = [streams.of_neurons(item, op) for op in ops]
        for op, extra in zip(ops, extras, strict=True):
            for name, stream in extra.items():
                ctx.host.streams[op, name, item] = stream
        return extras

    return _PerItem(ctx, make)


def _make_steps(ops, ctx, streams):
    """Make the step functions of all processes, with arrays for their state."""

    def make(item):
        steps = []
        rngs = streams.of_processes(item, ops)
        for op, stream in zip(ops, rngs, strict=True):
            state = {name: np.array(s.initial_value) for name, s in op.state.items()}
            ctx.host.streams[op, "random", item] = stream
            step = op.process.make_step(
                op.input.shape, op.output.shape, ctx.dt, stream, state
            )
            steps.append((step, state))
        return steps

    return _PerItem(ctx, make)
