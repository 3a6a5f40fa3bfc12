"""Functions of each element for itself."""

from collections.abc import Callable
from typing import Any

import keras

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.values import Value

# Activations that are never negative
NONNEGATIVE = frozenset(
    {"relu", "relu6", "sigmoid", "hard_sigmoid", "softplus", "exponential"}
)


def activation(emit: Emitter, value: Value, name: str) -> Value:
    """Compute an activation that Keras has by its name."""
    tensor = emit.layer(keras.layers.Activation, value.tensor, "", name)
    return value.with_tensor(tensor, name in NONNEGATIVE)


def layer(emit: Emitter, value: Value, kind: Any, *args: Any, **config: Any) -> Value:
    """Call a layer that treats each element for itself."""
    return value.with_tensor(emit.layer(kind, value.tensor, "", *args, **config))


def apply(value: Value, function: Callable, *args: Any, **options: Any) -> Value:
    """Call a function of ``keras.ops`` that treats each element for itself."""
    return value.with_tensor(function(value.tensor, *args, **options))
