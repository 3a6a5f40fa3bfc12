import nengo
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.simulator.keys import by_object, with_names

with nengo.Network():
    NODE = nengo.Node([0], label="node")
    RELAY = nengo.Node(size_in=2, label="relay")
    A, B = (nengo.Probe(NODE, label=label) for label in "ab")
NAMES = {A: "a", B: "b"}

# an argument of compile, and the same with names
NAMED = [
    ({A: "mse"}, {"a": "mse"}),
    ({"b": "mse", A: ["mae", "mse"]}, {"b": "mse", "a": ["mae", "mse"]}),
    ({}, {}),
    ({B: None}, {"b": None}),
    ("mse", "mse"),
    (["mse", "mae"], ["mse", "mae"]),
    (None, None),
    (max, max),
]


@pytest.mark.parametrize("value, expected", NAMED)
def test_with_names(value, expected):
    result = with_names(value, NAMES, "loss")
    assert result == expected
    if isinstance(result, dict):
        assert list(result) == list(expected)


def test_by_object():
    assert by_object({"b": 1, A: 2}, NAMES, "probe", "loss") == {B: 1, A: 2}


REFUSED = [
    ({"aa": 0}, r"metrics: keys must be probes .*got 'aa'\). Did you mean 'a'\? The"),
    ({"q": 0}, r"metrics: .*got 'q'\). The probes of this network are 'a', 'b'"),
    ({NODE: 0}, "keys must be probes .*got <Node 'node'> of type Node.*'a', 'b'"),
    ({RELAY: 0}, "got <Node 'relay'>, which has size_in=2"),
    ({0: 0}, "keys must be probes .*got 0 of type int"),
    ({None: 0}, "keys must be probes .*got None of type NoneType"),
    ({A: 0, "a": 0}, "metrics: must be given once for each probe .*its name 'a'"),
]


@pytest.mark.parametrize("value, message", REFUSED)
def test_refused(value, message):
    with pytest.raises(ValidationError, match=message):
        with_names(value, NAMES, "metrics")
