"""Layers with several inputs."""

import keras
import numpy as np

from nengo_dl.converter.axes import outer_axis
from nengo_dl.converter.build import Build, reduction
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operands import broadcast
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register


def _same_rank(call: LayerCall, options: Options) -> str | None:
    del options
    ranks = {len(shape) for shape in call.input_shapes}
    if len(ranks) > 1:
        return f"expected inputs of one rank (got shapes {call.input_shapes})"
    return None


@register(
    *(keras.layers.Add, keras.layers.Subtract, keras.layers.Average),
    temporal=True,
    check=_same_rank,
    native="a sum of connections",
)
def convert_sum(call: LayerCall, build: Build) -> Obj:
    """Convert a sum, a difference or an average."""
    n, node = len(call.inputs), build.node()
    factors = {keras.layers.Subtract: (1, -1), keras.layers.Average: (1 / n,) * n}
    for i, factor in enumerate(factors.get(type(call.layer), (1,) * n)):
        transform = None if factor == 1 else factor
        build.connect(node, i, transform=transform, take=broadcast(call, i))
    return node


_REDUCTIONS = {
    keras.layers.Multiply: "multiply",
    keras.layers.Maximum: "maximum",
    keras.layers.Minimum: "minimum",
}


@register(
    keras.layers.Multiply,
    temporal=True,
    check=_same_rank,
    native="a node that computes products",
)
@register(
    keras.layers.Maximum,
    temporal=True,
    check=_same_rank,
    native="a node that computes maxima",
)
@register(
    keras.layers.Minimum,
    temporal=True,
    check=_same_rank,
    native="a node that computes minima",
)
def convert_reduction(call: LayerCall, build: Build) -> Obj:
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
    check=lambda call, options: outer_axis(call, call.layer.axis),
    native="connections to parts of a node",
    restrictions="not along the minibatch or the time",
)
def convert_concatenate(call: LayerCall, build: Build) -> Obj:
    """Convert a concatenation along any axis."""
    node, (axis,) = build.node(), call.signal_axes(call.layer.axis)
    numbers = np.arange(build.size).reshape(call.output_shape)
    stops = np.cumsum([shape[axis] for shape in call.input_shapes])[:-1]
    for i, part in enumerate(np.split(numbers, stops, axis=axis)):
        build.connect(node, i, into=part.ravel())
    return node
