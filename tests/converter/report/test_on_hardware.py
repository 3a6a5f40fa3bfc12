"""Outputs on hardware are those of `Simulator.predict` and `Chip`."""

import json

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.converter.report import on_hardware
from nengo_dl.hardware import PCM, Hardware, Weights, convert, remove

N_STEPS, N_ITEMS = 6, 20
X = np.random.RandomState(0).uniform(size=(N_ITEMS, 6)).astype(np.float32)
Y = np.random.RandomState(1).randint(4, size=N_ITEMS)


@pytest.fixture(scope="module", name="converter")
def fixture_converter():
    """Convert a spiking classifier."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = keras.layers.Dense(12, activation="relu", bias_initializer="ones")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4, name="last")(x))
    return nengo_dl.Converter(
        model,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        scale_firing_rates=1000.0,
    )


def scores(converter, hardware, seed=None, t=None):
    """Return the mean outputs of a network on hardware, by predict."""
    net = convert(converter.net, hardware)
    (node,) = (node for node in net.nodes if node.size_in == 0 and node.size_out == 6)
    (probe,) = net.probes
    steps = np.repeat(X[:, None], N_STEPS, axis=1)
    with nengo_dl.Simulator(net, minibatch_size=N_ITEMS, progress_bar=False) as sim:
        if t is None:
            found = sim.predict({node: steps}, verbose=0)[probe]
        else:
            with sim.program(seed).at(t):
                found = sim.predict({node: steps}, verbose=0)[probe]
    return found.mean(axis=1)


def accuracy_and_error(converter, values):
    """Compare outputs with labels, and with Keras."""
    wanted = np.asarray(converter.model(X))
    error = np.linalg.norm(values - wanted) / np.linalg.norm(wanted)
    return np.mean(values.argmax(axis=1) == Y), error


@pytest.mark.parametrize("size", [7, N_ITEMS])
@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_of_few_bits(converter, size, wrapped):
    model = Weights(bits=2, per="tensor")
    report = converter.report(
        X,
        Y,
        N_STEPS,
        minibatch_size=size,
        hardware=Hardware(model) if wrapped else model,
    )
    (found,) = report.hardware
    accuracy, error = accuracy_and_error(converter, scores(converter, model))
    assert found.name == report.outputs[0].name and found.seconds is None
    assert found.accuracy == found.worst_accuracy == pytest.approx(accuracy)
    assert found.error == pytest.approx(error, rel=1e-4)
    # what there is without hardware stays as it is
    plain = converter.report(X, Y, N_STEPS, minibatch_size=size)
    assert plain.hardware == () and plain.outputs == report.outputs
    assert found.error > plain.outputs[0].error[-1]


def test_devices_are_programmed_and_read_several_times(converter, monkeypatch):
    monkeypatch.setattr(on_hardware, "PROGRAMMINGS", 2)
    monkeypatch.setattr(on_hardware, "TIMES", (1.0, 1e8))
    model = Weights(device=PCM(programming=5.0))
    report = converter.report(X, Y, N_STEPS, hardware=model)
    assert [found.seconds for found in report.hardware] == [1.0, 1e8]
    for found in report.hardware:
        values = [scores(converter, model, seed, found.seconds) for seed in (0, 1)]
        accuracies, errors = zip(
            *(accuracy_and_error(converter, each) for each in values), strict=True
        )
        np.testing.assert_allclose(found.accuracies, accuracies)
        np.testing.assert_allclose(found.errors, errors, rtol=1e-4)
        assert found.worst_accuracy == min(accuracies)
    text = str(report)
    assert "in devices, 1 s, 2 times" in text and "as converted" in text
    assert max(map(len, text.splitlines())) <= 100
    contents = json.loads(report.to_json())["hardware"]
    assert [each["accuracy"] for each in contents] == [
        pytest.approx(found.accuracy) for found in report.hardware
    ]


def test_the_network_and_its_own_hardware_stay(converter):
    def setting():
        params = converter.net.config[nengo.Connection].extra_params
        return "hardware" in params and converter.net.config[nengo.Connection].hardware

    before = setting()
    report = converter.report(X, None, 1, hardware=Weights(bits=8))
    assert setting() == before
    (found,) = report.hardware
    assert found.accuracy is found.worst_accuracy is None and found.error > 0
    assert "on hardware" in str(report)
    remove(converter.net)


@pytest.mark.parametrize("hardware", [8, Weights, PCM()])
def test_errors(converter, hardware):
    with pytest.raises(ValueError, match="Converter.report: expected hardware to be"):
        converter.report(X, Y, 1, hardware=hardware)
