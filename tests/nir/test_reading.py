"""What is wrong with a graph, or a file of one, is told at once and in full."""

import h5py
import nir
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.nir import Numerics, from_nir, reference

DT = 0.001
ONES = np.ones(3)


def graph(nodes=None, edges=None):
    """Make a graph without the checks of nir."""
    nodes = nodes or {
        "input": nir.Input([2]),
        "fc": nir.Affine(np.ones((3, 2)), np.zeros(3)),
        "lif": nir.IF(ONES, ONES),
        "output": nir.Output([3]),
    }
    if edges is None:
        edges = list(zip(list(nodes), list(nodes)[1:], strict=False))
    return nir.NIRGraph(nodes, edges, type_check=False)


def between(node, n_in=3, n_out=3):
    """Make a graph of one node."""
    ends = nir.Input(np.atleast_1d(n_in)), nir.Output(np.atleast_1d(n_out))
    return graph({"input": ends[0], "node": node, "output": ends[1]})


class Softmax(nir.ir.node.NIRNode):
    """A node that nobody knows."""

    def __init__(self):
        self.input_type = self.output_type = {"input": np.array([3])}


CONV = {
    "input_shape": (4, 4),
    "weight": np.ones((2, 1, 3, 3)),
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": np.zeros(2),
}
EDGES = [("input", "fc"), ("fc", "lif"), ("lif", "output")]

# What is wrong, and parts of what is told.
WRONG = {
    "type mismatch": (
        between(nir.Affine(np.ones((3, 4)), ONES)),
        ["edge input -> node"],
    ),
    "size of a population": (between(nir.IF(ONES, ONES), 2), ["edge input -> node"]),
    "dangling edge": (graph(edges=[*EDGES, ("fc", "lff")]), ["'lff'", "Did you mean"]),
    "no edge to an output": (graph(edges=EDGES[:2]), ["output: expected something"]),
    "edge to an input": (graph(edges=[*EDGES, ("lif", "input")]), ["input: expected"]),
    "no input": (
        graph({"lif": nir.IF(ONES, ONES), "output": nir.Output([3])}),
        ["of type Input"],
    ),
    "unknown node": (between(Softmax()), ["node: expected one of", "Softmax"]),
    "NaN": (between(nir.Affine(np.full((3, 3), np.nan), ONES)), ["node.weight", "9"]),
    "infinity": (between(nir.IF(ONES, ONES * np.inf)), ["node.v_threshold", "finite"]),
    "text": (between(nir.Scale(np.array(["a", "b", "c"]))), ["node.scale", "numbers"]),
    "negative time": (between(nir.LI(-ONES, ONES, ONES)), ["node.tau", "positive"]),
    "short time": (between(nir.LI(ONES / 1e4, ONES, ONES)), ["node.tau", "dt = 0.001"]),
    "fraction of a step": (
        between(nir.Delay(ONES * 0.0015)),
        ["node.delay", "multiples"],
    ),
    "negative delay": (between(nir.Delay(-ONES)), ["node.delay", "multiples"]),
    "reset above threshold": (between(nir.IF(ONES, ONES, ONES)), ["node.v_reset"]),
    "bias": (between(nir.Affine(np.ones((3, 3)), np.ones(2))), ["node", "bias"]),
    "axes of weights": (
        between(nir.Linear(np.ones((1, 3, 3)))),
        ["node.weight", "axes"],
    ),
    "huge input": (
        graph({"input": nir.Input([10**6, 10**6]), "output": nir.Output([1])}),
        ["input.shape", "at most"],
    ),
    "huge padding": (
        between(nir.Conv2d(**CONV | {"padding": 10**6}), (1, 4, 4), (1,)),
        ["node", "at most"],
    ),
    "window": (between(nir.Conv2d(**CONV), (1, 2, 2), (1,)), ["node", "input_shape"]),
    "channels": (between(nir.Conv2d(**CONV), (2, 4, 4), (1,)), ["node", "1 channels"]),
    "groups": (
        between(nir.Conv2d(**CONV | {"groups": 3}), (3, 4, 4), (1,)),
        ["groups"],
    ),
    "stride": (
        between(
            nir.Conv2d(**CONV | {"input_shape": None, "stride": 0}), (1, 4, 4), (1,)
        ),
        ["stride"],
    ),
    "padding": (
        between(nir.Conv2d(**CONV | {"stride": 2, "padding": "same"}), (1, 4, 4), (1,)),
        ["stride 1"],
    ),
    "cycle without a state": (
        graph(
            {
                "input": nir.Input([3]),
                "a": nir.Scale(ONES),
                "b": nir.Scale(ONES),
                "output": nir.Output([3]),
            },
            [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")],
        ),
        ["cycle a -> b -> a"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_what_is_wrong(name):
    wrong, parts = WRONG[name]
    with pytest.raises(ValidationError) as caught:
        from_nir(wrong, DT)
    message = str(caught.value)
    assert message.startswith("from_nir: expected a graph") and "Correct:" in message
    for part in parts:
        assert part in message


def test_errors_list_all_that_is_wrong():
    nodes = {
        "input": nir.Input([2]),
        "fc": nir.Affine(np.full((3, 2), np.nan), np.zeros(3)),
        "odd": Softmax(),
        "lif": nir.IF(np.ones(4), np.ones(4)),
        "output": nir.Output([3]),
    }
    edges = [
        ("input", "fc"),
        ("fc", "odd"),
        ("odd", "lif"),
        ("lif", "output"),
        ("a", "b"),
    ]
    with pytest.raises(ValidationError, match="5 problems") as caught:
        from_nir(graph(nodes, edges), DT)
    for part in ("fc.weight", "odd", "lif -> output", "'a'", "'b'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ((nir.IF(ONES, ONES), DT), "a nir.NIRGraph or the path"),
        ((graph(), 0), "expected dt"),
        ((graph(), DT, "snntoch"), "Did you mean 'snntorch'"),
        ((graph(), DT, 3), "expected Numerics"),
        ((graph(), DT, "nir", "soft"), "expected reset"),
        ((graph(), DT, "nir", None, ["fcc"]), "trainable.*'fcc'"),
    ],
)
def test_wrong_arguments(arguments, match):
    with pytest.raises(ValidationError, match=match):
        from_nir(*arguments)


def test_wrong_input_of_the_reference():
    with pytest.raises(ValidationError, match=r"shape \(n_items, n_steps, 2\)"):
        reference(graph(), np.ones((1, 4, 3)), DT)
    with pytest.raises(ValidationError, match="for inputs input"):
        reference(graph(), {"in": np.ones((1, 4, 2))}, DT)


def test_numerics_are_values():
    assert Numerics() == Numerics(reset="zero")


# --- files ------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    nir.write(tmp_path / "graph.nir", graph())
    return tmp_path / "graph.nir"


def test_whole_files_are_read(path):
    from_nir(path, DT)
    from_nir(str(path), DT)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_truncated_files(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ValidationError, match="expected a whole HDF5 file"):
        from_nir(path, DT)


def test_no_file_and_other_files(tmp_path):
    with pytest.raises(ValidationError, match="which does not exist"):
        from_nir(tmp_path / "none.nir", DT)
    (tmp_path / "text.nir").write_text("no HDF5")
    with pytest.raises(ValidationError, match="whole HDF5 file"):
        from_nir(tmp_path / "text.nir", DT)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ValidationError, match="group 'node'"):
        from_nir(tmp_path / "other.h5", DT)


def huge(file):
    """Declare an array that is not there."""
    del file["node/nodes/fc/weight"]
    file.create_dataset(
        "node/nodes/fc/weight", (10**6, 10**6), "f8", chunks=(1000, 1000)
    )


def external_link(file):
    file["node/nodes/more"] = h5py.ExternalLink("other.h5", "/node")


def within_itself(file):
    file["node/nodes/more"] = file["node"]


def external_values(file):
    del file["node/nodes/fc/bias"]
    file.create_dataset(
        "node/nodes/fc/bias", (3,), "f8", external=[("secret", 0, h5py.h5f.UNLIMITED)]
    )


def objects(file):
    del file["node/nodes/fc/bias"]
    file["node/nodes/fc/bias"] = np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])


