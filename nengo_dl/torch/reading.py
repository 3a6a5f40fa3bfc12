"""From PyTorch's graph to that of ``exchange``."""

import operator
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.graph import Graph, Input, Node, Ref, Shape, Weight
from nengo_dl.torch.library import import_torch


class _Batch:
    """The number of items, which is known when the model is called."""

    def __repr__(self) -> str:
        return "items"


BATCH = _Batch()
BUILT_IN = "torch.nn.modules"  # modules that are named by their own path alone


def read(exported: Any, name: str) -> Graph:
    """Return the graph of an exported program."""
    return _Reader(exported.program, name).graph()


class _Reader:
    """Reads one node after the other, and knows what has been changed in place."""

    def __init__(self, program: Any, name: str):
        self._torch = import_torch("nengo_dl.torch")
        self._program, self._name = program, name
        self._now: dict[str, str] = {}  # by names of values that were overwritten

    def graph(self) -> Graph:
        """Read the whole program."""
        signature = self._program.graph_signature
        nodes = list(self._program.graph.nodes)
        tensors = {node.name: node for node in nodes if node.op == "placeholder"}
        inputs = tuple(
            Input(name, shape_of(tensors[name]), dtype_of(tensors[name]))
            for name in signature.user_inputs
        )
        weights = self._weights(signature)
        read = tuple(
            self._node(node)
            for node in nodes
            if node.op == "call_function" and not self._is_number(node)
        )
        (output,) = (node for node in nodes if node.op == "output")
        names = tuple(self._current(node) for node in output.args[0])
        floats = {w.array.dtype.name for w in weights.values()} & {"float64"}
        dtype = "float64" if floats else "float32"
        return Graph(self._name, inputs, _needed(read, names), names, weights, dtype)

    def _weights(self, signature: Any) -> dict[str, Weight]:
        state = {**self._program.state_dict, **self._program.constants}
        places = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        found, first = {}, {}
        for name, path in places.items():
            tensor = state[path]
            key = (tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()))
            first.setdefault(key, path)  # tied weights are one, by their first name
            is_parameter = name in signature.inputs_to_parameters
            found[name] = Weight(
                first[key] if tensor.numel() else path,
                array_of(tensor),
                is_parameter and tensor.requires_grad,
            )
        return found

    def _is_number(self, node: Any) -> bool:
        """Whether a node computes a number, e.g. with the number of items."""
        value = node.meta.get("val")
        torch = self._torch
        return isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool) or (
            node.target is operator.getitem
        )

    def _node(self, node: Any) -> Node:
        values = node.meta.get("val")
        several = isinstance(values, tuple | list)
        parts = values if several else (values,)
        outputs = tuple(
            f"{node.name}:{i}" if several else node.name for i in range(len(parts))
        )
        path, is_own = place_of(node)
        base = node.target.__name__.split(".")[0].strip("_")
        return Node(
            operator_of(node),
            path if is_own else f"{path}_{base}".lstrip("_"),
            path,
            tuple(self._argument(argument) for argument in node.args),
            {key: self._argument(value) for key, value in node.kwargs.items()},
            outputs,
            tuple(None if part is None else _shape(part) for part in parts),
            tuple(None if part is None else _dtype(part) for part in parts),
        )

    def _current(self, node: Any) -> str:
        """Return the name of what a node computes."""
        if node.target is operator.getitem:
            source, i = node.args
            return f"{source.name}:{i}"
        return node.name

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, self._torch.fx.Node):
            if "val" in argument.meta and not isinstance(
                argument.meta["val"], self._torch.Tensor
            ):
                if argument.target is not operator.getitem:
                    return BATCH
            return Ref(self._current(argument))
        if isinstance(argument, tuple | list):
            return tuple(self._argument(part) for part in argument)
        return argument


def operator_of(node: Any) -> str:
    """Return the name of an operator, such as "aten.conv2d.default"."""
    return str(node.target)


def place_of(node: Any) -> tuple[str, bool]:
    """Return the path of the module that a node is in, and whether it is PyTorch's."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", False
    path, kind = stack[-1]
    return path, str(kind).startswith(BUILT_IN) and bool(path)


def shape_of(node: Any) -> Shape:
    """Return the shape of a node's value; None for the number of items."""
    return _shape(node.meta["val"])


def _shape(tensor: Any) -> Shape:
    return tuple(n if isinstance(n, int) else None for n in tensor.shape)


def dtype_of(node: Any) -> str:
    """Return the type of a node's value, as Keras names it."""
    return _dtype(node.meta["val"])


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def array_of(tensor: Any) -> np.ndarray:
    """Return a tensor as an array of its own."""
    return tensor.detach().cpu().numpy().copy()


def _needed(nodes: tuple[Node, ...], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    """Return the nodes that outputs follow from."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.refs)
            kept.append(node)
    return tuple(reversed(kept))
