"""Convolutions and pooling."""

from collections.abc import Sequence
from typing import Any

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import conv, pooling
from nengo_dl.exchange.operators.padding import pads_of, same_pads
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value


def each(value: int | Sequence[int], n: int) -> tuple[int, ...]:
    """Return one number for each axis; a single one stands for all."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * n if len(values) == 1 else values


@register(
    "aten.conv1d.default",
    "aten.conv2d.default",
    "aten.conv3d.default",
    keras="Conv1D, Conv2D, Conv3D, DepthwiseConv1D, DepthwiseConv2D, ZeroPadding",
)
def convert_conv(
    emit: Emitter, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
):
    """Convert a convolution with explicit padding."""
    n = len(conv.shape_of(weight)) - 2
    windows = conv.Windows(
        each(stride, n), each(dilation, n), pads_of(each(padding, n)), groups
    )
    return conv.conv(emit, emit.value(x), weight, bias, windows)


@register(
    "aten.conv1d.padding",
    "aten.conv2d.padding",
    "aten.conv3d.padding",
    keras="Conv1D, Conv2D, Conv3D, DepthwiseConv1D, DepthwiseConv2D",
)
def convert_conv_padding(
    emit: Emitter, x, weight, bias=None, stride=1, padding="valid", dilation=1, groups=1
):
    """Convert a convolution whose padding is "same" or "valid"."""
    size = conv.shape_of(weight)[2:]
    n, value = len(size), emit.value(x)
    rates, lengths = each(dilation, n), value.shape[2:]
    pads = pads_of((0,) * n)
    if padding == "same":
        pads = same_pads(lengths, size, (1,) * n, rates)
    windows = conv.Windows(each(stride, n), rates, pads, groups)
    return conv.conv(emit, value, weight, bias, windows)


@register(
    "aten.conv_transpose1d.default",
    "aten.conv_transpose2d.input",
    "aten.conv_transpose3d.input",
    keras="Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, Cropping",
    restrictions="strides or dilation, not both; output_padding within the windows",
)
def convert_conv_transpose(
    emit: Emitter,
    x,
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
):
    """Convert a transposed convolution."""
    n = len(conv.shape_of(weight)) - 2
    pads = pads_of(each(padding, n))
    windows = conv.Windows(each(stride, n), each(dilation, n), pads, groups)
    extra = each(output_padding, n)
    return conv.conv_transpose(emit, emit.value(x), weight, bias, windows, extra)


def _pool(n, kernel_size, stride, padding, ceil_mode, dilation=1) -> pooling.Pool:
    size = each(kernel_size, n)
    return pooling.Pool(
        size,
        each(stride, n) if stride else size,
        pads_of(each(padding, n)),
        ceil_mode,
        each(dilation, n),
    )


@register(
    "aten.max_pool1d.default",
    "aten.max_pool2d.default",
    "aten.max_pool3d.default",
    keras="MaxPooling1D, MaxPooling2D, MaxPooling3D, GlobalMaxPooling",
)
def convert_max_pool(
    emit: Emitter, x, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False
):
    """Convert maxima over windows."""
    value = emit.value(x)
    n = value.rank - 2
    pool = _pool(n, kernel_size, stride, padding, ceil_mode, dilation)
    return pooling.max_pool(emit, value, pool)


@register(
    "aten.avg_pool1d.default",
    "aten.avg_pool2d.default",
    "aten.avg_pool3d.default",
    keras="AveragePooling1D, AveragePooling2D, AveragePooling3D, GlobalAveragePooling",
)
def convert_average_pool(
    emit: Emitter,
    x,
    kernel_size,
    stride=(),
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """Convert averages over windows."""
    value = emit.value(x)
    pool = _pool(value.rank - 2, kernel_size, stride, padding, ceil_mode)
    return pooling.average_pool(emit, value, pool, count_include_pad, divisor_override)


def _equal_windows(value: Value, output_size: Any) -> pooling.Pool:
    """Return windows of equal sizes that lead to an output of a certain size."""
    lengths = value.shape[2:]
    sizes = [
        length if n is None else n
        for n, length in zip(each(output_size, len(lengths)), lengths, strict=True)
    ]
    if any(length % n for length, n in zip(lengths, sizes, strict=True)):
        raise InvalidValue(
            f"expected windows of equal sizes (got {tuple(lengths)} to {tuple(sizes)})"
        )
    window = tuple(length // n for length, n in zip(lengths, sizes, strict=True))
    return pooling.Pool(window, window, pads_of((0,) * len(window)))


@register(
    "aten.adaptive_avg_pool1d.default",
    "aten.adaptive_avg_pool2d.default",
    "aten.adaptive_avg_pool3d.default",
    keras="GlobalAveragePooling, AveragePooling",
    restrictions="windows of equal sizes",
)
def convert_adaptive_average_pool(emit: Emitter, x, output_size):
    """Convert averages over as many windows as the output has."""
    value = emit.value(x)
    return pooling.average_pool(emit, value, _equal_windows(value, output_size))


@register(
    "aten.adaptive_max_pool1d.default",
    "aten.adaptive_max_pool2d.default",
    "aten.adaptive_max_pool3d.default",
    keras="GlobalMaxPooling, MaxPooling",
    restrictions="windows of equal sizes; not where the maxima are",
)
def convert_adaptive_max_pool(emit: Emitter, x, output_size):
    """Convert maxima over as many windows as the output has."""
    value = emit.value(x)
    return (pooling.max_pool(emit, value, _equal_windows(value, output_size)),)
