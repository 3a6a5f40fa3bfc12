"""ONNX graphs as frozen values: nodes with all their attributes, arrays, and inputs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx.package import onnx_package

DOMAINS = ("", "ai.onnx")  # two names of the standard's own operators
# Types of elements that are computed with
FLOATS = ("float16", "float32", "float64", "bfloat16")
NUMBERS = (*FLOATS, "bool", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)))
Shape = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Node:
    """A use of an operator.

    Parameters
    ----------
    operator : str
        Its name, after the name of its domain and a dot if it is not of the standard.
    name : str
        Name in the graph, for messages and for layers.
    inputs, outputs : tuple of str
        Names of values; empty for those that are left out, or that nothing uses.
    attributes : mapping
        From names to plain values, those included that the standard's version adds;
        graphs are `Graph`.
    version : int
        Of the set of operators that the model was written for.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(repr=False)
    version: int

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or a default where neither node nor standard has it."""
        return self.attributes.get(name, default)


@dataclass(frozen=True)
class Input:
    """An input of a graph: its shape, as far as it is known, and its type."""

    name: str
    shape: Shape | None
    dtype: np.dtype


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they can be computed.

    Parameters
    ----------
    name : str
        Name in the file.
    inputs : tuple of `Input`
        Those that users give: none that has a value in the file.
    outputs : tuple of str
        Names of values.
    nodes : tuple of `Node`
        All nodes.
    constants : mapping of str to ndarray
        Values that the file has.
    """

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray] = field(repr=False)


def graph_of(model: Any) -> Graph:
    """Return the graph of an ``onnx.ModelProto``.

    Raises
    ------
    InvalidValue
        If a node has inputs or attributes that its operator does not have, or a value
        that nothing computes before it.
    """
    versions = {entry.domain: entry.version for entry in model.opset_import}
    for name in DOMAINS:
        if name in versions:
            versions |= dict.fromkeys(DOMAINS, versions[name])
    reader = _Reader(versions, frozenset(_used(model.graph)))
    return _graph(model.graph, reader, frozenset())


@dataclass(frozen=True)
class _Reader:
    """Versions of the sets of operators, and names of values that are used at all."""

    versions: Mapping[str, int]
    used: frozenset[str]


def _used(proto: Any) -> Iterator[str]:
    """Yield the names of values that nodes take, or that are outputs."""
    yield from (value.name for value in proto.output)
    for node in proto.node:
        yield from node.input
        for entry in node.attribute:
            if entry.HasField("g"):
                yield from _used(entry.g)


def _graph(proto: Any, reader: _Reader, outer: frozenset[str]) -> Graph:
    constants = {tensor.name: _array(tensor) for tensor in proto.initializer}
    given = [value for value in proto.input if value.name not in constants]
    known = {"", *outer, *constants, *(value.name for value in given)}
    nodes = []
    for each in proto.node:
        nodes.append(_node(each, reader, frozenset(known)))
        _check_names(nodes[-1].name, each.input, known)
        known.update(each.output)
    _check_names("outputs", (value.name for value in proto.output), known)
    return Graph(
        name=proto.name,
        inputs=tuple(map(_input, given)),
        outputs=tuple(value.name for value in proto.output),
        nodes=tuple(nodes),
        constants=constants,
    )


def _check_names(where: str, names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise InvalidValue(
                f"expected values that are computed before they are used (got {name!r} "
                f"in {where})"
            )


def _input(value: Any) -> Input:
    onnx = onnx_package()
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise InvalidValue(
            f"expected inputs that are tensors (got {value.name}: {kind})"
        )
    tensor = value.type.tensor_type
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(map(_length, tensor.shape.dim))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return Input(value.name, shape, dtype)


def _length(dim: Any) -> int | str | None:
    """Return the length of an axis, its symbol, or None if nothing is known."""
    kind = dim.WhichOneof("value")
    if kind == "dim_value":
        # some exporters write -1, or 0, for what they do not know
        return dim.dim_value if dim.dim_value > 0 else None
    return dim.dim_param or None


def _node(proto: Any, reader: _Reader, known: frozenset[str]) -> Node:
    version = reader.versions.get(proto.domain, 1)
    is_standard = proto.domain in DOMAINS
    first = next((name for name in proto.output if name), "")
    name = proto.name or f"{proto.op_type}_{first}"
    attributes: dict[str, Any] = {}
    schema = _schema(proto.op_type, version) if is_standard else None
    if schema is not None:
        _check_node(proto, name, schema)
        for key, attribute in schema.attributes.items():
            if attribute.default_value.type:
                attributes[key] = _attribute(attribute.default_value, reader, known)
    for entry in proto.attribute:
        attributes[entry.name] = _attribute(entry, reader, known)
    return Node(
        operator=proto.op_type if is_standard else f"{proto.domain}.{proto.op_type}",
        name=name,
        inputs=tuple(proto.input),
        outputs=tuple(x if x in reader.used else "" for x in proto.output),
        attributes=attributes,
        version=version,
    )


def _schema(operator: str, version: int) -> Any:
    """Return what the standard says of an operator, or None if it does not know it."""
    onnx = onnx_package()
    try:
        return onnx.defs.get_schema(operator, version, "")
    except onnx.defs.SchemaError:
        return None


def _check_node(proto: Any, name: str, schema: Any) -> None:
    """Raise InvalidValue about inputs and attributes that an operator does not have."""
    where, kinds = f"{proto.op_type} {name!r}", schema.attributes
    if not schema.min_input <= len(proto.input) <= schema.max_input:
        raise InvalidValue(
            f"{where}: expected {schema.min_input} to {schema.max_input} inputs (got "
            f"{len(proto.input)})"
        )
    for entry in proto.attribute:
        if entry.name not in kinds or int(kinds[entry.name].type) != entry.type:
            raise InvalidValue(
                f"{where}: expected attributes of version {schema.since_version} of "
                f"the operator, with their types (got {entry.name!r})"
            )
    given = {entry.name for entry in proto.attribute}
    for key, attribute in kinds.items():
        if attribute.required and key not in given:
            raise InvalidValue(f"{where}: expected attribute {key!r} (got none)")


def _attribute(entry: Any, reader: _Reader, known: frozenset[str]) -> Any:
    onnx = onnx_package()
    if entry.HasField("g"):
        return _graph(entry.g, reader, known)
    value = onnx.helper.get_attribute_value(entry)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, onnx.TensorProto):
        return _array(value)
    if isinstance(value, int | float | str):
        return value
    if entry.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        return tuple(value)
    if entry.type == onnx.AttributeProto.STRINGS:
        return tuple(each.decode("utf-8", errors="replace") for each in value)
    raise InvalidValue(
        f"expected attributes that are numbers, text, arrays or graphs (got "
        f"{entry.name!r} of type {entry.type})"
    )


def _array(tensor: Any) -> np.ndarray:
    onnx = onnx_package()
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, IndexError) as error:
        raise InvalidValue(
            f"expected values for shape {tuple(tensor.dims)} (got other ones in "
            f"{tensor.name!r}: {error})"
        ) from error
