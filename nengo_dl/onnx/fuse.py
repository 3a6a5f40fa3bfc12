"""Constants that come after a layer, as part of its weights.

Files often have a bias, or a scale, as a node of its own: exporters write products of
matrices and their biases apart, and others scale channels after a normalisation. A
layer that has both computes the same, trains the same functions, and is one layer in
Nengo, too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nengo_dl.exchange.graph import Node, Ref, Weight

Weights = dict[str, Weight]
Arrays = list[Any]  # None for those that are left out


@dataclass(frozen=True)
class Affine:
    """How the weights of an operator change when it absorbs a constant.

    Parameters
    ----------
    axis : int
        Of its output, along which the constant may have elements.
    first : int
        Which input is the first of its weights.
    n_weights : int
        How many weights there are, with those that may be left out.
    scale, shift : callable
        Return the weights of the scaled, and of the shifted output, from weights and a
        vector.
    """

    axis: int
    first: int
    n_weights: int
    scale: Callable[[Arrays, np.ndarray], Arrays]
    shift: Callable[[Arrays, np.ndarray], Arrays]


def _scaled_columns(weights: Arrays, by: np.ndarray) -> Arrays:
    kernel, bias = weights
    return [kernel * by, None if bias is None else bias * by]


def _scaled_filters(weights: Arrays, by: np.ndarray) -> Arrays:
    kernel, bias = weights
    by_filter = by.reshape(-1, *(1,) * (kernel.ndim - 1))
    return [kernel * by_filter, None if bias is None else bias * by]


def _biased(weights: Arrays, by: np.ndarray) -> Arrays:
    kernel, bias = weights
    return [kernel, by if bias is None else bias + by]


def _scaled_channels(weights: Arrays, by: np.ndarray) -> Arrays:
    return [weights[0] * by, weights[1] * by, *weights[2:]]


def _shifted_channels(weights: Arrays, by: np.ndarray) -> Arrays:
    return [weights[0], weights[1] + by, *weights[2:]]


AFFINE: Mapping[str, Affine] = {
    "onnx.BatchNormalization": Affine(1, 1, 2, _scaled_channels, _shifted_channels),
    "onnx.Conv": Affine(1, 1, 2, _scaled_filters, _biased),
    "onnx.MatMul": Affine(-1, 1, 2, _scaled_columns, _biased),
}


def fused(
    nodes: Sequence[Node], weights: Weights, outputs: Iterable[str]
) -> tuple[tuple[Node, ...], Weights]:
    """Return nodes and weights in which layers have absorbed constants after them.

    Parameters
    ----------
    nodes : sequence of Node
        Each after those whose outputs it takes.
    weights : dict of str to Weight
        By the names that nodes call them by.
    outputs : iterable of str
        Names of values that have to stay.
    """
    uses = Counter(name for node in nodes for name in node.refs)
    uses.update(outputs)
    found: dict[str, Node] = {}  # by the name of the first output
    weights = dict(weights)
    for node in nodes:
        pair = _pair(node, found, weights, uses)
        if pair is None:
            found[_name(node)] = node
            continue
        before, constant = pair
        del found[_name(before)]
        found[_name(node)] = _absorbed(before, node, constant, weights)
    return tuple(found.values()), weights


def _name(node: Node) -> str:
    return next(filter(None, node.outputs), node.name)


def _pair(
    node: Node, found: Mapping[str, Node], weights: Weights, uses: Counter
) -> tuple[Node, np.ndarray] | None:
    """Return the layer before a node, and the vector that it can absorb, if any."""
    if node.operator not in ("onnx.Add", "onnx.Mul") or node.problem is not None:
        return None
    for value, other in (node.arguments, node.arguments[::-1]):
        before = found.get(value.name) if isinstance(value, Ref) else None
        array = _array(other, weights)
        if before is None or array is None or uses[value.name] != 1:
            continue
        if before.operator not in AFFINE or not _owns(before, weights, uses):
            continue
        vector = _vector(array, before, node.operator)
        if vector is not None:
            return before, vector
    return None


def _array(argument: Any, weights: Weights) -> np.ndarray | None:
    if isinstance(argument, Ref):
        return weights[argument.name].array if argument.name in weights else None
    is_float = isinstance(argument, np.ndarray) and argument.dtype.kind == "f"
    return argument if is_float else None


def _own(node: Node) -> tuple[Any, ...]:
    """Return the arguments that are weights, with None for those left out."""
    kind = AFFINE[node.operator]
    given = node.arguments[kind.first : kind.first + kind.n_weights]
    return (*given, *(None,) * (kind.n_weights - len(given)))


def _owns(node: Node, weights: Weights, uses: Counter) -> bool:
    """Whether all weights of a node are constants that no other node takes."""
    value, kernel = node.arguments[0], _own(node)[0]
    if not isinstance(value, Ref) or value.name in weights or kernel is None:
        return False
    array = _array(kernel, weights)
    if array is None or node.operator == "onnx.MatMul" and array.ndim != 2:
        return False
    return all(
        each is None
        or isinstance(each, Ref)
        and each.name in weights
        and uses[each.name] <= 1
        for each in _own(node)
    )


def _vector(array: np.ndarray, before: Node, operator: str) -> np.ndarray | None:
    """Return a constant as one number for each channel, if it is that."""
    shape, kind = before.shapes[0], AFFINE[before.operator]
    if shape is None or array.ndim > len(shape) or len(before.outputs) != 1:
        return None
    axis, n = kind.axis % len(shape), shape[kind.axis]
    lengths = (1,) * (len(shape) - array.ndim) + array.shape
    if any(m != 1 for i, m in enumerate(lengths) if i != axis):
        return None
    if lengths[axis] not in (1, n) or n is None:
        return None
    if array.size == 1 and operator == "onnx.Mul":
        return None  # a number, which has nothing to train
    return np.broadcast_to(array.ravel(), (n,)).astype(array.dtype)


def _absorbed(before: Node, node: Node, vector: np.ndarray, weights: Weights) -> Node:
    """Return a layer that computes what two nodes do; give it its weights."""
    kind, own = AFFINE[before.operator], _own(before)
    arrays = [None if each is None else weights[each.name].array for each in own]
    change = kind.shift if node.operator == "onnx.Add" else kind.scale
    refs: list[Ref | None] = []
    for i, array in enumerate(change(arrays, vector)):
        if array is None:
            refs.append(None)
            continue
        old = own[i]
        name = f"{node.outputs[0]}.weight{i}" if old is None else old.name
        weights[name] = Weight(name, array.astype(vector.dtype))
        refs.append(Ref(name))
    rest = before.arguments[kind.first + kind.n_weights :]
    arguments = (*before.arguments[: kind.first], *refs, *rest)
    return replace(before, arguments=arguments, outputs=node.outputs)
