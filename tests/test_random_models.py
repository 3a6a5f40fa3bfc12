"""Random Keras models are converted to networks that compute the same.

``pytest --hypothesis-profile nightly`` tries 1,000, as does the program
``python -m tests.random_models``, which makes those that differ smaller.
"""

import collections
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import nengo_dl
from tests.model_agreement import GOOD, Outcome, compare
from tests.model_refusals import REFUSALS
from tests.model_specs import build, random_inputs
from tests.random_models import draw_spec
from tests.smaller_models import smaller

ROOT = Path(nengo_dl.__file__).parents[1]
N_MODELS = max(60, hypothesis.settings().max_examples)
N_TOGETHER = 20
# With fewer models that are equal, the law would say little.
MIN_EQUAL = 0.5


@pytest.mark.parametrize("first", range(0, N_MODELS, N_TOGETHER))
def test_random_models_are_converted(first):
    tally = collections.Counter()
    for number in range(first, first + N_TOGETHER):
        spec = draw_spec(0, number)
        outcome = compare(spec)
        again = f"python -m tests.random_models --first {number} --count 1"
        assert outcome.kind in GOOD, f"{outcome}\n{again}\n{spec!r}"
        tally[outcome.kind] += 1
    assert tally["equal"] >= MIN_EQUAL * N_TOGETHER, tally


DENSE = {"layer": "Dense", "arguments": {"units": 3}, "inputs": [(0, 0)]}
PLAIN = {
    "seed": 0,
    "policy": "float32",
    "inputs": [((4,), "float32")],
    "steps": [DENSE],
    "outputs": [(1, 0)],
    "form": "list",
    "options": {},
    "minibatch_size": 1,
    "n_steps": 1,
    "jit_compile": False,
    "run": "run_steps",
    "predict": False,
}

TIMED = {
    "layer": "TimeDistributed",
    "arguments": {"layer": ("layer", "LayerNormalization", {})},
    "inputs": [(0, 0)],
}
GELU = [
    {
        "layer": "EinsumDense",
        "arguments": {
            "equation": "ab,bc->ac",
            "output_shape": 3,
            "activation": ("keras.ops", "gelu"),
        },
        "inputs": [(0, 0)],
    },
    DENSE | {"inputs": [(1, 0)]},
]
RECURRENT = {
    "layer": "LSTM",
    "arguments": {"units": 3, "activation": ("keras.ops", "gelu")},
    "inputs": [(0, 0)],
}
RESIDUAL = {"layer": "Residual", "arguments": {}, "inputs": [(0, 0)]}
OVER_TIME = {"layer": "Softmax", "arguments": {"axis": 1}, "inputs": [(0, 0)]}
TEMPORAL = {"inputs": [((4, 2, 3), "float32")], "options": {"temporal_model": True}}

# What random models have found, made smaller, and what has to come of it.
FOUND = {
    "functions of one name": ({"steps": GELU, "outputs": [(2, 0)]}, "equal"),
    "functions of one name in a cell": (
        {"inputs": [((3, 2), "float32")], "steps": [RECURRENT]},
        "equal",
    ),
    "layers inside of a layer in half precision": (
        {"policy": "mixed_float16", "steps": [RESIDUAL]},
        "equal",
    ),
    "fallback at each time": ({**TEMPORAL, "steps": [TIMED]}, "equal"),
    "softmax over time": ({**TEMPORAL, "steps": [OVER_TIME]}, "refused"),
}


@pytest.mark.parametrize("spec, kind", FOUND.values(), ids=FOUND)
def test_what_random_models_found(spec, kind):
    outcome = compare(PLAIN | spec)
    assert outcome.kind == kind, outcome


@pytest.mark.parametrize("number", range(3))
def test_specs_can_be_printed_and_built_again(number):
    spec = draw_spec(1, number)
    assert draw_spec(1, number) == spec
    built = []
    for each in (spec, eval(repr(spec))):
        model = build(each)
        built.append([*model.get_weights(), *random_inputs(each, model)])
    for a, b in zip(*built, strict=True):
        np.testing.assert_array_equal(a, b)


def off(by):
    """Stand in for a simulator that is wrong in the last element."""

    def run(spec, converter, x, expected):
        found = [y[:, None] + np.zeros(y.shape[-1]) for y in expected]
        found[-1][..., -1] += by * np.abs(expected[-1]).max()
        return found

    return {"stand-in": run}


def broken(spec, converter, x, expected):
    """Stand in for a simulator that fails."""
    raise RuntimeError("broken")


LOG = {"operator": "log", "arguments": {}, "inputs": [(0, 0)]}
# what is left after the subtraction is a matter of rounding
CHAOTIC = [
    DENSE,
    {"operator": "x * c", "arguments": {"c": 1e9}, "inputs": [(1, 0)]},
    {"operator": "sin", "arguments": {}, "inputs": [(2, 0)]},
]
REGULARIZED = DENSE | {"arguments": {"units": 3, "activity_regularizer": "l2"}}


@pytest.mark.parametrize(
    "changes, backends, kind, reason",
    [
        ({}, off(1e-7), "equal", ""),
        ({}, off(1e-4), "different", "stand-in: output 0: off by"),
        ({}, {"stand-in": broken}, "failed", "stand-in: RuntimeError: broken"),
        ({"steps": [LOG]}, None, "left out", "not finite"),
        (
            {"steps": CHAOTIC, "outputs": [(3, 0)]},
            off(1e-4),
            "left out",
            "rounding decides",
        ),
        (
            {"steps": [REGULARIZED], "options": {"allow_fallback": False}},
            None,
            "refused",
            "expected no regularizers",
        ),
    ],
)
def test_compare_tells_apart(changes, backends, kind, reason):
    outcome = compare(PLAIN | changes, backends)
    assert outcome.kind == kind
    assert reason in outcome.reason


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.words)
def test_refusals_are_documented(refusal):
    text = (ROOT / refusal.page).read_text(encoding="utf-8")
    assert refusal.quote in " ".join(text.split())


def has_softmax(spec):
    """Judge a description as if softmax were wrong."""
    build(spec)
    kind = "different" if "'softmax'" in repr(spec) else "equal"
    return Outcome(kind, "", "")


def test_smaller_models_keep_what_is_wrong():
    number = next(i for i in range(999) if "'softmax'" in repr(draw_spec(2, i)))
    spec, outcome = smaller(draw_spec(2, number), Outcome("different"), has_softmax)
    assert outcome.kind == "different"
    assert len(spec["steps"]) == 1
    assert len(spec["inputs"]) == len(spec["outputs"]) == 1
    names = collections.Counter(spec["options"])
    assert not names
