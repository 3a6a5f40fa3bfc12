"""Operators that move elements, and compute nothing."""

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import axes as moved
from nengo_dl.exchange.operators import parts
from nengo_dl.exchange.operators.activation import apply
from nengo_dl.exchange.operators.padding import pad
from nengo_dl.exchange.operators.shapes import concatenate, reshape
from nengo_dl.exchange.registry import register
from nengo_dl.onnx.folding import axes_of, slices, split_sizes
from nengo_dl.onnx.graph import FLOATS, NUMBERS
from nengo_dl.onnx.package import onnx_package

ops = keras.ops


@register("onnx.Reshape", keras="Reshape, Flatten")
def convert_reshape(emit: Emitter, x, shape):
    """Convert another shape of the same elements."""
    return reshape(emit, emit.value(x), shape)


@register("onnx.Squeeze", keras="Reshape")
def convert_squeeze(emit: Emitter, x, axes):
    """Convert the loss of axes of length 1."""
    return moved.squeeze(emit, emit.value(x), emit.constant(axes).tolist())


@register("onnx.Unsqueeze", keras="Reshape")
def convert_unsqueeze(emit: Emitter, x, axes):
    """Convert axes of length 1 that are added."""
    return moved.unsqueeze(emit, emit.value(x), emit.constant(axes).tolist())


@register("onnx.Transpose", keras="Permute, where axes have to be moved at all")
def convert_transpose(emit: Emitter, x, perm=None):
    """Convert another order of the axes."""
    value = emit.value(x)
    return value.transposed(tuple(range(value.rank))[::-1] if perm is None else perm)


@register("onnx.Concat", keras="Concatenate", restrictions="not along the minibatch")
def convert_concat(emit: Emitter, *values, axis=1):
    """Convert values one after the other."""
    return concatenate(emit, [value_of(emit, x) for x in values], axis)


def value_of(emit: Emitter, x):
    """Return a value; constants beside it have no items of their own."""
    if isinstance(x, np.ndarray):
        raise InvalidValue(
            f"expected tensors (got a constant of shape {x.shape}). Compute with what "
            "depends on the input"
        )
    return emit.value(x)


@register("onnx.Split", keras="keras.ops", restrictions="not along the minibatch")
def convert_split(emit: Emitter, x, split=None, axis=0, num_outputs=None):
    """Convert pieces of an axis."""
    del num_outputs  # the node has as many
    value = emit.value(x)
    length = value.shape[axis]
    if length is None:
        raise InvalidValue("expected an axis other than the minibatch (got that)")
    sizes = split_sizes(emit.node.outputs, length, split)
    return tuple(parts.split(emit, value, sizes, axis))


@register("onnx.Slice", keras="keras.ops", restrictions="not along the minibatch")
def convert_slice(emit: Emitter, x, starts, ends, axes=None, steps=None):
    """Convert slices."""
    value = emit.value(x)
    given = [None if a is None else emit.constant(a) for a in (axes, steps)]
    found = slices(value.rank, emit.constant(starts), emit.constant(ends), *given)
    return parts.cut(emit, value, found)


@register(
    "onnx.Gather",
    keras="Embedding, keras.ops.take",
    restrictions="constant indices, or indices of rows of a constant matrix",
)
def convert_gather(emit: Emitter, x, indices, axis=0):
    """Convert elements by their indices."""
    if isinstance(indices, np.ndarray):
        return parts.take(emit, emit.value(x), indices, axis)
    return parts.look_up(emit, x, indices, axis)


@register("onnx.Pad", keras="ZeroPadding, keras.ops.pad")
def convert_pad(emit: Emitter, x, pads, fill=None, axes=None, mode="constant"):
    """Convert padding."""
    value = emit.value(x)
    pads = emit.constant(pads).tolist()
    chosen = range(value.rank)
    if axes is not None:
        chosen = axes_of(emit.constant(axes), value.rank)
    n = len(pads) // 2
    pairs = dict(zip(chosen, zip(pads[:n], pads[n:], strict=True), strict=True))
    if any(pairs.pop(value.batch, (0, 0))):
        raise InvalidValue("expected pads of axes other than the minibatch")
    fill = 0 if fill is None else emit.constant(fill).item()
    return pad(emit, value, pairs, mode, fill)


@register("onnx.Expand", keras="keras.ops.tile", restrictions="not along the minibatch")
def convert_expand(emit: Emitter, x, shape):
    """Convert what is repeated along axes of length 1."""
    shape = shape.tolist() if isinstance(shape, np.ndarray) else shape
    return moved.expand(emit, emit.value(x), tuple(shape))


@register("onnx.Tile", keras="keras.ops.tile", restrictions="not along the minibatch")
def convert_tile(emit: Emitter, x, repeats):
    """Convert what is repeated."""
    return moved.tile(emit, emit.value(x), emit.constant(repeats).tolist())


@register("onnx.Cast", keras="keras.ops.cast")
def convert_cast(emit: Emitter, x, to, saturate=1, round_mode="up"):
    """Convert another type; floats of all precisions are those of the model."""
    del saturate, round_mode  # of 8-bit floats, which are refused
    return _cast(emit, emit.value(x), onnx_dtype(to))


def onnx_dtype(kind: int) -> np.dtype:
    """Return the type of elements of a number that the standard has for it."""
    return onnx_package().helper.tensor_dtype_to_np_dtype(kind)


def _cast(emit: Emitter, value, dtype: np.dtype):
    before = str(value.tensor.dtype)
    if dtype.name in FLOATS and before in FLOATS:
        return value
    if dtype.name not in NUMBERS:
        raise InvalidValue(f"expected a type that is computed with (got {dtype.name})")
    target = emit.graph.dtype if dtype.name in FLOATS else dtype.name
    return apply(value, ops.cast, target)


def _space(emit: Emitter, value):
    if value.batch != 0 or value.rank != 4:
        raise InvalidValue(f"expected images (got shape {value.shape})")
    return value.shape[1:]


@register("onnx.DepthToSpace", keras="Reshape, Permute")
def convert_depth_to_space(emit: Emitter, x, blocksize, mode="DCR"):
    """Convert channels that become blocks of pixels."""
    value, b = emit.value(x), blocksize
    channels, height, width = _space(emit, value)
    depth = channels // (b * b)
    if mode == "DCR":
        split, perm = (None, b, b, depth, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, perm = (None, depth, b, b, height, width), (0, 1, 4, 2, 5, 3)
    value = reshape(emit, value, split).transposed(perm)
    return reshape(emit, value, (None, depth, height * b, width * b))


@register("onnx.SpaceToDepth", keras="Reshape, Permute")
def convert_space_to_depth(emit: Emitter, x, blocksize):
    """Convert blocks of pixels that become channels."""
    value, b = emit.value(x), blocksize
    channels, height, width = _space(emit, value)
    height, width = height // b, width // b
    value = reshape(emit, value, (None, channels, height, b, width, b))
    value = value.transposed((0, 3, 5, 1, 2, 4))
    return reshape(emit, value, (None, channels * b * b, height, width))
