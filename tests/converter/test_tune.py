"""Tuning through spikes: networks come to agree with their models."""

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from tests.converter.cases import seeded

RNG = np.random.RandomState(0)
DATA = RNG.uniform(-1, 1, size=(48, 6))
SERIES = RNG.uniform(-1, 1, size=(12, 8, 6))
N_STEPS = 3


def dense_model(activation=None, n=3, normalized=False):
    x = inputs = keras.Input((6,))
    x = kl.Dense(10)(x)
    x = kl.ReLU()(kl.BatchNormalization()(x) if normalized else x)
    x = kl.Dense(10, activation="relu")(x)
    return seeded(keras.Model(inputs, kl.Dense(n, activation=activation)(x)))


def two_outputs():
    inputs = keras.Input((6,))
    x = kl.Dense(10, activation="relu")(inputs)
    y = kl.Dense(2, activation="sigmoid")(x)
    return seeded(keras.Model(inputs, [kl.Reshape((2, 2))(kl.Dense(4)(x)), y]))


def series_model():
    inputs = keras.Input((None, 6))
    x = kl.Dense(10, activation="relu")(inputs)
    return seeded(keras.Model(inputs, kl.Dense(3)(x)))


CASES = {
    "several": (two_outputs, {}, DATA),
    "normalized": (
        lambda: dense_model("softmax", normalized=True),
        {"inference_only": True, "allow_fallback": False},
        DATA,
    ),
    "series": (series_model, {"temporal_model": True}, SERIES),
}


def make(model, neuron_type=None, **options):
    is_series = "temporal_model" in options
    neuron_type = neuron_type or nengo_dl.IntegrateAndFire()
    scale = {"scale_firing_rates": 300} if is_series else {}
    converter = Converter(
        model,
        swap_activations={"relu": neuron_type},
        calibration_data=None if scale else DATA,
        synapse=None,
        **scale,
        **options,
    )
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False, keep_history=False)
    return converter


@pytest.mark.parametrize("name", CASES)
def test_outputs_come_nearer_to_those_of_the_model(name):
    function, options, data = CASES[name]
    model = function()
    converter = make(model, **options)
    n_steps = None if name == "series" else N_STEPS
    wanted = keras.tree.flatten(model.predict(data, verbose=0))
    before = [w.copy() for w in model.get_weights()]

    def error():
        found = keras.tree.flatten(converter.predict(data, n_steps))
        return sum(
            np.mean((a - b) ** 2) / np.mean(b**2)
            for a, b in zip(found, wanted, strict=True)
        )

    before_tuning = error()
    keras.utils.set_random_seed(0)  # of the order of items
    converter.tune(
        data, epochs=10, n_steps=n_steps, learning_rate=0.01, minibatch_size=10
    )
    assert error() < before_tuning
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_labels_teach_what_the_model_has_wrong():
    model = dense_model("softmax")
    y = (np.argmax(model.predict(DATA, verbose=0), axis=-1) + 1) % 3
    converter = make(model)
    keras.utils.set_random_seed(0)
    of_labels = []
    for _ in range(2):
        found = converter.predict(DATA, N_STEPS)
        of_labels.append(np.mean(found[np.arange(len(y)), y]))
        if len(of_labels) == 1:
            converter.tune(DATA, y, epochs=10, n_steps=N_STEPS, learning_rate=0.01)
    assert of_labels[1] > of_labels[0]


def test_settings_are_as_before_and_results_are_those_of_nengo():
    options = {"inference_only": True}
    converter = make(dense_model(normalized=True), nengo.LIF(), **options)
    net = converter.net
    before = nengo_dl.config.Settings.read(net)
    trainable = [net.config[conn].trainable for conn in net.all_connections]
    converter.tune(DATA, epochs=1, n_steps=2)
    assert nengo_dl.config.Settings.read(net) == before
    assert trainable == [net.config[conn].trainable for conn in net.all_connections]
    assert nengo_dl.config.get_setting(net, "keep_history", obj=net.probes[0]) is False
    wanted = converter.predict(DATA[:1], 5)
    converter.inputs[0].output = DATA[0]
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(5)
    found = sim.data[net.probes[0]].mean(axis=0)
    np.testing.assert_allclose(found, wanted[0], rtol=1e-3, atol=1e-3)


BAD = [
    ({"x": np.ones((4, 5))}, "Converter.tune: expected shape"),
    ({"epochs": 0}, "Converter.tune: expected epochs to be a whole number"),
    ({"y": np.full(48, 3)}, "Converter.tune: expected labels .* from 0 to 2"),
    ({"n_steps": -1}, "Converter.tune: expected n_steps"),
]


@pytest.mark.parametrize("arguments, message", BAD)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(dense_model()).tune(**{"x": DATA, **arguments})


def test_rates_need_no_tuning():
    with pytest.raises(ValueError, match="expected spiking neurons"):
        Converter(dense_model()).tune(DATA)


IMAGES = RNG.uniform(size=(8, 6, 6, 2)).astype("float32")
AFTER_SPIKES = {
    "maximum": [kl.MaxPooling2D(2), kl.Flatten()],
    "maximum of a row": [
        kl.Reshape((16, 4)),
        kl.MaxPooling1D(3, padding="same"),
    ],
    "maximum of all": [kl.GlobalMaxPooling2D()],
    "average": [kl.AveragePooling2D(2), kl.ReLU(), kl.Flatten()],
    "normalization": [kl.BatchNormalization(), kl.ReLU(), kl.GlobalMaxPooling2D()],
    "softmax": [kl.Flatten(), kl.Dense(3, activation="softmax")],
}


@pytest.mark.parametrize("name", AFTER_SPIKES)
def test_training_through_spikes_sees_what_prediction_does(name):
    layers = [kl.Conv2D(4, 3, activation="relu"), *AFTER_SPIKES[name]]
    model = seeded(keras.Sequential([keras.Input(IMAGES.shape[1:]), *layers]))
    converter = Converter(
        model,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        calibration_data=IMAGES,
        inference_only=True,
    )
    (node,), (probe,) = converter.inputs.values(), converter.outputs.values()
    with converter.net:
        nengo_dl.configure_settings(
            training_mode="spiking", inference_only=False, jit_compile=False
        )
    data = {node: IMAGES.reshape(len(IMAGES), 1, -1)}
    with nengo_dl.Simulator(converter.net, minibatch_size=4, progress_bar=False) as sim:
        targets = {probe: np.zeros((len(IMAGES), N_STEPS, probe.size_in))}
        sim.compile(keras.optimizers.SGD(0.0), "mse")
        trained = sim.fit(data, targets, n_steps=N_STEPS, verbose=0).history["loss"][0]
        predicted = sim.evaluate(data, targets, n_steps=N_STEPS, verbose=0)["loss"]
    assert predicted > 0
    np.testing.assert_allclose(trained, predicted, rtol=1e-5)
