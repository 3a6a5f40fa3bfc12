"""Devices that are dead or stuck: how many, which ones, and what they do over time."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.chips.programming import Faults, program
from nengo_dl.hardware import PCM, PowerLaw, ReRAM, Weights

SHAPE = (300, 200)
WEIGHTS = np.random.RandomState(0).uniform(-1, 1, size=SHAPE)
LARGEST = np.max(np.abs(WEIGHTS), axis=1, keepdims=True)
DAY = 86400.0


def conductances(device, t=0.0, seed=0, **faults):
    """Return what is read from both devices of each pair."""
    held = program(WEIGHTS, device, Faults(**faults), (1,), (1,), seed, "weights")
    rng = np.random.default_rng(0)
    return np.stack([side.read(device, t, rng) for side in held.sides])


@pytest.mark.parametrize("device", [PCM(), ReRAM(), PowerLaw(nu=0.1)])
@pytest.mark.parametrize(
    "dead, stuck", [(0.1, 0.0), (0.0, 0.05), (0.2, 0.1), (0.4, 0.6)]
)
def test_faults_are_constant_and_all_else_is_as_without(device, dead, stuck):
    for t in (0.0, DAY):
        found = conductances(device, t, dead=dead, stuck=stuck)
        without = conductances(device, t)
        is_faulty = found != without
        assert np.all(np.isin(found[is_faulty], (0.0, 1.0)))
        for part, value in ((dead, 0.0), (stuck, 1.0)):
            # what a device that works has by chance is no fault
            fraction = np.mean(found[without != value] == value)
            sd = np.sqrt(part * (1 - part) / WEIGHTS.size)  # of one of each pair
            assert abs(fraction - part) <= 5 * sd


def test_both_devices_of_a_pair_fail_for_themselves():
    is_dead = conductances(PCM(), dead=0.3) != conductances(PCM())
    always = conductances(PCM()) != 0
    both = np.mean(is_dead.all(axis=0)[always.all(axis=0)])
    assert abs(both - 0.3**2) < 0.01
    assert abs(np.corrcoef(is_dead[:, always.all(axis=0)])[0, 1]) < 0.03


def test_faults_depend_on_the_seed_and_grow_with_the_part():
    def which(seed=0, **faults):
        return conductances(ReRAM(), seed=seed, **faults) != conductances(
            ReRAM(), seed=seed
        )

    for name in ("dead", "stuck"):
        few, more = (which(**{name: part}) for part in (0.1, 0.2))
        assert np.all(more[few]) and not np.all(few[more])
        np.testing.assert_array_equal(which(**{name: 0.1}), few)
        assert not np.array_equal(which(seed=1, **{name: 0.1}), few)
    # dead ones do not become others because some are stuck
    found = conductances(ReRAM(), dead=0.1, stuck=0.2)
    assert np.all(found[which(dead=0.1)] == 0)


def weights(t, compensation, model):
    """Return the weights on a chip at a time, of rows that have scales of their own."""
    with nengo.Network() as net:
        nengo_dl.configure_settings(hardware=model, dtype="float64")
        node, out = nengo.Node(np.ones(SHAPE[1])), nengo.Node(size_in=SHAPE[0])
        nengo.Connection(node, out, transform=WEIGHTS, synapse=None, label="conn")
        nengo.Probe(out)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        return sim.program(0).weights(t, compensation)["conn.weights"]


def test_weights_are_differences_of_the_devices_of_a_pair():
    found = weights(0.0, None, Weights(device=PowerLaw(), dead=0.1, stuck=0.1))
    is_own = np.isclose(np.abs(found), np.abs(WEIGHTS)) | np.isclose(found, 0)
    is_own |= np.isclose(np.abs(found), LARGEST)
    signs = np.sign(WEIGHTS)
    assert np.all(is_own | np.isclose(found, WEIGHTS - signs * LARGEST))
    # the largest weight of each row is what stuck devices make of it anyway
    assert abs(np.mean(np.isclose(found, 0)) - 0.1 * 0.9 - 0.1**2) < 0.02
    is_largest = np.isclose(found, signs * LARGEST)
    assert abs(np.mean(is_largest) - 0.1 * 0.9) < 0.02


@pytest.mark.parametrize("compensation", ["global", "channel"])
def test_compensation_is_measured_with_the_faults(compensation):
    model = Weights(device=PowerLaw(nu=0.1), stuck=0.1)
    before, after = (weights(t, None, model) for t in (0.0, DAY))
    axis = None if compensation == "global" else 1
    sums = [np.sum(np.abs(w), axis=axis, keepdims=True) for w in (before, after)]
    found = weights(DAY, compensation, model)
    np.testing.assert_allclose(found, after * sums[0] / sums[1])
    assert np.max(np.abs(found)) > np.max(LARGEST)  # stuck ones are amplified, too


def test_all_devices_may_be_dead():
    for compensation in ("global", "channel", None):
        assert not np.any(weights(DAY, compensation, Weights(device=PCM(), dead=1.0)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"dead": 0.1}, "Weights.dead: must be 0 without a device.*got 0.1"),
        ({"device": PCM(), "dead": 1.1}, "Weights.dead: must be a number from 0 to 1"),
        ({"device": PCM(), "stuck": -0.1}, "Weights.stuck: .*got -0.1"),
        ({"device": PCM(), "stuck": np.nan}, "Weights.stuck: .*got nan"),
        (
            {"device": PCM(), "dead": 0.7, "stuck": 0.4},
            "Weights.stuck: must be at most 1 - dead, which is 0.3",
        ),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValidationError, match=message):
        Weights(**arguments)
