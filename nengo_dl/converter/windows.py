"""Where convolutions and pooling windows read, as Keras has it.

Rules for padding, dilation and transposition are not written down again here: a
convolution layer of Keras is called once, on the numbers of the positions.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.numbering import positions


@dataclass(frozen=True)
class Geometry:
    """Spatial shape of an input, and the windows on it."""

    space: tuple[int, ...]  # the shape of the input without channels
    kernel_size: tuple[int, ...]  # of the windows, along each axis
    strides: tuple[int, ...]
    padding: str  # "valid", "same" or "causal"
    dilation: tuple[int, ...]
    channels_last: bool

    @classmethod
    def of(cls, call: LayerCall) -> "Geometry":
        """Return the geometry of a call of a convolution."""
        layer = call.layer
        last = layer.data_format == "channels_last"
        space = call.input_shape[:-1] if last else call.input_shape[1:]
        n = len(space)
        return cls(
            space,
            _each(layer.kernel_size, n),
            _each(layer.strides, n),
            layer.padding,
            _each(layer.dilation_rate, n),
            last,
        )

    def shape(self, n_channels: int) -> tuple[int, ...]:
        """Return the shape of the input with channels."""
        if self.channels_last:
            return (*self.space, n_channels)
        return (n_channels, *self.space)


def _each(value, n):
    return (value,) * n if isinstance(value, int) else tuple(value)


def _layer(geometry, n_taps):
    """Return a type of layers with such windows, and arguments for one per tap.

    Keras has both strides and dilation for depthwise convolutions alone.
    """
    layers, n = keras.layers, len(geometry.space)
    if max(geometry.strides) > 1 and max(geometry.dilation) > 1:
        depthwise = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
        return depthwise[n - 1], {"depth_multiplier": n_taps}
    plain = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
    return plain[n - 1], {"filters": n_taps}


def taps(geometry: Geometry, transposed: keras.Layer | None = None) -> np.ndarray:
    """Find which position each tap of a window reads, for each window.

    Of shape (n_windows, n_taps): positions of the input in row-major order; -1 for the
    padding. The windows of a transposed convolution need its layer.
    """
    n_taps = math.prod(geometry.kernel_size)
    one_each = np.eye(n_taps).reshape(*geometry.kernel_size, 1, n_taps)
    if transposed is None:
        layer_type, arguments = _layer(geometry, n_taps)
    else:
        layer_type = type(transposed)
        one_each = np.eye(n_taps).reshape(*geometry.kernel_size, n_taps, 1)
        arguments = {"filters": n_taps, "output_padding": transposed.output_padding}
    layer = layer_type(
        kernel_size=geometry.kernel_size,
        strides=geometry.strides,
        padding=geometry.padding,
        dilation_rate=geometry.dilation,
        data_format="channels_last",
        use_bias=False,
        dtype="float32",
        **arguments,
    )
    shape = (*geometry.space, 1)
    with tf.device("/cpu:0"):
        layer.build((None, *shape))
        layer.kernel.assign(one_each)
        return positions(layer, shape).reshape(-1, n_taps)