def odd_edges(file):
    del file["node/edges"]
    file["node/edges"] = np.ones(3)


@pytest.mark.parametrize(
    "change, match",
    [
        (huge, "8,000,000,000,... bytes in all"),
        (external_link, "a link to something else"),
        (within_itself, "within itself|objects"),
        (external_values, "in another file"),
        (objects, "not numbers or text"),
        (odd_edges, "pairs of names"),
    ],
)
def test_files_that_nobody_vouches_for(path, change, match):
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(ValidationError, match=match):
        from_nir(path, DT)


def test_limits_can_be_raised_and_lowered(path):
    with pytest.raises(ValidationError, match="at most 10 are read"):
        from_nir(path, DT, max_bytes=10)


def test_missing_fields_have_defaults_or_are_told(path):
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif/v_reset"]
    from_nir(path, DT)
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif/r"], file["node/nodes/fc/bias"]
    with pytest.raises(ValidationError, match=r"(?s)fc.bias.*lif.r: expected a value"):
        from_nir(path, DT)


# --- graphs that others have written ------------------------------------------------


def test_single_numbers_stand_for_all_elements():
    one = np.ones(1)
    lif = nir.LIF(one * 0.01, one, 0 * one, one, 0 * one)
    lif.v_threshold = np.array(1.0)
    net = from_nir(between(lif, (2, 3), (2, 3)), DT)
    assert net.nir_map["node"].size_in == 6


def test_edges_that_come_twice_count_once():
    found = graph(edges=[*EDGES, EDGES[0]])
    x = np.ones((1, 3, 2))
    np.testing.assert_array_equal(reference(found, x, DT), reference(graph(), x, DT))


def test_axes_of_length_one_do_not_matter():
    from_nir(
        between(nir.Conv2d(**CONV | {"input_shape": None}), (1, 1, 4, 4), (2, 2, 2)), DT
    )


def test_edges_may_name_the_ends_of_nested_graphs():
    inner = graph(
        {
            "a": nir.Input([3]),
            "b": nir.Input([3]),
            "lif": nir.IF(ONES, ONES),
            "end": nir.Output([3]),
        },
        [("a", "lif"), ("b", "lif"), ("lif", "end")],
    )
    nodes = {"input": nir.Input([3]), "sub": inner, "output": nir.Output([3])}
    ends = [("input", "sub.a"), ("input", "sub.b"), ("sub", "output")]
    found = reference(graph(nodes, ends), np.ones((1, 2, 3)) / 2, DT, "sinabs")
    np.testing.assert_array_equal(found, np.ones((1, 2, 3)))
    with pytest.raises(ValidationError, match="one Input .got 2."):
        from_nir(graph(nodes, [("input", "sub"), ("sub", "output")]), DT)


def test_flatten_may_count_the_minibatch():
    shape = np.array([2, 3])
    nodes = {
        "input": nir.Input(shape),
        "flat": nir.Flatten(shape, 1, -1),
        "fc": nir.Linear(np.ones((3, 6))),
        "output": nir.Output([3]),
    }
    found = reference(graph(nodes), np.ones((1, 1, 2, 3)), DT)
    np.testing.assert_array_equal(found, np.full((1, 1, 3), 6))
