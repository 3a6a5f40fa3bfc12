"""Operators that move elements: nothing is computed, but some are repeated or left out.

They are called on the numbers of the elements, to see where each one goes. Several
items, and several time steps, show that none of these is mixed with another.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np

from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operands import learned
from nengo_dl.converter.operators import existing
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register

N_ITEMS, N_STEPS = 2, 3  # where the model does not say it

# Functions of one tensor; then those of several.
MOVES = (
    *("array_split", "copy", "diagonal", "expand_dims", "flip", "fliplr", "full_like"),
    *("get_item", "hsplit", "moveaxis", "ones_like", "pad", "repeat", "reshape"),
    *("roll", "rot90", "split", "squeeze", "swapaxes", "take", "take_along_axis"),
    *("tile", "transpose", "tril", "triu", "unstack", "zeros_like"),
)
JOINS = ("append", "concatenate", "dstack", "hstack", "stack")


@dataclass(frozen=True, eq=False)
class Move:
    """Where the elements of one output come from."""

    # elements of all inputs, one input after the other; -1 for a constant
    source: np.ndarray
    constants: np.ndarray  # what is there instead; 0 for elements of inputs


def moves(call: LayerCall) -> list[Move] | str:
    """Return a `Move` for each output of a call, or say why it is something else."""
    outer = _outer(call)
    sizes = [math.prod(shape) for shape in call.input_shapes]
    n, n_outer = sum(sizes), math.prod(outer)
    ids = np.arange(1, n * n_outer + 1, dtype=float).reshape(*outer, n)
    starts = np.cumsum([0, *sizes])
    values = [
        ids[..., a:b].reshape(*outer, *shape)
        for a, b, shape in zip(starts, starts[1:], call.input_shapes, strict=False)
    ]
    try:
        plus = keras.tree.flatten(call.replay(call.layer, values))
        minus = keras.tree.flatten(call.replay(call.layer, [-v for v in values]))
    except Exception as error:  # whatever TensorFlow raises for such inputs
        return f"expected an operator that moves elements (got {type(error).__name__})"
    pairs = zip(plus, minus, call.output_shapes, strict=True)
    found = [_move(*pair, outer, n) for pair in pairs]
    return next((reason for reason in found if isinstance(reason, str)), found)


def _outer(call: LayerCall) -> tuple[int, ...]:
    """Return the lengths of the axes that are no part of a signal."""
    known = call.inputs[0].shape[: call.n_outer_axes]
    lengths = zip(known, (N_ITEMS, N_STEPS), strict=False)
    return tuple(length or default for length, default in lengths)


def _move(plus, minus, shape, outer, n: int):
    plus = np.asarray(keras.ops.convert_to_numpy(plus), dtype=float)
    minus = np.asarray(keras.ops.convert_to_numpy(minus), dtype=float)
    mixed = "expected an operator that treats each item and time step for itself"
    if plus.shape != (*outer, *shape):
        return f"{mixed} (got {plus.shape} from {outer} of them)"
    plus = plus.reshape(math.prod(outer), -1)
    minus = minus.reshape(plus.shape)
    moved = plus != minus
    source = np.where(moved, plus - 1, -1)
    first = np.where(moved, n * np.arange(len(plus))[:, None], 0)
    constants = np.where(moved, 0, plus)
    for values in (source - first, constants):
        if np.any(values != values[0]):
            return f"{mixed} (got one that mixes them)"
    if np.any(minus[moved] != -plus[moved]) or np.any((source - first)[0] >= n):
        return "expected an operator that moves elements (got one that changes them)"
    return Move((source - first)[0].astype(np.int64), constants[0])


def _register(names, check):
    return register(
        *existing(keras.ops, *names),
        temporal=True,
        check=check,
        native="connections between elements, or nothing",
        restrictions="within each item and time step",
    )


def _one_tensor(call: LayerCall, options: Options) -> str | None:
    if len(call.inputs) > 1:
        return f"expected one tensor, and constants (got {len(call.inputs)} tensors)"
    return _moves(call, options)


def _moves(call: LayerCall, options: Options) -> str | None:
    found = moves(call)
    return found if isinstance(found, str) else learned(call, options)


@_register(MOVES, _one_tensor)
@_register(JOINS, _moves)
def convert_moves(call: LayerCall, build: Build) -> list[Obj]:
    """Convert an operator that moves elements, with one or several outputs."""
    return [_converted(call, build, i, move) for i, move in enumerate(moves(call))]


def _converted(call: LayerCall, build: Build, output, move):
    sizes = [math.prod(shape) for shape in call.input_shapes]
    if not np.any(move.constants):
        for i, start in enumerate(np.cumsum([0, *sizes[:-1]])):
            if np.array_equal(move.source, np.arange(start, start + sizes[i])):
                return build.input(i)
    size = len(move.source)
    node = build.node(size, str(output) if len(call.outputs) > 1 else "")
    start = 0
    for i, n in enumerate(sizes):
        into = np.flatnonzero((move.source >= start) & (move.source < start + n))
        if len(into):
            whole = len(into) == size
            take = move.source[into] - start
            build.connect(node, i, take=take, into=None if whole else compact(into))
        start += n
    if np.any(move.constants):
        build.bias(node, move.constants, trainable=False)
    return node


def compact(index: np.ndarray) -> slice | np.ndarray:
    """Return a list of elements as a slice where it is one."""
    start, stop = int(index[0]), int(index[-1]) + 1
    return slice(start, stop) if len(index) == stop - start else index
