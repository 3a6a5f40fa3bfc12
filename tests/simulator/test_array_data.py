import warnings

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.simulator.array_data import (
    DataSpec,
    check_data,
    check_validation,
    without_batch_size,
)

ITEMS, STEPS = 8, 5

with nengo.Network():
    NODE = nengo.Node([0, 0, 0], label="in")
    OTHER = nengo.Node([0], label="other")
    A, B = (nengo.Probe(NODE, label=label) for label in "ab")
SPEC = DataSpec({NODE: "in", OTHER: "other"}, {A: "a", B: "b"}, ("a",), 4)
X = np.arange(ITEMS * STEPS * 3, dtype=float).reshape(ITEMS, STEPS, 3)
Y = np.arange(ITEMS * 2, dtype=float).reshape(ITEMS, 1, 2)
W = np.linspace(0, 1, ITEMS)


def test_everything():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays = check_data(SPEC, {NODE: X}, {A: Y, "b": Y}, {"a": W})
    assert (arrays.n_items, arrays.n_steps) == (ITEMS, STEPS)
    for found, key, array in (
        (arrays.inputs, NODE, X),
        (arrays.targets, "a", Y),
        (arrays.weights, "a", W),
    ):
        assert list(found) == [key]
        assert np.shares_memory(found[key], array)
        np.testing.assert_array_equal(found[key], array)


# inputs, targets and n_steps; the number of items and steps
SIZES = [
    ((None, {A: Y}, 6), (8, 6)),
    (({}, {A: Y}, 6), (8, 6)),
    (({"n_steps": np.full((8, 1), 6)}, {A: Y}, None), (8, 6)),
    (({NODE: X}, {A: Y}, 5), (8, 5)),
    (({NODE: X[:4]}, {A: Y[:4]}, None), (4, 5)),
]


@pytest.mark.parametrize("arguments, sizes", SIZES)
def test_sizes(arguments, sizes):
    x, y, n_steps = arguments
    arrays = check_data(SPEC, x, y, n_steps=n_steps)
    assert (arrays.n_items, arrays.n_steps) == sizes


def test_one_minibatch_if_nothing_is_given():
    spec = DataSpec(SPEC.nodes, SPEC.probes, (), 4)
    arrays = check_data(spec, None, n_steps=3)
    assert (arrays.n_items, arrays.n_steps) == (4, 3)
    assert not arrays.inputs and not arrays.targets and arrays.weights is None


def test_rest_of_a_minibatch_is_dropped_everywhere():
    x, y, w = X[:7], {A: Y[:7]}, W[:7]
    message = "multiple of minibatch_size=4 items, got 7. The last 3 will not be used"
    with pytest.warns(UserWarning, match=message):
        arrays = check_data(SPEC, {NODE: x}, y, w)
    assert arrays.n_items == 4
    for found in (arrays.inputs, arrays.targets, arrays.weights):
        assert all(len(array) == 4 for array in found.values())


REFUSED = [
    (({NODE: X}, {A: Y[:4]}), {}, "same number of items .*8 for 'in', 4 for 'a'"),
    (({NODE: X}, {A: Y[:7]}), {}, "same number of items .*8 for 'in', 7 for 'a'"),
    (
        ({NODE: X}, {A: Y}, W[:4]),
        {},
        "same number of items .*8 for 'a', 4 for 'sample_weight of a'",
    ),
    (({NODE: X[:3]}, {A: Y[:3]}), {}, "at least 4 items.*got 3 for 'in', 3 for 'a'"),
    (({NODE: X}, {A: Y}), {"on_batch": True}, "expected 4 items.*got 8 for 'in'"),
    (({NODE: X}, {A: Y}), {"n_steps": 4}, "n_steps: must be the same .*5 for in"),
    ((None, {A: Y}), {}, "n_steps: must be given when no input data is passed"),
    (({NODE: X}, None), {}, "Targets: expected an array for each of 'a'"),
    (({NODE: X}, {B: Y}), {}, "Targets: expected an array for each of 'a'"),
    (({NODE: X}, {A: Y[:, 0]}), {}, "Targets for 'a': expected three axes"),
    (({NODE: X * np.nan}, {A: Y}), {}, "Data for 'in': expected finite numbers"),
    (({NODE: X}, {A: Y}, {"q": W}), {}, "sample_weight: keys must be probes"),
]


@pytest.mark.parametrize("arguments, options, message", REFUSED)
def test_refused(arguments, options, message):
    with pytest.raises(ValidationError, match=message):
        check_data(SPEC, *arguments, **options)


