"""From Keras activations to neuron types, swaps on the way, and firing rates.

An activation becomes a neuron type, None (no neurons, the value passes through), or a
`Composite`, which makes several Nengo objects.
"""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import nengo
import tensorflow as tf
from nengo.neurons import NeuronType

from nengo_dl.neurons import FUNCTIONS, LeakyReLU, Pointwise


@dataclass(frozen=True)
class Clipped:
    r"""A rectified value up to a maximum: :math:`\max(x, 0) - \max(x - m, 0)`.

    Parameters
    ----------
    max_value : float
        The maximum :math:`m`.
    negative_slope : float
        Slope below zero.
    """

    max_value: float
    negative_slope: float = 0.0


@dataclass(frozen=True)
class SoftmaxOver:
    """Exponentials that sum to 1 over some axes, counted without the minibatch."""

    axes: tuple[int, ...] = (-1,)


Composite = Clipped | SoftmaxOver
Activation = NeuronType | Composite | Callable | None

LINEAR = (None, keras.activations.linear, tf.identity)
DEFAULT_LEAK = 0.2
MAX_RELU6 = 6.0

# Functions for which neither a neuron type nor anything else native is known stay.
DEFAULT_MAP = {
    keras.activations.relu: nengo.RectifiedLinear(),
    tf.nn.relu: nengo.RectifiedLinear(),
    keras.activations.sigmoid: nengo.Sigmoid(tau_ref=1),
    tf.nn.sigmoid: nengo.Sigmoid(tau_ref=1),
    keras.activations.tanh: nengo.Tanh(tau_ref=1),
    tf.nn.tanh: nengo.Tanh(tau_ref=1),
    keras.activations.leaky_relu: LeakyReLU(DEFAULT_LEAK),
    keras.activations.relu6: Clipped(MAX_RELU6),
    tf.nn.relu6: Clipped(MAX_RELU6),
    keras.activations.softmax: SoftmaxOver(),
    tf.nn.softmax: SoftmaxOver(),
}


def relu(max_value=None, negative_slope=0.0, threshold=0.0) -> Activation:
    """Return what a ReLU with these parameters becomes."""
    negative_slope, threshold = negative_slope or 0.0, threshold or 0.0
    if threshold:
        arguments = {"negative_slope": negative_slope, "threshold": threshold}
        if max_value is not None:
            arguments["max_value"] = max_value
        return Pointwise("relu", arguments)
    if max_value is not None:
        return Clipped(max_value, negative_slope)
    return LeakyReLU(negative_slope) if negative_slope else nengo.RectifiedLinear()


class Swaps:
    """The user's replacements of activations, and which of them were needed.

    Parameters
    ----------
    swaps : dict or None
        From activation functions (or their names in Keras) and neuron types to the
        same. None and "linear" stand for no activation.

    Raises
    ------
    TypeError
        If a key or value is something else.
    """

    def __init__(self, swaps: dict | None):
        self._swaps = [
            (_activation(key), _activation(value))
            for key, value in (swaps or {}).items()
        ]
        self._used: set[int] = set()

    def __call__(self, activation: Activation) -> Activation:
        """Return what stands in for an activation; itself if nothing does."""
        for i, (key, value) in enumerate(self._swaps):
            if _same(key, activation):
                self._used.add(i)
                return value
        return activation

    def warn_of_unused(self) -> None:
        """Warn of replacements for activations that did not occur."""
        unused = [k for i, (k, _) in enumerate(self._swaps) if i not in self._used]
        if unused:
            names = ", ".join(getattr(key, "__name__", str(key)) for key in unused)
            warnings.warn(
                f"Converter.swap_activations: expected activations of the model (got "
                f"{names}, which it does not have). The others are swapped.",
                stacklevel=4,
            )


def resolve(activation: Activation, swaps: Swaps) -> Activation:
    """Find what an activation becomes, with swaps before and after the default map.

    Returns
    -------
    activation : NeuronType, Composite, None or callable
        A callable has no native form.
    """
    activation = swaps(None if activation in LINEAR else activation)
    if activation in LINEAR:
        return None
    if isinstance(activation, NeuronType | Composite):
        return swaps(activation)
    known = _known(activation)
    if known is None:
        return activation
    swapped = swaps(known)
    return None if swapped in LINEAR else swapped


def _known(activation: Callable) -> Activation:
    for function, known in DEFAULT_MAP.items():
        if function is activation:
            return known
    name = getattr(activation, "__name__", "")
    if name in FUNCTIONS and getattr(keras.activations, name, None) is activation:
        return Pointwise(name)
    return None


def _activation(value: Any) -> Activation:
    if value is None or isinstance(value, NeuronType | Composite):
        return value
    if isinstance(value, type) or not (isinstance(value, str) or callable(value)):
        raise TypeError(
            "Converter.swap_activations: expected activation functions and neuron "
            f"types (got {value!r}). Use e.g. {{keras.activations.relu: nengo.LIF()}}."
        )
    function = keras.activations.get(value)
    return None if function in LINEAR else function


def _same(key: Activation, activation: Activation) -> bool:
    """Neuron types are equal by value, functions by identity."""
    if isinstance(key, NeuronType | Composite):
        return type(key) is type(activation) and key == activation
    return key is activation


def scaled(neuron_type: NeuronType, factor: float, name: str) -> NeuronType:
    """Return a neuron type whose output is multiplied by a factor.

    Parameters
    ----------
    neuron_type : NeuronType
        Stays as it is.
    factor : float
        Makes up for a scale of the currents.
    name : str
        The layer's name, for messages.

    Warns
    -----
    UserWarning
        If it has no amplitude; the output changes then.
    """
    if factor == 1:
        return neuron_type
    if "amplitude" not in inspect.signature(type(neuron_type)).parameters:
        warnings.warn(
            f"Layer '{name}': scale_firing_rates needs a neuron type with an amplitude "
            f"to undo the scale (got {neuron_type}). The output of the layer changes.",
            stacklevel=2,
        )
        return neuron_type
    return changed(neuron_type, amplitude=neuron_type.amplitude * factor)


def changed(neuron_type: NeuronType, **arguments) -> NeuronType:
    """Return a copy of a neuron type with other values of some of its arguments."""
    names = inspect.signature(type(neuron_type)).parameters
    before = {name: getattr(neuron_type, name) for name in names}
    return type(neuron_type)(**(before | arguments))
