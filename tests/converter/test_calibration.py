"""Calibration: percentiles, responses, and the number of steps that it takes."""

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl
from nengo.dists import Choice

from nengo_dl import Converter
from nengo_dl.converter.calibration.largest import Largest
from nengo_dl.converter.calibration.latency import soonest, steps_needed
from nengo_dl.converter.calibration.response import DT, fitted
from nengo_dl.converter.calibration.statistics import sampled
from nengo_dl.converter.forms import changed
from nengo_dl.converter.tuning import started
from tests.converter.cases import seeded

PERCENTILES = [0, 50, 99, 99.9, 100]
PARTS = [[600], [1, 599], [200, 1, 399]]


@pytest.mark.parametrize("percentile", PERCENTILES)
@pytest.mark.parametrize("parts", PARTS)
def test_percentiles_do_not_depend_on_the_parts_of_the_data(percentile, parts):
    table = np.random.RandomState(0).normal(size=(600, 3))
    largest = Largest(len(table), percentile)
    for rows in np.split(table, np.cumsum(parts)[:-1]):
        largest.add(rows)
    wanted = np.percentile(table, percentile, axis=0)
    np.testing.assert_allclose(largest.percentile(), wanted)


def dense_model(activation="relu"):
    inputs = keras.Input((6,))
    x = kl.Dense(5, activation=activation)(inputs)
    return seeded(keras.Model(inputs, kl.Dense(2)(x)))


def test_all_items_count_equally():
    """Also those that do not fill a minibatch."""
    model = dense_model()
    data = np.random.RandomState(0).normal(size=(70, 6))
    activations = np.asarray(model.layers[1](data))
    converter = Converter(
        model, scale_firing_rates="auto", calibration_data=data, percentile=90
    )
    (tuning,) = converter.tunings
    np.testing.assert_allclose(
        tuning.gain, 2000 / np.percentile(activations, 90), rtol=1e-5
    )


CHANNELS = [(1, 1), (64, 1), (100, 6), (784, 6), (16, 64), (1024, 30), (2, 256)]


@pytest.mark.parametrize("n_positions, n_channels", CHANNELS)
@pytest.mark.parametrize("channels_last", [True, False])
def test_there_are_samples_of_all_channels(n_positions, n_channels, channels_last):
    channels = np.arange(n_channels)
    channels = (
        np.tile(channels, n_positions)
        if channels_last
        else np.repeat(channels, n_positions)
    )
    found = channels[sampled(channels)]
    assert min(len(channels), 64) <= len(found) <= 512
    if n_channels < 128:
        assert set(found) == set(channels)


NOISE = np.random.RandomState(0).exponential(size=(32, 300))
ACTIVATIONS = np.linspace(0, 1, 300)
LIF_TYPES = [
    nengo.LIF(),
    nengo.LIF(tau_rc=0.05, tau_ref=0.001, amplitude=3),
    nengo.LIFRate(),
    nengo.AdaptiveLIF(),
]


def answers(neuron_type, response, currents, channels):
    """Average outputs of neurons with a response."""
    n = len(channels)
    unit = changed(started(neuron_type), amplitude=1)
    state = unit.make_state(n, np.random.RandomState(1))
    output, total = np.zeros(n), np.zeros(n)
    for current in response.gain * currents + response.biases[channels]:
        unit.step(DT, current, output, **state)
        total += response.amplitude * output / len(currents)
    return total


@pytest.mark.parametrize("neuron_type", LIF_TYPES)
@pytest.mark.parametrize("noise", [np.ones_like(NOISE), NOISE])
def test_responses_are_fitted_to_what_arrives(neuron_type, noise):
    """Averages over 32 steps are off by two of up to 16 spikes, and by the leak."""
    currents, channels = ACTIVATIONS * noise, np.zeros(300, dtype=int)
    response = fitted(
        started(neuron_type), currents[:, None], ACTIVATIONS[None], channels, 1, 2000.0
    )
    error = answers(neuron_type, response, currents, channels) - ACTIVATIONS
    assert np.linalg.norm(error) < 0.3 * np.linalg.norm(ACTIVATIONS)


@pytest.mark.parametrize("neuron_type", LIF_TYPES)
def test_biases_make_up_for_what_arrives_too_weak_or_too_strong(neuron_type):
    """Of three channels, two are off; nothing is known of a fourth one."""
    channels = np.arange(300) % 3
    wrong = np.array([-0.1, 0.0, 0.1])
    currents = np.tile(ACTIVATIONS + wrong[channels], (32, 1))
    response = fitted(
        started(neuron_type), currents[:, None], ACTIVATIONS[None], channels, 4, 2000.0
    )
    shifts = (response.biases - response.biases[3]) / response.gain
    np.testing.assert_allclose(shifts, [*-wrong, 0], atol=0.051)
    assert shifts[0] > shifts[1] > shifts[2]


