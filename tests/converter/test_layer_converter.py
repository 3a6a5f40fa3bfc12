"""Converters as classes: their helpers, and those derived from ``Convert<Layer>``."""

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter import ConvertConv2D, ConvertDense, LayerConverter
from nengo_dl.converter.registry import REGISTRY
from tests.converter.cases import random_inputs, seeded


class Halves(kl.Layer):
    """Two weighted halves of an input, and an activation."""

    def build(self, shape):
        self.left = self.add_weight(shape=(shape[-1] // 2,), name="left")
        self.bias = self.add_weight(shape=(shape[-1],), name="bias")

    def call(self, x):
        left, right = keras.ops.split(x, 2, axis=-1)
        x = keras.ops.concatenate([left * self.left, 3 * right], axis=-1)
        return keras.ops.relu(x + self.bias)


class ConvertHalves(LayerConverter):
    has_weights = True

    def convert(self, node_id):
        (size,) = self.output_shape(node_id)
        assert self.input_shape(node_id) == (size,)
        obj = self.add_nengo_obj(node_id, self.layer.bias, keras.activations.relu)
        pre = self.get_input_obj(node_id)
        left, right = slice(0, size // 2), slice(size // 2, size)
        weights = np.diag(self.layer.left.numpy())
        transform = np.hstack([weights, np.zeros_like(weights)])
        conn = self.add_connection(
            node_id, obj[left], transform=transform, trainable=True, label="left"
        )
        assert conn.pre_obj is pre and conn.label == "left"
        conn = nengo.Connection(pre[right], obj[right], transform=3, synapse=None)
        self.set_trainable(conn, False)
        return obj


class Tripled(kl.Dense):
    def call(self, x):
        return 3 * super().call(x)


class ConvertTripled(ConvertDense):
    def convert(self, node_id):
        obj = super().convert(node_id)
        node = nengo.Node(size_in=obj.size_out)
        conn = nengo.Connection(obj, node, transform=3, synapse=None)
        self.set_trainable(conn, False)
        return node


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(Converter, "converters", dict(REGISTRY))


def model_of(*layers, shape=(6,)):
    x = inputs = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return seeded(keras.Model(inputs, x))


def converted(model, **options):
    converter = Converter(model, allow_fallback=False, **options)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    return converter


def verify(converter, training=False):
    return converter.verify(training, random_inputs(converter.model), atol=1e-5)


def test_helpers():
    Converter.register(Halves)(ConvertHalves)
    converter = converted(model_of(kl.Dense(6), Halves(), kl.Dense(2)))
    assert verify(converter)
    layer = converter.model.layers[2]
    assert isinstance(converter.get_converter(layer), ConvertHalves)


def test_activations_are_swapped_before_and_after_the_map():
    Converter.register(Halves)(ConvertHalves)
    for key in (keras.activations.relu, nengo.RectifiedLinear()):
        converter = converted(model_of(Halves()), swap_activations={key: nengo.LIF()})
        assert [e.neuron_type for e in converter.net.all_ensembles] == [nengo.LIF()]


def test_spikes_are_known_behind_parts_of_nodes():
    class ConvertToParts(LayerConverter):
        def convert(self, node_id):
            node = self.add_nengo_obj(node_id)
            self.add_connection(node_id, node[::-1])
            return node

    Converter.register(kl.Identity)(ConvertToParts)
    spiking = {nengo.RectifiedLinear(): nengo.SpikingRectifiedLinear()}
    model = model_of(kl.ReLU(), kl.Identity(), kl.Reshape((6, 1)), kl.MaxPooling1D(2))
    converter = converted(model, swap_activations=spiking)
    assert converter.layers[model.layers[-1]].function.tau is not None


def test_unsupported_arguments_are_reported():
    class Restricted(ConvertHalves):
        unsupported_args = [("dtype", "float32"), "activity_regularizer"]
        unsupported_training_args = [("supports_masking", True)]

    Converter.register(Halves)(Restricted)
    model = model_of(Halves(activity_regularizer="l2", name="halves"))
    with pytest.raises(TypeError, match="'halves': expected activity_regularizer=None"):
        converted(model, inference_only=True)
    model = model_of(Halves(name="halves"))
    with pytest.raises(TypeError, match="'halves': expected supports_masking=True"):
        converted(model)
    assert verify(converted(model, inference_only=True))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_derived_converters(shape, training):
    Converter.register(Tripled)(ConvertTripled)
    model = model_of(Tripled(5, activation="relu"), Tripled(2), shape=shape)
    assert verify(converted(model), training)


def test_derived_converters_keep_restrictions():
    Converter.register(Tripled)(ConvertTripled)
    model = model_of(Tripled(5, kernel_regularizer="l2", name="tripled"))
    with pytest.raises(TypeError, match="'tripled': expected no regularizers"):
        converted(model)
    assert verify(converted(model, inference_only=True))

    class Conv(kl.Conv2D):
        pass

    Converter.register(Conv)(type("ConvertConv", (ConvertConv2D,), {}))
    model = model_of(kl.TimeDistributed(Conv(2, 2)), shape=(3, 4, 4, 1))
    assert verify(converted(model, temporal_model=True))
    model = model_of(Conv(2, 2, name="conv"), shape=(3, 4, 4))
    with pytest.raises(TypeError, match="'conv': expected a layer that treats each"):
        converted(model, temporal_model=True)


def test_derived_converters_replace_those_of_keras():
    with pytest.warns(UserWarning, match="Dense had a converter, which is replaced"):
        Converter.register(kl.Dense)(ConvertTripled)
    converter = converted(model_of(kl.Dense(2)))
    assert isinstance(converter.layers[converter.model.layers[1]], nengo.Node)
    assert len(converter.net.all_connections) == 3


def test_every_layer_has_a_class():
    for layer_type in (key for key in REGISTRY if isinstance(key, type)):
        name = f"Convert{layer_type.__name__}"
        cls = getattr(nengo_dl.converter, name)
        assert issubclass(cls, LayerConverter) and name in dir(nengo_dl.converter)
        assert cls.allow_fallback == REGISTRY[layer_type].allow_fallback
    with pytest.raises(AttributeError, match="no attribute 'ConvertNothing'"):
        assert nengo_dl.converter.ConvertNothing
