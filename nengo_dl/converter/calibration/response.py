"""Tuning of neurons whose response bends, by how they answer to trains of spikes.

A leaky neuron forgets, stays below its threshold for weak input, and saturates at its
refractory period. What it then loses depends on how unsteady its input is, so that its
curve for constant currents does not tell which gain is best.
"""

from dataclasses import dataclass

import nengo
import numpy as np

from nengo_dl.converter.forms import changed

DT = 0.001
# Rates for the largest activations, as parts of the fastest that neurons can be.
PARTS = (0.2, 0.35, 0.5, 0.65, 0.8)
BIASES = (-1.0, -0.5, 0.0, 0.5)
# What is added to the currents of a channel, as parts of that of an activation of 1.
# Of those that are as good, the first is taken.
OFFSETS = tuple(sorted(np.linspace(-0.3, 0.3, 13), key=abs))


@dataclass(frozen=True)
class Response:
    """How strongly neurons respond."""

    gain: float  # factor on the currents
    biases: np.ndarray  # current without any input, of shape (n_channels,)
    amplitude: float  # factor on the output


def fitted(
    neuron_type: nengo.LIFRate,
    currents: np.ndarray,
    activations: np.ndarray,
    channels: np.ndarray,
    n_channels: int,
    max_rate: float,
) -> Response:
    """Choose gain, biases and amplitude by trying them out.

    Of all combinations of gains and biases, it is the one whose average output is
    nearest to the activations, by least squares, with the best amplitude for it. Then
    the bias of each channel is moved to where its own output is nearest: what earlier
    layers get wrong differs most between channels.

    Parameters
    ----------
    neuron_type : nengo.LIFRate
        Or a subclass, spiking or not; with any amplitude.
    currents : ndarray of shape (n_steps, n_items, n)
        Arriving at sampled neurons, in each step of 1 ms.
    activations : ndarray of shape (n_items, n)
        Wanted on average. The activation that gets the rate is 1.
    channels : ndarray of int, of shape (n,)
        To which of ``n_channels`` the neurons belong.
    max_rate : float
        The rate, in Hz, that an activation of 1 does not exceed, but for what biases
        make up for.
    """
    unit = changed(neuron_type, amplitude=1.0)
    gain, bias, amplitude = _common(unit, currents, activations, max_rate)
    errors = []
    for offset in OFFSETS:
        rates = _rates(unit, gain * (currents + offset) + bias)
        error = np.sum((amplitude * rates - activations) ** 2, axis=0)
        errors.append(np.bincount(channels, error, n_channels))
    offsets = np.array(OFFSETS)[np.argmin(errors, axis=0)]
    return Response(gain, bias + gain * offsets, amplitude)


def _common(unit, currents, activations, max_rate):
    """Return the gain, bias and amplitude that are best for all channels together."""
    fastest = 1 / max(unit.tau_ref, DT)
    tried = sorted({min(part * fastest, max_rate) for part in PARTS})
    # as it is for constant currents, if none of the samples has an activation
    best, least = (_current(unit, tried[-1]), 0.0, 1 / tried[-1]), np.inf
    for rate in tried:
        current = _current(unit, rate)
        for bias in BIASES:
            gain = current - bias
            rates = _rates(unit, gain * currents + bias)
            size = max(np.sum(rates**2), 1e-12)
            amplitude = float(np.sum(activations * rates) / size)
            error = np.sum((amplitude * rates - activations) ** 2)
            if amplitude > 0 and error < least:
                best, least = (gain, bias, amplitude), error
    return best


def _current(neuron_type, rate):
    """Return the constant current for a rate."""
    interval = 1 / rate - neuron_type.tau_ref
    return 1 + 1 / np.expm1(interval / neuron_type.tau_rc)


def _rates(neuron_type, currents):
    """Return average rates, of the shape of the currents without time."""
    n = currents[0].size
    state = neuron_type.make_state(n, np.random.RandomState(0), np.float64)
    output, total = np.zeros(n), np.zeros(n)
    for current in currents.reshape(-1, n):
        neuron_type.step(DT, current, output, **state)
        total += output
    return total.reshape(currents[0].shape) / len(currents)
