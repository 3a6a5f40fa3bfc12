"""Neurons of Loihi: all numbers are those of brian2_loihi, on both simulators."""

import pickle

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import LoihiLIF
from nengo_dl.graph.nengo_model import precision
from tests.hardware.loihi_cases import CASES, N_NEURONS, inputs, recorded

DT = 2**-10  # so that time is exact in single precision, too
KEYS = ("current", "voltage", "spikes")


def population(case, arrays):
    """Make the neurons of a case, its inputs and probes."""
    kind = LoihiLIF(case.decay_u, case.decay_v, case.threshold, case.refractory)
    ens = nengo.Ensemble(
        N_NEURONS, 1, neuron_type=kind, gain=[1] * N_NEURONS, bias=[0] * N_NEURONS
    )
    stimulus = nengo.Node(nengo.processes.PresentInput(inputs(case), DT))
    nengo.Connection(stimulus, ens.neurons, transform=arrays["weights"], synapse=None)
    if case.recurrent:
        nengo.Connection(
            ens.neurons, ens.neurons, transform=arrays["recurrent"], synapse=0
        )
    return [nengo.Probe(ens.neurons, key) for key in (*KEYS[:2], "output")]


def in_nengo(net, n_steps, dtype):
    with precision(dtype), nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(n_steps)
        return {probe: sim.data[probe] for probe in net.probes}


def in_nengo_dl(net, n_steps, dtype):
    with net:
        nengo_dl.configure_settings(dtype=dtype)
    with nengo_dl.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(n_steps)
        return {probe: sim.data[probe] for probe in net.probes}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("run", [in_nengo, in_nengo_dl])
def test_all_numbers_are_those_of_brian2_loihi(run, dtype):
    probes, arrays = {}, recorded()
    with nengo.Network() as net:
        for case in CASES:
            probes[case] = population(case, arrays[case])
    data = run(net, max(case.n_steps for case in CASES), dtype)
    for case in CASES:
        assert arrays[case]["spikes"].any(), case.name
        for probe, key in zip(probes[case], KEYS, strict=True):
            np.testing.assert_array_equal(
                data[probe][: case.n_steps],
                arrays[case][key],
                err_msg=f"{case.name}, {key}",
            )


NEURONS = [
    LoihiLIF(),
    LoihiLIF(2048, 205, threshold=3000, refractory=2, amplitude=1000),
    LoihiLIF(409, 100, threshold=5000, refractory=3, bias=-500, min_voltage=0),
    LoihiLIF([4096, 0], 0, threshold=[9, 12000]),
]


@pytest.mark.parametrize("kind", NEURONS, ids=range(len(NEURONS)))
def test_are_values(kind):
    again = pickle.loads(pickle.dumps(kind))
    assert again == kind and hash(again) == hash(kind)
    assert kind != LoihiLIF(4095)
    if np.ndim(kind.threshold):
        with pytest.raises(ValidationError, match="decay_u.*each of the 3 neurons"):
            kind.make_state(3)
    else:
        assert eval(repr(kind)) == kind  # noqa: S307


RATES = [
    LoihiLIF(4096, 0, threshold=9000),
    LoihiLIF(4096, 200, threshold=4000, refractory=2, amplitude=1000),
    LoihiLIF(742, 200, threshold=4000, refractory=3, bias=10000),
]


@pytest.mark.parametrize("kind", RATES, ids=repr)
def test_rates_are_those_of_a_simulation(kind):
    n, n_steps = 40, 4000
    gain = np.linspace(0.5, 1.5, n) * 64 * 4000 / 12 * kind.decay_u / 4096
    expected = kind.rates(1.0, gain, np.zeros(n)).ravel()
    state, output, total = kind.make_state(n, dtype=float), np.zeros(n), np.zeros(n)
    for _ in range(n_steps):
        kind.step(0.001, gain, output, **state)
        total += output
    found = total / n_steps / kind.amplitude
    expected = expected / kind.amplitude
    active = expected > 0
    assert active.sum() > n / 2 and not found[~active].any()
    # what is rounded to steps is the interval, and the number of them
    interval = 1 / expected[active]
    error = np.abs(1 / found[active] - interval)
    np.testing.assert_array_less(error, 0.6 + 1.5 * interval**2 / n_steps)


