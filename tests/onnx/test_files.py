"""Files that nobody vouches for: read, or refused with the reason."""

import os

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx import files
from nengo_dl.onnx.files import read
from nengo_dl.onnx.graph import graph_of
from tests.onnx.models import model_of

WEIGHTS = np.arange(300, dtype=np.float32).reshape(100, 3)


def linear():
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return model_of([node], {"x": (None, 100)}, ["y"], {"w": WEIGHTS})


def saved(tmp_path, model, **options):
    path = tmp_path / "model.onnx"
    onnx.save_model(model, path, **options)
    return path


def external(tmp_path, location):
    """Save a model whose weights lie in a file, with another name for that file."""
    path = saved(
        tmp_path,
        linear(),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    model = onnx.load_model(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_files_are_read(tmp_path, as_path):
    graph = graph_of(read(as_path(saved(tmp_path, linear()))))
    assert np.array_equal(graph.constants["w"], WEIGHTS)
    assert [(x.name, x.shape) for x in graph.inputs] == [("x", (None, 100))]


def test_arrays_beside_a_file_are_read(tmp_path):
    graph = graph_of(read(external(tmp_path, "weights.bin")))
    assert np.array_equal(graph.constants["w"], WEIGHTS)


def test_arrays_elsewhere_are_refused(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(2000))
    os.symlink(tmp_path / "secret.bin", tmp_path / "models" / "link.bin")
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin", "no"):
        path = external(tmp_path / "models", location)
        with pytest.raises(InvalidValue, match="files beside the model"):
            read(path)


def test_a_model_in_memory_needs_its_arrays(tmp_path):
    model = onnx.load_model(external(tmp_path, "weights.bin"), load_external_data=False)
    with pytest.raises(InvalidValue, match="a model with its arrays.*'w'"):
        read(model)


def test_arrays_that_are_too_short(tmp_path):
    path = external(tmp_path, "weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(40))
    with pytest.raises(InvalidValue, match="expected"):
        graph_of(read(path))


@pytest.mark.parametrize("n_bytes", [0, 10, 500])
def test_files_that_were_cut_off(tmp_path, n_bytes):
    path = saved(tmp_path, linear())
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InvalidValue, match="expected"):
        graph_of(read(path))


def test_neither_a_model_nor_a_file(tmp_path):
    with pytest.raises(InvalidValue, match="onnx.ModelProto or the path of a file"):
        read(3)
    for path in (tmp_path, tmp_path / "none.onnx"):
        with pytest.raises(InvalidValue, match="expected the path of a file"):
            read(path)


def test_arrays_without_values():
    model = linear()
    model.graph.initializer[0].dims[0] = 2**20
    with pytest.raises(InvalidValue, match="values for shape"):
        graph_of(read(model))
    model.graph.initializer[0].dims[0] = 2**40
    with pytest.raises(InvalidValue, match="arrays of at most"):
        read(model)


def test_wrong_graphs_are_told():
    for change, message in (
        (lambda node: node.input.__setitem__(1, "nothing"), "before they are.*nothing"),
        (lambda node: node.input.append("x"), "expected 2 to 2 inputs.*got 3"),
        (lambda node: node.attribute.append(helper.make_attribute("a", 1)), "'a'"),
    ):
        model = linear()
        change(model.graph.node[0])
        with pytest.raises(InvalidValue, match=message):
            graph_of(read(model))


def test_required_attributes_with_their_types():
    for attributes in ({}, {"axis": 1.5}):
        node = helper.make_node("Concat", ["x", "x"], ["y"], **attributes)
        with pytest.raises(InvalidValue, match="axis"):
            graph_of(read(model_of([node], {"x": (None, 3)}, ["y"])))


def test_sparse_arrays_are_refused():
    model = linear()
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.ones(1, np.float32), "s"),
        numpy_helper.from_array(np.zeros(1, np.int64), "i"),
        [4],
    )
    model.graph.sparse_initializer.append(sparse)
    with pytest.raises(InvalidValue, match="dense arrays"):
        read(model)


def test_graphs_nested_too_deeply(monkeypatch):
    monkeypatch.setattr(files, "MAX_DEPTH", 0)
    branch = linear().graph
    del branch.input[:]
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    model = model_of([node], {"c": ((), bool), "x": (1, 100)}, ["y"])
    with pytest.raises(InvalidValue, match="nested"):
        read(model)


def test_functions_are_inlined():
    node = helper.make_node("Twice", ["x"], ["y"], domain="own")
    model = model_of([node], {"x": (None, 3)}, ["y"])
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "Twice", "a", "b", body, opset))
    model.opset_import.append(helper.make_opsetid("own", 1))
    assert [each.operator for each in graph_of(read(model)).nodes] == ["Add"]


def test_attributes_have_the_defaults_of_their_version():
    for opset, wanted in ((11, 1), (13, -1)):
        node = helper.make_node("Softmax", ["x"], ["y"])
        model = model_of([node], {"x": (None, 3)}, ["y"], opset=opset)
        assert graph_of(read(model)).nodes[0].get("axis") == wanted
