"""Activations as layers."""

import keras
import nengo
import numpy as np

from nengo_dl.converter import activations
from nengo_dl.converter.activations import SoftmaxOver
from nengo_dl.converter.build import array
from nengo_dl.converter.registry import register
from nengo_dl.neurons import LeakyReLU, Pointwise


def _convert(build, activation):
    obj = build.units(activation)
    build.connect(obj)
    return obj


@register(keras.layers.Activation, temporal=True, native="neurons")
def convert_activation(call, build):
    """Convert an activation function."""
    return _convert(build, call.layer.activation)


@register(keras.layers.ReLU, temporal=True, native="neurons")
def convert_relu(call, build):
    """Convert a rectifier."""
    layer = call.layer
    return _convert(
        build,
        activations.relu(layer.max_value, layer.negative_slope, layer.threshold),
    )


@register(keras.layers.LeakyReLU, temporal=True, native="neurons")
def convert_leaky_relu(call, build):
    """Convert a leaky rectifier."""
    return _convert(build, LeakyReLU(call.layer.negative_slope))


@register(keras.layers.ELU, temporal=True, native="rate neurons")
def convert_elu(call, build):
    """Convert an exponential linear unit."""
    return _convert(build, Pointwise("elu", {"alpha": call.layer.alpha}))


@register(
    keras.layers.Softmax,
    temporal=True,
    native="a softmax node",
    check=lambda call, converter: _one_input(call),
    restrictions="no mask",
)
def convert_softmax(call, build):
    """Convert a softmax over one or several axes."""
    axis, n = call.layer.axis, len(call.outputs[0].shape)
    axes = axis if isinstance(axis, list | tuple) else (axis,)
    return _convert(build, SoftmaxOver(tuple(a if a < 0 else a - n for a in axes)))


def _one_input(call):
    return None if len(call.inputs) == 1 else "expected one input, without a mask"


def _shares(call):
    """Say which sharing of slopes is not converted."""
    shared = set(call.layer.shared_axes or ())
    shape = call.input_shape
    space = set(range(1, len(shape)))
    if not shared or shared == space or shared == space | {len(shape)}:
        return None
    return (
        "expected shared_axes to be none, all, or all but the last (got "
        f"{sorted(shared)})"
    )


@register(
    keras.layers.PReLU,
    native="two populations of neurons",
    check=lambda call, converter: _shares(call),
    restrictions="shared_axes none, all, or all but the last",
)
def convert_prelu(call, build):
    r"""Convert :math:`\max(x, 0) - \alpha \max(-x, 0)`."""
    alpha = array(call.layer.alpha)
    swaps = build.converter.swaps
    positive = build.neurons(swaps(nengo.RectifiedLinear()), part="positive")
    negative = build.neurons(swaps(nengo.RectifiedLinear()), part="negative")
    build.connect(positive)
    build.connect(negative, transform=-1)
    node = build.node()
    build.link(positive, node)
    build.link(
        negative,
        node,
        transform=slopes(-alpha, build.size),
        trainable=call.layer.alpha.trainable,
        part="slopes",
    )
    return node


def slopes(alpha, size):
    """Return the transform that multiplies each channel, or each element, by its own.

    Parameters
    ----------
    alpha : ndarray
        One factor for each element, each channel (the last axis), or for all.
    size : int
        Number of elements.

    Returns
    -------
    transform : float or ndarray or Convolution
    """
    if alpha.size == size:
        return np.ravel(alpha)
    if alpha.size == 1:
        return float(np.ravel(alpha)[0])
    channels = alpha.size
    return nengo.Convolution(
        channels,
        (size // channels, channels),
        kernel_size=(1,),
        strides=(1,),
        init=alpha.reshape(1, 1, channels),
        groups=channels,
    )
