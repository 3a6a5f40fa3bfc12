"""Operators that combine tensors and constants element by element: ``x + y``.

Sums and products with constants are connections. What Nengo has no connection for is a
node, in which constants take the place of an input.
"""

import keras
import numpy as np

from nengo_dl.converter.build import Build
from nengo_dl.converter.functions.elementwise import computed
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operands import broadcast, elementwise, operands, spread
from nengo_dl.converter.operators import existing, function_name
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.nodes.array_node import Reduce

SUM = "a sum of connections; constants are biases"
PRODUCT = "a node that computes products; a connection for constants"
QUOTIENT = "a node that computes quotients; a connection for x / c"


def _register(native, *functions):
    return register(*functions, temporal=True, check=elementwise, native=native)


def _sum(call, build, factors, spread=spread):
    node, offset = build.node(), 0.0
    for operand, factor in zip(operands(call), factors, strict=True):
        if operand.index is None:
            offset = offset + factor * spread(call, operand)
        else:
            build.connect(
                node,
                operand.index,
                transform=None if factor == 1 else factor,
                take=broadcast(call, operand.index),
            )
    if np.any(offset):
        build.bias(node, offset, trainable=False)
    return node


@_register(SUM, keras.ops.add)
def convert_add(call: LayerCall, build: Build) -> Obj:
    """Convert a sum."""
    return _sum(call, build, (1, 1), spread=_added)


def _added(call, operand):
    """Return a constant as Keras adds it.

    Keras takes what has one long axis for biases of channels, also where NumPy would
    add it along another axis.
    """
    del operand
    outer = (1,) * call.n_outer_axes
    zeros = [np.zeros(outer + shape) for shape in call.input_shapes]
    found = keras.ops.convert_to_numpy(call.replay(keras.ops.add, zeros))
    return found.reshape(call.output_shape)


@_register(SUM, keras.ops.subtract)
def convert_subtract(call: LayerCall, build: Build) -> Obj:
    """Convert a difference."""
    return _sum(call, build, (1, -1))


@_register("a connection", keras.ops.negative)
def convert_negative(call: LayerCall, build: Build) -> Obj:
    """Convert a change of sign."""
    return _sum(call, build, (-1,))


def scaled(call, build, index, factors):
    """Return a node with an input times constants."""
    node = build.node()
    transform = float(factors.flat[0]) if np.ptp(factors) == 0 else factors.ravel()
    build.connect(node, index, transform=transform, take=broadcast(call, index))
    return node


def combined(call, build, how):
    """Return a node that computes a function of all operands."""
    found, shape = operands(call), call.output_shape
    node = build.array_node(Reduce((len(found), *shape), shape, how))
    for i, operand in enumerate(found):
        into = slice(i * build.size, (i + 1) * build.size)
        if operand.index is None:
            build.bias(node[into], spread(call, operand), trainable=False)
        else:
            take = broadcast(call, operand.index)
            build.connect(node, operand.index, take=take, into=into)
    return node


@_register(PRODUCT, keras.ops.multiply)
def convert_multiply(call: LayerCall, build: Build) -> Obj:
    """Convert a product."""
    constants = [operand for operand in operands(call) if operand.is_constant]
    if not constants:
        return combined(call, build, "multiply")
    return scaled(call, build, 0, spread(call, constants[0]))


@_register(QUOTIENT, keras.ops.divide, keras.ops.true_divide)
def convert_divide(call: LayerCall, build: Build) -> Obj:
    """Convert a quotient."""
    x, y = operands(call)
    if y.is_constant and np.all(y.numbers):
        return scaled(call, build, x.index, 1 / spread(call, y))
    return combined(call, build, "divide")


@_register("a node that computes maxima; neurons for maximum(x, 0)", keras.ops.maximum)
def convert_maximum(call: LayerCall, build: Build) -> Obj:
    """Convert a maximum; that with zero is a rectifier."""
    constants = [operand for operand in operands(call) if operand.is_constant]
    if not constants or np.any(constants[0].numbers):
        return combined(call, build, "maximum")
    obj = build.units(keras.activations.relu)
    build.connect(obj, take=broadcast(call, 0))
    return obj


@_register("a node that computes powers", keras.ops.power)
def convert_power(call: LayerCall, build: Build) -> Obj:
    """Convert a power."""
    x, y = operands(call)
    if not y.is_constant or y.numbers.size > 1:
        return combined(call, build, "power")
    exponent = float(y.numbers.reshape(()))
    return computed(call, build, "power", [("exponent", exponent)])


COMBINATIONS = (
    "arctan2",
    "equal",
    "floor_divide",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "minimum",
    "mod",
    "not_equal",
    "where",
)


@_register("a node that computes it", *existing(keras.ops, *COMBINATIONS))
def convert_combination(call: LayerCall, build: Build) -> Obj:
    """Convert a function of several tensors or constants."""
    return combined(call, build, function_name(call.layer))
