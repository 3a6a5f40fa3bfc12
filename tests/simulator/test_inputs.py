import warnings

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.errors import InvalidValue
from nengo_dl.keys import Keys
from nengo_dl.simulator.inputs import assign, check_inputs

BATCH, STEPS = 4, 5

with nengo.Network() as NET:
    A = nengo.Node([0, 0, 0], label="a")
    B = nengo.Node([0], label="b")
    RELAY = nengo.Node(size_in=2, label="relay")
    PROBE = nengo.Probe(A)
NAMES = {A: "a", B: "b"}
XA = np.arange(BATCH * STEPS * 3, dtype=float).reshape(BATCH, STEPS, 3)
XB = -np.ones((BATCH, STEPS, 1), dtype=np.float32)
N = np.full((BATCH, 1), STEPS)

# data, and the nodes it ends at
ACCEPTED = [
    (None, {}),
    ({}, {}),
    ({A: XA}, {A: XA}),
    ({"a": XA, B: XB}, {A: XA, B: XB}),
    ({B: XB, A: XA}, {A: XA, B: XB}),
    ({"b": XB, "n_steps": N}, {B: XB}),
    ({"n_steps": N.astype(float)}, {}),
    ([XA, XB], {A: XA, B: XB}),
    ((XA, XB, N), {A: XA, B: XB}),
    ({A: tf.constant(XA)}, {A: XA}),
    ({A: XA.tolist()}, {A: XA}),
    ({A: XA.astype(np.int64), B: XB > 0}, {A: XA, B: XB > 0}),
    ({A: tf.cast(XA, tf.bfloat16)}, {A: XA}),
]


