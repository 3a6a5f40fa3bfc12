"""Normalisation by averages of minibatches, or of each item."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.bindings import AS_IT_IS, ArrayForm
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.layers import BatchNormalization
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.conv import shape_of
from nengo_dl.exchange.operators.reduction import reduce
from nengo_dl.exchange.values import Operand, Value, plain_value


def batch_norm(
    emit: Emitter,
    value: Value,
    weights: Mapping[str, Weight | None],
    rate: float,
    epsilon: float,
) -> Value:
    """Normalise each channel by averages of minibatches.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, channels, ...).
    weights : mapping of str to Weight or None
        "gamma", "beta", "moving_mean", "moving_variance", and "n_minibatches".
    rate : float
        How much of a minibatch goes into the averages.
    epsilon : float
        Is added to the variance.
    """
    if rate == 0:
        raise InvalidValue(
            "expected averages that follow their input (got a rate of 0)"
        )
    return _by_channels(
        emit, BatchNormalization, value, weights, momentum=1 - rate, epsilon=epsilon
    )


def layer_norm(
    emit: Emitter,
    value: Value,
    n_axes: int,
    weight: Operand | None,
    bias: Operand | None,
    epsilon: float,
) -> Value:
    """Normalise the last axes of each item.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, ..., the shape of the weights).
    n_axes : int
        How many axes are normalised.
    weight, bias : Weight or Value or None
        Of the shape of these axes.
    epsilon : float
        Is added to the variance.
    """
    if value.batch is None or value.batch >= value.rank - n_axes:
        raise InvalidValue(
            f"expected to normalise axes after the minibatch (got shape {value.shape})"
        )
    tensor = emit.plain(value)
    rank = len(tensor.shape)
    axes = tuple(range(rank - n_axes, rank))
    shared = [isinstance(w, Value) for w in (weight, bias) if w is not None]
    if any(shared) and not all(shared):
        raise InvalidValue("expected to share both weight and bias (got one of them)")
    own = {} if any(shared) else {"gamma": weight, "beta": bias}
    made = _normalized(
        emit,
        keras.layers.LayerNormalization,
        tensor,
        own,
        axis=axes[0] if n_axes == 1 else axes,
        epsilon=epsilon,
    )
    normalized = plain_value(made, value.batch)
    return affine(emit, normalized, weight, bias) if any(shared) else normalized


def rms_norm(
    emit: Emitter, value: Value, n_axes: int, weight: Operand | None, epsilon: float
) -> Value:
    """Divide the last axes of each item by their root mean square.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, ..., the shape of the weight).
    n_axes : int
        How many axes are normalised.
    weight : Weight or Value or None
        Of the shape of these axes.
    epsilon : float
        Is added to the mean square.
    """
    axes = range(value.rank - n_axes, value.rank)
    squares = value.with_tensor(keras.ops.square(value.tensor))
    means = reduce(emit, squares, keras.ops.mean, tuple(axes), True)
    factors = means.with_tensor(keras.ops.rsqrt(means.tensor + epsilon))
    return affine(
        emit, elementwise(emit, keras.ops.multiply, value, factors), weight, None
    )


def affine(
    emit: Emitter, value: Value, weight: Operand | None, bias: Operand | None
) -> Value:
    """Multiply by a weight and add a bias, if there are any."""
    if weight is not None:
        value = elementwise(emit, keras.ops.multiply, value, weight)
    if bias is not None:
        value = elementwise(emit, keras.ops.add, value, bias)
    return value


def group_norm(
    emit: Emitter,
    value: Value,
    n_groups: int,
    weight: Operand | None,
    bias: Operand | None,
    epsilon: float,
) -> Value:
    """Normalise groups of channels of each item.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, channels, ...).
    n_groups : int
        How many groups; as many as there are channels for each channel by itself.
    weight, bias : Weight or None
        Of shape (channels,).
    epsilon : float
        Is added to the variance.
    """
    return _by_channels(
        emit,
        keras.layers.GroupNormalization,
        value,
        {"gamma": weight, "beta": bias},
        groups=n_groups,
        axis=-1,
        epsilon=epsilon,
    )


def prelu(emit: Emitter, value: Value, weight: Operand) -> Value:
    """Rectify, with a slope below zero for each channel, or one for all.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, channels, ...).
    weight : Weight
        Of shape (channels,) or (1,).
    """
    if not isinstance(weight, Weight) or value.batch != 0:
        raise InvalidValue(
            "expected slopes that no other operator has, and items as the first axis"
        )
    order = value.channels_last
    tensor = emit.arranged(value, order)
    n, rank = int(np.prod(shape_of(weight))), len(tensor.shape)
    shared = range(1, rank) if n == 1 else range(1, rank - 1)
    made = emit.weighted(
        keras.layers.PReLU,
        tensor,
        {"alpha": (weight, ArrayForm())},
        shared_axes=list(shared) or None,
    )
    return Value(made, order, 0)


def _by_channels(
    emit: Emitter,
    kind: type[keras.Layer],
    value: Value,
    weights: Mapping[str, Operand | None],
    **config,
) -> Value:
    """Call a layer that normalises and has one of each weight for each channel."""
    if value.batch != 0 or value.rank < 2:
        raise InvalidValue(f"expected items and channels (got shape {value.shape})")
    order = value.channels_last
    made = _normalized(emit, kind, emit.arranged(value, order), weights, **config)
    return Value(made, order, 0)


def _normalized(
    emit: Emitter,
    kind: type[keras.Layer],
    tensor: Any,
    weights: Mapping[str, Operand | None],
    **config,
) -> Any:
    """Call a layer that normalises, with those of the weights that there are."""
    given = {name: w for name, w in weights.items() if w is not None}
    own = {name: (w, AS_IT_IS) for name, w in given.items() if isinstance(w, Weight)}
    if len(own) < len(given):
        raise InvalidValue(
            "expected weights that no other operator has (got some that are shared)"
        )
    return emit.weighted(
        kind, tensor, own, center="beta" in own, scale="gamma" in own, **config
    )
