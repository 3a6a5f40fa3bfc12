"""What is random in training alone: a network does what ``model.predict`` does."""

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from tests.converter.cases import seeded

SHAPE = (6, 6, 3)


class Twice(kl.Layer):
    """Trains by default."""

    def call(self, x, training=True):
        return 2.0 * x if training else x


class Inside(kl.Layer):
    """Calls a layer without a word about training."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        is_layer = isinstance(layer, kl.Layer)
        custom = {"Twice": Twice}
        self.layer = layer if is_layer else keras.layers.deserialize(layer, custom)

    def get_config(self):
        return {**super().get_config(), "layer": keras.layers.serialize(self.layer)}

    def call(self, x):
        return self.layer(x)


class PassedOn(Inside):
    """Passes on what it is told."""

    def call(self, x, training=None):
        return self.layer(x, training=training)


def model_of(*layers, sequential=False):
    if sequential:
        return keras.Sequential([keras.Input(SHAPE), *layers])
    x = inputs = keras.Input(SHAPE)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def in_training(layer):
    return lambda x: layer(x, training=True)


LAYERS = {
    "flip": kl.RandomFlip(),
    "rotation": kl.RandomRotation(0.2),
    "zoom": kl.RandomZoom(0.3),
    "translation": kl.RandomTranslation(0.3, 0.3),
    "contrast": kl.RandomContrast(0.5),
    "brightness": kl.RandomBrightness(0.5, value_range=(0, 1)),
    "crop": kl.RandomCrop(6, 6),
    "noise": kl.GaussianNoise(1.0),
    "noise_in_training": in_training(kl.GaussianNoise(1.0)),
    "dropout_in_training": in_training(kl.Dropout(0.5)),
    "normalization_in_training": in_training(kl.BatchNormalization()),
    "recurrent": in_training(kl.ConvLSTM1D(2, 2, dropout=0.5)),
    "own": Twice(),
    "own_in_training": in_training(Twice()),
    "inside_dropout": Inside(kl.Dropout(0.5)),
    "inside_own": Inside(Twice()),
    "inside_in_training": in_training(Inside(kl.RandomFlip())),
    "passed_on": PassedOn(kl.Dropout(0.5)),
    "passed_on_in_training": in_training(PassedOn(Twice())),
    "attention": lambda x: kl.MultiHeadAttention(1, 2, dropout=0.5)(
        x, x, training=True
    ),
    "nested": model_of(kl.RandomFlip(), Twice(), kl.Dropout(0.5)),
    "nested_sequential": model_of(kl.RandomFlip(), Twice(), sequential=True),
    "nested_in_training": in_training(model_of(in_training(Twice()), kl.RandomFlip())),
    "nested_twice": model_of(model_of(in_training(Inside(Twice())))),
}
TENSOR_NODES = {
    name: layer for name, layer in LAYERS.items() if isinstance(layer, kl.Layer)
}


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(0).rand(4, *SHAPE).astype(np.float32)


@pytest.fixture(scope="module")
def everything():
    inputs = keras.Input(SHAPE)
    return seeded(keras.Model(inputs, [make(inputs) for make in LAYERS.values()]))


def make_sim(net, **kwargs):
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    return nengo_dl.Simulator(net, progress_bar=False, device="/cpu:0", **kwargs)


@pytest.mark.parametrize("inference_only", [True, False])
def test_networks_predict_as_keras_does(everything, images, inference_only):
    converter = Converter(everything, inference_only=inference_only)
    wanted = everything.predict(images, verbose=0)
    x = images.reshape(4, 1, -1)
    with make_sim(converter.net, minibatch_size=4) as sim:
        found = sim.predict(x, verbose=0)
        sim.run_steps(1, data={converter.inputs[everything.input]: x})
        data = [sim.data[probe][:, 0] for probe in converter.net.probes]
    for name, probe, y, run in zip(
        LAYERS, converter.net.probes, wanted, data, strict=True
    ):
        y = y.reshape(4, -1)
        np.testing.assert_allclose(found[probe][:, 0], y, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(run, y, atol=1e-5, err_msg=name)


def test_verify_and_report_compare_with_predict(images):
    layers = [LAYERS[name] for name in ("flip", "own_in_training", "nested_twice")]
    converter = Converter(model_of(*layers), inference_only=True)
    assert converter.verify(inputs=[images], atol=1e-5)
    report = converter.report(images, n_steps=1)
    assert all((layer.error or 0) < 1e-4 for layer in report.layers)


def test_tensor_nodes_predict_as_keras_does(images):
    with nengo.Network() as net:
        x = nengo.Node(np.zeros(images[0].size))
        for layer in TENSOR_NODES.values():
            nengo.Probe(nengo_dl.Layer(layer)(x, shape_in=SHAPE))
    with make_sim(net, minibatch_size=4) as sim:
        found = sim.predict(images.reshape(4, 1, -1), verbose=0)
    for (name, layer), probe in zip(TENSOR_NODES.items(), net.probes, strict=True):
        wanted = np.reshape(layer(images, training=False), (4, -1))
        np.testing.assert_allclose(found[probe][:, 0], wanted, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["own", "inside_own", "nested_twice"])
@pytest.mark.parametrize("convert", [True, False])
def test_training_still_trains(name, convert, images):
    """In training, the output is doubled, as in Keras."""
    layer = LAYERS[name]
    if convert:
        net = Converter(model_of(layer)).net
    else:
        with nengo.Network() as net:
            x = nengo.Node(np.zeros(images[0].size))
            nengo.Probe(nengo_dl.Layer(layer)(x, shape_in=SHAPE))
    x = images.reshape(4, 1, -1)
    with make_sim(net, minibatch_size=4) as sim:
        sim.compile("sgd", loss="mse")
        assert sim.evaluate(x, x, verbose=0)["loss"] < 1e-9
        assert sim.fit(x, 2 * x, verbose=0).history["loss"][0] < 1e-9
