"""Axes of length 1 that are added or taken away, and values that are repeated."""

from collections.abc import Sequence
from dataclasses import replace

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Shape
from nengo_dl.exchange.layers import ForEachItem
from nengo_dl.exchange.operators.arithmetic import expanded
from nengo_dl.exchange.values import Value

ops = keras.ops


def unsqueeze(emit: Emitter, value: Value, axes: Sequence[int]) -> Value:
    """Add axes of length 1, which are counted in the result.

    Channels that were last stay last, so that an image is not permuted.
    """
    rank = value.rank + len(axes)
    new = sorted(int(axis) % rank for axis in axes)
    old = [axis for axis in range(rank) if axis not in new]
    order = [old[axis] for axis in value.order]
    shape = list(value.tensor.shape[1:])
    for axis in new:
        # in front of the first axis of the source that comes after it, if there is one
        later = [i for i, other in enumerate(order) if other == axis + 1]
        at = later[0] if later else _after(order, axis)
        order.insert(at, axis)
        shape.insert(at, 1)
    batch = None if value.batch is None else old[value.batch]
    tensor = _reshaped(emit, value, shape)
    return replace(value, tensor=tensor, order=tuple(order), batch=batch)


def _after(order: Sequence[int], axis: int) -> int:
    """Return the place behind the axis of the source that comes before another."""
    earlier = [i for i, other in enumerate(order) if other == axis - 1]
    return earlier[0] + 1 if earlier else len(order)


def squeeze(emit: Emitter, value: Value, axes: Sequence[int]) -> Value:
    """Take away axes of length 1."""
    places = value.axes(axes)
    if any(value.tensor.shape[place] != 1 for place in places):
        raise InvalidValue(
            f"expected axes of length 1 (got {tuple(map(int, axes))} of {value.shape})"
        )
    gone = {value.order[place - 1] for place in places}
    shape = [n for i, n in enumerate(value.tensor.shape) if i and i not in places]
    left = [axis for axis in range(value.rank) if axis not in gone]
    order = tuple(left.index(axis) for axis in value.order if axis not in gone)
    batch = None if value.batch is None else left.index(value.batch)
    tensor = _reshaped(emit, value, shape)
    return replace(value, tensor=tensor, order=order, batch=batch)


def _reshaped(emit: Emitter, value: Value, shape: Sequence[int]):
    if value.batch is None:
        return ops.reshape(value.tensor, (1, *shape))
    return emit.layer(keras.layers.Reshape, value.tensor, "", tuple(shape))


def expand(emit: Emitter, value: Value, shape: Shape) -> Value:
    """Repeat what axes of length 1 have, up to a shape that has the same minibatch."""
    rank = max(len(shape), value.rank)
    value = expanded(emit, value, rank)
    target = (1,) * (rank - len(shape)) + tuple(shape)
    if value.batch is None and None in target:
        value = for_each_item(emit, value, target.index(None))
    counts = [1]
    for axis, n in zip(value.order, value.tensor.shape[1:], strict=True):
        wanted = target[axis]
        if wanted is None or n != wanted and 1 not in (n, wanted):
            raise InvalidValue(f"expected a shape {value.shape} fits (got {target})")
        counts.append(wanted if n == 1 else 1)
    if value.batch is not None and target[value.batch] not in (None, 1):
        raise InvalidValue(f"expected any number of items (got {target})")
    return _tiled(value, counts)


def for_each_item(emit: Emitter, value: Value, batch: int) -> Value:
    """Repeat what all items share; an axis of length 1 becomes the minibatch."""
    if value.batch is not None:
        return value
    if value.shape[batch] != 1:
        raise InvalidValue(
            f"expected an axis of length 1 for the minibatch (got {value.shape})"
        )
    at = 1 + value.order.index(batch)
    order = tuple(axis for axis in value.order if axis != batch)
    tensor = ops.squeeze(value.tensor, at)
    tensor = emit.layer(ForEachItem, [tensor, emit.source], "items")
    return replace(value, tensor=tensor, order=order, batch=batch)


def tile(emit: Emitter, value: Value, repeats: Sequence[int]) -> Value:
    """Repeat a value along its axes."""
    rank = max(value.rank, len(repeats))
    value = expanded(emit, value, rank)
    repeats = (1,) * (rank - len(repeats)) + tuple(map(int, repeats))
    if value.batch is not None and repeats[value.batch] != 1:
        raise InvalidValue(f"expected the items as they are (got repeats {repeats})")
    return _tiled(value, [1, *(repeats[axis] for axis in value.order)])


def _tiled(value: Value, counts: Sequence[int]) -> Value:
    if all(n == 1 for n in counts):
        return value
    return value.with_tensor(ops.tile(value.tensor, counts), value.is_nonnegative)
