"""Operators that move elements, and compute nothing."""

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Shape
from nengo_dl.exchange.operators.axes import for_each_item, unsqueeze
from nengo_dl.exchange.operators.conv import from_image, image
from nengo_dl.exchange.operators.indexing import take
from nengo_dl.exchange.operators.product import as_value
from nengo_dl.exchange.operators.reduction import without_axes
from nengo_dl.exchange.values import Operand, Value, item_shape, plain_value


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


def concatenate(emit: Emitter, operands: Sequence[Operand], axis: int) -> Value:
    """Put values one after the other along an axis."""
    values = [as_value(emit, operand) for operand in operands]
    batches = {value.batch for value in values if value.batch is not None}
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


def stack(emit: Emitter, operands: Sequence[Operand], axis: int) -> Value:
    """Put values one after the other along a new axis."""
    values = [as_value(emit, operand) for operand in operands]
    axis = int(axis) % (values[0].rank + 1)
    values = [unsqueeze(emit, value, [axis]) for value in values]
    return concatenate(emit, values, axis)


def select(value: Value, axis: int, i: int) -> Value:
    """Take one element of an axis, which is gone then."""
    along = value.axis(axis)
    n = value.tensor.shape[along]
    index = (*(slice(None),) * along, int(i) % n)
    made = without_axes(value, (axis,), value.tensor[index])
    return replace(made, is_nonnegative=value.is_nonnegative)


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
    """Take channels from groups in turn.

    Zhang et al. 2018, https://doi.org/10.1109/CVPR.2018.00716.
    """
    n = value.shape[1]
    index = np.arange(n).reshape(n_groups, -1).T.ravel()
    return take(emit, value, index, 1)
