"""Layers with several inputs."""

import keras
import numpy as np

from nengo_dl.converter.build import reduction
from nengo_dl.converter.operands import broadcast
from nengo_dl.converter.registry import outer_axis, register


def _same_rank(call, converter):
    del converter
    ranks = {len(shape) for shape in call.input_shapes}
    if len(ranks) > 1:
        return f"expected inputs of one rank (got shapes {call.input_shapes})"
    return None


def _sum(call, build, factors):
    node = build.node()
    for i, factor in enumerate(factors):
        transform = None if factor == 1 else factor
        build.connect(node, i, transform=transform, take=broadcast(call, i))
    return node


@register(
    keras.layers.Add, temporal=True, check=_same_rank, native="a sum of connections"
)
def convert_add(call, build):
    """Convert a sum."""
    return _sum(call, build, [1] * len(call.inputs))


@register(
    keras.layers.Subtract,
    temporal=True,
    check=_same_rank,
    native="a sum of connections",
)
def convert_subtract(call, build):
    """Convert a difference."""
    return _sum(call, build, [1, -1])


@register(
    keras.layers.Average,
    temporal=True,
    check=_same_rank,
    native="a sum of connections",
)
def convert_average(call, build):
    """Convert an average."""
    n = len(call.inputs)
    return _sum(call, build, [1 / n] * n)


_REDUCTIONS = {
    keras.layers.Multiply: "multiply",
    keras.layers.Maximum: "maximum",
    keras.layers.Minimum: "minimum",
}


def _computes(layer_type, what):
    return register(
        layer_type,
        temporal=True,
        check=_same_rank,
        native=f"a node that computes {what}",
    )


@_computes(keras.layers.Multiply, "products")
@_computes(keras.layers.Maximum, "maxima")
@_computes(keras.layers.Minimum, "minima")
def convert_reduction(call, build):
    """Convert a product, maximum or minimum, element by element."""
    how = _REDUCTIONS[type(call.layer)]
    node = build.array_node(reduction(how, len(call.inputs), call.output_shape))
    for i in range(len(call.inputs)):
        into = slice(i * build.size, (i + 1) * build.size)
        build.connect(node, i, take=broadcast(call, i), into=into)
    return node


@register(
    keras.layers.Concatenate,
    temporal=True,
    check=lambda call, converter: outer_axis(call, call.layer.axis),
    native="connections to parts of a node",
    restrictions="not along the minibatch or the time",
)
def convert_concatenate(call, build):
    """Convert a concatenation along any axis."""
    node, (axis,) = build.node(), call.signal_axes(call.layer.axis)
    numbers = np.arange(build.size).reshape(call.output_shape)
    stops = np.cumsum([shape[axis] for shape in call.input_shapes])[:-1]
    for i, part in enumerate(np.split(numbers, stops, axis=axis)):
        build.connect(node, i, into=part.ravel())
    return node
