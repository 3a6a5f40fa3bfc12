"""Convolutions: plain, depthwise, separable and transposed.

Nengo's own transforms are used where they have the geometry; a `Stencil` elsewhere.
"""

import math

import keras
import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.converter.build import Build, array
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.converter.windows import Geometry, taps
from nengo_dl.exchange.layers import Conv2D
from nengo_dl.nodes.stencil import Stencil

MAX_NENGO_DIMENSIONS = 2  # of nengo.Simulator


def convolution(
    geometry: Geometry, kernel: np.ndarray, groups: int = 1
) -> nengo.Convolution | Stencil:
    """Return the transform of a convolution, with channels split in groups.

    The kernel has shape (*kernel_size, n_channels_in // groups, n_channels_out).
    """
    n_filters = kernel.shape[-1]
    if (
        len(geometry.space) <= MAX_NENGO_DIMENSIONS
        and geometry.padding in ("valid", "same")
        and set(geometry.dilation) == {1}
    ):
        return nengo.Convolution(
            n_filters,
            geometry.shape(kernel.shape[-2] * groups),
            kernel_size=geometry.kernel_size,
            strides=geometry.strides,
            padding=geometry.padding,
            channels_last=geometry.channels_last,
            init=kernel,
            groups=groups,
        )
    return _stencil(geometry, taps(geometry), kernel, groups)


def _stencil(
    geometry: Geometry, index: np.ndarray, kernel: np.ndarray, groups: int = 1
) -> Stencil:
    return Stencil(
        index,
        math.prod(geometry.space),
        kernel.reshape(-1, *kernel.shape[-2:]),
        groups,
        geometry.channels_last,
    )


@register(
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    Conv2D,
    native="a convolution",
)
def convert_conv(call: LayerCall, build: Build) -> Obj:
    """Convert a convolution."""
    layer = call.layer
    obj = build.units(layer.activation)
    build.connect(
        obj,
        transform=convolution(Geometry.of(call), array(layer.kernel), layer.groups),
        trainable=layer.kernel.trainable,
    )
    return _with_bias(layer, obj, build)


@register(
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    native="a convolution with groups",
)
def convert_depthwise_conv(call: LayerCall, build: Build) -> Obj:
    """Convert a convolution of each channel for itself."""
    obj = build.units(call.layer.activation)
    _connect_depthwise(call, build, call.layer.kernel, obj)
    return _with_bias(call.layer, obj, build)


@register(
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
    native="two convolutions",
)
def convert_separable_conv(call: LayerCall, build: Build) -> Obj:
    """Convert a depthwise convolution and a mixture of its channels."""
    layer = call.layer
    geometry = Geometry.of(call)
    middle = _connect_depthwise(call, build, layer.depthwise_kernel)
    obj = build.units(layer.activation)
    pointwise = array(layer.pointwise_kernel)
    n_positions = build.size // layer.filters
    space = (n_positions,) + (1,) * (len(geometry.space) - 1)
    ones = (1,) * len(space)
    mixture = Geometry(space, ones, ones, "valid", ones, geometry.channels_last)
    build.link(
        middle,
        obj,
        transform=convolution(mixture, pointwise),
        trainable=layer.pointwise_kernel.trainable,
        part="pointwise",
    )
    return _with_bias(layer, obj, build)


def _connect_depthwise(
    call: LayerCall, build: Build, variable: keras.Variable, obj=None
):
    """Connect the input to an object (by default a new node), channel by channel."""
    kernel = array(variable)
    channels, multiplier = kernel.shape[-2:]
    kernel = kernel.reshape(*kernel.shape[:-2], 1, channels * multiplier)
    transform = convolution(Geometry.of(call), kernel, channels)
    if obj is None:
        obj = build.node(transform.size_out, "depthwise")
    build.connect(
        obj, transform=transform, trainable=variable.trainable, part="depthwise"
    )
    return obj


@register(
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    native="a transposed convolution",
)
def convert_conv_transpose(call: LayerCall, build: Build) -> Obj:
    """Convert a transposed convolution."""
    layer = call.layer
    geometry = Geometry.of(call)
    kernel = np.swapaxes(array(layer.kernel), -1, -2)
    transform = _nengo_transpose(geometry, kernel, call.output_shape)
    if transform is None:
        transform = _stencil(geometry, taps(geometry, call.layer), kernel)
    obj = build.units(layer.activation)
    build.connect(obj, transform=transform, trainable=layer.kernel.trainable)
    return _with_bias(layer, obj, build)


def _nengo_transpose(geometry: Geometry, kernel: np.ndarray, shape_out):
    """Return Nengo's transform if it has this geometry, or None."""
    if len(geometry.space) > MAX_NENGO_DIMENSIONS or set(geometry.dilation) != {1}:
        return None
    try:
        return nengo.ConvolutionTranspose(
            kernel.shape[-1],
            geometry.shape(kernel.shape[-2]),
            output_shape=shape_out,
            kernel_size=geometry.kernel_size,
            strides=geometry.strides,
            padding=geometry.padding,
            channels_last=geometry.channels_last,
            init=kernel,
        )
    except ValidationError:  # no such convolution has this one as its transpose
        return None


def _with_bias(layer: keras.Layer, obj, build: Build):
    if layer.use_bias:
        build.channel_bias(obj, layer.bias, layer.data_format == "channels_last")
    return obj
