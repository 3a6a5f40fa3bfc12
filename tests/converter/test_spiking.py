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


NEURON_TYPES = [
    nengo_dl.IntegrateAndFire(),
    nengo_dl.SteppedLIF(
        threshold=2, reset="subtract", max_spikes=np.inf, strict=False, amplitude=2
    ),
    nengo.SpikingRectifiedLinear(),
    nengo.LIF(),
]


def flat_model():
    inputs = keras.Input((8, 8, 1))
    x = kl.Dense(20, activation="relu")(kl.Flatten()(inputs))
    return seeded(keras.Model(inputs, kl.Dense(3)(x)))


@pytest.mark.parametrize("neuron_type", NEURON_TYPES)
def test_runs_do_not_depend_on_the_seed(neuron_type):
    """Nengo's types start from random voltages; calibrated ones start half-way."""
    x = images()
    converter = spiking(
        flat_model(),
        swap_activations={nengo.RectifiedLinear(): neuron_type},
        scale_firing_rates="auto",
        calibration_data=x,
    )
    found = []
    for seed in (0, 1):
        converter.net.seed = seed
        found.append(averages(converter, x, n_steps=20))
    np.testing.assert_array_equal(*found)


def test_lif_neurons_are_nearly_rectified_linear():
    """Gain and bias are chosen so that a constant input is off by a few per cent.

    A step more or less to the next spike adds one spike of the five to ten that a
    neuron emits on average, which the weights of 20 neurons average out by half.
    """
    model, x = flat_model(), images()
    converter = spiking(
        model,
        swap_activations={nengo.RectifiedLinear(): nengo.LIF()},
        scale_firing_rates="auto",
        calibration_data=x,
    )
    wanted = np.asarray(model(x))
    found = averages(converter, x)
    assert np.linalg.norm(found - wanted) < 0.2 * np.linalg.norm(wanted)


@pytest.mark.parametrize("swaps", [None, SPIKING])
def test_channels_are_calibrated_for_themselves(swaps):
    """The output stays; the largest activation of each channel gets the rate."""
    model, x = image_model(), images()
    converter = spiking(
        model,
        swap_activations=swaps,
        scale_firing_rates="auto",
        calibration_data=x,
        percentile=100,
        per_channel=True,
    )
    if swaps is None:
        assert converter.verify(inputs=x, atol=1e-5)
    wanted = np.asarray(model(x))
    n_steps = 1 if swaps is None else N_STEPS
    found = averages(converter, x, n_steps)
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()
    conv = np.asarray(keras.Model(model.inputs, model.layers[5].output)(x))
    largest = conv.max(axis=(0, 1, 2))
    rates = 2000 / np.maximum(largest, 0.01 * largest.max())
    gains = converter.conversion.populations[2].neurons.ensemble.gain.reshape(
        -1, len(rates)
    )
    np.testing.assert_allclose(gains, np.tile(rates, (len(gains), 1)), rtol=1e-4)


def test_parameters_fit_networks_that_are_calibrated_by_channel(tmp_path):
    model, x = flat_model(), images()
    with nengo_dl.Simulator(
        spiking(model).net, device="/cpu:0", progress_bar=False
    ) as sim:
        sim.save_params(tmp_path / "params")
    other = seeded(keras.models.clone_model(model), seed=5)
    converter = spiking(
        other,
        swap_activations=None,
        scale_firing_rates="auto",
        calibration_data=x,
        per_channel=True,
    )
    with nengo_dl.Simulator(
        converter.net, minibatch_size=len(x), device="/cpu:0", progress_bar=False
    ) as sim:
        sim.load_params(tmp_path / "params")
        out = sim.predict(x.reshape(len(x), 1, -1))[converter.outputs[other.output]]
    np.testing.assert_allclose(out[:, 0], model(x), atol=1e-4)


@pytest.mark.parametrize("neuron_type", NEURON_TYPES)
def test_synapses_are_chosen_for_neurons_that_need_them(neuron_type):
    converter = spiking(
        flat_model(),
        swap_activations={nengo.RectifiedLinear(): neuron_type},
        scale_firing_rates="auto",
        synapse="auto",
        calibration_data=images(),
    )
    if not isinstance(neuron_type, nengo.LIF):
        assert converter.synapse is None
    (conn,) = (
        conn
        for conn in converter.net.all_connections
        if isinstance(conn.pre_obj, nengo.ensemble.Neurons)
    )
    assert (conn.synapse and conn.synapse.tau) == converter.synapse


def test_recommended_steps_suffice():
    model, x = image_model(), images()
    converter = spiking(model, scale_firing_rates="auto", calibration_data=x)
    n_steps, wanted = converter.recommended_steps, np.asarray(model(x))
    assert 1 < n_steps < 50
    tolerance = 0.05 * np.linalg.norm(wanted)
    for n in (n_steps, n_steps + 5):
        assert np.linalg.norm(averages(converter, x, n) - wanted) <= tolerance
    before = averages(converter, x, n_steps - 1)
    assert np.linalg.norm(before - wanted) > tolerance


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
    populations = [each.neurons for each in converter.conversion.populations]
    with converter.net:
        probes = [nengo.Probe(neurons) for neurons in populations]
    types = [neurons.ensemble.neuron_type for neurons in populations]
    for neurons, kind in zip(populations, types, strict=True):
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
    gains = [ens.gain[0] for ens in converter.net.all_ensembles]
    assert len(gains) == 2 and 1 not in gains
    assert converter.verify(inputs=data, atol=1e-5)


def test_silent_populations_stay_as_they_are():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, kl.ReLU()(inputs))
    converter = spiking(
        model, scale_firing_rates="auto", calibration_data=-np.ones((2, 3))
    )
    assert converter.net.all_ensembles[0].gain[0] == 1


def test_filtered_maximum_is_the_maximum_of_filtered_spikes():
    inputs = keras.Input((6, 2))
    model = keras.Model(inputs, kl.MaxPooling1D(3)(kl.ReLU()(inputs)))
    converter = spiking(model, scale_firing_rates=500)
    (neurons,) = (ens.neurons for ens in converter.net.all_ensembles)
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


def test_reports_count_spikes_of_different_heights():
    """What follows calibrated channels adds weights for spikes, as without them."""
    model, x = flat_model(), images()
    totals = [
        spiking(
            model, scale_firing_rates="auto", calibration_data=x, per_channel=channels
        )
        .report(x, n_steps=5)
        .total
        for channels in (False, True)
    ]
    n_outputs = model.output.shape[-1]
    for total in totals:
        assert total.effective_acs == pytest.approx(n_outputs * total.spikes)
    assert totals[0].effective_macs == totals[1].effective_macs
