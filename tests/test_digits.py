"""The introduction to Keras in Nengo, call for call, on handwritten digits."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import nengo_dl
from tests.simulator.helpers import make_sim

MINIBATCH = 30
N_TEST = 300
EPOCHS = 10


@pytest.fixture(scope="module")
def digits():
    """Return images and labels: for training, and for the test."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(labels))[: 40 * MINIBATCH]
    images, labels = images[order].reshape(-1, 8, 8) / 16, labels[order]
    images = images.astype("float32")
    return (images[N_TEST:], labels[N_TEST:]), (images[:N_TEST], labels[:N_TEST])


def make_classifier():
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation=tf.nn.relu),
            keras.layers.Dense(10),
        ]
    )


def compiled(model, sim=None):
    """Compile a model, or a simulator, for labels that are numbers."""
    (model if sim is None else sim).compile(
        optimizer=keras.optimizers.RMSprop(0.003),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


@pytest.fixture(scope="module")
def trained(digits):
    """Return a classifier that Keras has trained, and its accuracy."""
    keras.utils.set_random_seed(0)
    model = compiled(make_classifier())
    (x, y), test = digits
    model.fit(x, y, batch_size=MINIBATCH, epochs=EPOCHS, verbose=0)
    _, accuracy = model.evaluate(*test, batch_size=MINIBATCH, verbose=0)
    assert accuracy > 0.9
    return model, accuracy


class KerasWrapper(keras.layers.Layer):
    """A layer that clones a model when it is built, and loads its weights there."""

    def __init__(self, keras_model):
        super().__init__()
        self.model_to_copy = keras_model

    def build(self, input_shapes):
        super().build(input_shapes)
        self.model = keras.models.clone_model(self.model_to_copy)
        self.model.set_weights(self.model_to_copy.get_weights())

    def call(self, inputs):
        return self.model(inputs)


def one_step(images, labels):
    """Add an axis for time; of images, make vectors."""
    return images.reshape(len(images), 1, -1), labels.reshape(-1, 1, 1)


def test_a_function_of_time():
    with nengo.Network() as net:

        def sine(t):
            return tf.reshape(tf.sin(6 * t), (1, 1))

        node = nengo_dl.TensorNode(sine, shape_out=(1,))
        probe = nengo.Probe(node)

    with make_sim(net) as sim:
        sim.run(1.0)
        expected = np.sin(6 * sim.trange())[:, None]
        np.testing.assert_allclose(sim.data[probe], expected, atol=1e-5)


@pytest.mark.parametrize("wrap", [KerasWrapper, lambda model: model])
def test_a_trained_model(wrap, trained, digits):
    model, accuracy = trained
    with nengo.Network() as net:
        image = nengo.Node(output=np.zeros(64))
        node = nengo_dl.TensorNode(
            wrap(model), shape_in=(8, 8), shape_out=(10,), pass_time=False
        )
        nengo.Connection(image, node, synapse=None)
        probe = nengo.Probe(node)

    before = model.get_weights()
    images, labels = one_step(*digits[1])
    with make_sim(net, minibatch_size=MINIBATCH) as sim:
        sim.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        result = sim.evaluate(images, {probe: labels}, verbose=0)
        outputs = sim.predict({image: images}, verbose=0)[probe][:, 0]
    assert list(result) == ["loss", "probe_loss", "probe_accuracy"]
    assert result["probe_accuracy"] == accuracy
    expected = model.predict(digits[1][0], verbose=0)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def from_layers():
    """Build the classifier from layers."""
    with nengo.Network(seed=0) as net:
        image = nengo.Node(output=np.zeros(64))
        hidden = nengo_dl.Layer(keras.layers.Dense(64))(image, shape_in=(64,))
        hidden = nengo_dl.Layer(tf.nn.relu)(hidden)
        out = nengo_dl.Layer(keras.layers.Dense(units=10))(hidden)
        nengo.Probe(out)
    return net


def from_mixed_layers():
    """Build the classifier from layers and neurons."""
    with nengo.Network(seed=0) as net:
        image = nengo.Node(output=np.zeros(64))
        hidden = nengo_dl.Layer(keras.layers.Dense(64))(image)
        hidden = nengo_dl.Layer(nengo.RectifiedLinear())(
            hidden, gain=np.ones(64), bias=np.zeros(64)
        )
        out = nengo_dl.Layer(keras.layers.Dense(units=10))(hidden)
        nengo.Probe(out)
    return net


def from_nengo_objects():
    """Build the classifier from native objects."""
    with nengo.Network(seed=0) as net:
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Connection].transform = nengo_dl.dists.Glorot()
        net.config[nengo.Ensemble].neuron_type = nengo.RectifiedLinear()
        net.config[nengo.Ensemble].gain = nengo.dists.Choice([1])
        net.config[nengo.Ensemble].bias = nengo.dists.Choice([0])

        image = nengo.Node(output=np.zeros(64))
        hidden = nengo.Ensemble(n_neurons=64, dimensions=1).neurons
        nengo.Connection(image, hidden)
        out = nengo.Node(size_in=10)
        nengo.Connection(hidden, out)
        nengo.Probe(out)
    return net


@pytest.mark.parametrize("make", [from_layers, from_mixed_layers, from_nengo_objects])
def test_training(make, trained, digits):
    keras.utils.set_random_seed(0)
    net = make()
    with net:
        nengo_dl.configure_settings(stateful=False, use_loop=False)
    (image,), (probe,) = net.nodes[:1], net.probes
    train, test = (one_step(*data) for data in digits)
    with make_sim(net, minibatch_size=MINIBATCH) as sim:
        compiled(None, sim)
        history = sim.fit(
            {image: train[0]}, {probe: train[1]}, epochs=EPOCHS, verbose=0
        )
        result = sim.evaluate({image: test[0]}, {probe: test[1]}, verbose=0)
    assert list(history.history) == ["loss", "probe_loss", "probe_accuracy"]
    assert abs(result["probe_accuracy"] - trained[1]) < 0.03
