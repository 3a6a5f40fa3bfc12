"""Averages and maxima over windows."""

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import pooling
from nengo_dl.exchange.operators.padding import pads_of
from nengo_dl.exchange.registry import register
from nengo_dl.torch.operators.conv import each


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


@register(
    "aten.adaptive_avg_pool1d.default",
    "aten.adaptive_avg_pool2d.default",
    "aten.adaptive_avg_pool3d.default",
    keras="GlobalAveragePooling, AveragePooling, keras.ops.einsum",
)
def convert_adaptive_average_pool(emit: Emitter, x, output_size):
    """Convert averages over as many windows as the output has."""
    value = emit.value(x)
    shape = each(output_size, value.rank - 2)
    return pooling.adaptive_average_pool(emit, value, shape)


@register(
    "aten.adaptive_max_pool1d.default",
    "aten.adaptive_max_pool2d.default",
    "aten.adaptive_max_pool3d.default",
    keras="GlobalMaxPooling, MaxPooling, Maximum",
    restrictions="not where the maxima are",
)
def convert_adaptive_max_pool(emit: Emitter, x, output_size):
    """Convert maxima over as many windows as the output has."""
    value = emit.value(x)
    return (pooling.adaptive_max_pool(emit, value, each(output_size, value.rank - 2)),)
