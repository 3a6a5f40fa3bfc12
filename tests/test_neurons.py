import pickle

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.neurons import (
    IntegrateAndFire,
    LeakyReLU,
    Pointwise,
    SoftLIFRate,
    SpikingLeakyReLU,
)
from nengo_dl.stepped import SteppedLI, SteppedLIF

DTYPES = ["float32", "float64"]
CURRENTS = np.concatenate([np.linspace(-3, 6, 91), [-500, -20, 0, 1, 20, 1e4]])
NEURONS = [
    SoftLIFRate(),
    SoftLIFRate(sigma=0.02, tau_rc=0.05, tau_ref=0.001, amplitude=0.1),
    LeakyReLU(),
    LeakyReLU(negative_slope=0.1, amplitude=2),
    SpikingLeakyReLU(),
    SpikingLeakyReLU(negative_slope=0.5, amplitude=0.1),
    IntegrateAndFire(),
    IntegrateAndFire(amplitude=0.1, min_voltage=-1),
    SteppedLIF(reset="subtract"),
    SteppedLIF(reset="subtract", threshold=2.0, amplitude=0.5),
]


def step(neurons, J):
    """Compute one step of a type without state."""
    output = np.full_like(J, np.nan)
    with np.errstate(all="raise", under="ignore"):
        neurons.step(0.001, J, output)
    return output


@pytest.mark.parametrize("neurons", NEURONS, ids=repr)
def test_are_values(neurons):
    assert pickle.loads(pickle.dumps(neurons)) == neurons
    assert eval(repr(neurons)) == neurons  # noqa: S307
    assert hash(type(neurons)()) == hash(type(neurons)())


@pytest.mark.parametrize("neurons", NEURONS, ids=repr)
def test_rates_are_those_of_a_simulation(neurons):
    gain, bias = np.array([400.0, 300.0]), np.array([20.0, -30.0])
    if isinstance(neurons, SoftLIFRate):
        gain, bias = gain / 200, bias / 50 + 1
    x = np.array([-1, -0.3, 0.5, 1])
    rates = neurons.rates(x, gain, bias)
    assert rates.shape == (4, 2)
    with nengo.Network() as net:
        for value in x:
            ens = nengo.Ensemble(2, 1, neuron_type=neurons, encoders=[[1], [1]])
            ens.gain, ens.bias = gain, bias
            nengo.Connection(nengo.Node([value]), ens, synapse=None)
            nengo.Probe(ens.neurons)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(1.0)
    found = [sim.data[probe].mean(axis=0) for probe in net.probes]
    np.testing.assert_allclose(found, rates, atol=1.01 * neurons.amplitude)


@pytest.mark.parametrize("neurons", NEURONS, ids=repr)
def test_gain_bias(neurons):
    max_rates, intercepts = np.array([40.0, 100, 200]), np.array([-0.5, 0, 0.5])
    gain, bias = neurons.gain_bias(max_rates, intercepts)
    found = neurons.max_rates_intercepts(gain, bias)
    np.testing.assert_allclose(found, [max_rates, intercepts], atol=1e-9)


