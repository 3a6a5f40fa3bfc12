"""Layers that scale and shift by fixed numbers."""

import keras
import numpy as np

from nengo_dl.converter.build import array
from nengo_dl.converter.registry import outer_axis, register


def _is_fixed(call, converter):
    if converter.inference_only or not call.layer.trainable:
        return None
    return (
        "expected inference_only=True, or a layer with trainable=False (got one that "
        "averages over the minibatch in training)"
    )


@register(
    keras.layers.BatchNormalization,
    temporal=True,
    check=lambda call, converter: (
        _is_fixed(call, converter) or outer_axis(call, call.layer.axis)
    ),
    native="a factor and a bias for each channel, from the averages of the layer",
    restrictions="inference_only=True, or layer.trainable=False; not along the time",
)
def convert_batch_normalization(call, build):
    """Convert a normalisation by averages, which training does not change."""
    layer = call.layer
    variance = array(layer.moving_variance).astype(float)
    factor = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * array(layer.gamma)
    offset = -array(layer.moving_mean).astype(float) * factor
    if layer.center:
        offset = offset + array(layer.beta)
    (axis,) = call.signal_axes(layer.axis)
    shape = [1] * len(call.input_shape)
    shape[axis] = -1
    return build.affine(factor.reshape(shape), offset.reshape(shape))


@register(
    keras.layers.Rescaling, temporal=True, native="a factor and a bias for each element"
)
def convert_rescaling(call, build):
    """Convert a scale and an offset."""
    layer = call.layer
    return build.affine(np.asarray(layer.scale), np.asarray(layer.offset))


@register(
    keras.layers.Normalization,
    native="a factor and a bias for each element",
)
def convert_normalization(call, build):
    """Convert a normalisation by known means and variances."""
    layer = call.layer
    mean = array(layer.mean).astype(float)[0]
    deviation = np.sqrt(array(layer.variance).astype(float)[0])
    if layer.invert:
        return build.affine(deviation, mean)
    deviation = np.maximum(deviation, keras.config.epsilon())
    return build.affine(1 / deviation, -mean / deviation)
