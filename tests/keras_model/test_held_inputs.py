"""Inputs with a single step are what the same inputs are, repeated for all steps."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import NengoLayer
from tests import small_networks
from tests.keras_model.layers import draw_inputs, make_layer

N_ITEMS, N_STEPS = 3, 6


def images(dtype="float64", **settings):
    """Build a convolution, products and a recurrent population on two inputs."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking", dtype=dtype, **settings)
        image = nengo.Node(np.zeros(36), label="image")
        more = nengo.Node([0.0, 0.0], label="more")
        conv = nengo.Convolution(3, (6, 6, 1), init=nengo.dists.Gaussian(0.1, 0.5))
        layer = nengo.Ensemble(conv.size_out, 1, neuron_type=nengo.LIF()).neurons
        hidden = nengo.Ensemble(10, 2, neuron_type=nengo.LIFRate())
        nengo.Connection(image, layer, transform=conv, synapse=None)
        nengo.Connection(more, hidden, synapse=None)
        nengo.Connection(more[0], layer, transform=np.ones((layer.size_in, 1)))
        weights = nengo_dl.dists.Glorot()
        nengo.Connection(layer, hidden.neurons, transform=weights, synapse=0.005)
        nengo.Connection(hidden, hidden, synapse=0.01)
        nengo.Connection(image[:2], hidden, synapse=None)
        nengo.Probe(hidden, label="out")
        nengo.Probe(layer, label="spikes")
        nengo.Probe(image, label="shown")
    return net


NETWORKS = [
    small_networks.feedforward,
    small_networks.integrator,
    small_networks.passthrough,
    small_networks.trivial_transforms,
    small_networks.learning,
    small_networks.noise,
    small_networks.host_nodes,
    small_networks.sparse,
    small_networks.subnetworks,
]


def repeated(inputs):
    """Repeat what has one step."""
    return {
        name: np.repeat(x, N_STEPS, axis=1) if x.shape[1] == 1 else x
        for name, x in inputs.items()
    }


def run(layer, inputs, n_steps=None, training=False, jit_compile=False):
    """Return outputs, and the gradients of the sum of their squares."""
    tensors = {name: tf.constant(x) for name, x in inputs.items()}
    weights = [weight.value for weight in layer.trainable_variables]

    @tf.function(jit_compile=jit_compile and layer.supports_jit, autograph=False)
    def fn(tensors):
        with tf.GradientTape() as tape:
            tape.watch((weights, tensors))
            outputs = layer(tensors, training=training, n_steps=n_steps)
            loss = tf.add_n([tf.reduce_sum(y**2) for y in outputs.values()])
        zero = tf.UnconnectedGradients.ZERO
        return outputs, *tape.gradient(
            loss, (weights, tensors), unconnected_gradients=zero
        )

    return fn(tensors)


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_one_step_stands_for_all(make):
    layer = make_layer(make())
    inputs = draw_inputs(layer, N_ITEMS, 1)
    got = layer(inputs, n_steps=N_STEPS)
    for name, values in make_layer(make())(repeated(inputs)).items():
        np.testing.assert_allclose(got[name], values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("held", (["image", "more"], ["image"], ["more"]), ids=str)
def test_gradients_are_those_of_repeated_inputs(held):
    layer = make_layer(images(), training_mode="spiking")
    inputs = draw_inputs(layer, N_ITEMS, N_STEPS)
    inputs |= {name: inputs[name][:, :1] for name in held}
    jit_compile = held == ["image"]  # once is enough
    got, of_weights, of_inputs = run(layer, inputs, N_STEPS, True, jit_compile)
    expected = run(layer, repeated(inputs), None, True)
    close = {"rtol": 1e-9, "atol": 1e-9}
    for name, values in expected[0].items():
        np.testing.assert_allclose(got[name], values, **close)
    assert any(np.any(old != 0) for old in expected[1])
    for new, old in zip(of_weights, expected[1], strict=True):
        np.testing.assert_allclose(new, old, **close)
    for name, old in expected[2].items():
        if name in held:
            old = tf.reduce_sum(old, axis=1, keepdims=True)
        np.testing.assert_allclose(of_inputs[name], old, **close)


@pytest.mark.parametrize("shape", [(None, None), (N_ITEMS, None), (None, 1)])
def test_sizes_may_be_unknown_when_tracing(shape):
    layer = make_layer(images())
    inputs = draw_inputs(layer, N_ITEMS, 1)
    specs = {
        name: tf.TensorSpec((*shape, x.shape[2]), x.dtype)
        for name, x in repeated(inputs).items()
    }

    @tf.function(input_signature=[specs, tf.TensorSpec((), tf.int32)])
    def fn(tensors, n_steps):
        return layer(tensors, n_steps=n_steps)

    expected = layer(repeated(inputs))
    mixed = {**repeated(inputs), "image": inputs["image"]}
    for data in (inputs, mixed, repeated(inputs)):
        if shape[1] == 1 and data is not inputs:
            continue
        got = fn(data, tf.constant(N_STEPS))
        for name, values in expected.items():
            np.testing.assert_allclose(got[name], values, rtol=1e-9, atol=1e-9)


def test_stateful_calls_continue():
    net = images()
    inputs = draw_inputs(make_layer(net), N_ITEMS, 1)
    layers = [make_layer(net, N_ITEMS, stateful=True) for _ in range(2)]
    for layer in layers:
        layer.keep.assign(True)
    for n_steps in (2, 1, 3):
        got = layers[0](inputs, n_steps=n_steps)
        some = {k: x[:, :n_steps] for k, x in repeated(inputs).items()}
        for name, values in layers[1](some).items():
            np.testing.assert_allclose(got[name], values, rtol=1e-9, atol=1e-9)


def test_nengo_layer_in_a_model():
    x = np.random.RandomState(0).uniform(size=(N_ITEMS, 36)).astype("float32")

    def make(n_steps):
        inputs = keras.Input((36,))
        image = keras.ops.expand_dims(inputs, 1)
        if n_steps is None:
            image = keras.ops.repeat(image, N_STEPS, axis=1)
        layer = NengoLayer(images(dtype="float32"), inputs=["image"])
        outputs = layer(image, n_steps=n_steps)
        return keras.Model(inputs, outputs)

    model = make(N_STEPS)
    assert model.output["out"].shape == (None, N_STEPS, 2)
    got, expected = (m.predict(x, verbose=0) for m in (model, make(None)))
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-5, atol=1e-6)


def test_other_lengths_are_refused():
    layer = make_layer(images())
    inputs = draw_inputs(layer, N_ITEMS, 2)
    with pytest.raises(ValidationError, match=r"n_steps=6 steps for all .*\(got 2\)"):
        layer(inputs, n_steps=N_STEPS)
    inputs["image"] = inputs["image"][:, :1]
    with pytest.raises(ValidationError, match="pass n_steps to hold"):
        layer(inputs)
