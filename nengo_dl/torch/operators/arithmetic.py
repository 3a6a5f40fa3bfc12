"""Functions of each element: of one tensor, or of two that broadcast."""

import math
from collections.abc import Callable
from typing import Any

import keras

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.activation import apply
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.registry import register

ops = keras.ops

UNARY: dict[str, Callable] = {
    "abs": ops.absolute,
    "acos": ops.arccos,
    "acosh": ops.arccosh,
    "asin": ops.arcsin,
    "asinh": ops.arcsinh,
    "atan": ops.arctan,
    "atanh": ops.arctanh,
    "ceil": ops.ceil,
    "cos": ops.cos,
    "cosh": ops.cosh,
    "erf": ops.erf,
    "exp": ops.exp,
    "expm1": ops.expm1,
    "floor": ops.floor,
    "isfinite": ops.isfinite,
    "isinf": ops.isinf,
    "isnan": ops.isnan,
    "log": ops.log,
    "log10": ops.log10,
    "log1p": ops.log1p,
    "log2": ops.log2,
    "logical_not": ops.logical_not,
    "neg": ops.negative,
    "reciprocal": ops.reciprocal,
    "round": ops.round,
    "rsqrt": ops.rsqrt,
    "sign": ops.sign,
    "sin": ops.sin,
    "sinh": ops.sinh,
    "sqrt": ops.sqrt,
    "square": ops.square,
    "tan": ops.tan,
    "trunc": ops.trunc,
}
NONNEGATIVE = {ops.absolute, ops.exp, ops.sqrt, ops.square, ops.rsqrt}


@register(*(f"aten.{name}.default" for name in UNARY), keras="keras.ops")
def convert_unary(emit: Emitter, x):
    """Convert a function of each element."""
    function = UNARY[emit.node.operator.split(".")[1]]
    value = apply(emit.value(x), function)
    return value.with_tensor(value.tensor, function in NONNEGATIVE)


BOTH = ("Tensor", "Scalar")
BINARY: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "atan2": (ops.arctan2, ("default",)),
    "div": (ops.divide, BOTH),
    "eq": (ops.equal, BOTH),
    "floor_divide": (ops.floor_divide, ("default", "Scalar")),
    "ge": (ops.greater_equal, BOTH),
    "gt": (ops.greater, BOTH),
    "le": (ops.less_equal, BOTH),
    "logical_and": (ops.logical_and, ("default",)),
    "logical_or": (ops.logical_or, ("default",)),
    "logical_xor": (ops.logical_xor, ("default",)),
    "lt": (ops.less, BOTH),
    "max": (ops.maximum, ("other",)),
    "maximum": (ops.maximum, ("default",)),
    "min": (ops.minimum, ("other",)),
    "minimum": (ops.minimum, ("default",)),
    "mul": (ops.multiply, BOTH),
    "ne": (ops.not_equal, BOTH),
    "remainder": (ops.mod, BOTH),
}
NAMES = [
    f"aten.{name}.{overload}"
    for name, (_, overloads) in BINARY.items()
    for overload in overloads
]


@register(*NAMES, keras="keras.ops, Multiply, Maximum, Minimum")
def convert_binary(emit: Emitter, x, other):
    """Convert a function of two tensors, or of a tensor and a number."""
    function, _ = BINARY[emit.node.operator.split(".")[1]]
    return elementwise(emit, function, x, other)


@register("aten.add.Tensor", "aten.add.Scalar", keras="Add, keras.ops.add")
def convert_add(emit: Emitter, x, other, alpha=1):
    """Convert a sum."""
    return elementwise(emit, ops.add, x, _times(emit, other, alpha))


@register("aten.sub.Tensor", "aten.sub.Scalar", keras="Subtract, keras.ops.subtract")
def convert_subtract(emit: Emitter, x, other, alpha=1):
    """Convert a difference."""
    return elementwise(emit, ops.subtract, x, _times(emit, other, alpha))


