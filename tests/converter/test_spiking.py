"""Spiking networks compute on average what the model computes."""

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from tests.converter.cases import seeded

N_STEPS = 100
SPIKING = {nengo.RectifiedLinear(): nengo_dl.IntegrateAndFire()}


def image_model():
    """Has maxima, rectifiers with a maximum, and batch normalisation."""
    x = inputs = keras.Input((8, 8, 1))
    x = kl.ReLU(max_value=0.5)(kl.Conv2D(4, 3, padding="same")(x))
    x = kl.MaxPooling2D(2)(x)
    x = kl.ReLU()(kl.BatchNormalization()(kl.Conv2D(4, 3)(x)))
    x = kl.Dense(8, activation="relu")(kl.Flatten()(x))
    return seeded(keras.Model(inputs, kl.Dense(3)(x)))


def images(n=4, seed=0):
    return np.random.RandomState(seed).uniform(size=(n, 8, 8, 1))


def averages(converter, x, n_steps=N_STEPS, **kwargs):
    """Run a network on constant inputs, and average its output over time."""
    (node,), (probe,) = converter.inputs.values(), converter.outputs.values()
    steps = np.tile(x.reshape(len(x), 1, -1), (1, n_steps, 1))
    with nengo_dl.Simulator(
        converter.net, minibatch_size=len(x), progress_bar=False, device="/cpu:0"
    ) as sim:
        return sim.predict({node: steps}, verbose=0)[probe].mean(axis=1)


def spiking(model, **kwargs):
    arguments = {"swap_activations": SPIKING, "inference_only": True, **kwargs}
    converter = Converter(model, allow_fallback=False, **arguments)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    return converter


@pytest.mark.parametrize("scale", [1000, "auto"])
def test_averages_are_those_of_keras(scale):
    model, x = image_model(), images()
    converter = spiking(
        model, scale_firing_rates=scale, calibration_data=images(8, seed=1)
    )
    wanted = np.asarray(model(x))
    found = averages(converter, x)
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()


def test_lif_neurons_are_nearly_rectified_linear():
    inputs = keras.Input((8, 8, 1))
    x = kl.Dense(20, activation="relu")(kl.Flatten()(inputs))
    model, x = seeded(keras.Model(inputs, kl.Dense(3)(x))), images()
    lif = {nengo.RectifiedLinear(): nengo.LIF()}
    converter = spiking(
        model, swap_activations=lif, scale_firing_rates="auto", calibration_data=x
    )
    wanted = np.asarray(model(x))
    found = averages(converter, x)
    assert np.abs(found - wanted).max() < 0.2 * np.abs(wanted).max()


@pytest.mark.parametrize("target_rate", [100, 400])
def test_calibration_maps_the_largest_activation_to_the_rate(target_rate):
    model, x = image_model(), images()
    converter = spiking(
        model,
        scale_firing_rates="auto",
        calibration_data=x,
        percentile=100,
        target_rate=target_rate,
    )
    with converter.net:
        probes = [nengo.Probe(neurons) for neurons in converter.populations]
    types = [neurons.ensemble.neuron_type for neurons in converter.populations]
    for neurons, kind in zip(converter.populations, types, strict=True):
        rates = nengo.RectifiedLinear(kind.amplitude)
        neurons.ensemble.neuron_type = rates
    with nengo_dl.Simulator(
        converter.net, minibatch_size=len(x), progress_bar=False, device="/cpu:0"
    ) as sim:
        (node,) = converter.inputs.values()
        found = sim.predict({node: x.reshape(len(x), 1, -1)}, verbose=0)
    for probe, kind in zip(probes, types, strict=True):
        assert found[probe].max() / kind.amplitude == pytest.approx(target_rate, 1e-4)


def test_calibration_covers_nested_models_and_time():
    inner = keras.Sequential([keras.Input((3,)), kl.Dense(5, activation="relu")])
    inputs = keras.Input((None, 3))
    x = kl.TimeDistributed(inner)(kl.Dense(3, activation="relu")(inputs))
    model = seeded(keras.Model(inputs, x))
    data = np.random.RandomState(0).uniform(size=(3, 4, 3))
    converter = spiking(
        model,
        swap_activations=None,
        temporal_model=True,
        scale_firing_rates="auto",
        calibration_data=[data],
    )
    gains = [neurons.ensemble.gain[0] for neurons in converter.populations]
    assert len(gains) == 2 and 1 not in gains
    assert converter.verify(inputs=data, atol=1e-5)


def test_calibration_needs_data():
    with pytest.raises(ValueError, match='expected "auto" together with calibration'):
        spiking(image_model(), scale_firing_rates="auto")


def test_silent_populations_stay_as_they_are():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, kl.ReLU()(inputs))
    converter = spiking(
        model, scale_firing_rates="auto", calibration_data=-np.ones((2, 3))
    )
    assert converter.populations[0].ensemble.gain[0] == 1


def test_filtered_maximum_is_the_maximum_of_filtered_spikes():
    inputs = keras.Input((6, 2))
    model = keras.Model(inputs, kl.MaxPooling1D(3)(kl.ReLU()(inputs)))
    converter = spiking(model, scale_firing_rates=500)
    (neurons,) = converter.populations
    with converter.net:
        spikes = nengo.Probe(neurons)
    converter.inputs[inputs].output = lambda t: np.sin(np.arange(12) + 50 * t)
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(200)
    decay = np.exp(-0.001)
    x = sim.data[spikes].reshape(-1, 2, 3, 2)
    y = sim.data[converter.outputs[model.output]].reshape(-1, 2, 2)
    filtered_x, filtered_y = np.zeros(x.shape[1:]), np.zeros(y.shape[1:])
    for step_x, step_y in zip(x, y, strict=True):
        filtered_x = decay * filtered_x + step_x
        filtered_y = decay * filtered_y + step_y
        np.testing.assert_allclose(filtered_y, filtered_x.max(axis=1), rtol=1e-6)
        assert np.all(step_y > -1e-6)