def test_neurons_of_which_no_sample_is_active_respond_to_constant_currents():
    silent, channels = np.zeros((1, 300)), np.zeros(300, dtype=int)
    for arrived in (-1, 1):  # neurons that should not fire do not, or do
        currents = np.full((32, 1, 300), arrived)
        response = fitted(nengo.LIFRate(), currents, silent, channels, 2, 100.0)
        rate = nengo.LIFRate().rates(1.0, [response.gain], [response.biases[1]])
        assert response.amplitude * np.max(rate) == pytest.approx(1)


def test_rates_of_lif_neurons_respect_the_target():
    """But for what biases make up for, which they do not for an unknown channel."""
    channels = np.zeros(300, dtype=int)
    response = fitted(
        nengo.LIFRate(), ACTIVATIONS[None, None], ACTIVATIONS[None], channels, 2, 50.0
    )
    rate = nengo.LIFRate().rates(1.0, [response.gain], [response.biases[1]])
    assert np.max(rate) == pytest.approx(50)


def test_neurons_start_half_way_to_a_spike():
    for kind in (nengo.LIF(), nengo.SpikingRectifiedLinear()):
        assert started(kind).make_state(2)["voltage"].tolist() == [0.5, 0.5]
    chosen = nengo.LIF(initial_state={"voltage": Choice([0.25])}, min_voltage=-1)
    assert started(chosen) == chosen
    rates = nengo.RectifiedLinear()
    assert started(rates) is rates


ERRORS = [([0.2, 0.01, 0.01], 2), ([0.01, 0.2, 0.01], 3), ([0.0], 1), ([0.01, 1], None)]


@pytest.mark.parametrize("errors, wanted", ERRORS)
def test_steps_needed(errors, wanted):
    assert steps_needed(np.array(errors)) == wanted


def test_the_synapse_is_the_one_that_is_right_soonest():
    errors = [[1, 0.01, 1], [1, 0.04, 0.04], [1, 1, 0.01], [1, 1, 1]]
    assert soonest(np.array(errors)) == 1


@pytest.mark.parametrize("n_steps, wanted", [(20, 0), (32, 1), (128, 1)])
def test_the_synapse_is_the_one_with_the_least_error_when_it_counts(n_steps, wanted):
    """If none is right within all steps, the 32nd one counts, or the last one."""
    late = np.where(np.arange(1, n_steps + 1) < 32, 0.9, 0.2)
    assert soonest([np.full(n_steps, 0.3), late]) == wanted


BAD_DATA = [
    (None, "expected typical inputs"),
    (np.ones((3, 5)), r"expected shape \(n_items, 6\).*got \(3, 5\)"),
    (np.ones((0, 6)), "with at least one item"),
    (np.full((3, 6), np.nan), "expected finite values.*got 18"),
    ([np.ones((3, 6))] * 2, "an array for each of the 1 inputs.*got 2"),
]


@pytest.mark.parametrize("data, message", BAD_DATA)
def test_bad_data(data, message):
    with pytest.raises(ValueError, match=message):
        Converter(dense_model(), scale_firing_rates="auto", calibration_data=data)


BAD_OPTIONS = [
    ({"percentile": 0}, "percentile: expected a positive number of at most 100"),
    ({"percentile": 101}, "got 101"),
    ({"target_rate": -1}, r"target_rate: expected a positive number \(got -1\)"),
    ({"target_rate": np.inf}, "got inf"),
]


@pytest.mark.parametrize("options, message", BAD_OPTIONS)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        Converter(
            dense_model(),
            scale_firing_rates="auto",
            calibration_data=np.ones((3, 6)),
            **options,
        )


def test_inputs_need_as_many_items():
    a, b = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([a, b], kl.ReLU()(kl.Add()([a, b])))
    with pytest.raises(ValueError, match="expected as many items for all inputs"):
        Converter(
            model,
            scale_firing_rates="auto",
            calibration_data=[np.ones((3, 2)), np.ones((4, 2))],
        )


def test_automatic_synapses_need_automatic_rates():
    with pytest.raises(ValueError, match='expected "auto" together with scale_firing'):
        Converter(dense_model(), synapse="auto", calibration_data=np.ones((2, 6)))


def test_recommended_steps_need_data():
    with pytest.raises(ValueError, match="expected calibration_data"):
        Converter(dense_model()).recommended_steps  # noqa: B018


def test_neurons_without_amplitude_stay_as_they_are():
    converter = Converter(
        dense_model("tanh"),
        scale_firing_rates="auto",
        calibration_data=np.ones((2, 6)),
        per_channel=True,
    )
    assert converter.verify(atol=1e-5)


def test_rate_neurons_need_one_step():
    data = np.random.RandomState(0).normal(size=(4, 6))
    converter = Converter(
        dense_model(), scale_firing_rates="auto", calibration_data=data
    )
    assert converter.recommended_steps == 1
