"""Convolutions."""

from collections.abc import Sequence

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import conv
from nengo_dl.exchange.operators.padding import pads_of, same_pads
from nengo_dl.exchange.registry import register


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
