"""Models of ``keras.applications`` convert without fallback, and compute the same.

Larger ones are in ``benchmarks/conversion_size.py``.
"""

import keras
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl

SHAPE = (32, 32, 3)
N_TYPICAL, N_ITEMS = 32, 3
APPLICATIONS = {
    "VGG16": {},
    "ResNet50": {},
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {"minimalistic": False},
    "EfficientNetB0": {},
    "ConvNeXtTiny": {},
}
# Only up to this layer: what follows is more of the same, and takes minutes.
LAST_LAYERS = {
    "EfficientNetB0": "block3a_expand_activation",
    "ConvNeXtTiny": "convnext_tiny_downsampling_block_0",
}
LARGEST_INPUTS = {"ConvNeXtTiny": 255.0}  # others than 1
TOLERANCE = 1e-9


@pytest.fixture(autouse=True)
def float64():
    """Use float64: rounding grows with depth, and would hide small mistakes."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


def made(name, typical, rng):
    """Make a model that normalises by the averages of data, and to different scales."""
    model = getattr(keras.applications, name)(
        weights=None,
        input_shape=SHAPE,
        classes=10,
        classifier_activation=None,
        **APPLICATIONS[name],
    )
    for layer in model.layers:
        if isinstance(layer, kl.BatchNormalization):
            layer.momentum = 0.0
            layer.gamma.assign(rng.uniform(0.5, 1.5, size=layer.gamma.shape))
            layer.beta.assign(rng.normal(scale=0.3, size=layer.beta.shape))
        elif type(layer).__name__ == "LayerScale":
            layer.gamma.assign(rng.uniform(0.5, 1.5, size=layer.gamma.shape))
    model(typical, training=True)
    if name in LAST_LAYERS:
        last = model.get_layer(LAST_LAYERS[name]).output
        last = kl.Dense(10)(kl.GlobalAveragePooling2D()(last))
        model = keras.Model(model.inputs, last)
    return model


@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications(name):
    keras.utils.set_random_seed(0)
    rng = np.random.RandomState(1)
    typical = rng.uniform(-1, 1, size=(N_TYPICAL, *SHAPE)).astype(np.float32)
    typical *= LARGEST_INPUTS.get(name, 1.0)
    model = made(name, typical, rng)
    converter = nengo_dl.Converter(model, allow_fallback=False, inference_only=True)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
    x = typical[:N_ITEMS]
    y = keras.ops.convert_to_numpy(model(x))
    largest = np.abs(y).max()
    assert np.ptp(y, axis=0).max() > 0.01 * largest
    assert converter.verify(inputs=[x], atol=TOLERANCE * largest, rtol=0)
