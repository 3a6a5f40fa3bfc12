"""Functions of each element."""

import keras

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.activation import activation
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.registry import register


@register("aten.relu.default", keras="Activation")
def convert_relu(emit: Emitter, x):
    """Convert a rectifier."""
    return activation(emit, emit.value(x), "relu")


@register("aten.add.Tensor", "aten.add.Scalar", keras="Add")
def convert_add(emit: Emitter, x, other, alpha=1):
    """Convert a sum."""
    if alpha != 1:
        other = elementwise(emit, keras.ops.multiply, other, alpha)
    return elementwise(emit, keras.ops.add, x, other)
