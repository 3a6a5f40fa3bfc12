"""Models of ONNX as Keras models: what they compute is what the files come with."""

import textwrap
from pathlib import Path

import keras
import nengo
import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import nengo_dl
from nengo_dl.exchange.table import table
from tests.onnx.models import CONVERTED, LIGHT, OPERATORS, array, data_of, model_of

to_keras = nengo_dl.onnx.to_keras
SLOW = ("test_MaxPool1d_stride_padding_dilation", "test_MaxPool2d_stride_padding")


def outputs_of(model, inputs):
    """Return all outputs of a Keras model as arrays."""
    found = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(y) for y in keras.tree.flatten(found)]


def assert_close(found, wanted, rtol=1e-5):
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        finite = np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-12)
        assert np.allclose(ours, theirs, rtol=0, atol=rtol * finite, equal_nan=True)


@pytest.mark.parametrize(
    "folder",
    [f for f in (*CONVERTED[::2], *OPERATORS) if not f.name.startswith(SLOW)],
    ids=lambda folder: folder.name,
)
def test_models_that_pytorch_has_written(folder):
    inputs, outputs = data_of(folder)
    assert_close(outputs_of(to_keras(folder / "model.onnx"), inputs), outputs)


def random_case(operator, shapes, n_outputs=1, constants=(), opset=20, **attributes):
    """Return a model of one node, and inputs."""
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(len(shapes))]
    fixed = {f"c{i}": x for i, x in enumerate(constants) if x is not None}
    taken = [f"c{i}" if x is not None else "" for i, x in enumerate(constants)]
    outputs = [f"y{i}" for i in range(n_outputs)]
    node = helper.make_node(operator, [*names, *taken], outputs, **attributes)
    declared = {n: ("items", *s[1:]) for n, s in zip(names, shapes, strict=True)}
    model = model_of([node], declared, outputs, fixed, opset)
    return model, [rng.normal(size=s).astype(np.float32) for s in shapes]


