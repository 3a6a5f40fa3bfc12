"""Operators that move elements, and compute nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Shape
from nengo_dl.exchange.layers import ForEachItem
from nengo_dl.exchange.operators.arithmetic import expanded
from nengo_dl.exchange.operators.conv import from_image, image
from nengo_dl.exchange.operators.products import as_value
from nengo_dl.exchange.operators.reduction import without_axes
from nengo_dl.exchange.values import Value, item_shape, plain_value


def reshape(emit: Emitter, value: Value, shape: Shape) -> Value:
    """Give a value another shape, whose length None is the minibatch."""
    if value.batch is None:
        target = (1, *_lengths(shape))
        tensor = keras.ops.reshape(emit.plain(value), target)
        return plain_value(tensor, None, is_nonnegative=value.is_nonnegative)
    if value.shape == tuple(shape):
        return value
    batch = value.batch
    if tuple(shape[: batch + 1]) != value.shape[: batch + 1]:
        raise InvalidValue(
            f"expected a shape that leaves the minibatch where it is, as axis {batch} "
            f"(got {_shown(value.shape)} to {_shown(shape)})"
        )
    target = _lengths((*shape[:batch], *shape[batch + 1 :]))
    kept = tuple(n for n in value.shape if n not in (1, None))
    if kept == tuple(n for n in target if n != 1) and value.order != value.plain:
        moved = _with_ones(value, shape)
        if moved is not None:
            return moved
    tensor = emit.plain(value)
    if len(target) == 1:
        tensor = emit.layer(keras.layers.Flatten, tensor)
    else:
        tensor = emit.layer(keras.layers.Reshape, tensor, "", target)
    return plain_value(tensor, batch, is_nonnegative=value.is_nonnegative)


def _with_ones(value: Value, shape: Shape) -> Value | None:
    """Return a value with other axes of length 1, and its order as it is."""
    lengths = iter([a for a, n in enumerate(shape) if n not in (1, None)])
    to = {axis: next(lengths) for axis in value.plain if value.shape[axis] != 1}
    ones = [a for a, n in enumerate(shape) if n == 1]
    order = (*(to[axis] for axis in value.order if axis in to), *ones)
    target = tuple(shape[axis] for axis in order)
    tensor = keras.ops.reshape(value.tensor, (-1, *target))
    return replace(value, tensor=tensor, order=order)


def _lengths(shape: Sequence[int | None]) -> tuple[int, ...]:
    return item_shape((None, *shape))


def _shown(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("items" if n is None else str(n) for n in shape) + ")"


def for_each_item(emit: Emitter, value: Value, batch: int) -> Value:
    """Repeat what all items share, so that one of its axes of length 1 is the minibatch."""
    if value.batch is not None:
        return value
    if value.shape[batch] != 1:
        raise InvalidValue(
            f"expected an axis of length 1 for the minibatch (got {value.shape})"
        )
    at = 1 + value.order.index(batch)
    order = tuple(axis for axis in value.order if axis != batch)
    tensor = keras.ops.squeeze(value.tensor, at)
    tensor = emit.layer(ForEachItem, [tensor, emit.source], "items")
    return replace(value, tensor=tensor, order=order, batch=batch)


def concatenate(emit: Emitter, operands: Sequence[Any], axis: int) -> Value:
    """Put values one after the other along an axis."""
    values = [as_value(emit, operand) for operand in operands]
    batches = {value.batch for value in values} - {None}
    if len(batches) > 1:
        raise InvalidValue("expected the minibatch as the same axis of all tensors")
    if batches:
        (batch,) = batches
        values = [for_each_item(emit, value, batch) for value in values]
    first = values[0]
    tensors = [emit.arranged(value, first.order) for value in values]
    along = first.axis(axis)
    made = tensors[0]
    if len(tensors) > 1:
        made = emit.layer(keras.layers.Concatenate, tensors, "", along)
    return first.with_tensor(made, all(value.is_nonnegative for value in values))


def insert_axis(emit: Emitter, value: Value, axis: int) -> Value:
    """Insert an axis of length 1."""
    axis = int(axis) % (value.rank + 1)
    order = tuple(a + (a >= axis) for a in value.order)
    batch = value.batch
    batch = None if batch is None else batch + (batch >= axis)
    tensor = keras.ops.expand_dims(value.tensor, len(value.tensor.shape))
    return replace(value, tensor=tensor, order=(*order, axis), batch=batch)


def stack(emit: Emitter, operands: Sequence[Any], axis: int) -> Value:
    """Put values one after the other along a new axis."""
    values = [as_value(emit, operand) for operand in operands]
    axis = int(axis) % (values[0].rank + 1)
    values = [insert_axis(emit, value, axis) for value in values]
    return concatenate(emit, values, axis)


def cut(
    emit: Emitter, value: Value, axis: int, start: int, stop: int, step: int = 1
) -> Value:
    """Take a range of elements along an axis; start and stop are within it."""
    del emit
    along = value.axis(axis)
    n = value.tensor.shape[along]
    if (start, step) == (0, 1) and stop >= n:
        return value
    index = (*(slice(None),) * along, slice(start, stop, step))
    return value.with_tensor(value.tensor[index], value.is_nonnegative)


def select(value: Value, axis: int, i: int) -> Value:
    """Take one element of an axis, which is gone then."""
    along = value.axis(axis)
    n = value.tensor.shape[along]
    index = (*(slice(None),) * along, int(i) % n)
    made = without_axes(value, (axis,), value.tensor[index])
    return replace(made, is_nonnegative=value.is_nonnegative)


def take(value: Value, axis: int, index: np.ndarray) -> Value:
    """Take elements of an axis by their numbers."""
    along = value.axis(axis)
    n = value.tensor.shape[along]
    index = np.where(index < 0, index + n, index)
    if index.size and not (0 <= index.min() and index.max() < n):
        raise InvalidValue(f"expected indices of {n} elements (got {index.max()})")
    made = keras.ops.take(value.tensor, index, axis=along)
    return value.with_tensor(made, value.is_nonnegative)


def split(emit: Emitter, value: Value, sizes: Sequence[int], axis: int):
    """Cut a value along an axis into parts of certain sizes."""
    starts = np.cumsum([0, *sizes])
    pairs = zip(starts, starts[1:], strict=False)
    return tuple(cut(emit, value, axis, int(a), int(b)) for a, b in pairs)


def expand(emit: Emitter, operand: Any, shape: Shape) -> Value:
    """Repeat elements along axes of length 1, up to a shape."""
    value = expanded(emit, as_value(emit, operand), len(shape))
    if None in shape and value.batch is None:
        value = for_each_item(emit, value, shape.index(None))
    tensor, have = value.tensor, value.shape
    for axis in value.plain:
        if have[axis] == 1 and shape[axis] not in (1, None):
            tensor = keras.ops.repeat(tensor, shape[axis], axis=value.axis(axis))
    return value.with_tensor(tensor, value.is_nonnegative)


def tile(emit: Emitter, value: Value, repeats: Sequence[int]) -> Value:
    """Repeat a value as a whole along each axis."""
    repeats = (1,) * (value.rank - len(repeats)) + tuple(repeats)
    value = expanded(emit, value, len(repeats))
    if value.batch is not None and repeats[value.batch] != 1:
        raise InvalidValue("expected as many items as before (got some repeated)")
    if set(repeats) == {1}:
        return value
    by_axis = [repeats[axis] for axis in value.order]
    made = keras.ops.tile(value.tensor, [1, *by_axis])
    return value.with_tensor(made, value.is_nonnegative)


def shuffle_pixels(emit: Emitter, value: Value, factor: int) -> Value:
    r"""Move channels into space: (c r^2, h, w) becomes (c, h r, w r).

    Shi et al. 2016, https://doi.org/10.1109/CVPR.2016.207, equation 4.
    """
    tensor = image(emit, value, 2)
    height, width, channels = tensor.shape[1:]
    n = channels // factor**2
    tensor = keras.ops.reshape(tensor, (-1, height, width, n, factor, factor))
    tensor = keras.ops.transpose(tensor, (0, 1, 4, 2, 5, 3))
    made = keras.ops.reshape(tensor, (-1, height * factor, width * factor, n))
    return from_image(made, value.is_nonnegative)


def unshuffle_pixels(emit: Emitter, value: Value, factor: int) -> Value:
    """Move space into channels: the inverse of `shuffle_pixels`."""
    tensor = image(emit, value, 2)
    height, width, channels = tensor.shape[1:]
    height, width = height // factor, width // factor
    tensor = keras.ops.reshape(tensor, (-1, height, factor, width, factor, channels))
    tensor = keras.ops.transpose(tensor, (0, 1, 3, 5, 2, 4))
    made = keras.ops.reshape(tensor, (-1, height, width, channels * factor**2))
    return from_image(made, value.is_nonnegative)


def shuffle_channels(emit: Emitter, value: Value, n_groups: int) -> Value:
    """Take channels from groups in turn (Zhang et al. 2018, 10.1109/CVPR.2018.00716)."""
    n = value.shape[1]
    index = np.arange(n).reshape(n_groups, -1).T.ravel()
    return take(value, 1, index)
