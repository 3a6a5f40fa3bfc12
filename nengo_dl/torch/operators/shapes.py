"""Operators that move elements."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import axes, indexing, padding, shapes
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.product import as_value
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value

ops = keras.ops
FIRST = "the minibatch stays where it is"


@register(
    "aten._unsafe_view.default",
    "aten.flatten.using_ints",
    "aten.reshape.default",
    "aten.unflatten.int",
    "aten.view.default",
    "aten.view_as.default",
    "aten.reshape_as.default",
    keras="Reshape, Flatten",
    restrictions=FIRST,
)
def convert_reshape(emit: Emitter, x, *arguments, **keywords):
    """Convert another shape for the same elements, which PyTorch has computed."""
    del arguments, keywords
    (shape,) = emit.node.shapes
    return shapes.reshape(emit, emit.value(x), shape)


@register("aten.unsqueeze.default", keras="Reshape")
def convert_unsqueeze(emit: Emitter, x, dim):
    """Convert a new axis of length 1."""
    return axes.unsqueeze(emit, as_value(emit, x), [dim])


@register(
    "aten.squeeze.default", "aten.squeeze.dim", "aten.squeeze.dims", keras="Reshape"
)
def convert_squeeze(emit: Emitter, x, dim=None):
    """Convert axes of length 1 that are taken away."""
    value = emit.value(x)
    if dim is None:
        dim = range(value.rank)
    dims = (dim,) if isinstance(dim, int) else dim
    ones = [axis for axis in dims if value.shape[axis] == 1]
    return axes.squeeze(emit, value, ones) if ones else value


@register("aten.permute.default", keras="Permute, where it has to be")
def convert_permute(emit: Emitter, x, dims):
    """Convert another order of axes."""
    return emit.value(x).transposed(dims)


@register(
    "aten.transpose.int",
    "aten.swapaxes.default",
    keras="Permute, where it has to be",
)
def convert_transpose(emit: Emitter, x, dim0, dim1):
    """Convert two axes that change places."""
    value = emit.value(x)
    order = list(range(value.rank))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return value.transposed(order)


@register("aten.movedim.int", keras="Permute, where it has to be")
def convert_movedim(emit: Emitter, x, source, destination):
    """Convert an axis that moves."""
    value = emit.value(x)
    order = list(range(value.rank))
    axis = order.pop(source)
    order.insert(destination % value.rank, axis)
    return value.transposed(order)


@register("aten.t.default", "aten.numpy_T.default", keras="Permute, where it has to be")
def convert_t(emit: Emitter, x):
    """Convert a transposition."""
    value = emit.value(x)
    return value.transposed(range(value.rank)[::-1])


@register("aten.cat.default", "aten.concat.default", keras="Concatenate")
def convert_cat(emit: Emitter, tensors, dim=0):
    """Convert tensors that are put together."""
    return shapes.concatenate(emit, tensors, dim)


@register("aten.stack.default", keras="Concatenate")
def convert_stack(emit: Emitter, tensors, dim=0):
    """Convert tensors that are put together along a new axis."""
    return shapes.stack(emit, tensors, dim)


@register(
    "aten.slice.Tensor",
    keras="x[...]",
    restrictions="not along the minibatch",
)
def convert_slice(emit: Emitter, x, dim=0, start=None, end=None, step=1):
    """Convert a range of elements."""
    return _cut(emit, emit.value(x), dim, slice(start, end, step))


def _cut(emit: Emitter, value: Value, dim: int, part: slice) -> Value:
    slices = [slice(None)] * value.rank
    slices[dim] = part
    return indexing.cut(emit, value, slices)


@register("aten.narrow.default", keras="x[...]", restrictions="not along the minibatch")
def convert_narrow(emit: Emitter, x, dim, start, length):
    """Convert a range of elements, by its length."""
    return convert_slice(emit, x, dim, start, start + length)


@register("aten.select.int", keras="x[...]", restrictions="not along the minibatch")
def convert_select(emit: Emitter, x, dim, index):
    """Convert one element of an axis."""
    return indexing.take(emit, emit.value(x), np.asarray(index), dim)


@register(
    "aten.index_select.default",
    keras="keras.ops.take",
    restrictions="by constants; not along the minibatch",
)
def convert_index_select(emit: Emitter, x, dim, index):
    """Convert elements of an axis, by their numbers."""
    return indexing.take(emit, emit.value(x), emit.constant(index), dim)


@register(
    "aten.index.Tensor",
    keras="keras.ops.take",
    restrictions="by constants, along one axis; not along the minibatch",
)
def convert_index(emit: Emitter, x, indices):
    """Convert elements of one axis, by their numbers."""
    given = [(axis, i) for axis, i in enumerate(indices) if i is not None]
    if len(given) != 1:
        raise InvalidValue(f"expected indices of one axis (got {len(given)})")
    ((axis, index),) = given
    index = emit.constant(index)
    if index.dtype == bool:
        index = np.flatnonzero(index)
    return indexing.take(emit, emit.value(x), index, axis)


@register("aten.split.Tensor", "aten.chunk.default", keras="x[...]")
def convert_split(emit: Emitter, x, split_size, dim=0):
    """Convert parts of equal sizes, which PyTorch has computed."""
    del split_size
    value = emit.value(x)
    sizes = [shape[dim % value.rank] for shape in emit.node.shapes]
    value.axis(dim)  # which is not the minibatch
    return tuple(indexing.split(emit, value, sizes, dim))


@register("aten.split_with_sizes.default", "aten.split.sizes", keras="x[...]")
def convert_split_sizes(emit: Emitter, x, split_sizes, dim=0):
    """Convert parts of certain sizes."""
    return tuple(indexing.split(emit, emit.value(x), split_sizes, dim))


@register("aten.unbind.int", keras="x[...]")
def convert_unbind(emit: Emitter, x, dim=0):
    """Convert all elements of an axis."""
    value = emit.value(x)
    n = value.tensor.shape[value.axis(dim)]
    return tuple(indexing.take(emit, value, np.asarray(i), dim) for i in range(n))


@register("aten.expand.default", keras="keras.ops.repeat")
def convert_expand(emit: Emitter, x, size, implicit=False):
    """Convert elements that are repeated to a shape, which PyTorch has computed."""
    del size, implicit
    (shape,) = emit.node.shapes
    return axes.expand(emit, as_value(emit, x), shape)


@register("aten.expand_as.default", keras="keras.ops.repeat")
def convert_expand_as(emit: Emitter, x, other):
    """Convert elements that are repeated to the shape of another tensor."""
    del other
    (shape,) = emit.node.shapes
    return axes.expand(emit, as_value(emit, x), shape)


@register("aten.repeat.default", "aten.tile.default", keras="keras.ops.tile")
def convert_repeat(emit: Emitter, x, repeats):
    """Convert a tensor that is repeated as a whole."""
    return axes.tile(emit, as_value(emit, x), repeats)


@register("aten.repeat_interleave.self_int", keras="keras.ops.repeat")
def convert_repeat_interleave(emit: Emitter, x, repeats, dim=None, output_size=None):
    """Convert elements that are repeated one by one."""
    del output_size
    if dim is None:
        raise InvalidValue("expected an axis (got none, which are all elements)")
    value = emit.value(x)
    made = ops.repeat(value.tensor, repeats, axis=value.axis(dim))
    return value.with_tensor(made, value.is_nonnegative)


@register("aten.flip.default", keras="keras.ops.flip")
def convert_flip(emit: Emitter, x, dims):
    """Convert elements in reverse."""
    value = emit.value(x)
    made = ops.flip(value.tensor, axis=value.axes(tuple(dims)))
    return value.with_tensor(made, value.is_nonnegative)


@register("aten.roll.default", keras="keras.ops.roll")
def convert_roll(emit: Emitter, x, shifts, dims=()):
    """Convert elements that move in circles."""
    value = emit.value(x)
    shifts, dims = _listed(shifts), _listed(dims)
    if not dims:
        raise InvalidValue("expected axes (got none, which are all elements)")
    tensor = value.tensor
    for shift, dim in zip(shifts, dims, strict=True):
        tensor = ops.roll(tensor, shift, axis=value.axis(dim))
    return value.with_tensor(tensor, value.is_nonnegative)


def _listed(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


@register(
    "aten.pad.default",
    "aten.constant_pad_nd.default",
    keras="ZeroPadding, Cropping, keras.ops.pad, keras.ops.take",
)
def convert_pad(emit: Emitter, x, pad, mode="constant", value=None):
    """Convert padding, which begins with the last axis."""
    if isinstance(mode, int | float):  # the older operator has the value here
        mode, value = "constant", mode
    return _padded(emit, x, pad, mode, 0 if value is None else value)


@register(
    *(f"aten.reflection_pad{n}d.default" for n in (1, 2, 3)),
    *(f"aten.replication_pad{n}d.default" for n in (1, 2, 3)),
    keras="keras.ops.take",
)
def convert_mirrored_pad(emit: Emitter, x, pad):
    """Convert padding with what is there."""
    mode = "reflect" if "reflection" in emit.node.operator else "replicate"
    return _padded(emit, x, pad, mode, 0)


def _padded(emit: Emitter, x: Any, pad: Sequence[int], mode: str, fill: float):
    value = emit.value(x)
    pairs = zip(pad[::2], pad[1::2], strict=True)
    pads = {value.rank - 1 - i: pair for i, pair in enumerate(pairs)}
    return padding.pad(emit, value, pads, mode, fill)


@register("aten.copy.default", keras="keras.ops.repeat")
def convert_copy(emit: Emitter, x, src, non_blocking=False):
    """Convert a tensor whose elements are all replaced."""
    del x, non_blocking
    (shape,) = emit.node.shapes
    return axes.expand(emit, as_value(emit, src), shape)


@register("aten.fill.Scalar", "aten.fill.Tensor", keras="nothing")
def convert_fill(emit: Emitter, x, value):
    """Convert a tensor whose elements are all replaced by one number."""
    del x
    (shape,) = emit.node.shapes
    value = emit.constant(value)
    return np.full([1 if n is None else n for n in shape], value, emit.graph.dtype)


@register("aten.tril.default", "aten.triu.default", keras="keras.ops.multiply")
def convert_triangle(emit: Emitter, x, diagonal=0):
    """Convert a matrix of which one side is zero."""
    value = as_value(emit, x)
    if not {value.rank - 1, value.rank - 2} <= set(value.order):
        raise InvalidValue("expected matrices (got the minibatch as one of the axes)")
    rows, columns = value.shape[-2:]
    is_lower = emit.node.operator == "aten.tril.default"
    below = np.tri(rows, columns, diagonal if is_lower else diagonal - 1) > 0
    return elementwise(
        emit, ops.where, below if is_lower else np.logical_not(below), value, 0.0
    )


@register("aten.slice_scatter.default", keras="Concatenate")
def convert_slice_scatter(emit: Emitter, x, src, dim=0, start=None, end=None, step=1):
    """Convert a range of elements that is replaced."""
    value = emit.value(x)
    if dim % value.rank == value.batch:
        _cut(emit, value, dim, slice(start, end, step))  # which has to be all
        return emit.value(src)
    n = value.tensor.shape[value.axis(dim)]
    start, end, step = slice(start, end, step).indices(n)
    if step != 1:
        raise InvalidValue(f"expected a range without gaps (got steps of {step})")
    return _replaced(emit, value, src, dim, start, end)


@register("aten.select_scatter.default", keras="Concatenate")
def convert_select_scatter(emit: Emitter, x, src, dim, index):
    """Convert one element of an axis that is replaced."""
    value = emit.value(x)
    index = index % value.tensor.shape[value.axis(dim)]
    src = axes.unsqueeze(emit, as_value(emit, src), [dim % value.rank])
    return _replaced(emit, value, src, dim, index, index + 1)


def _replaced(emit: Emitter, value, src, dim: int, start: int, end: int):
    n = value.tensor.shape[value.axis(dim)]
    pieces = [src]
    if start > 0:
        pieces.insert(0, _cut(emit, value, dim, slice(0, start)))
    if end < n:
        pieces.append(_cut(emit, value, dim, slice(end, n)))
    return shapes.concatenate(emit, pieces, dim)
