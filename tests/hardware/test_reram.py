"""Resistive memory: the statistics of its formulas, at their times and between."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.hardware import ReRAM, Weights

N_DEVICES = 100_000
DAY = 86400.0
# from the highest power to the constant, in microsiemens, as aihwkit 1.1 has them
FITTED = {
    1.0: (-16.815, 45.393, -43.853, 16.030, 0.348),
    DAY: (-16.458, 47.095, -50.773, 22.086, 0.701),
    2 * DAY: (-11.934, 37.062, -43.507, 20.274, 0.782),
}


def read(g, t, device=None):
    """Return conductances of many devices at a time."""
    device, rng = device or ReRAM(), np.random.default_rng(0)
    return device.read(device.program(np.full(N_DEVICES, g), rng), t, rng)


@pytest.mark.parametrize("t", FITTED)
@pytest.mark.parametrize("g", [0.0, 0.02, 0.2, 0.5, 0.8, 1.0])
def test_conductances_have_the_statistics_of_the_formula(g, t):
    sd = np.polyval(FITTED[t], g) / 40
    xi = np.random.default_rng(1).standard_normal(1_000_000)
    expected, found = np.maximum(g + sd * xi, 0), read(g, t)
    np.testing.assert_allclose(np.mean(found), np.mean(expected), atol=1e-3)
    np.testing.assert_allclose(np.std(found), np.std(expected), atol=1e-3)
    if t == 1.0:
        np.testing.assert_allclose(ReRAM().sd(np.array(g)), sd)


def test_coefficients_are_linear_in_the_logarithm_of_time_and_stay_outside():
    spreads = [np.std(read(0.5, t)) for t in (1.0, DAY**0.25, DAY**0.5, DAY)]
    np.testing.assert_allclose(spreads[1] - spreads[0], (spreads[3] - spreads[0]) / 4)
    np.testing.assert_allclose(spreads[2], (spreads[0] + spreads[3]) / 2)
    for outside, inside in ((0.0, 1.0), (1e-9, 1.0), (365 * DAY, 2 * DAY)):
        np.testing.assert_array_equal(read(0.5, outside), read(0.5, inside))


def test_devices_keep_the_direction_of_their_deviation():
    early, late = read(0.5, 1.0) - 0.5, read(0.5, DAY) - 0.5
    np.testing.assert_array_equal(np.sign(early), np.sign(late))


def test_factors_and_the_largest_conductance():
    assert np.all(read(0.3, DAY, ReRAM(programming=0.0)) == 0.3)
    reference = np.std(read(0.5, 1.0))
    for device, factor in ((ReRAM(programming=2.0), 2), (ReRAM(g_max=80e-6), 0.5)):
        np.testing.assert_allclose(
            np.std(read(0.5, 1.0, device)), factor * reference, rtol=1e-6
        )
    mine = ReRAM(coefficients=((1.0, (4.0, 0.0)), (10.0, (8.0, 0.0))))
    np.testing.assert_allclose(np.std(read(1.0, 10.0, mine)), 0.2, rtol=0.01)


def test_training_has_noise_of_the_same_size():
    weights = np.random.RandomState(0).uniform(-1, 1, size=(100, 50))
    with nengo.Network() as net:
        nengo_dl.configure_settings(
            hardware=Weights(device=ReRAM(), per="tensor", device_noise=2.0),
            jit_compile=False,
        )
        node, out = nengo.Node(np.zeros(50), label="node"), nengo.Node(size_in=100)
        nengo.Connection(node, out, transform=weights, synapse=None)
        nengo.Probe(out, label="probe")
    with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
        noisy = sim.keras_model({"node": np.eye(50)[None]}, training=True)["probe"]
    largest = np.max(np.abs(weights))
    sd = 2 * np.polyval(FITTED[1.0], np.abs(weights) / largest) / 40 * largest
    xi = (np.array(noisy)[0].T - weights) / sd
    np.testing.assert_allclose((np.mean(xi), np.std(xi)), (0, 1), atol=0.05)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"g_max": 0}, "ReRAM.g_max: must be a positive number.*got 0"),
        ({"programming": -1}, "ReRAM.programming: must be a number of at least 0"),
        ({"coefficients": 3}, "ReRAM.coefficients: must be a tuple of increasing.*3"),
        ({"coefficients": ()}, "ReRAM.coefficients: .*got \\(\\)"),
        ({"coefficients": ((0.0, (1.0,)),)}, "ReRAM.coefficients: .*0.0"),
        ({"coefficients": ((2.0, (1.0,)), (1.0, (1.0,)))}, "ReRAM.coefficients"),
        ({"coefficients": ((1.0, (1.0,)), (2.0, ()))}, "ReRAM.coefficients"),
        ({"coefficients": ((1.0, (np.nan,)),)}, "ReRAM.coefficients: .*nan"),
        ({"coefficients": ((1.0, [1.0]),)}, "ReRAM.coefficients"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValidationError, match=message):
        ReRAM(**arguments)
