"""What is set for neurons and ensembles counts for the biases of converted layers."""

import itertools

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl
from nengo.ensemble import Neurons

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter import LayerConverter
from nengo_dl.converter.registry import REGISTRY
from nengo_dl.graph.nengo_model import build_model
from nengo_dl.graph.parameters import parameters
from tests.converter.cases import seeded


def trained(net):
    """List the names of what is trained."""
    return [
        p.name for p in parameters(build_model(net, 0.001, "float32")) if p.trainable
    ]


def model_of(*layers):
    x = inputs = keras.Input((6, 6, 2))
    for layer in (*layers, kl.Flatten(), kl.Dense(2, name="last")):
        x = layer(x)
    return seeded(keras.Model(inputs, x))


LAYERS = {
    "dense": lambda **kwargs: kl.Dense(3, activation="relu", name="x", **kwargs),
    "conv": lambda **kwargs: kl.Conv2D(3, 2, activation="tanh", name="x", **kwargs),
}
LAST = {"last.weights", "last.bias.weights"}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("frozen", [False, True])
def test_biases_follow_neurons(layer, frozen):
    model = model_of(LAYERS[layer](trainable=not frozen))
    weights = set() if frozen else {"x.weights"}
    for of_neurons, of_ensemble in itertools.product([None, False, True], repeat=2):
        converter = Converter(model)
        neurons, config = converter.layers[model.layers[1]], converter.net.config
        if of_neurons is not None:
            config[neurons].trainable = of_neurons
        if of_ensemble is not None:
            config[neurons.ensemble].trainable = of_ensemble
        values = (of_neurons, of_ensemble, not frozen)
        wanted = next(value for value in values if value is not None)
        biases = {"x.bias.weights"} if wanted else set()
        assert set(trained(converter.net)) == weights | biases | LAST


@pytest.mark.parametrize("cls", [Neurons, nengo.Ensemble])
def test_biases_follow_classes(cls):
    converter = Converter(model_of(LAYERS["conv"]()))
    converter.net.config[cls].trainable = False
    assert set(trained(converter.net)) == {"x.weights"} | LAST


@pytest.mark.parametrize("layer", LAYERS)
def test_without_biases(layer):
    model = model_of(LAYERS[layer](use_bias=False))
    converter = Converter(model)
    assert set(trained(converter.net)) == {"x.weights"} | LAST
    converter.net.config[converter.layers[model.layers[1]]].trainable = True
    assert set(trained(converter.net)) == {"x.weights", "x.bias"} | LAST


def test_inside_of_other_networks():
    model = model_of(keras.Sequential([keras.Input((6, 6, 2)), LAYERS["conv"]()]))
    converter = Converter(model)
    neurons = converter.layers[model.layers[1]]
    with nengo.Network() as outer:
        nengo_dl.configure_settings(trainable=None)
        outer.add(converter.net)
    assert set(trained(outer)) == {"x.weights", "x.bias.weights"} | LAST
    outer.config[neurons].trainable = False
    assert set(trained(outer)) == {"x.weights"} | LAST
    converter.net.config[neurons].trainable = True
    assert set(trained(outer.copy())) == {"x.weights", "x.bias.weights"} | LAST


def test_layer_converters(monkeypatch):
    class Shift(kl.Layer):
        def build(self, shape):
            self.shift = self.add_weight(shape=shape[1:])

        def call(self, x):
            return keras.ops.relu(x + self.shift)

    class ConvertShift(LayerConverter):
        def convert(self, node_id):
            shift = self.layer.shift.numpy().ravel()
            obj = self.add_nengo_obj(node_id, shift, keras.activations.relu)
            self.add_connection(node_id, obj)
            return obj

    monkeypatch.setattr(Converter, "converters", dict(REGISTRY))
    Converter.register(Shift)(ConvertShift)
    model = model_of(Shift(name="x"))
    converter = Converter(model, allow_fallback=False)
    assert set(trained(converter.net)) == {"x.bias.weights"} | LAST
    converter.net.config[converter.layers[model.layers[1]]].trainable = False
    assert set(trained(converter.net)) == LAST


def test_biases_stay_in_training():
    model = model_of(LAYERS["conv"]())
    converter = Converter(model)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    converter.net.config[converter.layers[model.layers[1]]].trainable = False
    x = np.random.RandomState(0).uniform(size=(4, 1, 72))
    with nengo_dl.Simulator(
        converter.net, minibatch_size=4, progress_bar=False, device="/cpu:0"
    ) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse")
        sim.fit(x, np.ones((4, 1, 2)), epochs=2, verbose=0)
        values = {w.path.split("/")[-1]: w.numpy() for w in sim.keras_model.weights}
    kernel, bias = model.layers[1].get_weights()
    assert not np.allclose(values["x.weights"], kernel)
    np.testing.assert_array_equal(np.ravel(values["x.bias.weights"]), bias)
