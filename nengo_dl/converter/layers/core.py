"""Dense layers, and layers that do nothing but in training."""

import keras
import nengo
import numpy as np

from nengo_dl.converter.build import Build, array
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.exchange.layers import Dense, ForEachItem, Parameter

TRAINING_ONLY = (
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)


def _no_variants(call: LayerCall, options: Options) -> str | None:
    del options
    layer = call.layer
    if layer.quantization_mode is not None or layer.lora_enabled:
        return "expected a plain Dense layer (got LoRA or quantisation)"
    return None


@register(
    keras.layers.Dense,
    Dense,
    temporal=True,
    native="dense weights, or a convolution with kernels of size 1",
    check=_no_variants,
    restrictions="no LoRA, no quantisation",
)
def convert_dense(call: LayerCall, build: Build) -> Obj:
    """Convert a product with a matrix along the last axis."""
    layer = call.layer
    obj = build.units(layer.activation)
    transform = along_last_axis(array(layer.kernel), build.size)
    build.connect(obj, transform=transform, trainable=layer.kernel.trainable)
    if layer.use_bias:
        build.channel_bias(obj, layer.bias)
    return obj


def along_last_axis(kernel: np.ndarray, size: int) -> np.ndarray | nengo.Convolution:
    """Return the transform of a product along the last axis, with a result of a size.

    The kernel has shape (n_channels_in, n_channels_out).
    """
    n_in, n_out = kernel.shape
    if size == n_out:
        return kernel.T
    return nengo.Convolution(
        n_out, (size // n_out, n_in), kernel_size=(1,), strides=(1,), init=kernel[None]
    )


@register(Parameter, native="a node with constants")
def convert_parameter(call: LayerCall, build: Build) -> Obj:
    """Convert a weight that is a tensor by itself."""
    node = build.node()
    build.bias(node, call.layer.value)
    return node


@register(ForEachItem, native="nothing")
@register(keras.layers.Identity, temporal=True, native="nothing")
@register(
    *TRAINING_ONLY,
    temporal=True,
    trains=True,
    native="nothing",
    restrictions="inference_only=True",
)
def convert_identity(call: LayerCall, build: Build) -> Obj:
    """Convert a layer whose output is its input."""
    del call
    return build.input()
