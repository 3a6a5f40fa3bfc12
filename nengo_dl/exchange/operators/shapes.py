"""Operators that move elements, and compute nothing."""

from collections.abc import Sequence
from typing import Any

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Shape
from nengo_dl.exchange.values import Value, item_shape, plain_value


def reshape(emit: Emitter, value: Value, shape: Shape) -> Value:
    """Give a value another shape, whose length None is the minibatch."""
    if value.batch is None:
        tensor = keras.ops.reshape(emit.plain(value), (1, *map(int, shape)))
        return plain_value(tensor, None, is_nonnegative=value.is_nonnegative)
    if value.batch != 0:
        raise InvalidValue(
            f"expected the minibatch as the first axis (got axis {value.batch})"
        )
    target = item_shape(shape)
    tensor = emit.plain(value)
    if tuple(tensor.shape[1:]) != target:
        if len(target) == 1:
            tensor = emit.layer(keras.layers.Flatten, tensor)
        else:
            tensor = emit.layer(keras.layers.Reshape, tensor, "", target)
    return plain_value(tensor, 0, is_nonnegative=value.is_nonnegative)


def concatenate(emit: Emitter, values: Sequence[Any], axis: int) -> Value:
    """Put values one after the other along an axis."""
    values = [emit.value(value) for value in values]
    first = values[0]
    if any(value.batch != first.batch for value in values):
        raise InvalidValue("expected the minibatch as the same axis of all tensors")
    tensors = [emit.arranged(value, first.order) for value in values]
    axis = first.axis(axis)
    made = emit.layer(keras.layers.Concatenate, tensors, "", axis)
    return first.with_tensor(made, all(value.is_nonnegative for value in values))
