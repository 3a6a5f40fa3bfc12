"""A converted layer computes what Keras computes, before and after training."""

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from tests.converter.cases import (
    ACTIVATIONS,
    INFERENCE,
    MERGES,
    NATIVE,
    joined,
    random_inputs,
    seeded,
)

ATOL = 1e-5


def check(model, **options):
    """Check the law for a model, and that nothing of it has fallen back."""
    converter = nengo_dl.Converter(model, allow_fallback=False, **options)
    inputs = random_inputs(model)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    assert converter.verify(inputs=inputs, atol=ATOL)
    if not converter.inference_only:
        assert converter.verify(training=True, inputs=inputs, atol=ATOL)
    check_reference(converter, inputs)


def check_reference(converter, inputs):
    """Check that ``nengo.Simulator`` computes what Keras computes."""
    x = [value[:1] for value in inputs]
    wanted = keras.tree.flatten(converter.model(x if len(x) > 1 else x[0]))
    for tensor, value in zip(converter.model.inputs, x, strict=True):
        converter.inputs[tensor].output = value.ravel()
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1)
    for tensor, y in zip(converter.model.outputs, wanted, strict=True):
        got = sim.data[converter.outputs[tensor]][0]
        np.testing.assert_allclose(got, np.ravel(y), atol=ATOL, err_msg=tensor.name)


@pytest.mark.parametrize("shape", NATIVE, ids=str)
def test_layers(shape):
    check(joined(NATIVE[shape], shape))


@pytest.mark.parametrize("shape", INFERENCE, ids=str)
def test_layers_at_inference(shape):
    check(joined(INFERENCE[shape], shape), inference_only=True)


def test_activations():
    check(joined(ACTIVATIONS, (6,)))


def test_merges():
    shapes = [(2, 5, 3), (2, 5, 3)]
    inputs = [keras.Input(shape) for shape in shapes]
    check(keras.Model(inputs, [layer(inputs) for layer in MERGES.values()]))


def test_merges_broadcast():
    inputs = [keras.Input((2, 5, 3)), keras.Input((1, 1, 3))]
    broadcast = ("add", "subtract", "multiply", "maximum")
    layers = [type(MERGES[name])() for name in broadcast]
    check(keras.Model(inputs, [layer(inputs) for layer in layers]))


def test_frozen_layers():
    inputs = keras.Input((4, 4, 2))
    frozen = keras.layers.Conv2D(3, 2, activation="relu", trainable=False)
    x = keras.layers.BatchNormalization(trainable=False)(frozen(inputs))
    check(seeded(keras.Model(inputs, keras.layers.Dense(2)(x))))
