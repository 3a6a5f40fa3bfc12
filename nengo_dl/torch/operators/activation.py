"""Activations."""

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import normalization
from nengo_dl.exchange.operators.activation import activation, apply, layer
from nengo_dl.exchange.operators.indexing import split
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value

# Those without arguments, by their names in Keras
PLAIN = {
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_silu",
    "log_sigmoid": "log_sigmoid",
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "special_expit": "sigmoid",
    "tanh": "tanh",
}


@register(*(f"aten.{name}.default" for name in PLAIN), keras="Activation")
def convert_activation(emit: Emitter, x):
    """Convert an activation without arguments."""
    name = emit.node.operator.split(".")[1]
    return activation(emit, emit.value(x), PLAIN[name])


@register("aten.hardtanh.default", keras="Activation, keras.ops.clip")
def convert_hardtanh(emit: Emitter, x, min_val=-1, max_val=1):
    """Convert limits."""
    value = emit.value(x)
    known = {(0, 6): "relu6", (-1, 1): "hard_tanh"}.get((min_val, max_val))
    if known is not None:
        return activation(emit, value, known)
    made = keras.ops.clip(value.tensor, min_val, max_val)
    return value.with_tensor(made, min_val >= 0)


@register("aten.leaky_relu.default", keras="LeakyReLU")
def convert_leaky_relu(emit: Emitter, x, negative_slope=0.01):
    """Convert a leaky rectifier."""
    value = emit.value(x)
    return layer(emit, value, keras.layers.LeakyReLU, negative_slope=negative_slope)


@register("aten.elu.default", keras="ELU")
def convert_elu(emit: Emitter, x, alpha=1, scale=1, input_scale=1):
    """Convert an exponential linear unit."""
    if (scale, input_scale) != (1, 1):
        raise InvalidValue(f"expected scales of 1 (got {scale} and {input_scale})")
    value = emit.value(x)
    if alpha == 1:
        return activation(emit, value, "elu")
    return layer(emit, value, keras.layers.ELU, alpha=float(alpha))


@register("aten.celu.default", keras="keras.ops.celu")
def convert_celu(emit: Emitter, x, alpha=1.0):
    """Convert a continuously differentiable exponential linear unit."""
    return apply(emit.value(x), keras.ops.celu, alpha)


@register("aten.gelu.default", keras="Activation, keras.ops.gelu")
def convert_gelu(emit: Emitter, x, approximate="none"):
    """Convert a Gaussian error linear unit."""
    value = emit.value(x)
    if approximate == "none":
        return activation(emit, value, "gelu")
    return apply(value, keras.ops.gelu, True)


@register("aten.softplus.default", keras="Activation")
def convert_softplus(emit: Emitter, x, beta=1, threshold=20):
    """Convert a softplus, which is linear above the threshold up to 2e-9."""
    value = emit.value(x)
    if threshold < 20:
        raise InvalidValue(f"expected a threshold of at least 20 (got {threshold})")
    if beta == 1:
        return activation(emit, value, "softplus")
    scaled = activation(emit, value.with_tensor(value.tensor * beta), "softplus")
    return scaled.with_tensor(scaled.tensor / beta, True)


@register("aten.hardshrink.default", keras="keras.ops.hard_shrink")
def convert_hardshrink(emit: Emitter, x, lambd=0.5):
    """Convert a function that is zero around zero, and nothing else."""
    return apply(emit.value(x), keras.ops.hard_shrink, lambd)


@register("aten.softshrink.default", keras="keras.ops.soft_shrink")
def convert_softshrink(emit: Emitter, x, lambd=0.5):
    """Convert a function that is zero around zero, without a jump."""
    return apply(emit.value(x), keras.ops.soft_shrink, lambd)


@register("aten.threshold.default", keras="keras.ops.threshold")
def convert_threshold(emit: Emitter, x, threshold, value):
    """Convert a function that has another value below a threshold."""
    found = apply(emit.value(x), keras.ops.threshold, threshold, value)
    return found.with_tensor(found.tensor, threshold >= 0 and value >= 0)


@register("aten.glu.default", keras="keras.ops.sigmoid, Multiply")
def convert_glu(emit: Emitter, x, dim=-1):
    """Convert a gate: one half times the sigmoid of the other."""
    value = emit.value(x)
    n = value.tensor.shape[value.axis(dim)] // 2
    first, second = split(emit, value, (n, n), dim)
    return first.with_tensor(first.tensor * keras.ops.sigmoid(second.tensor))


@register(
    "aten.prelu.default",
    keras="PReLU",
    restrictions="slopes that no other operator has",
)
def convert_prelu(emit: Emitter, x, weight):
    """Convert a rectifier with slopes that are trained."""
    return normalization.prelu(emit, emit.value(x), weight)


@register("aten.softmax.int", "aten._softmax.default", keras="Softmax")
def convert_softmax(emit: Emitter, x, dim, dtype=None):
    """Convert a softmax."""
    del dtype
    value = emit.value(x)
    axis = value.axis(dim)
    if axis == len(value.tensor.shape) - 1:
        return _nonnegative(activation(emit, value, "softmax"))
    return _nonnegative(layer(emit, value, keras.layers.Softmax, axis))


def _nonnegative(value: Value) -> Value:
    return value.with_tensor(value.tensor, True)


@register(
    "aten.log_softmax.int", "aten._log_softmax.default", keras="keras.ops.log_softmax"
)
def convert_log_softmax(emit: Emitter, x, dim, dtype=None):
    """Convert the logarithm of a softmax."""
    del dtype
    value = emit.value(x)
    axis = value.axis(dim)
    if axis == len(value.tensor.shape) - 1:
        return activation(emit, value, "log_softmax")
    return apply(value, keras.ops.log_softmax, axis=axis)
