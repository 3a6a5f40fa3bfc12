"""Layers that scale and shift, by fixed numbers or by averages of their input."""

import keras
import nengo
import numpy as np

from nengo_dl.converter.axes import axes_of, outer_axis, signal_axes
from nengo_dl.converter.build import Build, array
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.layers.activation import slopes
from nengo_dl.converter.operators import existing
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.exchange.layers import BatchNormalization
from nengo_dl.nodes.array_node import ArrayNode, Function


def _is_fixed(call: LayerCall, options: Options) -> str | None:
    if options.inference_only or not call.layer.trainable:
        return None
    return (
        "expected inference_only=True, or a layer with trainable=False (got one that "
        "averages over the minibatch in training)"
    )


@register(
    keras.layers.BatchNormalization,
    BatchNormalization,
    temporal=True,
    check=lambda call, options: (
        _is_fixed(call, options) or outer_axis(call, call.layer.axis)
    ),
    native="a factor and a bias for each channel, from the averages of the layer",
    restrictions="inference_only=True, or layer.trainable=False; not along the time",
)
def convert_batch_normalization(call: LayerCall, build: Build) -> Obj:
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
def convert_rescaling(call: LayerCall, build: Build) -> Obj:
    """Convert a scale and an offset."""
    scale, offset = (  # rounded as Keras does it
        array(keras.ops.cast(value, call.layer.compute_dtype)).astype(float)
        for value in (call.layer.scale, call.layer.offset)
    )
    return build.affine(scale, offset)


@register(keras.layers.Normalization, native="a factor and a bias for each element")
def convert_normalization(call: LayerCall, build: Build) -> Obj:
    """Convert a normalisation by known means and variances."""
    layer = call.layer
    mean = array(layer.mean).astype(float)[0]
    deviation = np.sqrt(array(layer.variance).astype(float)[0])
    if layer.invert:
        return build.affine(deviation, mean)
    deviation = np.maximum(deviation, keras.config.epsilon())
    return build.affine(1 / deviation, -mean / deviation)


def _last_axes(call: LayerCall, options: Options) -> str | None:
    if not keras.backend.is_float_dtype(call.inputs[0].dtype):
        return f"expected floats, as Keras rounds all else (got {call.inputs[0].dtype})"
    rank, axes = len(call.input_shape), axes_of(call)
    if axes != tuple(range(rank - len(axes), rank)):
        return f"expected the last axis, or the last ones (got axis={call.layer.axis})"
    return signal_axes(call, options)


def scaled_by(build: Build, obj: Obj, variable: keras.Variable) -> nengo.Node:
    """Return a node with the values of an object times weights of each channel.

    The last axes of the layer's output have the shape of the weights.
    """
    node = build.node()
    transform = slopes(np.ravel(array(variable)), build.size)
    build.link(
        obj, node, transform=transform, trainable=variable.trainable, part="gamma"
    )
    return node


def _normalized(call: LayerCall, build: Build, center: bool) -> ArrayNode:
    arguments = {"axes": axes_of(call), "epsilon": call.layer.epsilon, "center": center}
    shape = call.output_shape
    node = build.array_node(
        Function(shape, shape, "normalize", tuple(arguments.items()))
    )
    build.connect(node)
    return node


def _is_plain(call: LayerCall, options: Options) -> str | None:
    if vars(call.layer).get("rms_scaling"):
        return "expected rms_scaling=False (got True)"
    return _last_axes(call, options)


@register(
    keras.layers.LayerNormalization,
    temporal=True,
    check=_is_plain,
    native="a node that normalises; a factor and a bias for each channel",
    restrictions="the last axis, or the last ones",
)
def convert_layer_normalization(call: LayerCall, build: Build) -> Obj:
    """Convert a normalisation by averages of each item."""
    layer = call.layer
    obj = _normalized(call, build, center=True)
    if layer.scale:
        obj = scaled_by(build, obj, layer.gamma)
    if layer.center:
        node = obj if layer.scale else build.node(part="beta")
        if node is not obj:
            build.link(obj, node)
        build.channel_bias(node, layer.beta)
        return node
    return obj


@register(
    *existing(keras.layers, "RMSNormalization"),  # Keras 3.9 is the first to have it
    temporal=True,
    check=_last_axes,
    native="a node that normalises; a factor for each channel",
    restrictions="the last axis, or the last ones",
)
def convert_rms_normalization(call: LayerCall, build: Build) -> Obj:
    """Convert a normalisation by the root mean square of each item."""
    return scaled_by(build, _normalized(call, build, center=False), call.layer.scale)


# Part of models in ``keras.applications``, but not exported.
@register("LayerScale", temporal=True, native="a factor for each channel")
def convert_layer_scale(call: LayerCall, build: Build) -> Obj:
    """Convert the factors of ConvNeXt."""
    return scaled_by(build, build.input(), call.layer.gamma)
