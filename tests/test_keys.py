import nengo
import pytest

from nengo_dl.errors import InvalidValue
from nengo_dl.keys import Keys, check_present

with nengo.Network():
    NODE = nengo.Node([0], label="node")
    RELAY = nengo.Node(size_in=2, label="relay")
    A, B = (nengo.Probe(NODE, label=label) for label in "ab")
PROBES = Keys({A: "a", B: "b"}, "probe")
NAMES = Keys.of_names("ab")

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
    result = PROBES.with_names(value)
    assert result == expected
    if isinstance(result, dict):
        assert list(result) == list(expected)


def test_find():
    assert (PROBES.find("b"), PROBES.find(A)) == (B, A)
    assert NAMES.find("a") == "a"
    for key in ("c", NODE, None, 0, [A], ([A],)):
        assert PROBES.find(key) is None
        assert NAMES.find(key) is None


def test_by_object():
    assert PROBES.by_object({"b": 1, A: 2}) == {B: 1, A: 2}


# values, those of each output, lists of them, and those in order
FORMS = [
    (None, {}, {}, {}),
    ("x", {"a": "x", "b": "x"}, {"a": ["x"], "b": ["x"]}, {"a": "x"}),
    ({"b": "x", "a": None}, {"b": "x"}, {"b": ["x"]}, {"b": "x"}),
    (["x", "y"], {"a": "x", "b": "y"}, {"a": ["x"], "b": ["y"]}, {"a": "x", "b": "y"}),
    ((None, "y"), {"b": "y"}, {"b": ["y"]}, {"b": "y"}),
    ([["x"], None], {"a": ["x"]}, {"a": ["x"]}, {"a": ["x"]}),
    (["x"], None, {"a": ["x"], "b": ["x"]}, {"a": "x"}),
    (("x", "y", "z"), None, {name: ["x", "y", "z"] for name in "ab"}, None),
    ([["x"]], None, None, {"a": ["x"]}),
]


@pytest.mark.parametrize("value, each, lists, ordered", FORMS)
def test_forms(value, each, lists, ordered):
    for method, expected in (
        ("for_each", each),
        ("lists_for_each", lists),
        ("in_order", ordered),
    ):
        if expected is None:
            with pytest.raises(InvalidValue, match=r"'a', 'b'\), got [13]"):
                getattr(NAMES, method)(value)
        else:
            assert getattr(NAMES, method)(value) == expected
            by_probe = {PROBES.find(name): v for name, v in expected.items()}
            assert getattr(PROBES, method)(value) == by_probe


def test_lists_for_some():
    assert NAMES.lists_for_each(["x"], meant=["b"]) == {"b": ["x"]}
    assert NAMES.lists_for_each("x", meant=["b"]) == {"b": ["x"]}
    assert NAMES.lists_for_each({"a": "x"}, meant=["b"]) == {"a": ["x"]}


def test_choose():
    assert PROBES.choose(["b", A]) == (B, A)
    assert PROBES.choose(()) == ()


REFUSED = [
    ({"aa": 0}, r"^keys must be probes .*got 'aa'\). Did you mean 'a'\? The"),
    ({"q": 0}, r"got 'q'\). The probes of this network are 'a', 'b'"),
    ({NODE: 0}, "keys must be probes .*got <Node 'node'> of type Node.*'a', 'b'"),
    ({RELAY: 0}, "got <Node 'relay'>, which has size_in=2.*always computed"),
    ({0: 0}, "keys must be probes .*got 0 of type int"),
    ({None: 0}, "keys must be probes .*got None of type NoneType"),
    ({A: 0, "a": 0}, "^must be given once for each probe .*its name 'a'"),
]


@pytest.mark.parametrize("value, message", REFUSED)
@pytest.mark.parametrize(
    "method", ["by_object", "with_names", "for_each", "lists_for_each", "in_order"]
)
def test_refused(value, message, method):
    with pytest.raises(InvalidValue, match=message):
        getattr(PROBES, method)(value)


def test_refused_names():
    message = r"^expected names among 'a', 'b' \(got 'A_'\). Did you mean 'a'\?$"
    with pytest.raises(InvalidValue, match=message):
        NAMES.for_each({"A_": 0})
    with pytest.raises(InvalidValue, match=r"'a', 'b' \(got 0\).$"):
        NAMES.in_order({0: 0})


CHOICES = [
    ("a", r"must be a list of names or objects \(got 'a'\). Write \['a'\]"),
    (A, "must be a list of names or objects"),
    (["bb"], r"must be among 'a', 'b', by name or .*got 'bb'\). Did you mean 'b'\? L"),
    ([A, NODE], "got <Node 'node' .*Leave it out for the default"),
    ([[A]], r"got \[<Probe .*\]\)"),
]


@pytest.mark.parametrize("wanted, message", CHOICES)
def test_refused_choices(wanted, message):
    with pytest.raises(InvalidValue, match=message):
        PROBES.choose(wanted)


def test_check_present():
    check_present({"a": 0}, ["a"])
    with pytest.raises(InvalidValue, match="each of 'a', 'b' .*none for 'b'.*missing"):
        check_present({"a": 0}, iter("ab"))
