"""Products of matrices that are both computed, or both have minibatches."""

from dataclasses import replace
from typing import Any

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.operators.arithmetic import aligned, expanded
from nengo_dl.exchange.operators.linear import linear
from nengo_dl.exchange.values import Value

ops = keras.ops


def swapped(value: Value) -> Value:
    """Return a value with its last two axes in the other order."""
    rank = value.rank
    return value.transposed((*range(rank - 2), rank - 1, rank - 2))


def matmul(emit: Emitter, a: Any, b: Any) -> Value:
    """Multiply matrices, which are the last two axes of tensors.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    a, b : Value or Weight
        Of at least two axes; the others broadcast from behind.
    """
    if isinstance(b, Weight) and b.array.ndim == 2 and _keeps_items(a):
        return linear(emit, a, b, None, False)
    if isinstance(a, Weight) and a.array.ndim == 2 and isinstance(b, Value):
        if b.batch is not None and b.batch < b.rank - 2:
            return swapped(linear(emit, swapped(b), a, None, True))
    a, b = emit.value(a), emit.value(b)
    if min(a.rank, b.rank) < 2:
        raise InvalidValue(f"expected matrices (got shapes {a.shape} and {b.shape})")
    if b.rank == 2 and b.batch is None and a.batch is not None:
        if a.batch == a.rank - 1:
            raise InvalidValue("expected a sum over an axis other than the minibatch")
        matrix = ops.squeeze(emit.plain(b), 0)
        return _plain(a, ops.matmul(emit.plain(a), matrix))
    rank = max(a.rank, b.rank)
    a, b = expanded(emit, a, rank), expanded(emit, b, rank)
    target = a if a.batch is not None else b
    if None not in (a.batch, b.batch) and a.batch != b.batch:
        raise InvalidValue("expected the minibatch as the same axis of both matrices")
    if target.batch is not None and target.batch >= rank - 2:
        raise InvalidValue(
            "expected the minibatch in front of both axes of the matrices (got shapes "
            f"{a.shape} and {b.shape})"
        )
    order = replace(target, order=target.plain)
    return _plain(target, ops.matmul(aligned(emit, a, order), aligned(emit, b, order)))


def _keeps_items(value: Any) -> bool:
    """Whether all but the last axis is left alone, the minibatch among them."""
    return (
        isinstance(value, Value)
        and value.batch is not None
        and value.batch < value.rank - 1
    )


def _plain(like: Value, tensor: Any) -> Value:
    return Value(tensor, like.plain, like.batch)
