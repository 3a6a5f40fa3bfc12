"""Dense layers, and layers that do nothing but in training."""

import keras
import nengo

from nengo_dl.converter.build import array
from nengo_dl.converter.registry import register

TRAINING_ONLY = (
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)


@register(
    keras.layers.Dense,
    temporal=True,
    native="dense weights, or a convolution with kernels of size 1",
    check=lambda call, converter: _no_variants(call.layer),
    restrictions="no LoRA, no quantisation",
)
def convert_dense(call, build):
    """Convert a product with a matrix along the last axis."""
    layer = call.layer
    obj = build.units(layer.activation)
    transform = along_last_axis(array(layer.kernel), build.size)
    build.connect(obj, transform=transform, trainable=layer.kernel.trainable)
    if layer.use_bias:
        build.channel_bias(obj, layer.bias)
    return obj


def along_last_axis(kernel, size):
    """Return the transform of a product along the last axis.

    Parameters
    ----------
    kernel : ndarray, shape (n_channels_in, n_channels_out)
        The matrix.
    size : int
        Number of elements of the result.

    Returns
    -------
    transform : ndarray or Convolution
    """
    n_in, n_out = kernel.shape
    if size == n_out:
        return kernel.T
    return nengo.Convolution(
        n_out,
        (size // n_out, n_in),
        kernel_size=(1,),
        strides=(1,),
        init=kernel[None],
    )


def _no_variants(layer):
    if layer.quantization_mode is not None or layer.lora_enabled:
        return "expected a plain Dense layer (got LoRA or quantisation)"
    return None


def convert_identity(call, build):
    """Convert a layer whose output is its input."""
    del call
    return build.input()


def _register_identities():
    register(keras.layers.Identity, temporal=True, native="nothing")(convert_identity)
    for layer_type in TRAINING_ONLY:
        register(
            layer_type,
            temporal=True,
            trains=True,
            native="nothing",
            restrictions="inference_only=True",
        )(convert_identity)
    register(
        keras.layers.ActivityRegularization,
        temporal=True,
        trains=True,
        native="nothing",
        restrictions="inference_only=True",
    )(convert_identity)


IDENTITIES = _register_identities()
