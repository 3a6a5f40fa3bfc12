"""Functions of each element for itself."""

import math

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.operators.activation import activation, apply, layer
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.dropout import dropout
from nengo_dl.exchange.operators.normalization import prelu
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value

ops = keras.ops

# Those that are the same in Keras, by name
NAMED = {
    "onnx.Relu": "relu",
    "onnx.Selu": "selu",
    "onnx.Sigmoid": "sigmoid",
    "onnx.Softplus": "softplus",
    "onnx.Softsign": "softsign",
    "onnx.Tanh": "tanh",
}
FUNCTIONS = {
    "onnx.Abs": ops.abs,
    "onnx.Acos": ops.arccos,
    "onnx.Acosh": ops.arccosh,
    "onnx.Asin": ops.arcsin,
    "onnx.Asinh": ops.arcsinh,
    "onnx.Atan": ops.arctan,
    "onnx.Atanh": ops.arctanh,
    "onnx.Ceil": ops.ceil,
    "onnx.Cos": ops.cos,
    "onnx.Cosh": ops.cosh,
    "onnx.Erf": ops.erf,
    "onnx.Exp": ops.exp,
    "onnx.Floor": ops.floor,
    "onnx.Log": ops.log,
    "onnx.Neg": ops.negative,
    "onnx.Not": ops.logical_not,
    "onnx.Reciprocal": ops.reciprocal,
    "onnx.Round": ops.round,
    "onnx.Sign": ops.sign,
    "onnx.Sin": ops.sin,
    "onnx.Sinh": ops.sinh,
    "onnx.Sqrt": ops.sqrt,
    "onnx.Tan": ops.tan,
}
SELU = (1.67326319217681884765625, 1.05070102214813232421875)


@register(*NAMED, keras="Activation")
def convert_named(emit: Emitter, x, alpha=None, gamma=None):
    """Convert an activation that Keras has by its name."""
    if alpha is not None and not np.allclose((alpha, gamma), SELU, rtol=1e-6):
        raise InvalidValue(f"expected alpha and gamma {SELU} (got {alpha}, {gamma})")
    return activation(emit, emit.value(x), NAMED[emit.node.operator])


@register(*FUNCTIONS, keras="keras.ops")
def convert_function(emit: Emitter, x):
    """Convert a function that Keras has."""
    return apply(emit.value(x), FUNCTIONS[emit.node.operator])


@register("onnx.LeakyRelu", keras="LeakyReLU")
def convert_leaky_relu(emit: Emitter, x, alpha=0.01):
    """Convert a rectifier with a slope below zero."""
    kind = keras.layers.LeakyReLU
    return layer(emit, emit.value(x), kind, negative_slope=alpha)


@register("onnx.Elu", keras="ELU")
def convert_elu(emit: Emitter, x, alpha=1.0):
    """Convert an exponential linear unit."""
    return layer(emit, emit.value(x), keras.layers.ELU, alpha=alpha)


@register("onnx.Celu", keras="keras.ops.celu")
def convert_celu(emit: Emitter, x, alpha=1.0):
    """Convert a continuously differentiable exponential linear unit."""
    return apply(emit.value(x), ops.celu, alpha)


@register("onnx.Gelu", keras="keras.ops.gelu")
def convert_gelu(emit: Emitter, x, approximate="none"):
    """Convert a Gaussian error linear unit."""
    return apply(emit.value(x), ops.gelu, approximate == "tanh")


@register("onnx.HardSigmoid", keras="keras.ops.clip")
def convert_hard_sigmoid(emit: Emitter, x, alpha=0.2, beta=0.5):
    """Convert a line between zero and one."""
    value = emit.value(x)
    if np.isclose(alpha, 1 / 6, rtol=1e-6) and beta == 0.5:
        return activation(emit, value, "hard_sigmoid")
    tensor = ops.clip(value.tensor * alpha + beta, 0.0, 1.0)
    return value.with_tensor(tensor, is_nonnegative=True)


@register("onnx.HardSwish", keras="Activation")
def convert_hard_swish(emit: Emitter, x):
    """Convert a line between zero and one, times the input."""
    return activation(emit, emit.value(x), "hard_swish")


@register("onnx.Swish", keras="Activation")
def convert_swish(emit: Emitter, x, alpha=1.0):
    """Convert a logistic function times the input."""
    if alpha == 1:
        return activation(emit, emit.value(x), "silu")
    value = emit.value(x)
    return value.with_tensor(value.tensor * ops.sigmoid(value.tensor * alpha))


