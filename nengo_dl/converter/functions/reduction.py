"""Sums, averages and maxima along axes.

The axes come first, or last, in one array of two axes; where they do not, elements are
put in that order on the way.
"""

import math
from dataclasses import dataclass

import keras
import nengo
import numpy as np

from nengo_dl.converter.axes import axes_of, signal_axes
from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.layers.pooling import SPIKING_TAU
from nengo_dl.converter.operators import function_name
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.nodes.array_node import Function, MaxPool, Reduce


@dataclass(frozen=True, eq=False)
class Order:
    """The elements of a signal as an array of shape (n_reduced, n_kept)."""

    take: np.ndarray | None  # the order in which elements are taken; None as they come
    n_reduced: int  # along how many elements something is computed
    n_kept: int  # how often

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of that array."""
        return self.n_reduced, self.n_kept


def _order(call: LayerCall) -> Order:
    axes, shape = axes_of(call), call.input_shape
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order = [*axes, *kept]
    n_reduced = math.prod(shape[axis] for axis in axes)
    n_kept = math.prod(shape[axis] for axis in kept)
    if order == sorted(order):
        return Order(None, n_reduced, n_kept)
    take = np.arange(math.prod(shape)).reshape(shape).transpose(order).ravel()
    return Order(take, n_reduced, n_kept)


def _register(native, *functions):
    return register(
        *functions,
        temporal=True,
        check=signal_axes,
        native=native,
        restrictions="not along the minibatch or the time",
    )


def _sum(call: LayerCall, build: Build, factor: float) -> Obj:
    order = _order(call)
    node = build.node()
    if order.n_kept == 1:
        transform = np.full((1, order.n_reduced), factor)
        build.connect(node, transform=transform)
        return node
    transform = nengo.Convolution(
        order.n_kept,
        order.shape,
        kernel_size=(order.n_reduced,),
        strides=(order.n_reduced,),
        init=np.full((order.n_reduced, 1, order.n_kept), factor),
        groups=order.n_kept,
    )
    build.connect(node, transform=transform, take=order.take)
    return node


@_register("a convolution", keras.ops.sum)
def convert_sum(call: LayerCall, build: Build) -> Obj:
    """Convert a sum."""
    return _sum(call, build, 1.0)


@_register("a convolution", keras.ops.mean)
def convert_mean(call: LayerCall, build: Build) -> Obj:
    """Convert an average."""
    return _sum(call, build, 1 / _order(call).n_reduced)


def _max(call: LayerCall, build: Build, sign: int) -> Obj:
    order = _order(call)
    node = build.array_node(
        MaxPool(
            order.shape,
            (1, order.n_kept),
            np.arange(order.n_reduced)[None],
            (order.n_reduced,),
            (order.n_reduced,),
            "valid",
            True,
            SPIKING_TAU if build.is_spiking(build.input()) else None,
        )
    )
    build.connect(node, transform=None if sign == 1 else sign, take=order.take)
    if sign == 1:
        return node
    negative = build.node(part="negative")
    build.link(node, negative, transform=-1)
    return negative


def _without_initial(call: LayerCall, options: Options) -> str | None:
    if call.layer.initial is not None:
        return "expected no initial value (got one)"
    return signal_axes(call, options)


@register(
    keras.ops.max,
    temporal=True,
    check=_without_initial,
    native="a node that computes maxima",
    restrictions="not along the minibatch or the time",
)
def convert_max(call: LayerCall, build: Build) -> Obj:
    """Convert a maximum; an average if the options say so."""
    if build.options.max_to_avg_pool:
        return convert_mean(call, build)
    return _max(call, build, 1)


@register(
    keras.ops.min,
    temporal=True,
    check=_without_initial,
    native="a node that computes maxima, of what is negated",
    restrictions="not along the minibatch or the time",
)
def convert_min(call: LayerCall, build: Build) -> Obj:
    """Convert a minimum."""
    return _max(call, build, -1)


def _computed(call: LayerCall, build: Build, function):
    order = _order(call)
    node = build.array_node(function(order))
    build.connect(node, take=order.take)
    return node


@_register("a node that computes products", keras.ops.prod)
def convert_prod(call: LayerCall, build: Build) -> Obj:
    """Convert a product."""
    return _computed(
        call, build, lambda order: Reduce(order.shape, (order.n_kept,), "multiply")
    )


@_register("a node that computes it", keras.ops.std, keras.ops.var, keras.ops.logsumexp)
def convert_statistic(call: LayerCall, build: Build) -> Obj:
    """Convert a deviation, a variance or the logarithm of a sum of exponentials."""
    name = function_name(call.layer)
    return _computed(
        call, build, lambda order: Function(order.shape, (order.n_kept,), name)
    )
