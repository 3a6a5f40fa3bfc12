"""Functions along axes."""

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import reduction
from nengo_dl.exchange.operators.activation import apply
from nengo_dl.exchange.operators.product import einsum
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value

ops = keras.ops
NOT_ITEMS = "not along the minibatch"

# A function of each element, one along axes, and one of the result
REDUCTIONS = {
    "onnx.ReduceL1": (ops.absolute, ops.sum, None),
    "onnx.ReduceL2": (ops.square, ops.sum, ops.sqrt),
    "onnx.ReduceLogSum": (None, ops.sum, ops.log),
    "onnx.ReduceLogSumExp": (None, ops.logsumexp, None),
    "onnx.ReduceMax": (None, ops.max, None),
    "onnx.ReduceMean": (None, ops.mean, None),
    "onnx.ReduceMin": (None, ops.min, None),
    "onnx.ReduceProd": (None, ops.prod, None),
    "onnx.ReduceSum": (None, ops.sum, None),
    "onnx.ReduceSumSquare": (ops.square, ops.sum, None),
}


def _applied(value: Value, function) -> Value:
    return value if function is None else apply(value, function)


@register(*REDUCTIONS, keras="keras.ops", restrictions=NOT_ITEMS)
def convert_reduction(emit: Emitter, x, axes=None, keepdims=1, noop_with_empty_axes=0):
    """Convert a sum, an average, an extremum or a norm along axes."""
    first, function, last = REDUCTIONS[emit.node.operator]
    value = _applied(emit.value(x), first)
    axes = () if axes is None else tuple(emit.constant(axes).ravel().tolist())
    if axes or not noop_with_empty_axes:
        value = reduction.reduce(emit, value, function, axes or None, bool(keepdims))
    elif emit.node.operator == "onnx.ReduceLogSumExp":
        return value
    return _applied(value, last)


@register("onnx.ArgMax", "onnx.ArgMin", keras="keras.ops", restrictions=NOT_ITEMS)
def convert_extremum(emit: Emitter, x, axis=0, keepdims=1, select_last_index=0):
    """Convert the number of the largest or smallest element."""
    value = emit.value(x)
    if select_last_index:
        raise InvalidValue("expected the first of equal elements (got the last)")
    largest = emit.node.operator == "onnx.ArgMax"

    def function(tensor, axis, keepdims):
        found = (ops.argmax if largest else ops.argmin)(tensor, axis=axis)
        found = ops.expand_dims(found, axis) if keepdims else found
        return ops.cast(found, "int64")

    return reduction.reduce(emit, value, function, axis, bool(keepdims))


@register("onnx.CumSum", keras="keras.ops.cumsum", restrictions=NOT_ITEMS)
def convert_cumsum(emit: Emitter, x, axis, exclusive=0, reverse=0):
    """Convert sums of all elements up to each one."""
    value = emit.value(x)
    along = value.axis(emit.constant(axis).item())
    tensor = ops.flip(value.tensor, along) if reverse else value.tensor
    sums = ops.cumsum(tensor, along)
    sums = sums - tensor if exclusive else sums
    return value.with_tensor(ops.flip(sums, along) if reverse else sums)


@register("onnx.Einsum", keras="keras.ops.einsum", restrictions="one minibatch")
def convert_einsum(emit: Emitter, *operands, equation):
    """Convert sums of products over axes that have letters."""
    equation = equation.replace(" ", "")
    if "->" not in equation:
        letters = [c for c in sorted(set(equation)) if c.isalpha()]
        equation += "->" + "".join(c for c in letters if equation.count(c) == 1)
    return einsum(emit, equation, operands)


@register("onnx.Trilu", keras="keras.ops.where")
def convert_triangle(emit: Emitter, x, k=None, upper=1):
    """Convert a matrix of which one side is zero."""
    value = emit.value(x)
    if value.batch is not None and value.batch >= value.rank - 2:
        raise InvalidValue("expected matrices (got the minibatch as one of the axes)")
    k = 0 if k is None else emit.constant(k).item()
    tensor = emit.plain(value)
    rows, columns = tensor.shape[-2:]
    below = np.tri(rows, columns, k - 1 if upper else k) > 0
    kept = below != bool(upper)
    tensor = ops.where(kept, tensor, ops.zeros_like(tensor))
    return Value(tensor, value.plain, value.batch)
