"""Slices of values, elements by their indices, and pieces of an axis."""

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.bindings import AS_IT_IS
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.operators.axes import squeeze
from nengo_dl.exchange.values import Operand, Value, plain_value

ops = keras.ops


def cut(emit: Emitter, value: Value, slices: Sequence[slice]) -> Value:
    """Take slices, one for each axis of the source, which may go backwards."""
    del emit
    tensor = value.tensor
    index = [slice(None)]
    for place, axis in enumerate(value.order, start=1):
        part, n = slices[axis], tensor.shape[place]
        start, stop, step = part.indices(n)
        if step < 0:
            tensor = ops.take(tensor, np.arange(start, stop, step), axis=place)
            index.append(slice(None))
        else:
            index.append(slice(start, stop, step))
    if value.batch is not None:
        _check_whole(slices[value.batch])
    whole = [s in (slice(None), slice(0, n, 1)) for s, n in _pairs(index, tensor)]
    if not all(whole):
        tensor = tensor[tuple(index)]
    return value.with_tensor(tensor, value.is_nonnegative)


def _pairs(index, tensor):
    return zip(index, tensor.shape, strict=True)


def _check_whole(part: slice) -> None:
    is_whole = part.start in (None, 0) and part.step in (None, 1)
    if not is_whole or part.stop is not None and part.stop < 2**31 - 1:
        raise InvalidValue(f"expected all items of a minibatch (got {part})")


def take(emit: Emitter, value: Value, indices: np.ndarray, axis: int) -> Value:
    """Take elements along an axis, whose place the axes of the indices take."""
    place = value.axis(axis)
    axis, n = value.order[place - 1], value.tensor.shape[place]
    if np.any(indices < -n) or np.any(indices >= n):
        raise InvalidValue(f"expected indices of {n} elements (got {indices.tolist()})")
    flat = np.where(indices < 0, indices + n, indices).astype(np.int32).ravel()
    tensor = ops.take(value.tensor, flat, axis=place)
    if indices.ndim == 1:
        return value.with_tensor(tensor, value.is_nonnegative)
    if indices.ndim == 0:
        return squeeze(emit, value.with_tensor(tensor, value.is_nonnegative), [axis])
    return _with_axes(value.with_tensor(tensor, value.is_nonnegative), axis, indices)


def _with_axes(value: Value, axis: int, indices: np.ndarray) -> Value:
    """Return a value in which several axes stand in the place of one."""
    more, place = indices.ndim - 1, value.order.index(axis)
    later = [i + more * (i > axis) for i in value.order]
    order = (*later[:place], *range(axis, axis + more + 1), *later[place + 1 :])
    shape = value.tensor.shape[1:]
    shape = (*shape[:place], *indices.shape, *shape[place + 1 :])
    head = 1 if value.batch is None else -1
    batch = value.batch
    batch = batch if batch is None else batch + more * (batch > axis)
    tensor = ops.reshape(value.tensor, (head, *shape))
    return replace(value, tensor=tensor, order=order, batch=batch)


def split(emit: Emitter, value: Value, sizes: Sequence[int], axis: int) -> list[Value]:
    """Cut an axis into pieces of certain lengths."""
    axis = int(axis) % value.rank
    ends = np.cumsum(sizes)
    whole = [slice(None)] * value.rank
    parts = []
    for start, end in zip(ends - sizes, ends, strict=True):
        piece = slice(int(start), int(end))
        parts.append(cut(emit, value, [*whole[:axis], piece, *whole[axis + 1 :]]))
    return parts


def look_up(emit: Emitter, table: Operand, indices: Operand, axis: int = 0) -> Value:
    """Take rows of a matrix by indices that are computed."""
    if not isinstance(table, Weight) or table.array.ndim != 2 or axis % 2 != 0:
        raise InvalidValue(
            "expected rows of a constant matrix, or indices that are constant (got "
            "indices that are computed)"
        )
    value = emit.value(indices)
    tensor = emit.weighted(
        keras.layers.Embedding,
        emit.plain(value),
        {"embeddings": (table, AS_IT_IS)},
        input_dim=table.array.shape[0],
        output_dim=table.array.shape[1],
    )
    return plain_value(tensor, value.batch)
