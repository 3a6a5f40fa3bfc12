"""Constants are folded as ONNX computes them, also where they depend on minibatches."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx import folding
from nengo_dl.onnx.dims import Length, NotKnown, is_known, lengths
from nengo_dl.onnx.graph import graph_of
from nengo_dl.onnx.versions import modern
from tests.onnx.models import model_of

INTS = np.array([[3, -7, 0], [5, 2, -4]])
FLOATS = np.array([[0.5, 1.25, 2.0], [3.0, 0.75, 4.5]], np.float32)
BOOLS = np.array([[True, False, True], [False, False, True]])


def ints(*values):
    return np.array(values, np.int64)


# operator, arrays, attributes
CASES = [
    *((name, [INTS, ints(2, -3, 4)], {}) for name in ("Add", "Sub", "Mul", "Div")),
    *((name, [FLOATS, FLOATS[:1]], {}) for name in ("Add", "Div", "Pow", "Max")),
    *((name, [INTS, INTS[::-1]], {}) for name in folding.COMPARISONS),
    *((name, [BOOLS, BOOLS[0]], {}) for name in ("And", "Or", "Xor")),
    *((name, [FLOATS], {}) for name in folding.UNARY if name != "Not"),
    *((name, [FLOATS], {"axes": [1]}) for name in ("ReduceMax", "ReduceMean")),
    *((name, [INTS], {"keepdims": 0}) for name in ("ReduceMin", "ReduceProd")),
    ("ReduceSum", [INTS, ints(-1)], {}),
    ("ReduceSum", [INTS], {"noop_with_empty_axes": 1}),
    ("Not", [BOOLS], {}),
    ("Mod", [INTS, ints(2, 3, -3)], {}),
    ("Mod", [INTS, ints(2, 3, -3)], {"fmod": 1}),
    ("Sum", [FLOATS, FLOATS[0]], {}),
    ("Min", [FLOATS, FLOATS[0], FLOATS[:, :1]], {}),
    ("Cast", [FLOATS], {"to": onnx.TensorProto.INT32}),
    ("Cast", [INTS], {"to": onnx.TensorProto.BOOL}),
    ("CastLike", [INTS, FLOATS], {}),
    ("Where", [BOOLS, FLOATS, FLOATS[:1]], {}),
    ("Clip", [FLOATS, np.array(1, np.float32), np.array(3, np.float32)], {}),
    ("Shape", [FLOATS], {}),
    ("Shape", [FLOATS], {"start": -1}),
    ("Size", [FLOATS], {}),
    ("ConstantOfShape", [ints(2, 3)], {}),
    ("Range", [np.array(2), np.array(11), np.array(3)], {}),
    ("Reshape", [FLOATS, ints(0, -1, 1)], {}),
    ("Flatten", [FLOATS], {"axis": -1}),
    ("Transpose", [FLOATS], {"perm": [1, 0]}),
    ("Transpose", [FLOATS], {}),
    ("Unsqueeze", [FLOATS, ints(0, -1)], {}),
    ("Squeeze", [FLOATS[:1], ints(0)], {}),
    ("Squeeze", [FLOATS[:1]], {}),
    ("Expand", [FLOATS[:1], ints(2, 1, 3)], {}),
    ("Tile", [FLOATS, ints(2, 1)], {}),
    ("Concat", [FLOATS, FLOATS], {"axis": -1}),
    ("Split", [FLOATS, ints(1, 2)], {"axis": 1}),
    ("Gather", [INTS, ints(-1, 0)], {"axis": 1}),
    ("Gather", [INTS, np.array(1)], {}),
    ("GatherElements", [INTS, ints([0, -1], [1, 1])], {"axis": 1}),
    ("Slice", [INTS, ints(1), ints(2**62)], {}),
    ("Slice", [INTS, ints(-1, 0), ints(-(2**62), 2), ints(1, 0), ints(-2, 1)], {}),
    ("MatMul", [FLOATS, FLOATS.T], {}),
    ("Trilu", [FLOATS, np.array(1)], {"upper": 0}),
    ("Dropout", [FLOATS], {}),
]


def node_of(operator, attributes, n_inputs, n_outputs=1, opset=17):
    names = [f"x{i}" for i in range(n_inputs)]
    outputs = [f"y{i}" for i in range(n_outputs)]
    proto = helper.make_node(operator, names, outputs, name="node", **attributes)
    model = model_of([proto], {name: [1] for name in names}, outputs, opset=opset)
    return graph_of(model).nodes[0], model


@pytest.mark.parametrize(
    "operator, arrays, attributes",
    CASES,
    ids=[f"{name}{i}" for i, (name, *_) in enumerate(CASES)],
)
def test_constants_equal_those_of_the_reference(operator, arrays, attributes):
    n_outputs = 2 if operator == "Split" else 1
    node, _ = node_of(operator, attributes, len(arrays), n_outputs)
    node, arguments = modern(node, arrays)
    assert folding.can_fold(node, arguments)
    found = folding.fold(node, arguments)
    proto = helper.make_node(
        operator, list(node.inputs), list(node.outputs), **attributes
    )
    feeds = dict(zip(node.inputs, arrays, strict=True))
    wanted = ReferenceEvaluator(proto).run(None, feeds)
    for ours, reference in zip(found, wanted, strict=False):
        reference = np.asarray(reference)
        assert ours.dtype == reference.dtype
        assert ours.shape == reference.shape
        assert np.allclose(ours, reference, rtol=1e-6)


def test_every_fold_is_tested():
    assert set(folding.FOLDS) - {name for name, *_ in CASES} == {"Constant"}


@pytest.mark.parametrize(
    "operator, arrays, attributes, wanted",
    [
        ("Gather", [lengths((Length(), 3, 4)), np.array(0)], {}, Length()),
        ("Gather", [lengths((Length(), 3, 4)), np.array(2)], {}, 4),
        ("Concat", [lengths((Length(),)), ints(-1)], {"axis": 0}, [Length(), -1]),
        ("Slice", [lengths((Length(), 3, 4)), ints(1), ints(3)], {}, [3, 4]),
        ("Unsqueeze", [np.array(Length(), object), ints(0)], {}, [Length()]),
        ("Cast", [lengths((Length(), 3)), *()], {"to": 1}, [Length(), 3]),
        ("Mul", [lengths((Length(), 3)), ints(2)], {}, [Length(2), 6]),
        ("Div", [lengths((Length(), 3)) * 4, ints(2)], {}, [Length(2), 6]),
        ("Add", [lengths((Length(), 3)), ints(1)], {}, [Length(1, 1), 4]),
        ("ReduceProd", [lengths((Length(), 3, 4))], {"keepdims": 0}, Length(12)),
        ("Equal", [lengths((Length(), 3)), ints(-1)], {}, [False, False]),
        ("Where", [BOOLS[0, 1:], lengths((1, 3)), lengths((2, Length()))], {},
         [2, 3]),
        ("Floor", [lengths((Length(), 3))], {}, [Length(), 3]),
    ],
)  # fmt: skip
def test_lengths_of_the_minibatch(operator, arrays, attributes, wanted):
    node, _ = node_of(operator, attributes, len(arrays))
    (found,) = folding.fold(node, arrays)
    assert found.tolist() == (wanted if isinstance(wanted, list) else wanted)


@pytest.mark.parametrize(
    "operator, arrays",
    [
        ("ConstantOfShape", [lengths((Length(), 3))]),
        ("Expand", [FLOATS, lengths((Length(), 2, 3))]),
        ("Range", [np.array(0), np.array(Length(), object), np.array(1)]),
        ("Div", [lengths((Length(), 3)), ints(2)]),
        ("Mul", [lengths((Length(), 3)), lengths((Length(), 3))]),
        ("Equal", [lengths((Length(), 3)), ints(1)]),
        ("Reshape", [FLOATS, lengths((Length(), 2))]),
    ],
)
def test_nothing_is_guessed(operator, arrays):
    node, _ = node_of(operator, {}, len(arrays))
    with pytest.raises(NotKnown):
        folding.fold(node, arrays)


def test_lengths_are_settled():
    node, _ = node_of("Sub", {}, 2)
    (found,) = folding.fold(node, [lengths((Length(), 3)), lengths((Length(), 1))])
    assert found.tolist() == [0, 2] and found.dtype == np.int64 and is_known(found)


@pytest.mark.parametrize(
    "operator, arrays",
    [
        ("ConstantOfShape", [ints(2**20, 2**20)]),
        ("Expand", [FLOATS[:1, :1], ints(2**20, 2**20)]),
        ("Tile", [FLOATS, ints(2**20, 2**20)]),
        ("Range", [np.array(0), np.array(2**40), np.array(1)]),
        ("Add", [np.zeros((2**16, 1)), np.zeros((1, 2**16))]),
        ("Reshape", [FLOATS, ints(7)]),
        ("Gather", [FLOATS, ints(5)]),
        ("Split", [FLOATS, ints(1, 5)]),
        ("Squeeze", [FLOATS, ints(9)]),
    ],
)
def test_constants_that_cannot_be(operator, arrays):
    node, _ = node_of(operator, {}, len(arrays), 2 if operator == "Split" else 1)
    with pytest.raises(InvalidValue, match="expected"):
        folding.fold(node, arrays)
