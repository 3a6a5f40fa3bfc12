"""Convolutions and pooling."""

from collections.abc import Sequence

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import conv, pooling
from nengo_dl.exchange.operators.padding import Pads, pads_of
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value, item_shape


def pads_for(
    pads: Sequence[int] | None,
    auto_pad: str,
    lengths: Sequence[int],
    size: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> Pads:
    """Return the pads of windows, which may follow from their size."""
    n = len(size)
    if auto_pad == "NOTSET":
        pads = (0,) * 2 * n if pads is None else pads
        return pads_of(pads[:n], pads[n:])
    if auto_pad == "VALID":
        return pads_of((0,) * n)
    found = []
    windows = zip(lengths, size, strides, dilation, strict=True)
    for length, extent, stride, rate in windows:
        last = (-(-length // stride) - 1) * stride
        found.append(halves(last + (extent - 1) * rate + 1 - length, auto_pad))
    return tuple(found)


def halves(total: int, auto_pad: str) -> tuple[int, int]:
    """Return what is padded in front and behind, of so many elements."""
    total = max(0, total)
    small, large = total // 2, total - total // 2
    if auto_pad == "SAME_UPPER":
        return (small, large)
    if auto_pad == "SAME_LOWER":
        return (large, small)
    raise InvalidValue(f"expected auto_pad of the standard (got {auto_pad!r})")


def checked_kernel(shape: Sequence[int] | None, weight) -> tuple[int, ...]:
    """Return the spatial shape of a weight, which has to be what the node says."""
    size = conv.shape_of(weight)[2:]
    if shape is not None and tuple(shape) != size:
        raise InvalidValue(f"expected kernel_shape {size}, as weights (got {shape})")
    return size


@register(
    "onnx.Conv",
    keras="Conv1D, Conv2D, Conv3D, DepthwiseConv1D, DepthwiseConv2D, ZeroPadding",
)
def convert_conv(
    emit: Emitter,
    x,
    w,
    b=None,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
):
    """Convert a convolution."""
    value, size = emit.value(x), checked_kernel(kernel_shape, w)
    strides, rates = (x or (1,) * len(size) for x in (strides, dilations))
    pads = pads_for(pads, auto_pad, item_shape(value.shape)[1:], size, strides, rates)
    return conv.conv(emit, value, w, b, conv.Windows(strides, rates, pads, group))


@register(
    "onnx.ConvTranspose",
    keras="Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, Cropping",
    restrictions="strides or dilations, not both",
)
def convert_conv_transpose(
    emit: Emitter,
    x,
    w,
    b=None,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    output_padding=None,
    output_shape=None,
    pads=None,
    strides=None,
):
    """Convert a transposed convolution."""
    value, size = emit.value(x), checked_kernel(kernel_shape, w)
    ones = (1,) * len(size)
    strides, rates = strides or ones, dilations or ones
    extra = output_padding or (0,) * len(size)
    lengths = item_shape(value.shape)[1:]
    if auto_pad.startswith("SAME") and output_shape is None:
        output_shape = [n * s for n, s in zip(lengths, strides, strict=True)]
    if output_shape is not None:
        # as long as that, whatever the pads are
        pads = []
        arguments = zip(lengths, strides, rates, size, extra, output_shape, strict=True)
        for length, stride, rate, extent, added, wanted in arguments:
            full = (length - 1) * stride + (extent - 1) * rate + 1 + added
            before, after = halves(full - wanted, "SAME_LOWER")
            upper = auto_pad == "SAME_UPPER"
            pads.append((after, before) if upper else (before, after))
        pads = tuple(pads)
    else:
        pads = pads_for(pads, auto_pad, lengths, size, strides, rates)
    windows = conv.Windows(strides, rates, pads, group)
    return conv.conv_transpose(emit, value, w, b, windows, extra)


def _pool(
    value: Value, kernel_shape, strides, pads, auto_pad, ceil_mode, dilations
) -> pooling.Pool:
    ones = (1,) * len(kernel_shape)
    strides, rates = strides or ones, dilations or ones
    pads = pads_for(
        pads, auto_pad, item_shape(value.shape)[1:], kernel_shape, strides, rates
    )
    return pooling.Pool(kernel_shape, strides, pads, bool(ceil_mode), rates)


@register(
    "onnx.MaxPool",
    keras="MaxPooling1D, MaxPooling2D, MaxPooling3D, GlobalMaxPooling",
    restrictions="without the output of indices",
)
def convert_max_pool(
    emit: Emitter,
    x,
    auto_pad="NOTSET",
    ceil_mode=0,
    dilations=None,
    kernel_shape=(),
    pads=None,
    storage_order=0,
    strides=None,
):
    """Convert maxima over windows."""
    del storage_order  # of the indices
    check_outputs(emit, 1)
    value = emit.value(x)
    pool = _pool(value, kernel_shape, strides, pads, auto_pad, ceil_mode, dilations)
    return pooling.max_pool(emit, value, pool)


@register(
    "onnx.AveragePool",
    keras="AveragePooling1D, AveragePooling2D, AveragePooling3D, GlobalAveragePooling",
    restrictions="without dilations",
)
def convert_average_pool(
    emit: Emitter,
    x,
    auto_pad="NOTSET",
    ceil_mode=0,
    count_include_pad=0,
    dilations=None,
    kernel_shape=(),
    pads=None,
    strides=None,
):
    """Convert averages over windows."""
    value = emit.value(x)
    pool = _pool(value, kernel_shape, strides, pads, auto_pad, ceil_mode, dilations)
    return pooling.average_pool(emit, value, pool, bool(count_include_pad))


def _whole(value: Value) -> pooling.Pool:
    size = item_shape(value.shape)[1:]
    return pooling.Pool(size, (1,) * len(size), pads_of((0,) * len(size)))


@register("onnx.GlobalAveragePool", keras="GlobalAveragePooling")
def convert_global_average(emit: Emitter, x):
    """Convert averages over all spatial axes."""
    value = emit.value(x)
    return pooling.average_pool(emit, value, _whole(value))


@register("onnx.GlobalMaxPool", keras="GlobalMaxPooling")
def convert_global_max(emit: Emitter, x):
    """Convert maxima over all spatial axes."""
    value = emit.value(x)
    return pooling.max_pool(emit, value, _whole(value))


def check_outputs(emit: Emitter, n: int) -> None:
    """Raise InvalidValue if a node has outputs beyond those that are computed."""
    if any(emit.node.outputs[n:]):
        raise InvalidValue(
            f"expected the first {n} of its outputs (got {len(emit.node.outputs)})"
        )
