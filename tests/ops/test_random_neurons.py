"""Neurons that spike at random do so with the right statistics, and reproducibly."""

import nengo
import numpy as np
import pytest
from nengo.builder.neurons import SimNeurons

from nengo_dl.engine.engine import Engine
from nengo_dl.graph.program import Program
from nengo_dl.settings import Settings
from tests.checks import Bench

DT = 0.001
N_STEPS = 800
# Rates per neuron, in Hz: expected numbers of spikes per step from 0.02 to 60.
RATES = [20.0, 300.0, 999.5, 1000.0, 2500.0, 3999.0, 9000.0, 31000.0, 60000.0]
TYPES = [nengo.StochasticSpiking, nengo.PoissonSpiking]


def run(neuron_type, rates, *, seed=1, minibatch_size=2, n_steps=None):
    """Run neurons at fixed rates; return (steps, items, neurons) spike counts."""
    bench = Bench(seed=0)
    J = nengo.builder.Signal(np.array(rates), name="J", readonly=True)
    output = bench.signal(len(rates), name="output")
    state = neuron_type.make_state(len(rates), rng=np.random.RandomState(0))
    op = SimNeurons(neuron_type, J, output, state=state)
    program = Program((op,), bench.step, bench.time, probes={"spikes": output})
    settings = Settings(dtype="float64", jit_compile=True)
    engine = Engine(program, settings, dt=DT, minibatch_size=minibatch_size)
    values, outputs = engine.values.initial(), []
    for n in n_steps or [N_STEPS]:
        values, out = engine.run(values, {}, n, seed)
        outputs.append(out["spikes"])
    return np.concatenate(outputs) * DT


@pytest.mark.parametrize("neuron_type", TYPES)
def test_mean_is_the_rate(neuron_type):
    counts = run(neuron_type(nengo.RectifiedLinear()), RATES)
    expected = np.array(RATES) * DT
    # of StochasticSpiking, the variance is smaller
    error = np.sqrt(expected / N_STEPS)
    assert np.all(np.abs(counts.mean(axis=0) - expected) < 5 * error + 1e-9)


def test_poisson_variance_is_the_mean():
    rates = np.repeat(RATES, 50)
    counts = run(nengo.PoissonSpiking(nengo.RectifiedLinear()), rates, minibatch_size=4)
    expected = np.array(RATES) * DT
    variance = counts.reshape(-1, len(RATES), 50).var(axis=(0, 2))
    np.testing.assert_allclose(variance, expected, rtol=0.06)


def test_stochastic_counts_are_the_expected_ones_rounded():
    counts = run(nengo.StochasticSpiking(nengo.RectifiedLinear()), RATES)
    expected = np.array(RATES) * DT
    assert np.all(np.abs(counts - expected) < 1 + 1e-9)
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)


@pytest.mark.parametrize("neuron_type", TYPES)
def test_amplitude_and_sign(neuron_type):
    counts = run(neuron_type(nengo.Tanh(), amplitude=0.5), [-2500.0, 2500.0])
    assert np.all(counts[..., 0] <= 0)
    assert np.all(counts[..., 1] >= 0)
    np.testing.assert_allclose(np.abs(counts.mean(axis=(0, 1))), 1.25, rtol=0.1)


@pytest.mark.parametrize("neuron_type", TYPES)
def test_items_neurons_and_steps_are_independent(neuron_type):
    counts = run(neuron_type(nengo.RectifiedLinear()), [500.0] * 4)
    series = counts.reshape(N_STEPS, -1)
    series = np.concatenate([series[1:], series[:-1]], axis=1)
    correlation = np.corrcoef(series.T) - np.eye(series.shape[1])
    assert np.max(np.abs(correlation)) < 5 / np.sqrt(N_STEPS)


@pytest.mark.parametrize("neuron_type", TYPES)
def test_seed_decides(neuron_type):
    neurons = neuron_type(nengo.RectifiedLinear())
    once = run(neurons, RATES)
    np.testing.assert_array_equal(once, run(neurons, RATES))
    np.testing.assert_array_equal(once, run(neurons, RATES, n_steps=[300, 500]))
    assert np.any(once != run(neurons, RATES, seed=2))