@register("aten.rsub.Tensor", "aten.rsub.Scalar", keras="keras.ops.subtract")
def convert_reversed_subtract(emit: Emitter, x, other, alpha=1):
    """Convert a difference whose operands have changed places."""
    return elementwise(emit, ops.subtract, other, _times(emit, x, alpha))


def _times(emit: Emitter, operand: Any, alpha: Any) -> Any:
    return operand if alpha == 1 else elementwise(emit, ops.multiply, operand, alpha)


@register("aten.div.Tensor_mode", "aten.div.Scalar_mode", keras="keras.ops.divide")
def convert_rounded_division(emit: Emitter, x, other, rounding_mode=None):
    """Convert a division that rounds."""
    if rounding_mode == "floor":
        return elementwise(emit, ops.floor_divide, x, other)
    made = elementwise(emit, ops.divide, x, other)
    return made if rounding_mode is None else apply(emit.value(made), ops.trunc)


POWERS = {2: ops.square, 0.5: ops.sqrt, -1: ops.reciprocal, -0.5: ops.rsqrt}


@register(
    "aten.pow.Tensor_Scalar",
    "aten.pow.Tensor_Tensor",
    "aten.pow.Scalar",
    keras="keras.ops.power, keras.ops.square",
)
def convert_power(emit: Emitter, x, exponent):
    """Convert a power."""
    is_number = isinstance(exponent, int | float)
    function = POWERS.get(exponent) if is_number else None
    if function is None:
        return elementwise(emit, ops.power, x, exponent)
    value = apply(emit.value(x), function)
    return value.with_tensor(value.tensor, function in NONNEGATIVE)


@register(
    "aten.clamp.default",
    "aten.clamp.Tensor",
    "aten.clip.default",
    "aten.clamp_min.default",
    keras="keras.ops.clip, keras.ops.maximum, keras.ops.minimum",
)
def convert_clamp(emit: Emitter, x, min=None, max=None):  # noqa: A002
    """Convert limits, of which one may be missing."""
    are_numbers = all(isinstance(limit, int | float) for limit in (min, max))
    if are_numbers and math.inf not in (-min, max):
        value = apply(emit.value(x), ops.clip, min, max)
        return value.with_tensor(value.tensor, min >= 0)
    value = emit.value(x)
    for function, limit in ((ops.maximum, min), (ops.minimum, max)):
        if limit is not None:
            value = elementwise(emit, function, value, limit)
    return value


@register("aten.clamp_max.default", keras="keras.ops.minimum")
def convert_clamp_max(emit: Emitter, x, max):  # noqa: A002
    """Convert a limit from above."""
    return elementwise(emit, ops.minimum, x, max)


@register("aten.where.self", "aten.where.ScalarOther", keras="keras.ops.where")
def convert_where(emit: Emitter, condition, x, other):
    """Convert a choice for each element."""
    return elementwise(emit, ops.where, condition, x, other)


@register("aten.masked_fill.Scalar", "aten.masked_fill.Tensor", keras="keras.ops.where")
def convert_masked_fill(emit: Emitter, x, mask, value):
    """Convert another value where a mask is true."""
    return elementwise(emit, ops.where, mask, value, x)


@register("aten.addcmul.default", keras="keras.ops.multiply, keras.ops.add")
def convert_addcmul(emit: Emitter, x, tensor1, tensor2, value=1):
    """Convert a sum with a product."""
    product = elementwise(emit, ops.multiply, tensor1, tensor2)
    return elementwise(emit, ops.add, x, _times(emit, product, value))


@register("aten.lerp.Scalar", "aten.lerp.Tensor", keras="keras.ops")
def convert_lerp(emit: Emitter, x, end, weight):
    """Convert a point between two others."""
    difference = elementwise(emit, ops.subtract, end, x)
    return elementwise(
        emit, ops.add, x, elementwise(emit, ops.multiply, difference, weight)
    )