@register("onnx.Mish", keras="Activation")
def convert_mish(emit: Emitter, x):
    """Convert the hyperbolic tangent of the softplus, times the input."""
    return activation(emit, emit.value(x), "mish")


@register("onnx.ThresholdedRelu", keras="keras.ops.where")
def convert_thresholded_relu(emit: Emitter, x, alpha=1.0):
    """Convert a rectifier with a threshold."""
    return apply(emit.value(x), lambda t: ops.where(t > alpha, t, 0))


@register("onnx.Shrink", keras="keras.ops.where")
def convert_shrink(emit: Emitter, x, bias=0.0, lambd=0.5):
    """Convert what is zero around zero."""

    def shrink(t):
        return ops.where(t < -lambd, t + bias, ops.where(t > lambd, t - bias, 0))

    return apply(emit.value(x), shrink)


@register("onnx.Clip", keras="keras.ops.clip, ReLU")
def convert_clip(emit: Emitter, x, low=None, high=None):
    """Convert a function with bounds."""
    value = emit.value(x)
    bounds = [None if b is None else emit.constant(b) for b in (low, high)]
    low, high = (None if b is None else b.item() for b in bounds)
    if low == 0 and "float" in str(value.tensor.dtype):
        top = None if high is None or high > MAX_FLOAT else high
        if top is None or top > 0:
            made = emit.layer(keras.layers.ReLU, value.tensor, "", max_value=top)
            return value.with_tensor(made, is_nonnegative=True)
    tensor = value.tensor
    tensor = tensor if low is None else ops.maximum(tensor, low)
    tensor = tensor if high is None else ops.minimum(tensor, high)
    return value.with_tensor(tensor, value.is_nonnegative and (high or 0) >= 0)


MAX_FLOAT = 3e38


@register("onnx.PRelu", keras="PReLU, keras.ops.where")
def convert_prelu(emit: Emitter, x, slope):
    """Convert a rectifier with trained slopes below zero."""
    value = emit.value(x)
    if isinstance(slope, Weight) and _is_by_channel(value, slope.array.shape):
        return prelu(emit, value, slope)
    negative = apply(value, ops.minimum, 0)
    scaled = elementwise(emit, ops.multiply, negative, slope)
    return elementwise(emit, ops.add, apply(value, ops.relu), scaled)


def _is_by_channel(value: Value, shape: tuple[int, ...]) -> bool:
    """Whether there is one slope for each channel, or one for all elements."""
    if value.batch != 0 or len(shape) > value.rank:
        return False
    shape = (1,) * (value.rank - len(shape)) + shape
    n = math.prod(shape)
    return n == 1 or value.rank > 1 and n == shape[1] == value.shape[1]


@register("onnx.Dropout", keras="Dropout")
def convert_dropout(emit: Emitter, x, ratio=None, training_mode=None, seed=None):
    """Convert a dropout, which does nothing but in training."""
    del training_mode, seed
    if any(emit.node.outputs[1:]):
        raise InvalidValue("expected one output (got the mask, too)")
    rate = 0.5 if ratio is None else float(emit.constant(ratio))
    return dropout(emit, emit.value(x), rate)


def softmax_axes(emit: Emitter, value, axis: int, flat: int) -> tuple[int, ...]:
    """Return the axes of a tensor that a softmax goes over."""
    axes = range(axis + value.rank * (axis < 0), value.rank) if flat else (axis,)
    return value.axes([i for i in axes if not flat or value.shape[i] != 1] or axis)


@register("onnx.Softmax", keras="Softmax")
def convert_softmax(emit: Emitter, x, axis=-1, flat=0):
    """Convert a softmax."""
    value = emit.value(x)
    axes = softmax_axes(emit, value, axis, flat)
    along = axes[0] if len(axes) == 1 else axes
    made = emit.layer(keras.layers.Softmax, value.tensor, "", along)
    return value.with_tensor(made, is_nonnegative=True)


@register("onnx.LogSoftmax", keras="keras.ops.log_softmax")
def convert_log_softmax(emit: Emitter, x, axis=-1, flat=0):
    """Convert the logarithm of a softmax."""
    value = emit.value(x)
    axes = softmax_axes(emit, value, axis, flat)
    if len(axes) == 1:
        return apply(value, ops.log_softmax, axes[0])
    total = ops.logsumexp(value.tensor, axis=axes, keepdims=True)
    return value.with_tensor(value.tensor - total)
