"""Operators that move elements, and compute nothing."""

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import axes as ones
from nengo_dl.exchange.operators import indexing, shapes
from nengo_dl.exchange.operators.activation import apply
from nengo_dl.exchange.operators.padding import pad
from nengo_dl.exchange.operators.product import as_value
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value, item_shape
from nengo_dl.onnx.axes import axes_of, slices, split_sizes
from nengo_dl.onnx.graph import FLOATS, NUMBERS
from nengo_dl.onnx.package import onnx_package

ops = keras.ops
NOT_ITEMS = "not along the minibatch"


@register("onnx.Reshape", keras="Reshape, Flatten")
def convert_reshape(emit: Emitter, x, shape):
    """Convert another shape of the same elements."""
    return shapes.reshape(emit, emit.value(x), shape)


@register("onnx.Squeeze", keras="Reshape")
def convert_squeeze(emit: Emitter, x, axes):
    """Convert the loss of axes of length 1."""
    return ones.squeeze(emit, emit.value(x), emit.constant(axes).ravel().tolist())


@register("onnx.Unsqueeze", keras="Reshape")
def convert_unsqueeze(emit: Emitter, x, axes):
    """Convert axes of length 1 that are added."""
    return ones.unsqueeze(emit, emit.value(x), emit.constant(axes).ravel().tolist())


@register("onnx.Transpose", keras="Permute, where elements have to move")
def convert_transpose(emit: Emitter, x, perm=None):
    """Convert another order of the axes."""
    value = emit.value(x)
    return value.transposed(tuple(range(value.rank))[::-1] if perm is None else perm)


@register("onnx.Concat", keras="Concatenate", restrictions=NOT_ITEMS)
def convert_concat(emit: Emitter, *values, axis=1):
    """Convert values one after the other."""
    return shapes.concatenate(emit, values, axis)


@register("onnx.Split", keras="x[...]", restrictions=NOT_ITEMS)
def convert_split(emit: Emitter, x, split=None, axis=0, num_outputs=None):
    """Convert parts of an axis."""
    del num_outputs  # the node has as many
    value = emit.value(x)
    length = value.tensor.shape[value.axis(axis)]
    sizes = split_sizes(emit.node.outputs, length, split)
    return indexing.split(emit, value, sizes, axis)


@register("onnx.Slice", keras="x[...], keras.ops.take", restrictions=NOT_ITEMS)
def convert_slice(emit: Emitter, x, starts, ends, axes=None, steps=None):
    """Convert slices."""
    value = emit.value(x)
    given = [None if a is None else emit.constant(a) for a in (axes, steps)]
    found = slices(value.rank, emit.constant(starts), emit.constant(ends), *given)
    return indexing.cut(emit, value, found)


@register(
    "onnx.Gather",
    keras="keras.ops.take, Embedding",
    restrictions="by constants; or rows of a constant matrix",
)
def convert_gather(emit: Emitter, x, indices, axis=0):
    """Convert elements by their numbers."""
    if not isinstance(indices, np.ndarray):
        return indexing.look_up(emit, x, indices, axis)
    return indexing.take(emit, emit.value(x), indices, axis)


@register(
    "onnx.Pad",
    keras="ZeroPadding, keras.ops.pad, keras.ops.take",
    restrictions=NOT_ITEMS,
)
def convert_pad(emit: Emitter, x, pads, fill=None, axes=None, mode="constant"):
    """Convert padding."""
    value = emit.value(x)
    pads = emit.constant(pads).tolist()
    given = np.arange(value.rank) if axes is None else emit.constant(axes)
    n = len(pads) // 2
    both = zip(pads[:n], pads[n:], strict=True)
    pairs = dict(zip(axes_of(given, value.rank) or (), both, strict=True))
    if value.batch is not None and any(pairs.pop(value.batch, (0, 0))):
        raise InvalidValue("expected pads of axes other than the minibatch")
    fill = 0 if fill is None else emit.constant(fill).item()
    return pad(emit, value, pairs, mode, fill)


@register("onnx.Expand", keras="keras.ops.repeat")
def convert_expand(emit: Emitter, x, shape):
    """Convert what is repeated along axes of length 1."""
    (target,) = emit.node.shapes
    if target is None:
        raise InvalidValue("expected a shape that is known")
    return ones.expand(emit, as_value(emit, x), target)


@register("onnx.Tile", keras="keras.ops.tile", restrictions=NOT_ITEMS)
def convert_tile(emit: Emitter, x, repeats):
    """Convert what is repeated."""
    return ones.tile(emit, emit.value(x), emit.constant(repeats).tolist())


@register("onnx.Cast", keras="keras.ops.cast")
def convert_cast(emit: Emitter, x, to, saturate=1, round_mode="up"):
    """Convert another type; floats of all precisions are those of the model."""
    del saturate, round_mode  # of 8-bit floats, which are refused
    dtype = onnx_package().helper.tensor_dtype_to_np_dtype(to).name
    if dtype not in NUMBERS:
        raise InvalidValue(f"expected a type that is computed with (got {dtype})")
    return _cast(emit, emit.value(x), dtype)


@register("onnx.CastLike", keras="keras.ops.cast")
def convert_cast_like(emit: Emitter, x, like, saturate=1, round_mode="up"):
    """Convert to the type of another tensor."""
    del saturate, round_mode
    is_array = isinstance(like, np.ndarray)
    dtype = like.dtype.name if is_array else str(emit.value(like).tensor.dtype)
    return _cast(emit, emit.value(x), dtype)


def _cast(emit: Emitter, value: Value, dtype: str) -> Value:
    before = str(value.tensor.dtype)
    if dtype in FLOATS and before in FLOATS or dtype == before:
        return value
    target = emit.graph.dtype if dtype in FLOATS else dtype
    return apply(value, ops.cast, target)


def _image(value: Value) -> tuple[int, ...]:
    if value.batch != 0 or value.rank != 4:
        raise InvalidValue(f"expected images (got shape {value.shape})")
    return item_shape(value.shape)


@register("onnx.DepthToSpace", keras="keras.ops")
def convert_depth_to_space(emit: Emitter, x, blocksize, mode="DCR"):
    """Convert channels that become blocks of pixels."""
    value = emit.value(x)
    n, _, _ = _image(value)
    if mode == "DCR":  # columns of a block, then rows, then channels
        depth = n // blocksize**2
        order = np.arange(n).reshape(blocksize**2, depth).T.ravel()
        value = indexing.take(emit, value, order, 1)
    return shapes.shuffle_pixels(emit, value, blocksize)


@register("onnx.SpaceToDepth", keras="keras.ops")
def convert_space_to_depth(emit: Emitter, x, blocksize):
    """Convert blocks of pixels that become channels."""
    value = emit.value(x)
    n, _, _ = _image(value)
    value = shapes.unshuffle_pixels(emit, value, blocksize)
    order = np.arange(n * blocksize**2).reshape(n, blocksize**2).T.ravel()
    return indexing.take(emit, value, order, 1)
