import warnings

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.simulator.targets import (
    check_targets,
    check_weights,
    weights_of_classes,
)

ITEMS, STEPS = 4, 5

with nengo.Network():
    NODE = nengo.Node([0, 0, 0])
    A, B = (nengo.Probe(NODE, label=label) for label in "ab")
PROBES = {A: "a", B: "b"}
YA = np.arange(ITEMS * STEPS * 3, dtype=float).reshape(ITEMS, STEPS, 3)
YB = -np.ones((ITEMS, 1, 3), dtype=np.float32)
LABELS = np.arange(ITEMS).reshape(ITEMS, 1, 1)

# targets, the probes that need them, and what they become
ACCEPTED = [
    (None, [], {}),
    ({}, [], {}),
    ({A: YA}, ["a"], {"a": YA}),
    ({"a": YA}, ["a"], {"a": YA}),
    ({"b": YB, A: YA}, ["b", "a"], {"a": YA, "b": YB}),
    ([YA, YB], ["a", "b"], {"a": YA, "b": YB}),
    ((YA, YB), ["b"], {"b": YB}),
    ({A: tf.constant(YA)}, ["a"], {"a": YA}),
    ({A: YA.tolist()}, ["a"], {"a": YA}),
    # what a loss may compare with: labels, missing values, other sizes
    ({A: LABELS}, ["a"], {"a": LABELS}),
    ({A: LABELS > 1}, ["a"], {"a": LABELS > 1}),
    ({A: YA * np.nan}, ["a"], {"a": YA * np.nan}),
    ({A: YA[..., :0]}, ["a"], {"a": YA[..., :0]}),
    # not needed
    ({A: YA, B: YB}, ["a"], {"a": YA}),
]


