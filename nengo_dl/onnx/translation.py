"""ONNX models as Keras models."""

import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.libraries import register_library
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.exchange import Coverage, attempt, refusal
from nengo_dl.exchange import graph as exchange
from nengo_dl.exchange.registry import Operator, operators_of
from nengo_dl.onnx import operators as _operators  # noqa: F401
from nengo_dl.onnx.files import read
from nengo_dl.onnx.graph import Graph, Shape, graph_of
from nengo_dl.onnx.inputs import shapes_of
from nengo_dl.onnx.resolve import resolved


def to_keras(model: Any, input_shapes: Any = None) -> keras.Model:
    """Make a Keras model of an ONNX model.

    Parameters
    ----------
    model : onnx.ModelProto or str or Path
        The model, or the path of a file.
    input_shapes : dict or tuple, optional
        Shapes of the inputs, by their names, where the file leaves lengths open; a
        tuple is that of the only input. The first axis is the minibatch, whose length
        is None; it may be left out.

    Returns
    -------
    model : keras.Model
        A functional model with the inputs and outputs of the file, which computes what
        the file describes, for minibatches of any size. Images have their channels
        first at the inputs and outputs, as in the file, and last within.

    Raises
    ------
    ImportError
        If the package ``onnx`` is not installed.
    ValidationError
        If the file is damaged, or lengths of inputs are missing; it is a ValueError.
    TypeError
        If some operators cannot be translated; names all of them.

    Notes
    -----
    Weights are constants of floats that convolutions, products, normalizations and
    arithmetic take; they are those of Keras layers, and trained. Statistics of
    normalizations are fixed but in training, as in Keras. Floats of all precisions are
    computed in that of the inputs.

    Where nodes treat the first axis unlike a minibatch, e.g. take a sum over it, the
    model has inputs of the shapes that the file declares, and no minibatch.

    Examples
    --------
    .. testcode::

       import onnx
       from onnx import helper

       x, y = (
           helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ("items", 4))
           for name in "xy"
       )
       node = helper.make_node("Relu", ["x"], ["y"])
       graph = helper.make_graph([node], "graph", [x], [y])
       model = nengo_dl.onnx.to_keras(helper.make_model(graph))
       values = np.array([[1, -2, 3, -4]])
       print(model.output_shape, model.predict(values, verbose=0))

    .. testoutput::

       (None, 4) [[1. 0. 3. 0.]]
    """
    where = "nengo_dl.onnx.to_keras"
    made, covered = _translated(where, model, input_shapes)
    if made is None:
        raise TypeError(refusal(where, covered))
    return made


def _shape_of(x: Any) -> tuple[int | None, ...]:
    return (None, *np.shape(x)[1:])


def _is_model(model: Any) -> bool:
    if isinstance(model, str | os.PathLike):
        return os.fspath(model).endswith(".onnx")
    kind = type(model)
    return kind.__name__ == "ModelProto" and kind.__module__.startswith("onnx")


@register_library("onnx", owns=_is_model)
def _to_keras(model: Any, example_inputs: Any, where: str) -> keras.Model:
    shapes = None
    if example_inputs is not None:
        shapes = keras.tree.map_structure(_shape_of, example_inputs)
    made, covered = _translated(where, model, shapes)
    if made is None:
        raise TypeError(refusal(where, covered))
    return made


def coverage(model: Any, input_shapes: Any = None) -> Coverage:
    """Return which nodes of an ONNX model can be translated.

    Parameters
    ----------
    model : onnx.ModelProto or str or Path
        The model, or the path of a file.
    input_shapes : dict or tuple, optional
        As for `to_keras`.

    Returns
    -------
    coverage : Coverage
        With ``is_complete``, and ``missing`` with a reason for each node that cannot
        be translated. Nodes that compute constants alone are left out.

    Raises
    ------
    ImportError
        If the package ``onnx`` is not installed.
    ValidationError
        If the file is damaged, or lengths of inputs are missing.
    """
    return _translated("nengo_dl.onnx.coverage", model, input_shapes)[1]


def supported_operators() -> dict[str, Operator]:
    """Return the operators of ONNX that can be translated.

    Returns
    -------
    operators : dict
        From names, with "onnx." in front, to what is known of them: ``keras``, what
        they become, and ``restrictions``, what is refused.
    """
    return operators_of("onnx")


def _translated(
    where: str, model: Any, input_shapes: Any
) -> tuple[keras.Model | None, Coverage]:
    """Return a model, if there can be one, and what of it can be translated."""
    with argument(f"{where}.model"):
        graph = graph_of(read(model))
    with argument(f"{where}.input_shapes"):
        graphs = versions_of(graph, shapes_of(graph, input_shapes))
    found = []
    for each in graphs:
        made, covered = attempt(each)
        if made is not None:
            return made, covered
        found.append(covered)
    return None, found[0]


def versions_of(graph: Graph, shapes: tuple[Shape, ...]) -> Iterator[exchange.Graph]:
    """Yield the graph with a minibatch of any size, then with lengths as they are.

    Parameters
    ----------
    graph : `Graph`
        As it is in the file.
    shapes : tuple of tuple
        Of the inputs.
    """
    if not shapes:
        raise InvalidValue("expected a model with inputs (got none)")
    have_items = len({shape[:1] for shape in shapes}) == 1 and shapes[0] != ()
    if have_items:
        yield resolved(graph, shapes, has_items=True)
    if all(isinstance(n, int) for shape in shapes for n in shape):
        yield resolved(graph, shapes, has_items=False)
    elif not have_items:
        raise InvalidValue(
            "expected inputs that all begin with the minibatch, or lengths for all "
            f"axes (got {shapes}). Pass input_shapes with lengths."
        )