@pytest.mark.parametrize("kind", RATES, ids=repr)
def test_gains_and_biases_are_those_for_rates(kind):
    max_rates = kind.amplitude / np.array([40.0, 12, 3.7])
    intercepts = np.array([-0.5, 0, 0.5])
    gain, bias = kind.gain_bias(max_rates, intercepts)
    found = kind.max_rates_intercepts(gain, bias)
    np.testing.assert_allclose(found, [max_rates, intercepts], atol=1e-6)
    fastest = kind.max_rates_intercepts(*kind.gain_bias([9e9], [0]))[0]
    np.testing.assert_allclose(fastest, kind.amplitude / kind.refractory)


@pytest.mark.parametrize(
    "kind", [LoihiLIF(), LoihiLIF(0, 4096, 50, 3), LoihiLIF(9, 99)], ids=repr
)
def test_ensembles_represent_values_by_default(kind):
    with nengo.Network(seed=0) as net:
        ens = nengo.Ensemble(100, 1, neuron_type=kind, intercepts=[0] * 100)
        ens.encoders = [[1], [-1]] * 50
        nengo.Probe(ens)
    with nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        gain = sim.data[ens].gain
        assert np.all(gain > 0) and np.all(np.isfinite(gain))
        x = np.array([[-0.5], [1]]) * np.ones(100)
        rates = kind.rates(x, gain, sim.data[ens].bias)
    np.testing.assert_allclose(rates[0], 0, atol=1e-9)
    np.testing.assert_allclose(rates[1], 1 / kind.refractory)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"decay_u": 0.5}, "LoihiLIF.decay_u: expected a whole number of at least 0"),
        ({"decay_v": 4097}, "decay_v: .* of at most 4096, .*got 4097"),
        ({"threshold": 2**17}, "threshold: .*of at most 131071"),
        ({"refractory": 0}, "refractory: .*of at least 1"),
        ({"refractory": 65}, "refractory: .*of at most 64"),
        ({"bias": "x"}, "bias"),
        ({"min_voltage": 1}, "min_voltage: .*of at most 0"),
        ({"amplitude": 0}, "amplitude"),
    ],
)
def test_wrong_parameters(arguments, match):
    with pytest.raises(ValidationError, match=match):
        LoihiLIF(**arguments)


def test_inputs_are_rounded_and_a_bias_adds_to_the_voltage():
    kind = LoihiLIF(2048, 0, threshold=1, bias=10, min_voltage=-5)
    state, output = kind.make_state(1, dtype=float), np.zeros(1)
    found = []
    for J in (0.4, 2.6, -31.0, 60.0, 0.0):
        kind.step(0.001, np.array([J]), output, **state)
        found.append((*state["current"], *state["voltage"], *output))
    # 10; 10 + 3 + 10; 23 - 30 + 10; 3 + 45 + 10; 58 + 22 + 10 > 64
    assert found == [(0, 10, 0), (3, 23, 0), (-30, 3, 0), (45, 58, 0), (22, 0, 1)]


def test_training_through_spikes_lowers_the_loss():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking")
        stimulus = nengo.Node(np.ones(4))
        kind = LoihiLIF(2048, 400, threshold=300, refractory=2)
        ens = nengo.Ensemble(20, 1, neuron_type=kind, gain=[1] * 20, bias=[0] * 20)
        weights = np.random.RandomState(0).uniform(0, 2000, size=(20, 4))
        nengo.Connection(stimulus, ens.neurons, transform=weights, synapse=None)
        probe = nengo.Probe(ens.neurons)
    x, y = np.ones((8, 12, 4)), np.full((8, 12, 20), 0.3)
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        sim.compile(keras.optimizers.Adam(200.0), loss="mse")
        history = sim.fit({stimulus: x}, {probe: y}, epochs=6, verbose=0).history
    assert history["loss"][-1] < 0.9 * history["loss"][0]