@pytest.mark.parametrize("y, needed, expected", ACCEPTED)
def test_accepted_targets(y, needed, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        targets = check_targets(y, PROBES, needed)
    assert list(targets) == list(expected)
    for name, array in targets.items():
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == expected[name].dtype


def test_targets_are_not_copied():
    assert check_targets({A: YA}, PROBES, ["a"])["a"] is YA


def test_one_array_goes_to_the_first_probe():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(check_targets(YA, {A: "a"}, ["a"])) == ["a"]
    message = "one array for each of the 2 probes .'a', 'b'., got one array.*by name"
    with pytest.warns(UserWarning, match=message):
        assert list(check_targets(YA, PROBES, ["a"])) == ["a"]


def test_lists_of_another_length():
    message = "one array for each of the 2 probes .'a', 'b'., got a list of {}"
    with pytest.warns(UserWarning, match=message.format(1)):
        assert list(check_targets([YA], PROBES, ["a"])) == ["a"]
    with pytest.warns(UserWarning, match=message.format(3)):
        assert list(check_targets([YA, YB, YB], PROBES, ["a", "b"])) == ["a", "b"]


REFUSED = [
    ({"aa": YA}, r"keys must be probes .*got 'aa'\). Did you mean 'a'\?"),
    ({NODE: YA}, "keys must be probes .*of type Node.*'a', 'b'"),
    ({A: YA, "a": YA}, "must be given once for each probe"),
    ({"a": YA, "n_steps": LABELS}, "Targets: expected data for probes alone"),
    ([YA, YB, LABELS[:, 0]], "Targets: expected data for probes alone .*Leave it out"),
    ("a", r"must be None, a dict, a list or an array \(got str\)"),
    ({A: "abc"}, "Targets for 'a': expected an array of real numbers .*got dtype <U3"),
    ({A: [[1], [1, 2]]}, "Targets for 'a': .*not a regular array"),
    ({A: YA[:, 0]}, r"'a': expected three axes.*shape \(4, 3\).*time axis: y\[:, None"),
    ({A: LABELS[:, 0, 0]}, r"got shape \(4,\).*label per item: y\[:, None, None\]"),
    ({A: YA[None]}, r"got shape \(1, 4, 5, 3\).*axes are items, time steps and dim"),
    ({A: 1.0}, r"got shape \(\)"),
    ({A: YA}, "Targets: expected an array for each of 'a', 'b' .*got none for 'b'"),
    (None, "Targets: expected an array for each of 'a', 'b' .*got none for 'a', 'b'"),
]


@pytest.mark.parametrize("y, message", REFUSED)
def test_refused_targets(y, message):
    with pytest.raises(ValidationError, match=message):
        check_targets(y, PROBES, ["a", "b"])


def test_no_probes():
    assert check_targets(None, {}, []) == {}
    with pytest.raises(ValidationError, match="None in a network without probes"):
        check_targets(YA, {}, [])


TARGETS = {"a": YA, "b": YB}
W = np.linspace(0, 1, ITEMS)
STEPWISE = W[:, None] * np.ones(STEPS)
ONES = np.ones(ITEMS)

# sample weights, and what they become
WEIGHTS = [
    (W, {"a": W, "b": W}),
    (tf.constant(W), {"a": W, "b": W}),
    (W.tolist(), {"a": W, "b": W}),
    (STEPWISE, {"a": STEPWISE, "b": STEPWISE}),
    (W[:, None], {"a": W[:, None], "b": W[:, None]}),
    ({A: W, "b": STEPWISE}, {"a": W, "b": STEPWISE}),
    ({"b": W}, {"a": ONES, "b": W}),
    ([W, STEPWISE], {"a": W, "b": STEPWISE}),
    ((None, W), {"a": ONES, "b": W}),
]


@pytest.mark.parametrize("sample_weight, expected", WEIGHTS)
@pytest.mark.parametrize("needed", [["a", "b"], ["b"]])
def test_accepted_weights(sample_weight, expected, needed):
    targets = {name: TARGETS[name] for name in needed}
    weights = check_weights(sample_weight, PROBES, targets)
    assert list(weights) == needed
    for name in needed:
        np.testing.assert_array_equal(weights[name], expected[name])


def test_no_weights():
    assert check_weights(None, PROBES, TARGETS) is None


REFUSED_WEIGHTS = [
    ({"q": W}, r"sample_weight: keys must be probes .*got 'q'"),
    ([W], "sample_weight: expected one element for each of the 2 .*'a', 'b'.*got 1"),
    (YA, r"sample_weight for 'a': expected shape \(items,\) or .*got \(4, 5, 3\)"),
    ({B: 1.0}, r"sample_weight for 'b': expected shape .*, got \(\)"),
    ({B: "abc"}, "sample_weight for 'b': expected an array of real numbers"),
]


@pytest.mark.parametrize("sample_weight, message", REFUSED_WEIGHTS)
def test_refused_weights(sample_weight, message):
    with pytest.raises(ValidationError, match=message):
        check_weights(sample_weight, PROBES, TARGETS)


CLASSES = np.array([[0, 2], [1, 1], [2, 0]])
# labels and weights of the classes above
LABEL_FORMS = [CLASSES[..., None], CLASSES[..., None] + 0.1, np.eye(3)[CLASSES]]


@pytest.mark.parametrize("labels", LABEL_FORMS)
def test_weights_of_classes(labels):
    weights = weights_of_classes({0: 0.5, np.int64(2): 3}, {"a": labels})
    expected = [[0.5, 3], [1, 1], [3, 0.5]]
    np.testing.assert_array_equal(weights["a"], expected)


REFUSED_CLASSES = [
    ({0: 1}, TARGETS, "class_weight: .*of one probe .*'a', 'b'.*Pass sample_weight"),
    ([1, 2], {"a": LABELS}, r"class_weight: expected a dict .*got \[1, 2\]"),
    ({"0": 1}, {"a": LABELS}, "class_weight: expected a dict from classes, integers"),
    ({0: "1"}, {"a": LABELS}, "class_weight: expected a dict .*weights"),
    ({0: 1}, {}, r"class_weight: expected targets of one probe \(got them for none"),
]


@pytest.mark.parametrize("class_weight, targets, message", REFUSED_CLASSES)
def test_refused_class_weights(class_weight, targets, message):
    with pytest.raises(ValidationError, match=message):
        weights_of_classes(class_weight, targets)
