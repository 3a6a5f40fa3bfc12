"""Nodes of old versions of the standard in their newest form.

What was an attribute once and is an input now becomes one, so that all that follows
knows one form of each operator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx.graph import Node

REDUCTIONS = (
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax"),
    *("ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"),
)

# Attributes that have become inputs, and which inputs
MOVED: Mapping[str, Mapping[str, int]] = {
    "Clip": {"min": 1, "max": 2},
    "Dropout": {"ratio": 1},
    "Pad": {"pads": 1, "paddings": 1, "value": 2},
    "Reshape": {"shape": 1},
    "Slice": {"starts": 1, "ends": 2, "axes": 3},
    "Split": {"split": 1},
    "Squeeze": {"axes": 1},
    "TopK": {"k": 1},
    "Unsqueeze": {"axes": 1},
    "Upsample": {"scales": 1},
    **dict.fromkeys(REDUCTIONS, {"axes": 1}),
}
# Attributes that change no result, or none that is used
IGNORED: Mapping[str, tuple[str, ...]] = {
    "BatchNormalization": ("is_test",),
    "Dropout": ("is_test", "seed"),
    "Gemm": ("broadcast",),
}
EVERYWHERE = ("consumed_inputs",)
# Before version 13, these counted all axes from one on as one
FLAT_BEFORE_13 = ("Softmax", "LogSoftmax", "Hardmax")


def modern(node: Node, arguments: Sequence[Any]) -> tuple[Node, tuple[Any, ...]]:
    """Return a node and its arguments as the newest version has them.

    Parameters
    ----------
    node : `Node`
        Of any version.
    arguments : sequence
        Its inputs: arrays for constants, other objects for what is computed, None for
        what is left out.
    """
    attributes, found = dict(node.attributes), list(arguments)
    ignored = (*EVERYWHERE, *IGNORED.get(node.operator, ()))
    for name in ignored:
        attributes.pop(name, None)
    for name, i in MOVED.get(node.operator, {}).items():
        value = attributes.pop(name, None)
        if value is not None:
            found += [None] * (i + 1 - len(found))
            found[i] = _tensor(value)
    if node.operator == "Split" and len(found) < 2:
        attributes["num_outputs"] = len(node.outputs)
    if node.operator in FLAT_BEFORE_13 and node.version < 13:
        attributes["flat"] = 1
    if node.operator == "PRelu" and node.version < 7:
        found[1] = _along_channels(*found)
    if node.operator == "GroupNormalization" and node.version < 21:
        found[1:] = [_for_channels(x, *found[:1]) for x in found[1:]]
    if node.operator in ("Resize", "Upsample") and node.version < 11:
        node, found = replace(node, operator="Resize"), [found[0], None, *found[1:]]
        attributes["coordinate_transformation_mode"] = "asymmetric"
        attributes["nearest_mode"] = "floor"
    if node.operator == "BatchNormalization" and attributes.pop("spatial", 1) == 0:
        raise InvalidValue("expected statistics of channels (got those of elements)")
    return replace(node, attributes=attributes), tuple(found)


def _along_channels(x: Any, slope: Any) -> Any:
    """Return slopes that broadcast, one for each channel."""
    if slope.shape in ((), (1,)):
        return slope
    if not isinstance(slope, np.ndarray) or x.shape is None:
        raise InvalidValue("expected slopes that are constant (got computed ones)")
    return slope.reshape(-1, *(1,) * (len(x.shape) - 2))


def _for_channels(weight: Any, x: Any) -> Any:
    """Return a weight for each channel, from one for each group."""
    if not isinstance(weight, np.ndarray) or x.shape is None:
        raise InvalidValue("expected weights that are constant (got computed ones)")
    return np.repeat(weight, int(x.shape[1]) // weight.size)


def _tensor(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)


def broadcast_axis(node: Node) -> tuple[Node, int | None]:
    """Return a node without the attributes of operands before version 7, and an axis.

    The second operand had to have some axes of the first one, from this axis on.
    """
    attributes = dict(node.attributes)
    axis = attributes.pop("axis", None) if attributes.pop("broadcast", 0) else None
    return replace(node, attributes=attributes), axis