@pytest.mark.parametrize("n_items, fraction", [(8, 0.5), (40, 0.1), (40, 0.9)])
def test_validation_split(n_items, fraction):
    reps = n_items // ITEMS
    x, y, w = (np.concatenate([array] * reps) for array in (X, Y, W))
    arrays = check_data(SPEC, {NODE: x}, {A: y}, w)
    training, validation = arrays.split(fraction, 4)
    assert validation.n_items == round(fraction * n_items)
    for part, items in (
        (training, slice(0, training.n_items)),
        (validation, slice(training.n_items, n_items)),
    ):
        assert (part.n_items, part.n_steps) == (len(x[items]), STEPS)
        np.testing.assert_array_equal(part.inputs[NODE], x[items])
        np.testing.assert_array_equal(part.targets["a"], y[items])
        np.testing.assert_array_equal(part.weights["a"], w[items])


def test_validation_split_without_inputs_and_weights():
    arrays = check_data(SPEC, None, {A: Y}, n_steps=3)
    for part in arrays.split(0.5, 4):
        assert (part.n_items, part.inputs, part.weights) == (4, {}, None)


SPLITS = [
    (0.25, "validation_split: .*minibatch_size=4 .*got 6 and 2 items.* k . 4 / 8"),
    (0.3, "got 5 and 3 items"),
    (1e-9, "validation_split: .*got 8 and 0 items, one part is empty"),
    (1.0, r"validation_split: must be a number between 0 and 1 \(got 1.0\)"),
    (-0.5, "must be a number between 0 and 1"),
    ("0.5", "must be a number between 0 and 1"),
]


@pytest.mark.parametrize("fraction, message", SPLITS)
def test_refused_validation_split(fraction, message):
    arrays = check_data(SPEC, {NODE: X}, {A: Y})
    with pytest.raises(ValidationError, match=message):
        arrays.split(fraction, 4)


@pytest.mark.parametrize(
    "validation_data, n_steps",
    [
        (({NODE: X}, {A: Y}), STEPS),
        ([{"in": X}, {"a": Y}, W], STEPS),
        ((None, {A: Y}), 3),
        (({}, {A: Y}, {A: W}), 3),
    ],
)
def test_validation_data(validation_data, n_steps):
    arrays = check_validation(SPEC, validation_data, n_steps=3)
    assert (arrays.n_items, arrays.n_steps) == (ITEMS, n_steps)
    assert (arrays.weights is not None) == (len(validation_data) == 3)


VALIDATION = [
    (({NODE: X},), r"validation_data: expected \(inputs, targets\) .*got 1 elements"),
    (({NODE: X}, {A: Y}, W, W), "validation_data: expected .*got 4 elements"),
    ({NODE: X}, "validation_data: expected .*got dict. Use None"),
    (X, "validation_data: expected .*got ndarray"),
    (({NODE: X}, {A: Y[:4]}), "same number of items"),
    (({"q": X}, {A: Y}), "keys must be input nodes"),
]


@pytest.mark.parametrize("validation_data, message", VALIDATION)
def test_refused_validation_data(validation_data, message):
    with pytest.raises(ValidationError, match=message):
        check_validation(SPEC, validation_data)


def test_class_weight():
    labels = np.arange(ITEMS).reshape(ITEMS, 1, 1) % 2
    weights = np.where(labels[:, 0] == 1, 3.0, 1.0)
    for sample_weight, factor in ((None, 1), (W, W[:, None]), (W[:, None], W[:, None])):
        arrays = check_data(SPEC, {NODE: X}, {A: labels}, sample_weight)
        arrays = arrays.with_class_weight({1: 3.0})
        np.testing.assert_array_equal(arrays.weights["a"], weights * factor)
    spec = DataSpec(SPEC.nodes, SPEC.probes, ("a", "b"), 4)
    arrays = check_data(spec, {NODE: X}, [labels, labels])
    with pytest.raises(ValidationError, match="class_weight: .*Pass sample_weight"):
        arrays.with_class_weight({1: 3.0})


def test_batch_size():
    kwargs = {"epochs": 3, "batch_size": None}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert without_batch_size(kwargs, 4) == {"epochs": 3}
    for name in ("batch_size", "validation_batch_size"):
        kwargs = {"epochs": 3, name: 2}
        with pytest.warns(UserWarning, match=f"{name}=2 is ignored: .* 4 items"):
            assert without_batch_size(kwargs, 4) == {"epochs": 3}
        assert kwargs[name] == 2
