"""Shapes of what nodes compute, by the standard's own inference.

Inference runs for minibatches of two sizes. A length that is the same for both does not
depend on the minibatch, one that is in proportion to it is a `Length`, and nothing is
known of any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx.dims import Length
from nengo_dl.onnx.graph import Graph, Node
from nengo_dl.onnx.package import onnx_package

SIZES = (3, 5)  # of minibatches
# Elements of inputs on whose values a shape may depend
MAX_DATA = 64

Shape = tuple[int | Length, ...]


@dataclass(frozen=True)
class Computed:
    """A value that a graph computes: its name, and its shape and type if known."""

    name: str
    shape: Shape | None
    dtype: np.dtype | None


def infer(node: Node, arguments: Sequence[Any]) -> tuple[Computed, ...]:
    """Return what a node computes.

    Parameters
    ----------
    node : `Node`
        In its newest form.
    arguments : sequence
        An array, a `Computed`, or None for each input.

    Raises
    ------
    InvalidValue
        If the inputs do not fit.
    """
    found = [_infer(node, arguments, size) for size in SIZES]
    return tuple(
        _joined(name, *(each.get(name) for each in found)) for name in node.outputs
    )


def _infer(node: Node, arguments: Sequence[Any], size: int) -> Mapping[str, Any]:
    """Return types by the names of outputs, for one size of minibatches."""
    onnx = onnx_package()
    has_graphs = any(isinstance(x, Graph) for x in node.attributes.values())
    if has_graphs or not onnx.defs.has(node.operator):
        return {}
    if any(x is not None and x.dtype is None for x in arguments):
        return {}
    schema = onnx.defs.get_schema(node.operator)
    names = [f"input{i}" if x is not None else "" for i, x in enumerate(arguments)]
    attributes = {
        key: value for key, value in node.attributes.items() if key in schema.attributes
    }
    proto = onnx.helper.make_node(
        node.operator, names, list(node.outputs), **_protos(attributes)
    )
    types, data = {}, {}
    for name, x in zip(names, arguments, strict=True):
        if x is None:
            continue
        types[name] = _type_of(x, size)
        if isinstance(x, np.ndarray) and x.size <= MAX_DATA:
            data[name] = onnx.numpy_helper.from_array(_at(x, size), name)
    opsets = [onnx.helper.make_opsetid("", onnx.defs.onnx_opset_version())]
    try:
        return onnx.shape_inference.infer_node_outputs(
            schema, proto, types, data, opset_imports=opsets
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise InvalidValue(f"expected inputs that fit (got: {error})") from error


def _protos(attributes: Mapping[str, Any]) -> dict[str, Any]:
    onnx = onnx_package()
    return {
        key: onnx.numpy_helper.from_array(x) if isinstance(x, np.ndarray) else x
        for key, x in attributes.items()
    }


def _at(array: np.ndarray, size: int) -> np.ndarray:
    """Return an array of lengths for one size of minibatches."""
    if array.dtype != object:
        return array
    each = [x.at(size) if isinstance(x, Length) else x for x in array.ravel()]
    return np.array(each, np.int64).reshape(array.shape)


def _type_of(x: Any, size: int) -> Any:
    onnx = onnx_package()
    shape = x.shape
    if isinstance(x, Computed) and shape is not None:
        shape = tuple(n.at(size) if isinstance(n, Length) else n for n in shape)
    dtype = np.dtype(np.int64) if x.dtype == object else x.dtype
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    return onnx.helper.make_tensor_type_proto(kind, shape)


def _joined(name: str, first: Any, second: Any) -> Computed:
    """Return what is known of an output from its types for two sizes."""
    if first is None or second is None or not first.HasField("tensor_type"):
        return Computed(name, None, None)
    onnx = onnx_package()
    kind = first.tensor_type.elem_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind) if kind else None
    one, other = (_shape_of(each.tensor_type) for each in (first, second))
    if one is None or other is None or len(one) != len(other):
        return Computed(name, None, dtype)
    lengths = [_length(*pair) for pair in zip(one, other, strict=True)]
    known = tuple(n for n in lengths if n is not None)
    return Computed(name, known if len(known) == len(lengths) else None, dtype)


def _shape_of(kind: Any) -> tuple[int | None, ...] | None:
    if not kind.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim
    )


def _length(first: int | None, second: int | None) -> int | Length | None:
    """Return a length from those for two sizes of minibatches."""
    if first is None or second is None or first == second:
        return first if first == second else None
    factor, rest = divmod(first, SIZES[0])
    is_linear = rest == 0 and second == factor * SIZES[1]
    return Length(factor) if is_linear else None
