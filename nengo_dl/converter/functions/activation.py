"""Activations that are called as functions: the neurons of the layers of that name."""

from math import isinf
from typing import Any

import keras
import nengo
import numpy as np

from nengo_dl.converter import activations
from nengo_dl.converter.axes import axes_of, signal_axes
from nengo_dl.converter.build import Build
from nengo_dl.converter.forms import Clipped, SoftmaxOver
from nengo_dl.converter.functions.elementwise import computed
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operands import numbers
from nengo_dl.converter.operators import existing, function_name
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.neurons import LeakyReLU, Pointwise

# Functions of ``keras.ops``, and the names of their arguments. That of the same name
# in ``keras.activations`` is the activation, unless arguments differ.
POINTWISE: dict[str, dict[str, Any]] = {
    "celu": {"alpha": 1.0},
    "elu": {"alpha": 1.0},
    "gelu": {"approximate": False},
    "hard_shrink": {"threshold": 0.5},
    "hard_sigmoid": {},
    "hard_silu": {},
    "hard_tanh": {},
    "log_sigmoid": {},
    "relu6": {},
    "selu": {},
    "sigmoid": {},
    "silu": {},
    "soft_shrink": {"threshold": 0.5},
    "softplus": {},
    "softsign": {},
    "sparse_plus": {},
    "sparse_sigmoid": {},
    "squareplus": {"b": 4},
    "tanh": {},
    "tanh_shrink": {},
    "threshold": {"threshold": None, "default_value": None},
}


def _convert(build: Build, activation: Any) -> Obj:
    obj = build.units(activation)
    build.connect(obj)
    return obj


@register(*existing(keras.ops, *POINTWISE), temporal=True, native="neurons")
def convert_pointwise(call: LayerCall, build: Build) -> Obj:
    """Convert a function of each element for itself."""
    name = function_name(call.layer)
    defaults = POINTWISE[name]
    given = {key: vars(call.layer)[key] for key in defaults}
    if given == defaults:
        return _convert(build, getattr(keras.activations, name))
    return _convert(build, Pointwise(name, given))


@register(keras.ops.exp, temporal=True, native="rate neurons")
def convert_exp(call: LayerCall, build: Build) -> Obj:
    """Convert an exponential."""
    del call
    return _convert(build, keras.activations.exponential)


@register(keras.ops.relu, temporal=True, native="neurons")
def convert_relu(call: LayerCall, build: Build) -> Obj:
    """Convert a rectifier, which has arguments in ``keras.activations`` alone."""
    names = ("max_value", "negative_slope", "threshold")
    given = {name: vars(call.layer).get(name) for name in names}
    return _convert(build, activations.relu(**given))


@register(keras.ops.leaky_relu, temporal=True, native="neurons")
def convert_leaky_relu(call: LayerCall, build: Build) -> Obj:
    """Convert a leaky rectifier."""
    return _convert(build, LeakyReLU(call.layer.negative_slope))


@register(keras.ops.softmax, temporal=True, check=signal_axes, native="a softmax node")
def convert_softmax(call: LayerCall, build: Build) -> Obj:
    """Convert a softmax over one or several axes."""
    rank = len(call.output_shape)
    return _convert(build, SoftmaxOver(tuple(axis - rank for axis in axes_of(call))))


@register(
    keras.ops.log_softmax,
    temporal=True,
    check=signal_axes,
    native="a node that computes it",
)
def convert_log_softmax(call: LayerCall, build: Build) -> Obj:
    """Convert the logarithm of a softmax."""
    return computed(call, build, "log_softmax", [("axis", axes_of(call))])


@register(keras.ops.absolute, temporal=True, native="two populations of neurons")
def convert_absolute(call: LayerCall, build: Build) -> Obj:
    r"""Convert :math:`\max(x, 0) + \max(-x, 0)`."""
    del call
    node = build.node()
    for part, sign in (("positive", 1), ("negative", -1)):
        neurons = build.neurons(nengo.RectifiedLinear(), part=part)
        build.connect(neurons, transform=None if sign == 1 else sign)
        build.link(neurons, node)
    return node


def _bounds(call: LayerCall) -> list[np.ndarray]:
    return [numbers(vars(call.layer)[name]) for name in ("x_min", "x_max")]


def _are_numbers(call: LayerCall, options: Options) -> str | None:
    del options
    if any(bound.size > 1 for bound in _bounds(call)):
        return "expected bounds that are numbers (got arrays)"
    return None


@register(
    keras.ops.clip,
    temporal=True,
    check=_are_numbers,
    native="neurons, if the lower bound is 0; else a node that computes it",
    restrictions="bounds that are numbers",
)
def convert_clip(call: LayerCall, build: Build) -> Obj:
    """Convert limits; those from zero upwards are of a rectifier."""
    low, high = (float(bound.reshape(())) for bound in _bounds(call))
    if low == 0 < high and not isinf(high):
        return _convert(build, Clipped(high))
    return computed(call, build, "clip", [("low", low), ("high", high)])
