"""Models to read: those that the package ``onnx`` brings, with data, and small ones."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
CONVERTED = sorted((DATA / "pytorch-converted").iterdir())
OPERATORS = sorted((DATA / "pytorch-operator").iterdir())
LIGHT = sorted((DATA / "light").glob("*.onnx"))


def array(path):
    """Return the array in a file of test data."""
    tensor = TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def data_of(folder):
    """Return the inputs and outputs that lie beside a model."""
    data = folder / "test_data_set_0"
    inputs = [array(data / f"input_{i}.pb") for i in range(len(list(data.glob("in*"))))]
    outputs = [
        array(data / f"output_{i}.pb") for i in range(len(list(data.glob("o*"))))
    ]
    return inputs, outputs


def with_random_weights(path, seed=0):
    """Return a model of the zoo, whose weights are all constant, with random ones.

    The files have nodes ConstantOfShape in the place of their weights.
    """
    model = onnx.load(path)
    graph, rng = model.graph, np.random.default_rng(seed)
    shapes = {x.name: numpy_helper.to_array(x) for x in graph.initializer}
    variances = {n.input[4] for n in graph.node if n.op_type == "BatchNormalization"}
    constants = [n for n in graph.node if n.op_type == "ConstantOfShape"]
    made = {}
    for node in constants:
        shape, name = shapes[node.input[0]], node.output[0]
        if name in variances:
            value = rng.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        else:
            value = rng.normal(0.5, 0.1, shape)
        made[name] = numpy_helper.from_array(value.astype(np.float32), name)
        graph.node.remove(node)
    kept = {name for node in graph.node for name in node.input}
    others = [x for x in graph.initializer if x.name in kept]
    inputs = [x for x in graph.input if x.name in kept]
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.initializer[:]
    graph.initializer.extend([*others, *made.values()])
    return model


def in_double_precision(model):
    """Return a copy of a model whose numbers are of type float64."""
    single, double = TensorProto.FLOAT, TensorProto.DOUBLE
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for weight in copy.graph.initializer:
        if weight.data_type == single:
            array = numpy_helper.to_array(weight).astype(float)
            weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    for info in (*copy.graph.input, *copy.graph.output, *copy.graph.value_info):
        if info.type.tensor_type.elem_type == single:
            info.type.tensor_type.elem_type = double
    return copy


def model_of(nodes, inputs, outputs, constants=None, opset=17, dtype=np.float32):
    """Make a model of nodes.

    Parameters
    ----------
    nodes : list of NodeProto
        In order.
    inputs : dict
        From names to shapes, or to pairs of a shape and a type.
    outputs : list of str
        Names.
    constants : dict, optional
        From names to arrays.
    """

    def info(name, described):
        shape, kind = (
            described
            if isinstance(described[0], list | tuple)
            else (
                described,
                dtype,
            )
        )
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes,
        "graph",
        [info(name, described) for name, described in inputs.items()],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, None) for x in outputs],
        [numpy_helper.from_array(x, name) for name, x in (constants or {}).items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
