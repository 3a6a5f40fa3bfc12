"""Forms of activations: what neurons, or several Nengo objects, can compute.

A form is a neuron type, None (no neurons, the value passes through), a `Composite`, or
a function for which nothing native is known.
"""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nengo.neurons import NeuronType

from nengo_dl.simulator.stacklevel import user_level


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
    """Exponentials that sum to 1 over some axes, counted as the source model does."""

    axes: tuple[int, ...] = (-1,)


Composite = Clipped | SoftmaxOver
Form = NeuronType | Composite | Callable | None


def changed(neuron_type: NeuronType, **arguments: Any) -> NeuronType:
    """Return a copy of a neuron type with other values of some of its arguments."""
    names = inspect.signature(type(neuron_type)).parameters
    before = {name: getattr(neuron_type, name) for name in names}
    return type(neuron_type)(**(before | arguments))


def scaled(neuron_type: NeuronType, factor: float, name: str) -> NeuronType:
    """Return a neuron type whose output is multiplied by a factor.

    Without an amplitude, it stays as it is, with a warning that names the layer.
    """
    if factor == 1:
        return neuron_type
    if "amplitude" not in inspect.signature(type(neuron_type)).parameters:
        warnings.warn(
            f"Layer '{name}': scale_firing_rates needs a neuron type with an amplitude "
            f"to undo the scale (got {neuron_type}). The output of the layer changes.",
            stacklevel=user_level(),
        )
        return neuron_type
    return changed(neuron_type, amplitude=neuron_type.amplitude * factor)