@pytest.mark.parametrize("data, expected", ACCEPTED)
def test_accepted_forms(data, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays, n_steps = check_inputs(data, NAMES, BATCH, STEPS)
    assert list(arrays) == list(expected)
    for node, array in arrays.items():
        assert isinstance(array, np.ndarray)
        np.testing.assert_array_equal(array, expected[node])
    assert n_steps == STEPS and type(n_steps) is int


@pytest.mark.parametrize("data", [d for d, nodes in ACCEPTED if nodes or d])
def test_number_of_steps_from_the_data(data):
    assert check_inputs(data, NAMES, BATCH)[1] == STEPS


def test_data_is_not_copied():
    arrays, _ = check_inputs({A: XA}, NAMES, BATCH)
    assert np.shares_memory(arrays[A], XA)


@pytest.mark.parametrize("data", [XA, tf.constant(XA)])
def test_one_array_goes_to_the_first_node(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays, _ = check_inputs(data, {A: "a"}, BATCH)
    np.testing.assert_array_equal(arrays[A], XA)
    message = "expected one array for each of the 2 input nodes .*'a', 'b'.*got one arr"
    with pytest.warns(UserWarning, match=message):
        arrays, _ = check_inputs(data, NAMES, BATCH)
    assert list(arrays) == [A]


@pytest.mark.parametrize(
    "data, nodes",
    [([XA], [A]), ((), []), ([XA, XB, XB], [A, B]), ([XA, XB, N, N], [A, B])],
)
def test_lists_of_another_length(data, nodes):
    message = f"one array for each of the 2 .*got a list of {len(data)}.*by name"
    with pytest.warns(UserWarning, match=message):
        arrays, _ = check_inputs(data, NAMES, BATCH, STEPS)
    assert list(arrays) == nodes


def test_a_node_may_be_called_n_steps():
    arrays, _ = check_inputs({"n_steps": XB}, {B: "n_steps"}, BATCH)
    assert list(arrays) == [B]


REFUSED = [
    # which object
    ({"aa": XA}, r"Data: keys must be input nodes .*got 'aa'\). Did you mean 'a'\?"),
    ({"zzz": XA}, r"got 'zzz'\). The input nodes of this network are 'a', 'b'"),
    ({RELAY: XA}, "got <Node 'relay'>, which has size_in=2.*always computed.*'a', 'b'"),
    ({nengo.Node([0], add_to_container=False): XA}, "got <Node .* of type Node"),
    ({PROBE: XA}, "keys must be input nodes .*got <Probe .* of type Probe"),
    ({0: XA}, "keys must be input nodes .*got 0 of type int"),
    ({A: XA, "a": XA}, "must be given once for each input node .*its name 'a'.*Remove"),
    ("a", r"must be None, a dict, a list or an array \(got str\). Pass a dict"),
    (iter([XA]), r"must be None, a dict, .*got list_iterator"),
    (5, r"must be None, a dict, .*got int"),
    # which numbers
    ({A: "abc"}, "Data for 'a': expected an array of real numbers .*got dtype <U3"),
    ({A: XA.astype(object)}, "array of real numbers .*got dtype object.*np.asarray"),
    ({A: XA * 1j}, "array of real numbers .*got dtype complex128"),
    ({A: [[1], [1, 2]]}, "got list, which is not a regular array.*the same shape"),
    ({A: None}, "got dtype object"),
    ({B: np.where(XB < 0, np.nan, 0)}, "'b': expected finite .*nan at item 0, step 0"),
    (
        {B: XB.astype(np.float16) * np.inf},
        "expected finite numbers .*got -inf .*nan_to_num",
    ),
    # which shape
    ({A: XA[:, 0]}, r"'a': expected shape .*, 3\), got \(4, 3\). .*: x\[:, None, :\]"),
    ({B: XB[..., 0]}, r"got \(4, 5\). Add an axis .*x\[:, :, None\]"),
    ({A: XA[0, 0]}, r"got \(3,\). Add batch and time axes: x\[None, None, :\]"),
    ({A: XA[..., None]}, r"got \(4, 5, 3, 1\). Flatten each step: x.reshape"),
    ({A: 1.0}, r"got \(\). The axes are items, time steps and dimensions"),
    ({A: np.ones((4, 7))}, r"got \(4, 7\). The axes are items"),
    ({A: XB}, r"got \(4, 5, 1\). The last axis must be the node's size_out, 3"),
    # how many items
    ({A: XA[:2]}, "Data: expected 4 items, the simulator's minibatch.*got 2 for 'a'"),
    ({A: XA[:0]}, "expected 4 items"),
    ({A: np.tile(XA, (2, 1, 1))}, "expected 4 items.*got 8 for 'a'.*another minibatch"),
    ({A: XA, B: XB[:2]}, "same number of items .*got 4 for 'a', 2 for 'b'"),
    ({"n_steps": N[:1]}, "expected 4 items.*got 1 for 'n_steps'"),
    # how many steps
    ({A: XA, B: XB[:, :2]}, "n_steps: must be the same .*got 5 for a, 2 for b"),
    (
        {A: XA, "n_steps": N + 1},
        "'n_steps': .*got 6, where all else has 5 steps.*Leave",
    ),
    ({A: XA, "n_steps": N[:, 0]}, r"expected an array of shape .*got shape \(4,\)"),
    ({A: XA, "n_steps": N[:0]}, r"got shape \(0, 1\)"),
    ({A: XA, "n_steps": np.arange(4)[:, None]}, "got values from 0 to 3"),
    ({A: XA, "n_steps": N + 0.5}, "got 5.5"),
    ({A: XA, "n_steps": -N}, "got -5"),
    ({A: XA, "n_steps": N * np.inf}, "got inf"),
    ({A: XA, "n_steps": "5"}, "Data for 'n_steps': expected an array of real numbers"),
    ([XA, XB, N[:, 0]], r"Data for 'n_steps': .*got shape \(4,\)"),
    ([XA, XB, None], "expected an array of real numbers"),
    (None, "n_steps: must be given when no input data .*got None.*'a', 'b'"),
    ({}, "n_steps: must be given when no input data is passed"),
]


@pytest.mark.parametrize("data, message", REFUSED)
def test_refused(data, message):
    with np.errstate(all="ignore"), pytest.raises(ValidationError, match=message):
        check_inputs(data, NAMES, BATCH)


def test_position_of_a_value_that_is_not_finite():
    x = XA.copy()
    x[2, 3, 1] = np.inf
    with pytest.raises(ValidationError, match="item 2, step 3, dimension 1"):
        check_inputs({A: x}, NAMES, BATCH)


def test_large_finite_values_are_accepted():
    x = np.full((BATCH, STEPS, 1), 1e308)  # their sum is infinite
    assert check_inputs({B: x}, NAMES, BATCH)[0][B] is not None


@pytest.mark.parametrize(
    "n_steps, message",
    [
        (4, "n_steps: must be the same .*got 4 for the n_steps argument, 5 for a"),
        (-1, r"n_steps: must be 0 or more \(got -1\)"),
        (5.0, r"n_steps: must be an integer \(got 5.0\). Round"),
        (True, r"n_steps: must be an integer \(got True\)"),
        ("5", r"n_steps: must be an integer \(got '5'\)"),
    ],
)
def test_wrong_n_steps(n_steps, message):
    with pytest.raises(ValidationError, match=message):
        check_inputs({A: XA}, NAMES, BATCH, n_steps)


def test_n_steps_from_numpy():
    assert check_inputs(None, NAMES, BATCH, np.int32(7)) == ({}, 7)


def test_array_without_input_nodes():
    assert check_inputs(None, {}, 1, 3) == ({}, 3)
    with pytest.raises(ValidationError, match="must be None in a network without inp"):
        check_inputs(XA, {}, BATCH)


def test_many_items():
    kwargs = {"nodes": NAMES, "minibatch_size": 2, "on_batch": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays, _ = check_inputs({A: XA}, **kwargs)
    assert arrays[A].shape == (4, 5, 3)
    message = "expected a multiple of minibatch_size=2 items, got 3. The last 1 will"
    with pytest.warns(UserWarning, match=message):
        arrays, _ = check_inputs({A: XA[:3], B: XB[:3]}, **kwargs)
    assert arrays[A].shape == (2, 5, 3) and arrays[B].shape == (2, 5, 1)
    with pytest.raises(ValidationError, match="at least 2 items.*got 1 for 'a'"):
        check_inputs({A: XA[:1]}, **kwargs)


def test_assign_to_probes():
    keys = Keys({PROBE: "probe"}, "probe")
    assert assign({"probe": XA}, keys) == ({PROBE: XA}, None)
    with pytest.raises(InvalidValue, match="keys must be probes .*got 'probes'"):
        assign({"probes": XA}, keys)
    with pytest.raises(InvalidValue, match="got <Node 'a'> of type Node.*'probe'"):
        assign({A: XA}, keys)
