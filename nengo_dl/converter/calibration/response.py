"""Tuning of neurons whose response bends, by how they answer to trains of spikes.

A leaky neuron forgets, stays below its threshold for weak input, and saturates at its
refractory period. What it then loses depends on how unsteady its input is, so that its
curve for constant currents does not tell which gain is best.
"""

import nengo
import numpy as np

from nengo_dl.converter.activations import changed
from nengo_dl.converter.calibration.tuning import Tuning

DT = 0.001
# Rates for the largest activations, as parts of the fastest that neurons can be.
PARTS = (0.15, 0.25, 0.4, 0.6, 0.8)
BIASES = (-0.25, 0.0, 0.25, 0.5, 0.75, 1.0)


def fitted(
    neuron_type: nengo.LIFRate,
    currents: np.ndarray,
    activations: np.ndarray,
    max_rate: float,
) -> Tuning:
    """Choose gain, bias and amplitude by trying them out.

    Of all combinations of gains and biases, it is the one whose average output is
    nearest to the activations, by least squares, with the best amplitude for it.

    Parameters
    ----------
    neuron_type : nengo.LIFRate
        Or a subclass, spiking or not; with any amplitude.
    currents : ndarray of shape (n_steps, n)
        What arrives at sampled neurons, in each step of 1 ms.
    activations : ndarray of shape (n,)
        What they should put out on average. The activation that gets the rate is 1.
    max_rate : float
        What the rate of an activation of 1 must not exceed, in Hz.

    Returns
    -------
    tuning : `Tuning`
    """
    unit = changed(neuron_type, amplitude=1.0)
    fastest = 1 / max(neuron_type.tau_ref, DT)
    best, least = Tuning(), np.inf
    for rate in sorted({min(part * fastest, max_rate) for part in PARTS}):
        current = _current(neuron_type, rate)
        for bias in BIASES:
            gain = current - bias
            rates = _rates(unit, gain * currents + bias)
            amplitude = float(activations @ rates / max(rates @ rates, 1e-12))
            error = np.sum((amplitude * rates - activations) ** 2)
            if error < least:
                best, least = Tuning(gain, bias, amplitude), error
    return best


def _current(neuron_type, rate):
    """Return the constant current for a rate."""
    interval = 1 / rate - neuron_type.tau_ref
    return 1 + 1 / np.expm1(interval / neuron_type.tau_rc)


def _rates(neuron_type, currents):
    """Return average rates, of shape (n,)."""
    n_steps, n = currents.shape
    state = neuron_type.make_state(n, np.random.RandomState(0), np.float64)
    output, total = np.zeros(n), np.zeros(n)
    for current in currents:
        neuron_type.step(DT, current, output, **state)
        total += output
    return total / n_steps