def weights(*shape):
    return np.random.default_rng(1).uniform(0.5, 1.5, shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


CNN = (2, 3, 7, 6)
# operator, shapes of inputs, arguments of random_case
CASES = [
    *(("Conv", [CNN], {"constants": [weights(4, 3, 3, 2)], **case}) for case in (
        {}, {"pads": [2, 0, 1, 1]}, {"strides": [2, 1]}, {"dilations": [2, 1]},
        {"strides": [2, 2], "dilations": [2, 1], "pads": [1, 0, 2, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, {"auto_pad": "VALID"},
    )),
    ("Conv", [CNN], {"constants": [weights(6, 1, 2, 2), weights(6)], "group": 3}),
    *(("ConvTranspose", [CNN], {"constants": [weights(3, 4, 3, 3)], **case})
      for case in (
        {}, {"strides": [2, 3]}, {"pads": [1, 0, 0, 2]}, {"dilations": [2, 2]},
        {"strides": [2, 2], "output_padding": [1, 1], "pads": [1, 1, 1, 1]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    )),
    *((name, [CNN], {"kernel_shape": [3, 2], **case})
      for name in ("MaxPool", "AveragePool") for case in (
        {}, {"strides": [2, 2], "ceil_mode": 1},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    )),
    ("AveragePool", [CNN], {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1]}),
    ("AveragePool", [CNN],
     {"kernel_shape": [3, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("MaxPool", [CNN], {"kernel_shape": [2, 2], "dilations": [2, 3]}),
    *((name, [CNN], {}) for name in ("GlobalAveragePool", "GlobalMaxPool", "Flatten")),
    ("BatchNormalization", [CNN], {"constants": [weights(3)] * 4}),
    ("InstanceNormalization", [CNN], {"constants": [weights(3)] * 2}),
    ("LayerNormalization", [CNN], {"constants": [weights(7, 6)] * 2, "axis": 2}),
    ("LRN", [(7, 7, 3, 2)], {"size": 4, "alpha": 0.3}),
    ("Gemm", [(3, 4)], {"constants": [weights(5, 4), weights(5)], "transB": 1}),
    ("Gemm", [(3, 4)], {"constants": [weights(4, 5), weights(1, 5)], "alpha": 0.5}),
    ("MatMul", [(2, 3, 4)], {"constants": [weights(4, 5)]}),
    ("MatMul", [(2, 3, 4), (2, 4, 5)], {}),
    *((name, [CNN], {"constants": [ints(2, 3)], "keepdims": keep})
      for name in ("ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp")
      for keep in (0, 1)),
    *((name, [CNN], {"constants": [ints(-1)]}) for name in (
        "ReduceL1", "ReduceMin", "ReduceProd", "ReduceSumSquare", "ReduceLogSum",
    )),
    ("MeanVarianceNormalization", [CNN], {"axes": [2, 3]}),
    ("RMSNormalization", [(3, 4)], {"constants": [weights(4)], "opset": 23}),
    ("Swish", [(3, 4)], {"alpha": 1.5, "opset": 24}),
    ("GroupNormalization", [(2, 6, 3, 2)],
     {"constants": [weights(6), weights(6)], "num_groups": 3, "opset": 21}),
    ("Trilu", [(2, 4, 3)], {"constants": [np.array(-1)], "upper": 0}),
    ("Trilu", [(2, 3, 4)], {}),
    ("ArgMin", [CNN], {"axis": -1}),
    ("ReduceSum", [CNN], {"constants": [ints(1)], "keepdims": 0}),
    ("ArgMax", [CNN], {"axis": 1, "keepdims": 0}),
    ("CumSum", [CNN], {"constants": [np.array(2)], "reverse": 1, "exclusive": 1}),
    ("Transpose", [CNN], {"perm": [0, 2, 3, 1]}),
    ("Unsqueeze", [CNN], {"constants": [ints(1, -1)]}),
    ("Squeeze", [(2, 3, 1, 4)], {"constants": [ints(2)]}),
    ("Concat", [CNN, CNN], {"axis": 1}),
    ("Split", [CNN], {"constants": [ints(1, 2)], "axis": 1, "n_outputs": 2}),
    ("Slice", [CNN], {"constants": [ints(1, -1), ints(9, -9), ints(2, 3),
                                    ints(2, -1)]}),
    ("Gather", [CNN], {"constants": [ints([0, -1], [2, 1])], "axis": 1}),
    ("Pad", [CNN], {"constants": [ints(0, 0, 1, 2, 0, 0, 0, 1),
                                  np.array(0.5, np.float32)]}),
    ("Pad", [CNN], {"constants": [ints(0, 0, 1, 2, 0, 0, 0, 1)], "mode": "reflect"}),
    ("Expand", [(2, 1, 4)], {"constants": [ints(1, 3, 1)]}),
    ("Tile", [(2, 3, 4)], {"constants": [ints(1, 2, 3)]}),
    ("DepthToSpace", [(2, 8, 2, 3)], {"blocksize": 2}),
    ("DepthToSpace", [(2, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [(2, 3, 4, 6)], {"blocksize": 2}),
    *(("Resize", [CNN], {"constants": [None, np.array([1, 1, *s], np.float32)], **case})
      for s in ((2, 1.5), (0.6, 0.8)) for case in (
        {}, {"mode": "linear"}, {"mode": "cubic"},
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    )),
    ("Resize", [CNN], {"constants": [None, np.array([1, 1, 2, 1.5], np.float32)],
                       "mode": "linear",
                       "coordinate_transformation_mode": "align_corners"}),
    *((name, [(3, 5)], {}) for name in (
        "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Log",
        "Reciprocal", "Sin", "Sinh", "Tan", "Dropout", "Relu", "Sigmoid", "Tanh", "Elu",
        "Selu", "LeakyRelu", "Softplus", "Softsign",
        "HardSigmoid", "HardSwish", "Mish", "Gelu", "Celu", "ThresholdedRelu",
        "Softmax", "LogSoftmax", "Abs", "Exp", "Neg", "Floor", "Round", "Erf", "Sign",
        "Shrink", "LpNormalization",
    )),
    ("Clip", [(3, 5)], {"constants": [np.float32([0]).reshape(()),
                                      np.float32([0.7]).reshape(())]}),
    ("PRelu", [(2, 3, 4)], {"constants": [weights(3, 1)]}),
    *((name, [(3, 5), (3, 5)], {}) for name in (
        "Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum",
    )),
    ("Add", [(3, 4, 5)], {"constants": [weights(4, 1)]}),
    ("Mod", [(3, 5), (3, 5)], {"fmod": 1}),
    ("Einsum", [(2, 3, 4), (2, 4, 5)], {"equation": "bij,bjk->bik"}),
]  # fmt: skip


@pytest.mark.parametrize(
    "operator, shapes, arguments",
    CASES,
    ids=[f"{name}{i}" for i, (name, *_) in enumerate(CASES)],
)
def test_operators_equal_the_reference(operator, shapes, arguments):
    model, inputs = random_case(operator, shapes, **arguments)
    names = [x.name for x in model.graph.input]
    wanted = ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))
    assert_close(outputs_of(to_keras(model), inputs), wanted, 2e-5)


def test_vectors_of_zeros_stay_when_they_are_normalized():
    node = helper.make_node("LpNormalization", ["x"], ["y"])
    model = to_keras(model_of([node], {"x": (None, 3)}, ["y"]))
    x = np.array([[0, 0, 0], [3, 0, 4]], np.float32)
    (found,) = outputs_of(model, [x])
    np.testing.assert_allclose(found, x / 5)


LOGIC = {
    "a": ("Greater", "x", "y"), "b": ("LessOrEqual", "x", "half"),
    "c": ("GreaterOrEqual", "y", "half"), "d": ("Less", "x", "y"),
    "e": ("And", "a", "b"), "f": ("Or", "e", "c"), "g": ("Xor", "f", "d"),
    "h": ("Not", "g"), "i": ("Where", "h", "x", "y"), "j": ("CastLike", "g", "x"),
    "k": ("Cast", "e"), "l": ("Equal", "x", "y"), "out": ("Sum", "i", "j", "k"),
}  # fmt: skip


def test_logic_equals_the_reference():
    nodes = [
        helper.make_node(kind, taken, [name], **({"to": 1} if kind == "Cast" else {}))
        for name, (kind, *taken) in LOGIC.items()
    ]
    shapes = {"x": (None, 5), "y": (None, 5)}
    constants = {"half": np.array(0.5, np.float32)}
    model = model_of(nodes, shapes, ["out", "l"], constants)
    inputs = [np.random.default_rng(i).normal(size=(3, 5)) for i in range(2)]
    inputs = [x.astype(np.float32) for x in inputs]
    wanted = ReferenceEvaluator(model).run(None, dict(zip("xy", inputs, strict=True)))
    for ours, theirs in zip(outputs_of(to_keras(model), inputs), wanted, strict=True):
        assert np.array_equal(ours, theirs)


def test_real_graphs_are_read():
    """With its constant weights, of which the file has the output."""
    (path,) = (p for p in LIGHT if "squeezenet" in p.name)
    model = to_keras(path)
    assert model.output_shape == (None, 1000, 1, 1)
    x = np.ones((2, 3, 224, 224), np.float32)
    wanted = array(path.with_name(f"{path.stem}_output_0.pb"))
    assert_close(outputs_of(model, [x]), [np.concatenate([wanted, wanted])])


# --- minibatches ------------------------------------------------------------------


def shape_code(n_items):
    """Return a model that computes the shape it gives to its input, with its batch."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "first"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = {"zero": np.array(0), "first": ints(0), "rest": ints(-1)}
    return model_of(nodes, {"x": (n_items, 3, 4)}, ["y"], constants)


@pytest.mark.parametrize("n_items", [None, "n", 1, 5])
def test_any_minibatch_where_shapes_are_computed(n_items):
    model = to_keras(shape_code(n_items))
    assert model.output_shape == (None, 12)
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert np.array_equal(outputs_of(model, [x])[0], x.reshape(2, 12))


@pytest.mark.parametrize("target", [(1, 12), (-1, 12), (0, -1), (1, -1), (1, 4, 3)])
def test_any_minibatch_where_shapes_have_that_of_the_file(target):
    node = helper.make_node("Reshape", ["x", "target"], ["y"])
    model = model_of([node], {"x": (1, 3, 4)}, ["y"], {"target": ints(*target)})
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    (found,) = outputs_of(to_keras(model), [x])
    assert np.array_equal(found, x.reshape(2, *target[1:]))


def test_without_a_minibatch_where_nodes_mix_items():
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)
    model = to_keras(model_of([node], {"x": (3, 4)}, ["y"], {"axes": ints(0)}))
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert model.input_shape == (3, 4)
    assert np.array_equal(outputs_of(model, [x])[0], x.sum(axis=0))
    model = model_of([node], {"x": ("n", 4)}, ["y"], {"axes": ints(0)})
    with pytest.raises(TypeError, match="ReduceSum.*other than the minibatch"):
        to_keras(model)


def test_sums_along_any_axis():
    """Also where Keras' own sum takes a column for a bias of the last axis."""
    x = np.random.default_rng(0).normal(size=(2, 4, 4)).astype(np.float32)
    column = np.arange(4, dtype=np.float32).reshape(4, 1)
    for order in (["x", "c"], ["c", "x"]):
        node = helper.make_node("Add", order, ["y"])
        model = to_keras(model_of([node], {"x": (2, 4, 4)}, ["y"], {"c": column}))
        assert np.array_equal(outputs_of(model, [x])[0], x + column)
        nodes = [node, helper.make_node("ReduceSum", ["y", "axes"], ["z"])]
        fixed = {"c": column, "axes": ints(0)}  # without a minibatch
        model = to_keras(model_of(nodes, {"x": (2, 4, 4)}, ["z"], fixed))
        wanted = (x + column).sum(axis=0, keepdims=True)
        assert_close(outputs_of(model, [x]), [wanted])


def test_branches_whose_condition_is_constant():
    def branch(operator):
        node = helper.make_node(operator, ["x"], ["z"])
        out = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)
        return helper.make_graph([node], operator, [], [out])

    nodes = [
        helper.make_node("Shape", ["x"], ["s"], start=1),
        helper.make_node("Equal", ["s", "three"], ["c"]),
        helper.make_node(
            *("If", ["c"], ["y"]), then_branch=branch("Neg"), else_branch=branch("Abs")
        ),
    ]
    model = to_keras(model_of(nodes, {"x": (None, 3)}, ["y"], {"three": ints(3)}))
    assert np.array_equal(outputs_of(model, [np.ones((2, 3))])[0], -np.ones((2, 3)))


# --- arguments and errors ---------------------------------------------------------


def open_model():
    node = helper.make_node("Conv", ["image", "w"], ["y"])
    shapes = {"image": ("n", 3, "height", None)}
    return model_of([node], shapes, ["y"], {"w": weights(2, 3, 3, 3)})


@pytest.mark.parametrize(
    "given",
    [
        {"image": (None, 3, 8, 9)},
        {"image": (3, 8, 9)},
        (None, 3, 8, 9),
        (None, None, 8, 9),
        [(3, 8, 9)],
    ],
)
def test_shapes_of_inputs(given):
    assert to_keras(open_model(), given).input_shape == (None, 3, 8, 9)


@pytest.mark.parametrize(
    "given, match",
    [
        (None, "length for each axis of input 'image'.*None, 3, .*input_shapes"),
        ({"image": (None, 3, 8, None)}, "length for each axis of input 'image'"),
        ({"imege": (3, 8, 9)}, "names of inputs.*image"),
        ((None, 4, 8, 9), "length 3 for axis 1 of input 'image'"),
        ((8, 9), "4 axes for input 'image'"),
        ([(3, 8, 9), (2, 3)], "a shape for each of the inputs"),
    ],
)
def test_wrong_shapes_of_inputs(given, match):
    with pytest.raises(ValueError, match=match):
        to_keras(open_model(), given)


def test_inputs_without_a_shape_are_named():
    model = open_model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ValueError, match="a shape for input 'image'"):
        to_keras(model)
    assert to_keras(model, (None, 3, 8, 9)).input_shape == (None, 3, 8, 9)


def unsupported():
    nodes = [
        helper.make_node("Det", ["x"], ["d"], name="first"),
        helper.make_node("Relu", ["x"], ["r"], name="between"),
        helper.make_node("Det", ["r"], ["e"], name="second"),
        helper.make_node("Mystery", ["r"], ["m"], name="third", domain="own"),
    ]
    model = model_of(nodes, {"x": (None, 3, 3)}, ["d", "e", "m"])
    model.opset_import.append(helper.make_opsetid("own", 1))
    return model


def test_all_operators_that_are_not_supported_are_named():
    pattern = "onnx.Det 2 times in first, second.*onnx.own.Mystery in third"
    with pytest.raises(TypeError, match=pattern):
        to_keras(unsupported())


def test_coverage():
    found = nengo_dl.onnx.coverage(unsupported())
    assert not found.is_complete
    missing = [(use.path, use.operator) for use in found.missing]
    assert missing[:2] == [("first", "onnx.Det"), ("second", "onnx.Det")]
    assert nengo_dl.onnx.coverage(shape_code("n")).is_complete


def test_inputs_of_text_are_refused():
    node = helper.make_node("Equal", ["x", "x"], ["y"])
    with pytest.raises(ValueError, match="inputs of numbers.*'x'"):
        to_keras(model_of([node], {"x": ((None, 3), object)}, ["y"]))


# --- training and Nengo -----------------------------------------------------------


def network():
    """Return a small network with names, normalisation and biases that stand alone."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="/block.0/Conv"),
        helper.make_node("Add", ["c", "b"], ["d"], name="/block.0/Add"),
        helper.make_node(
            "BatchNormalization",
            ["d", *"gbmv"[:1], "beta", "m", "v"],
            ["n"],
            name="norm",
        ),
        helper.make_node("Mul", ["n", "scale"], ["k"], name="scale"),
        helper.make_node("Relu", ["k"], ["r"], name="relu"),
        helper.make_node("Flatten", ["r"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "u"], ["p"], name="head"),
        helper.make_node("Add", ["p", "q"], ["y"], name="head_bias"),
    ]
    constants = {
        "w": weights(4, 2, 3, 3) - 1,
        "b": weights(1, 4, 1, 1) - 1,
        "g": weights(4),
        "beta": weights(4) - 1,
        "m": weights(4) - 1,
        "v": weights(4),
        "scale": weights(4, 1, 1),
        "u": (weights(64, 3) - 1) / 4,
        "q": weights(3) - 1,
    }
    return model_of(nodes, {"x": (1, 2, 6, 6)}, ["y"], constants)


def data(n_items=5):
    rng = np.random.default_rng(2)
    return rng.normal(size=(n_items, 2, 6, 6)).astype(np.float32)


def test_constants_after_layers_become_their_weights():
    model, x = to_keras(network()), data(1)
    (wanted,) = ReferenceEvaluator(network()).run(None, {"x": x})
    assert_close(outputs_of(model, [x]), [wanted])
    kinds = [type(layer).__name__ for layer in model.layers if layer.weights]
    assert kinds == ["Conv2D", "BatchNormalization", "Dense"]
    assert model.get_layer("block_0_Conv").bias is not None


def test_models_are_trained_saved_and_loaded(tmp_path):
    model, x = to_keras(network()), data()
    model.compile("sgd", "mse")
    bias = model.get_layer("block_0_Conv").bias  # which normalisation takes away
    trained = [v for v in model.trainable_variables if v is not bias]
    before = [np.array(v) for v in trained]
    means = np.array(model.get_layer("norm").moving_mean)
    model.fit(x, np.zeros((5, 3)), verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, trained, strict=True))
    assert np.any(means != np.array(model.get_layer("norm").moving_mean))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(loaded(x), model(x))


@pytest.mark.parametrize("as_path", [False, True])
def test_models_become_nengo_networks(tmp_path, as_path):
    model, x = network(), data()
    if as_path:
        onnx.save_model(model, tmp_path / "model.onnx")
    source = str(tmp_path / "model.onnx") if as_path else model
    converter = nengo_dl.Converter(source, inference_only=True, allow_fallback=False)
    assert not any(isinstance(n, nengo_dl.TensorNode) for n in converter.net.all_nodes)
    assert converter.verify(training=False, inputs=[x[:2]])


def test_examples_give_converters_their_shapes():
    converter = nengo_dl.Converter(
        open_model(), example_inputs=np.zeros((2, 3, 8, 9), np.float32)
    )
    assert isinstance(converter.net, nengo.Network)


def test_models_spike_with_rates_from_data():
    converter = nengo_dl.Converter(
        network(),
        inference_only=True,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        scale_firing_rates="auto",
        calibration_data=data(8),
    )
    assert "relu" in str(converter.report(data(2), n_steps=4))


# --- the package ------------------------------------------------------------------


def test_supported_operators():
    found = nengo_dl.onnx.supported_operators()
    assert {"onnx.Conv", "onnx.Gemm", "onnx.Resize"} <= set(found)
    assert all(each.keras for each in found.values())


def test_the_page_has_the_table_of_operators():
    page = Path(__file__).parents[2] / "docs" / "onnx.rst"
    generated = textwrap.indent(table(nengo_dl.onnx.supported_operators()), "   ")
    assert generated.strip() in page.read_text(encoding="utf-8")


def test_every_operator_is_tested():
    """By a case here, or by a file of the package."""
    used = {f"onnx.{operator}" for operator, *_ in (*CASES, *LOGIC.values())}
    for folder in (*CONVERTED, *OPERATORS):
        model = onnx.load(folder / "model.onnx")
        used |= {f"onnx.{node.op_type}" for node in model.graph.node}
    assert set(nengo_dl.onnx.supported_operators()) - used == set()


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install nengo_dl\[onnx\]"):
        to_keras("model.onnx")
