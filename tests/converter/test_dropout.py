"""Copies of dropout are what Keras' dropout is, and fast where XLA compiles them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.converter.layers.dropout import CompiledDropout

CASES = {
    "some": {"rate": 0.3},
    "none": {"rate": 0.0},
    "all": {"rate": 1.0},
    "channels": {"rate": 0.5, "noise_shape": (None, 1, 40)},
    "the same for all items": {"rate": 0.5, "noise_shape": (1, None, 40)},
}


@pytest.fixture(name="x")
def fixture_x():
    return np.random.RandomState(0).uniform(1, 2, size=(20, 30, 40)).astype("float32")


@pytest.mark.parametrize("name", CASES)
def test_masks_are_those_of_keras(name, x):
    own, of_keras = (
        kind(**CASES[name], seed=3) for kind in (CompiledDropout, keras.layers.Dropout)
    )
    for training in (False, True, True):
        np.testing.assert_array_equal(
            own(x, training=training), of_keras(x, training=training)
        )


@pytest.mark.parametrize("name", CASES)
def test_compiled_masks_have_the_rate_and_the_shape(name, x):
    layer = CompiledDropout(**CASES[name], seed=3)
    call = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    first, second = call(x).numpy(), call(x).numpy()
    rate, noise_shape = layer.rate, layer.noise_shape or (None, None, None)
    for y in (first, second):
        kept = y != 0
        np.testing.assert_allclose(y[kept], x[kept] / max(1 - rate, 1e-9), rtol=1e-6)
        for axis, size in enumerate(noise_shape):
            if size == 1:
                assert np.all(kept == kept.take([0], axis=axis))
        drawn = kept[tuple(slice(size) for size in noise_shape)]
        error = abs(np.mean(drawn) - (1 - rate))
        assert error <= 5 * np.sqrt(rate * (1 - rate) / drawn.size)
    assert np.any(first != second) == (0 < rate < 1)


def test_converted_models_have_it(x):
    inputs = keras.Input(x.shape[1:])
    dropout = keras.layers.Dropout(0.5, name="dropout")
    model = keras.Model(inputs, dropout(inputs))
    with pytest.warns(UserWarning, match="A TensorNode computes it"):
        converter = nengo_dl.Converter(model)
    net, node = converter.net, converter.layers["dropout"]
    assert type(node.tensor_func.inner) is CompiledDropout
    assert type(dropout) is keras.layers.Dropout
    flat = x.reshape(len(x), 1, -1)
    with nengo_dl.Simulator(net, minibatch_size=20, progress_bar=False) as sim:
        np.testing.assert_array_equal(sim.predict(flat)[net.probes[0]], flat)
        sim.compile("sgd", loss="mae")
        loss = sim.fit(flat, flat, verbose=0).history["loss"][0]
    np.testing.assert_allclose(loss, np.mean(x), rtol=0.01)
