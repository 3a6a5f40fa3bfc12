"""Layers with long sums: they round little, and are Keras layers in all else."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

import nengo_dl
from nengo_dl.exchange import layers
from tests.onnx.models import model_of

# Layer, its base class, arguments, and the shape of an item
CASES = [
    (layers.Dense, keras.layers.Dense, {"units": 30}, (9000,)),
    (layers.Dense, keras.layers.Dense, {"units": 9, "activation": "tanh"}, (700,)),
    (
        layers.Conv2D,
        keras.layers.Conv2D,
        {"filters": 32, "kernel_size": 3},
        (6, 6, 512),
    ),
    (
        layers.Conv2D,
        keras.layers.Conv2D,
        {"filters": 4, "kernel_size": (5, 3), "strides": 2, "padding": "same"},
        (7, 8, 101),
    ),
]


def data(shape, n_items):
    """Return items as rectified neurons have them."""
    x = np.random.default_rng(0).normal(size=(n_items, *shape))
    return np.maximum(x, 0).astype(np.float32)


def pair(kind, base, arguments, shape):
    """Return a model with a layer, and one with Keras' layer and the same weights."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, kind(name="long", **arguments)(inputs))
    other = keras.Model(inputs, base(**arguments)(inputs))
    other.set_weights(model.get_weights())
    return model, other


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("n_items", [1, 2])
@pytest.mark.parametrize("kind, base, arguments, shape", CASES)
def test_rounding(kind, base, arguments, shape, n_items, jit_compile):
    model, _ = pair(kind, base, arguments, shape)
    exact = base(**arguments, dtype="float64")
    exact.build((None, *shape))
    exact.set_weights(model.get_weights())
    x = data(shape, n_items)
    expected = exact(x.astype(float)).numpy()
    model.compile(jit_compile=jit_compile)
    error = model.predict(x, verbose=0) - expected
    assert np.sqrt(np.mean(error**2) / np.mean(expected**2)) < 6e-7


@pytest.mark.parametrize("n_items", [1, 3])
@pytest.mark.parametrize("kind, base, arguments, shape", CASES)
def test_gradients_and_files(kind, base, arguments, shape, n_items, tmp_path):
    model, other = pair(kind, base, arguments, shape)
    x = data(shape, n_items)
    found = []
    for each in (model, other):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(each(x) ** 2)
        found.append(tape.gradient(loss, each.trainable_variables))
    for ours, theirs in zip(*found, strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * scale)
    model.compile("sgd", "mse", jit_compile=True)
    model.fit(x, model.predict(x, verbose=0) + 1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("long")) is kind
    np.testing.assert_array_equal(loaded(x), model(x))


@pytest.mark.parametrize("kind, base, arguments, shape", CASES)
def test_they_are_converted_like_those_of_keras(kind, base, arguments, shape):
    nets = [
        nengo_dl.Converter(model).net
        for model in pair(kind, base, {**arguments, "activation": "relu"}, shape)
    ]
    transforms = [
        [type(connection.transform) for connection in net.all_connections]
        for net in nets
    ]
    assert transforms[0] == transforms[1]
    assert not any(isinstance(n, nengo_dl.TensorNode) for n in nets[0].all_nodes)
    assert len(nets[0].all_ensembles) == 1
    if kind is layers.Conv2D:
        assert nengo.Convolution in transforms[0]


@pytest.mark.parametrize("n, size", [(20, 3), (200, 3), (1000, 1)])
def test_long_sums_alone_have_layers_of_their_own(n, size):
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["a"]),
        helper.make_node("Flatten", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "matrix"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "filters": rng.normal(size=(n, n, size, size)).astype(np.float32),
        "matrix": rng.normal(size=(n, 2)).astype(np.float32),
    }
    model = nengo_dl.onnx.to_keras(
        model_of(nodes, {"x": (None, n, size, size)}, ["y"], constants)
    )
    found = [type(layer) for layer in model.layers if layer.weights]
    conv = layers.Conv2D if n == 200 else keras.layers.Conv2D
    dense = layers.Dense if n == 1000 else keras.layers.Dense
    assert found == [conv, dense]
