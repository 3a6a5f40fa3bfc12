import nengo
import pytest

from nengo_dl.names import legal_name, listing, suggestion, unique_names

LABELS = [
    (
        [None, None, "aa", "aa", "Aa", "aA", None],
        "node node_1 aa aa_1 Aa_2 aA_3 node_2",
    ),
    (["a b:c", "a_b_c"], "a_b_c a_b_c_1"),
    (["a/b.c-d_e", "f(g)[0]\u00e9"], "a/b.c-d_e fg0"),
    (["", "\u00e9", "node"], "node node_1 node_2"),
    # a label that looks like another one's suffixed name
    (["a_1", "a", "a"], "a_1 a a_2"),
    (["a", "a", "a_1", "A_1"], "a a_1 a_1_1 A_1_2"),
]


@pytest.mark.parametrize("labels, expected", LABELS)
def test_unique_names(labels, expected):
    with nengo.Network():
        nodes = [nengo.Node([0], label=label) for label in labels]
    names = unique_names(nodes, [])
    assert list(names) == nodes
    assert " ".join(names.values()) == expected


def test_probes_share_the_names_of_nodes_and_come_second():
    with nengo.Network():
        node = nengo.Node([0], label="x")
        probes = [nengo.Probe(node, label=label) for label in ("X", None, None)]
        last = nengo.Node([0], label="probe")
    names = unique_names([node, last], probes)
    assert list(names.values()) == ["x", "probe", "X_1", "probe_1", "probe_2"]


def test_unlabelled_object_takes_the_name_of_its_class():
    class MyNode(nengo.Node):
        pass

    with nengo.Network():
        assert list(unique_names([MyNode([0])], []).values()) == ["mynode"]


def test_legal_name():
    assert legal_name(None) == ""
    assert legal_name("A b:c\td") == "A_b_cd"


def test_hints():
    assert suggestion("inptu", ["Input", "other"]) == " Did you mean 'Input'?"
    assert suggestion("xyz", ["Input"]) == ""
    assert listing(["a", "b"]) == "'a', 'b'"
    assert listing([]) == "none"
