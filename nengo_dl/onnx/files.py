"""ONNX models that nobody vouches for, from files or from memory, as checked protobufs.

A file may be cut off, refer to other files, or declare more than memory holds. That is
found out before any of its arrays is read. Nothing of a file is ever executed.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx.package import onnx_package

# Of all arrays of a model together, in bytes, as they are declared.
MAX_BYTES = 2**33
# Graphs within graphs, as branches have them.
MAX_DEPTH = 16


def read(model: Any) -> Any:
    """Return an ``onnx.ModelProto`` with all its arrays and without local functions.

    Parameters
    ----------
    model : onnx.ModelProto or str or Path
        The model, or the path of a file.

    Raises
    ------
    InvalidValue
        If it is neither, is damaged, or refers to what it must not.
    """
    onnx = onnx_package()
    if isinstance(model, str | os.PathLike):
        found = _from_file(Path(model))
    elif isinstance(model, onnx.ModelProto):
        _check(model, None)
        found = model
    else:
        raise InvalidValue(
            f"expected an onnx.ModelProto or the path of a file (got {model!r})"
        )
    if found.functions:
        found = _inlined(found)
    return found


def _from_file(path: Path) -> Any:
    """Read and check the model of a file, with the arrays that lie beside it."""
    from google.protobuf.message import DecodeError

    onnx = onnx_package()
    if not path.is_file():
        raise InvalidValue(f"expected the path of a file (got {path}). Check it.")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise InvalidValue(
            f"expected a whole ONNX file (got {path}, of which protobuf says: {error})"
        ) from error
    if not model.graph.output:
        raise InvalidValue(f"expected a whole ONNX file (got {path}, with no outputs)")
    _check(model, path)
    for tensor in _tensors(model.graph):
        if onnx.external_data_helper.uses_external_data(tensor):
            try:
                onnx.external_data_helper.load_external_data_for_tensor(
                    tensor, str(path.parent)
                )
            except (ValueError, OSError, onnx.checker.ValidationError) as error:
                raise InvalidValue(
                    f"expected arrays in files beside the model (got: {error})"
                ) from error
    return model


def _check(model: Any, path: Path | None) -> None:
    """Raise InvalidValue about what a model says that cannot be."""
    onnx = onnx_package()
    total = 0
    for tensor in _tensors(model.graph):
        total += _n_bytes(tensor)
        if onnx.external_data_helper.uses_external_data(tensor):
            _check_location(tensor, path)
    if total > MAX_BYTES:
        raise InvalidValue(
            f"expected arrays of at most {MAX_BYTES:,} bytes (got {total:,} in all)"
        )


def _n_bytes(tensor: Any) -> int:
    """Return how many bytes a tensor declares."""
    onnx = onnx_package()
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(
            f"expected a type of elements (got {tensor.data_type} in {tensor.name!r})"
        ) from error
    return int(np.prod([*tensor.dims, dtype.itemsize], dtype=object))


def _check_location(tensor: Any, path: Path | None) -> None:
    """Raise InvalidValue unless a tensor's values lie beside the model's file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if path is None:
        raise InvalidValue(
            f"expected a model with its arrays (got {tensor.name!r}, which lies in the "
            f"file {location!r}). Pass the path of the model's file, or load its "
            "arrays with onnx.load_external_data_for_model."
        )
    folder = path.parent.resolve()
    target = (folder / location).resolve()
    if not location or not target.is_relative_to(folder) or not target.is_file():
        raise InvalidValue(
            f"expected arrays in files beside the model (got {location!r} for "
            f"{tensor.name!r}, which is no such file)"
        )


def _tensors(graph: Any, depth: int = 0) -> Iterator[Any]:
    """Yield all arrays of a graph and of the graphs within it."""
    if depth > MAX_DEPTH:
        raise InvalidValue(f"expected graphs nested at most {MAX_DEPTH} deep")
    yield from graph.initializer
    if graph.sparse_initializer:
        raise InvalidValue(
            "expected dense arrays (got "
            f"{len(graph.sparse_initializer)} sparse initializers). Make them dense."
        )
    for node in graph.node:
        for attribute in node.attribute:
            yield from [attribute.t] if attribute.HasField("t") else attribute.tensors
            inner = [attribute.g] if attribute.HasField("g") else attribute.graphs
            for each in inner:
                yield from _tensors(each, depth + 1)


def _inlined(model: Any) -> Any:
    """Return a model in whose graph the bodies of its own functions stand."""
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        raise InvalidValue(
            f"expected functions that can be inlined (got: {error})"
        ) from error