@pytest.mark.parametrize("sigma", [1e-3, 0.02, 1.0, 30.0])
def test_soft_lif_equation(sigma):
    J = CURRENTS[np.abs(CURRENTS - 1) / sigma < 600]
    z = sigma * np.log1p(np.exp((J - 1) / sigma))
    known = z > 1e-12  # where the equation itself is not too inexact
    expected = 0.5 / (0.002 + 0.02 * np.log1p(1 / z[known]))
    found = step(SoftLIFRate(sigma, amplitude=0.5), J)
    np.testing.assert_allclose(found[known], expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sigma", [1e-3, 0.02, 1.0, 30.0])
@pytest.mark.parametrize("tau_ref", [0.002, 0])
def test_soft_lif_is_finite_and_rises_everywhere(sigma, dtype, tau_ref):
    far = np.logspace(-6, 6, 60)
    J = np.unique(np.concatenate([1 - far, 1 + far, [1.0]]).astype(dtype))
    rates = step(SoftLIFRate(sigma, tau_ref=tau_ref), J)
    assert rates.dtype == dtype
    assert np.all(np.isfinite(rates)) and np.all(rates >= 0)
    eps = np.finfo(dtype).eps
    assert np.all(np.diff(rates) >= -8 * eps * rates[1:])
    exact = step(SoftLIFRate(sigma, tau_ref=tau_ref), J.astype(float))
    np.testing.assert_allclose(rates, exact, rtol=2e3 * eps)


def test_soft_lif_far_from_the_threshold():
    J = CURRENTS[np.abs(CURRENTS - 1) > 0.05]
    hard = step(nengo.LIFRate(), J)
    soft = step(SoftLIFRate(sigma=1e-4), J)
    above = J > 1
    np.testing.assert_allclose(soft[above], hard[above], rtol=1e-9)
    # below, the rate goes to zero as the inverse of the distance
    sigma, tau_rc, tau_ref = 1e-4, 0.02, 0.002
    tail = 1 / (tau_ref + tau_rc * ((1 - J[~above]) / sigma - np.log(sigma)))
    np.testing.assert_allclose(soft[~above], tail, rtol=1e-12)


def test_soft_lif_arguments():
    neurons = SoftLIFRate(0.1, tau_rc=0.03, tau_ref=0.001, amplitude=2)
    assert (neurons.sigma, neurons.tau_rc, neurons.tau_ref) == (0.1, 0.03, 0.001)
    assert SoftLIFRate().sigma == 1.0
    assert SoftLIFRate().negative is False
    for sigma in (0, -1):
        with pytest.raises(ValidationError, match="sigma"):
            SoftLIFRate(sigma=sigma)


@pytest.mark.parametrize("dtype", DTYPES)
def test_leaky_relu(dtype):
    J = CURRENTS.astype(dtype)
    found = step(LeakyReLU(0.25, amplitude=3), J)
    np.testing.assert_allclose(found, 3 * np.where(J < 0, 0.25 * J, J), rtol=1e-6)
    assert LeakyReLU().negative and SpikingLeakyReLU().negative
    assert LeakyReLU() == LeakyReLU(negative_slope=0.3, amplitude=1)


def test_leaky_relu_emits_spikes_of_both_signs():
    neurons = SpikingLeakyReLU(negative_slope=0.5, amplitude=0.2)
    J = np.array([700.0, -700.0, 2500.0, -3000.0, 0.0])
    voltage, output = np.array([0.5, -0.8, 0.9, 0.1, 0.3]), np.zeros(5)
    neurons.step(0.001, J, output, voltage)
    np.testing.assert_allclose(output, [200, -200, 600, -200, 0])
    np.testing.assert_allclose(voltage, [0.2, -0.15, 0.4, -0.4, 0.3])


def test_initial_voltage():
    neurons = SpikingLeakyReLU(initial_state={"voltage": nengo.dists.Choice([0.25])})
    np.testing.assert_array_equal(neurons.make_state(3)["voltage"], [0.25] * 3)
    with pytest.raises(ValidationError, match="voltage.*not recognized"):
        LeakyReLU(initial_state={"voltage": [0]})


def test_integrate_and_fire_counts_what_it_is_given():
    """Spikes are the current's sum, rounded, whatever the order of its signs."""
    rng = np.random.RandomState(0)
    J = np.concatenate([rng.uniform(-3000, 3000, size=(30, 50)), np.full((3, 50), 2e5)])
    neurons, voltage, output = IntegrateAndFire(), np.full(50, 0.5), np.zeros(50)
    n_spikes = np.zeros(50)
    for current in J:
        neurons.step(0.001, current, output, voltage)
        n_spikes += output * 0.001
    np.testing.assert_allclose(n_spikes, np.floor(J.sum(axis=0) * 0.001 + 0.5))


def test_integrate_and_fire_has_a_floor():
    neurons, voltage = IntegrateAndFire(min_voltage=-2), np.full(1, 0.5)
    neurons.step(0.001, np.array([-1e6]), np.zeros(1), voltage)
    assert voltage == [-2]
    with pytest.raises(ValidationError, match="min_voltage"):
        IntegrateAndFire(min_voltage=1)


def test_pointwise_neurons_are_values():
    elu = Pointwise("elu", {"alpha": 0.5})
    assert elu == Pointwise("elu", (("alpha", 0.5),)) != Pointwise("elu")
    assert pickle.loads(pickle.dumps(elu)) == elu
    with pytest.raises(ValidationError, match="function"):
        Pointwise("relu7")


# --- neurons that are defined step by step ------------------------------------------


def steps(neurons, currents):
    """Step one neuron; outputs and voltages."""
    state = neurons.make_state(1)
    found = []
    for current in currents:
        output = np.zeros(1)
        neurons.step(0.001, np.array([float(current)]), output, **state)
        found.append((float(output[0]), float(state["voltage"][0])))
    return tuple(map(list, zip(*found, strict=True)))


@pytest.mark.parametrize(
    "arguments, currents, spikes, voltages",
    [
        ({}, [0.5, 0.5, 1], [0, 0, 1], [0.5, 1, 0]),
        ({"strict": False}, [0.5, 0.5, 1], [0, 1, 1], [0.5, 0, 0]),
        ({"v_reset": -0.5}, [2, 0.25], [1, 0], [-0.5, -0.25]),
        ({"tau_rc": 2, "v_leak": 1}, [0.5, 0.25], [0, 1], [1, 0]),
        ({"tau_rc": 2, "tau_syn": 2}, [0.5, 0], [0, 0], [0.5, 0.5]),
        ({"reset": "subtract"}, [3, 0], [1, 1], [2, 1]),
        ({"reset": "snntorch"}, [3.5, 0, 0], [1, 1, 0], [2.5, 1.5, 1.5]),
        ({"reset": "subtract", "max_spikes": 9}, [3, 0], [2, 0], [1, 1]),
        ({"min_voltage": -1}, [-3, 0.5], [0, 0], [-1, -0.5]),
    ],
)
def test_stepped_lif_equations(arguments, currents, spikes, voltages):
    found = steps(SteppedLIF(unit="step", **arguments), currents)
    assert found == (spikes, voltages)


def test_stepped_neurons_have_parameters_of_their_own():
    neurons = SteppedLIF(tau_rc=[1, 2], threshold=[1, 2], unit="step")
    assert neurons == SteppedLIF(tau_rc=[1, 2], threshold=[1, 2], unit="step")
    assert neurons != SteppedLIF(tau_rc=[1, 3], threshold=[1, 2], unit="step")
    assert pickle.loads(pickle.dumps(neurons)) == neurons
    assert hash(neurons) == hash(pickle.loads(pickle.dumps(neurons)))
    with pytest.raises(ValidationError, match="tau_rc.*each of the 3 neurons"):
        neurons.make_state(3)


def test_exact_and_euler_decays_of_matched_time_constants():
    tau = -1 / np.log(1 - 1 / 4)
    exact = SteppedLI(tau_rc=tau, discretization="exact", unit="step")
    euler = SteppedLI(tau_rc=4, unit="step")
    currents = np.random.RandomState(0).normal(size=9)
    np.testing.assert_allclose(steps(exact, currents), steps(euler, currents))


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"tau_rc": 0}, "tau_rc.*above 0"),
        ({"tau_syn": -1}, "tau_syn.*at least 0"),
        ({"threshold": np.nan}, "threshold"),
        ({"v_reset": 1}, "below the threshold"),
        ({"v_leak": "x"}, "v_leak.*array of shape"),
        ({"max_spikes": 0}, "max_spikes"),
        ({"reset": "soft"}, "reset"),
        ({"unit": "minute"}, "unit"),
    ],
)
def test_wrong_parameters_of_stepped_neurons(arguments, match):
    with pytest.raises(ValidationError, match=match):
        SteppedLIF(**arguments)


def test_time_constants_shorter_than_a_step():
    with pytest.raises(ValidationError, match="at least a step of 0.001"):
        SteppedLIF(tau_rc=0.0001).decays(0.001)
    SteppedLIF(tau_rc=0.0001, discretization="exact").decays(0.001)
