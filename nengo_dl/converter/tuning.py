"""How strongly a population responds: gains, biases and the heights of spikes."""

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.neurons import NeuronType

from nengo_dl.converter.forms import changed
from nengo_dl.neurons import LeakyReLU
from nengo_dl.stepped import SteppedLIF


@dataclass(frozen=True)
class Tuning:
    """Factors on currents and outputs of a population, and its biases.

    Parameters
    ----------
    gain : float or ndarray of shape (n_neurons,)
        Factor on the currents.
    bias : float or ndarray of shape (n_neurons,)
        Current without any input, in units of the neurons' threshold.
    amplitude : float or ndarray of shape (n_neurons,)
        Factor on the output.
    """

    gain: float | np.ndarray = 1.0
    bias: float | np.ndarray = 0.0
    amplitude: float | np.ndarray = 1.0

    def currents(self, arrived: np.ndarray, chosen: slice) -> np.ndarray:
        """Return currents of some neurons as they are before gains and biases."""
        n = max(map(np.size, (self.gain, self.bias)))
        gain, bias = (np.broadcast_to(x, n)[chosen] for x in (self.gain, self.bias))
        return (arrived - bias) / gain


def scaling(factor: float | np.ndarray) -> Tuning:
    """Return the tuning that raises the rates of piecewise linear neurons."""
    return Tuning(factor, 0.0, 1 / factor)


def slope(neuron_type: NeuronType) -> float | None:
    """Return the output per unit of current of rectified linear neurons, or None.

    Integrators that are defined step by step are such neurons, too.
    """
    if isinstance(neuron_type, nengo.RectifiedLinear):
        return neuron_type.amplitude
    if not isinstance(neuron_type, SteppedLIF) or neuron_type.unit != "second":
        return None
    numbers = (neuron_type.tau_rc, neuron_type.tau_syn, neuron_type.threshold)
    low = neuron_type.v_reset if neuron_type.reset == "zero" else 0.0
    if any(np.ndim(x) for x in (*numbers, low)) or numbers[:2] != (np.inf, 0):
        return None
    return neuron_type.amplitude / (neuron_type.threshold - low)


def rate_type(neuron_type: NeuronType) -> NeuronType:
    """Return the activation function that a neuron type approximates."""
    if isinstance(neuron_type, LeakyReLU):
        return LeakyReLU(neuron_type.negative_slope, neuron_type.amplitude)
    if slope(neuron_type) is not None:
        return nengo.RectifiedLinear(slope(neuron_type))
    if isinstance(neuron_type, nengo.LIFRate):
        return nengo.RectifiedLinear()
    return neuron_type


def started(neuron_type: NeuronType) -> NeuronType:
    """Return a neuron type that starts half-way to its first spike.

    The number of spikes up to any time is then rounded, not cut off, and is the same in
    each run. LIF neurons, which by default forget inhibition in each step, remember it.
    Neurons that do not spike, and what the user has set, stay as they are.
    """
    changes: dict[str, Any] = {}
    is_set = neuron_type.initial_state and "voltage" in neuron_type.initial_state
    if neuron_type.spiking and "voltage" in neuron_type.state and not is_set:
        state = dict(neuron_type.initial_state or {})
        threshold = 1.0
        if isinstance(neuron_type, SteppedLIF):
            threshold = float(np.min(neuron_type.threshold))
        changes["initial_state"] = state | {"voltage": Choice([threshold / 2])}
    if isinstance(neuron_type, nengo.LIF) and neuron_type.min_voltage == 0:
        changes["min_voltage"] = -np.inf
    return changed(neuron_type, **changes) if changes else neuron_type
