"""Activations as layers."""

import keras
import nengo
import numpy as np

from nengo_dl.converter import activations
from nengo_dl.converter.axes import outer_axis
from nengo_dl.converter.build import Build, array
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register


def _has_softmax(call: LayerCall, options: Options) -> str | None:
    """Say which softmax is not converted."""
    del options
    if len(call.inputs) > 1:
        return "expected one input, without a mask"
    return outer_axis(call, call.layer.axis)


@register(
    *(keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU),
    temporal=True,
    native="neurons",
)
@register(keras.layers.ELU, temporal=True, native="rate neurons")
@register(
    keras.layers.Softmax,
    temporal=True,
    native="a softmax node",
    check=_has_softmax,
    restrictions="no mask; not along the minibatch or the time",
)
def convert_activation(call: LayerCall, build: Build) -> Obj:
    """Convert a layer that is an activation."""
    obj = build.units(activations.of_layer(call.layer))
    build.connect(obj)
    return obj


def _shares(call: LayerCall) -> str | None:
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
    check=lambda call, options: _shares(call),
    restrictions="shared_axes none, all, or all but the last",
)
def convert_prelu(call: LayerCall, build: Build) -> Obj:
    r"""Convert :math:`\max(x, 0) - \alpha \max(-x, 0)`."""
    alpha = array(call.layer.alpha)
    positive = build.neurons(nengo.RectifiedLinear(), part="positive")
    negative = build.neurons(nengo.RectifiedLinear(), part="negative")
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


def slopes(alpha: np.ndarray, size: int) -> float | np.ndarray | nengo.Convolution:
    """Return the transform that multiplies with factors.

    There is one for each element, for each channel (the last axis), or for all.
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
