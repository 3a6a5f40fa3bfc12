"""What of a chip networks need, and all that it has not."""

import dataclasses

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError

from nengo_dl import LoihiLIF
from nengo_dl.hardware import LOIHI, ChipLimits, check
from tests.hardware.loihi_cases import recorded


def population(n, label, **arguments):
    """Make neurons of Loihi that are used as such."""
    kind = LoihiLIF(**arguments)
    return nengo.Ensemble(
        n, 1, neuron_type=kind, gain=np.ones(n), bias=np.zeros(n), label=label
    ).neurons


def too_much():
    """Break many limits, each of them once."""
    with nengo.Network(seed=0) as net:
        large = population(1025, "large")
        sources = [population(1000, f"source {i}") for i in range(5)]
        target = population(30, "target")
        for source in sources:
            nengo.Connection(source, target, transform=64 * np.ones((30, 1000)))
        for i in range(5):
            end = population(1, f"end {i}")
            nengo.Connection(large, end, transform=np.full((1, 1025), 64.0))
        odd = population(2, "odd", amplitude=0.5)
        nengo.Connection(target, odd, transform=64.5 * np.ones((2, 30)))
        nengo.Connection(odd, odd, transform=2.0**21 * np.eye(2) / 0.5, synapse=0)
        nengo.Ensemble(5, 1, label="plain")
    return net


VIOLATIONS = [
    "large: expected at most 1,024 neurons on a core (got 1,025)",
    "large: expected at most 4,096 axons out of a core (got 5,125)",
    "target: expected at most 4,096 axons into a core (got 5,000)",
    "target: expected at most 131,072 bytes of weights on a core (got 150,000)",
    "odd: expected weights from target to be whole numbers from -128 to 127",
    "odd: expected weights from odd to be whole numbers from -128 to 127",
    "plain: expected LoihiLIF neurons (got LIF)",
]


def test_all_violations_are_listed_at_once():
    net = too_much()
    report = check(net)
    assert len(report.violations) == len(VIOLATIONS) and not report.fits
    with pytest.raises(BuildError) as error:
        check(net, strict=True)
    for text in VIOLATIONS:
        assert sum(v.startswith(text) for v in report.violations) == 1, text
        assert text in str(report) and text in str(error.value)
    assert len(report.cores) == len(net.all_ensembles)
    assert report.total("neurons") == sum(e.n_neurons for e in net.all_ensembles)


def test_numbers_of_a_small_network():
    weights = 128 * np.array([[1, 0, 2], [0, 0, -3]])
    with nengo.Network() as net:
        stimulus = nengo.Node([0.0, 0.0])
        first, second = population(3, "first"), population(2, None)
        relay = nengo.Node(size_in=3)
        nengo.Connection(stimulus, first[:2], synapse=None)
        nengo.Connection(first, relay, synapse=None)
        nengo.Connection(relay, second, transform=weights, synapse=0)
        nengo.Connection(second, second, transform=64 * np.eye(2), synapse=0)
        nengo.Probe(second)
    report = check(net)
    one, two = report.cores
    assert dataclasses.astuple(one) == ("first", 3, 2, 2, 2, 2)
    assert dataclasses.astuple(two) == ("ensemble 1", 2, 4, 2, 5, 5)
    assert report.fits and report == check(net) and hash(report) == hash(check(net))
    small = ChipLimits("small", cores=1, neurons=2, axons_in=3, memory=4)
    assert len(check(net, small).violations) == 4
    assert str(check(net, small)).startswith("small: 2 of 1 cores")


WEIGHTS = [
    ([64, -64, 0], True),
    ([127 * 64, -128 * 64], True),
    ([128 * 64], True),  # with the next power
    ([129 * 64, 64], False),
    ([2**21 - 2**14], True),
    ([2**21], False),
    ([32], False),
    ([100], False),
    ([], True),
]


@pytest.mark.parametrize("weights, held", WEIGHTS)
def test_weights_that_loihi_has(weights, held):
    assert LOIHI.has(np.array(weights, dtype=float)) is held


def test_rounded_weights_are_some_that_the_chip_has():
    rng = np.random.RandomState(0)
    for scale in 10.0 ** np.arange(2, 6.2, 0.3):
        weights = rng.uniform(-scale, scale, size=500)
        shift = LOIHI.shift_for(np.abs(weights).max())
        rounded = LOIHI.rounded(weights, shift)
        assert LOIHI.has(rounded) and np.abs(rounded).max() <= LOIHI.max_weight
        step = 64 * 2**shift
        # the largest may be a step beyond the last weight
        assert np.abs(rounded - weights).max() <= step
        assert np.mean(np.abs(rounded - weights)) < 0.3 * step
        assert shift == 0 or np.abs(rounded).max() >= 63 * step


def test_even_mantissas_are_what_brian2_loihi_makes_of_them():
    for case, arrays in recorded().items():
        if case.exponent >= -1:
            assert LOIHI.has(arrays["weights"].astype(float)), case.name


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"cores": 0}, "ChipLimits.cores: must be a whole number of at least 1"),
        ({"neurons": 10.5}, "neurons: .*got 10.5"),
        ({"max_shift": -1}, "max_shift: .*at least 0"),
    ],
)
def test_wrong_limits(arguments, match):
    with pytest.raises(ValidationError, match=match):
        ChipLimits(**arguments)
