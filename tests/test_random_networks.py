"""The simulator agrees with Nengo's on networks composed at random.

``pytest --hypothesis-profile nightly`` tries 1,000, as does the program
``python -m tests.random_networks``, which tells more about those that disagree.
"""

import collections
import functools

import numpy as np
import pytest
from hypothesis import given

from tests.agreement import Result, compare, run_nengo
from tests.random_networks import draw_specs, networks

# At most this part of the networks may be left out, or the law would say little.
MAX_LEFT_OUT = 0.1


@functools.cache
def specs():
    """Draw some networks, which takes seconds."""
    return draw_specs(3, seed=0)


NODE = {"kind": "node", "size": 2, "output": ("array", 0, 2)}
PROBE = {"key": None, "synapse": None, "sample_every": None, "attr": "output"}
# Currents that drive a spiking neuron in steps of a quarter of a spike: whether the
# fourth one comes in step 4 or 5 is a matter of rounding.
CHAOTIC = {
    "seed": 0,
    "dt": 0.001,
    "n_steps": (30,),
    "minibatch_sizes": (None, 3),
    "unroll_simulation": 1,
    "objects": [
        {
            "kind": "ensemble",
            "n_neurons": 1,
            "dimensions": 1,
            "radius": 1,
            "neurons": (
                "SpikingRectifiedLinear",
                {"initial_state": {"voltage": ("Choice", [0.0])}},
            ),
            "gain": ("Choice", [1]),
            "bias": ("Choice", [250]),
        }
    ],
    "connections": [],
    "probes": [PROBE | {"target": ("object", 0, "neurons")}],
}
FAILING = CHAOTIC | {
    "objects": [NODE],
    "connections": [],
    "probes": [PROBE | {"target": ("object", 0, ""), "key": ("list", [5])}],
}

LINK = {"pre_key": None, "post_key": None, "transform": None, "synapse": None}
PES = ("PES", {})

# What random networks have found, reduced by hypothesis.
FOUND = {
    # a filter without state, of weights that all minibatch items share
    "unbatched state": CHAOTIC
    | {
        "objects": [NODE, {"kind": "passthrough", "size": 2}],
        "connections": [
            {
                "pre": (0, ""),
                "post": ("object", 1, ""),
                "pre_key": None,
                "post_key": None,
                "transform": ("vector", 0),
                "synapse": None,
            }
        ],
        "probes": [
            PROBE
            | {
                "target": ("connection", 0),
                "attr": "weights",
                "synapse": ("Lowpass", 0.0),
            }
        ],
    },
    # learned weights differ between minibatch items, and what they multiply does not
    "shared activities": CHAOTIC
    | {
        "objects": [
            NODE,
            {
                "kind": "ensemble",
                "n_neurons": 4,
                "dimensions": 2,
                "radius": 1,
                "neurons": ("RectifiedLinear", {}),
            },
            {"kind": "passthrough", "size": 2},
        ],
        "connections": [
            LINK
            | {"pre": (1, ""), "post": ("object", 2, ""), "rules": ("single", PES)},
            LINK | {"pre": (0, ""), "post": ("rule", 0, 0)},
        ],
        "probes": [PROBE | {"target": ("object", 2, "")}],
    },
}


@pytest.mark.parametrize("spec", FOUND.values(), ids=FOUND)
def test_agreement_on_what_was_found(spec):
    assert compare(spec).kind == "agreed"


@pytest.mark.timeout(0)
def test_agreement_on_random_networks():
    tally = collections.Counter()

    @given(networks())
    def law(spec):
        outcome = compare(spec)
        tally[outcome.kind] += 1
        assert outcome.kind in ("agreed", "left out"), f"{outcome}\n{spec!r}"

    law()
    assert tally["left out"] <= MAX_LEFT_OUT * tally.total(), tally


@pytest.mark.parametrize("number", range(3))
def test_agreement_where_all_elementwise_operators_are_large(number, monkeypatch):
    """They are then in groups of their own wherever their inputs are."""
    monkeypatch.setattr("nengo_dl.ops.registry.LARGE", 1)
    outcome = compare(specs()[number])
    assert outcome.kind in ("agreed", "left out"), outcome


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("number", range(3))
def test_specs_can_be_printed_and_built_again(number):
    spec = specs()[number]
    first, second = run_nengo(spec), run_nengo(eval(repr(spec)))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def off_by_a_millionth(spec):
    """Stand in for a simulator that is wrong in the last element of a probe."""
    data = run_nengo(spec)
    size = np.max(np.abs(data[-1]))
    data[-1][-1] += 1.1e-6 * size
    return [Result("wrongly", 0, data)]


def nearly_right(spec):
    """Stand in for a simulator that is right but for rounding."""
    return [Result("nearly", 0, [values * (1 + 1e-9) for values in run_nengo(spec)])]


def broken(spec):
    """Stand in for a simulator that fails."""
    raise RuntimeError("broken")


GOOD = CHAOTIC | {
    "objects": [NODE],
    "probes": [PROBE | {"target": ("object", 0, "")}] * 2,
}


@pytest.mark.parametrize(
    "spec, run, kind, reason",
    [
        (GOOD, nearly_right, "agreed", ""),
        (GOOD, off_by_a_millionth, "disagreed", "wrongly, item 0, probe 1"),
        (GOOD, broken, "failed", "RuntimeError: broken"),
        (CHAOTIC, off_by_a_millionth, "left out", "chaotic"),
        (FAILING, nearly_right, "left out", "Nengo: IndexError"),
    ],
)
def test_compare_tells_apart(spec, run, kind, reason):
    outcome = compare(spec, run)
    assert outcome.kind == kind
    assert outcome.reason.startswith(reason)
