"""Functions of several tensors, element by element."""

from functools import reduce

import keras

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.registry import register

ops = keras.ops

BINARY = {
    "onnx.Add": ops.add,
    "onnx.Sub": ops.subtract,
    "onnx.Mul": ops.multiply,
    "onnx.Equal": ops.equal,
    "onnx.Greater": ops.greater,
    "onnx.GreaterOrEqual": ops.greater_equal,
    "onnx.Less": ops.less,
    "onnx.LessOrEqual": ops.less_equal,
    "onnx.And": ops.logical_and,
    "onnx.Or": ops.logical_or,
    "onnx.Xor": ops.logical_xor,
}
SEVERAL = {"onnx.Max": ops.maximum, "onnx.Min": ops.minimum, "onnx.Sum": ops.add}


@register(*BINARY, keras="Add, Subtract, Multiply, keras.ops")
def convert_binary(emit: Emitter, a, b):
    """Convert a function of two tensors."""
    return elementwise(emit, BINARY[emit.node.operator], a, b)


@register("onnx.Div", keras="keras.ops.divide")
def convert_divide(emit: Emitter, a, b):
    """Convert a quotient, which is rounded towards zero for whole numbers."""
    return elementwise(emit, _quotient, a, b)


def _quotient(a, b):
    kinds = [keras.backend.standardize_dtype(x.dtype) for x in (a, b)]
    if all(kind.startswith("uint") for kind in kinds):
        return ops.floor_divide(a, b)
    if all(kind.startswith("int") for kind in kinds):
        quotient = ops.floor_divide(ops.abs(a), ops.abs(b))
        return quotient * ops.sign(a) * ops.sign(b)
    return ops.divide(a, b)


@register("onnx.Pow", keras="keras.ops.power, keras.ops.square")
def convert_power(emit: Emitter, a, b):
    """Convert a power."""
    return elementwise(emit, ops.power, a, b)


@register("onnx.Mod", keras="keras.ops.mod")
def convert_modulo(emit: Emitter, a, b, fmod=0):
    """Convert a rest, which has the sign of the divisor, or of the number (fmod)."""
    return elementwise(emit, _signed_rest if fmod else ops.mod, a, b)


def _signed_rest(a, b):
    return ops.sign(a) * ops.mod(ops.abs(a), ops.abs(b))


@register(*SEVERAL, keras="Maximum, Minimum, Add")
def convert_several(emit: Emitter, *values):
    """Convert a function of any number of tensors."""
    function = SEVERAL[emit.node.operator]
    return reduce(lambda a, b: elementwise(emit, function, a, b), values)


@register("onnx.Mean", keras="Add")
def convert_mean(emit: Emitter, *values):
    """Convert an average of tensors."""
    total = reduce(lambda a, b: elementwise(emit, ops.add, a, b), values)
    return elementwise(emit, ops.multiply, total, 1 / len(values))


@register("onnx.Where", keras="keras.ops.where")
def convert_where(emit: Emitter, condition, a, b):
    """Convert a choice of elements."""
    return elementwise(emit, ops.where, condition, a, b)
