"""Firing rates from data: how strongly each population should respond.

The network is run once with rate neurons. Of the activations that each population shows
on the data, a high percentile is mapped to a firing rate (Rueckauer et al. 2017,
Conversion of continuous-valued deep networks to efficient event-driven networks for
image classification, https://doi.org/10.3389/fnins.2017.00682).
"""

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.neurons import NeuronType

from nengo_dl.neurons import LeakyReLU
from nengo_dl.simulator import Simulator

MINIBATCH_SIZE = 32
N_SAMPLES = 10_000
# LIF neurons saturate at 1 / tau_ref; they stay well below that.
MAX_PART_OF_LIF_RATE = 0.3
LIF_BIASES = tuple(0.5 + 0.05 * i for i in range(11))


@dataclass(frozen=True)
class Tuning:
    """What currents and outputs of a population are multiplied with.

    Parameters
    ----------
    gain : float
        Factor on the currents.
    bias : float
        Current without any input, in units of the neurons' threshold.
    amplitude : float
        Factor on the output.
    """

    gain: float = 1.0
    bias: float = 0.0
    amplitude: float = 1.0


def scaling(factor: float) -> Tuning:
    """Return the tuning that raises the rates of piecewise linear neurons."""
    return Tuning(factor, 0.0, 1 / factor)


def tuning(
    neuron_type: NeuronType, activations: np.ndarray, percentile: float, rate: float
) -> Tuning:
    """Choose the tuning of one population.

    Parameters
    ----------
    neuron_type : NeuronType
        Rectified linear neurons (spiking or not, leaky or not) are scaled exactly.
        Those with the response curve of LIF neurons get the bias and the amplitude with
        which they are rectified linear as nearly as they can be, by least squares. All
        others stay as they are.
    activations : ndarray
        What the population is to show.
    percentile : float
        Which of the activations is mapped to ``rate``.
    rate : float
        A firing rate, in Hz.

    Returns
    -------
    tuning : `Tuning`
    """
    top = np.percentile(np.abs(activations), percentile)
    if top <= 0:
        return Tuning()
    if isinstance(neuron_type, nengo.LIFRate):
        return _lif_tuning(neuron_type, activations, top, rate)
    if isinstance(neuron_type, nengo.RectifiedLinear):
        return scaling(rate / (top * neuron_type.amplitude))
    return Tuning()


def _lif_tuning(neuron_type, activations, top, rate):
    if neuron_type.tau_ref > 0:
        rate = min(rate, MAX_PART_OF_LIF_RATE / neuron_type.tau_ref)
    current = 1 + 1 / np.expm1((1 / rate - neuron_type.tau_ref) / neuron_type.tau_rc)
    unit = nengo.LIFRate(neuron_type.tau_rc, neuron_type.tau_ref)
    x = np.maximum(np.ravel(activations), 0)
    x = x[:: max(1, len(x) // N_SAMPLES)]
    rates, fits = np.zeros_like(x), []
    for bias in LIF_BIASES:
        gain = (current - bias) / top
        unit.step(1.0, bias + gain * x, rates)
        amplitude = float(x @ rates / max(rates @ rates, 1e-12))
        error = np.sum((amplitude * rates - x) ** 2)
        fits.append((error, Tuning(gain, bias, amplitude)))
    return min(fits, key=lambda fit: fit[0])[1]


def rate_type(neuron_type: NeuronType) -> NeuronType:
    """Return what a neuron type approximates: an activation function."""
    if isinstance(neuron_type, LeakyReLU):
        return LeakyReLU(neuron_type.negative_slope, neuron_type.amplitude)
    if isinstance(neuron_type, nengo.RectifiedLinear):
        return nengo.RectifiedLinear(neuron_type.amplitude)
    if isinstance(neuron_type, nengo.LIFRate):
        return nengo.RectifiedLinear()
    return neuron_type


def record(converter, data) -> list[tuple[NeuronType, np.ndarray]]:
    """Run a converted network with rate neurons on data.

    Parameters
    ----------
    converter : `Converter`
        Its network is changed.
    data : array_like, or list of array_like
        One for each input of the model, with a minibatch axis.

    Returns
    -------
    records : list of (NeuronType, ndarray)
        For each population, in the order in which they were made: its type, and its
        activations.
    """
    data = data if isinstance(data, list | tuple) else [data]
    data = [np.asarray(x, dtype=np.float32) for x in data]
    populations: list[Neurons] = converter.populations
    types = [neurons.ensemble.neuron_type for neurons in populations]
    with converter.net:
        probes = [nengo.Probe(neurons) for neurons in populations]
    for neurons in populations:
        neurons.ensemble.neuron_type = rate_type(neurons.ensemble.neuron_type)
    minibatch_size = min(len(data[0]), MINIBATCH_SIZE)
    n_items = len(data[0]) // minibatch_size * minibatch_size
    n_steps = data[0].shape[1] if converter.temporal_model else 1
    inputs = {
        node: x[:n_items].reshape(n_items, n_steps, -1)
        for node, x in zip(converter.inputs.values(), data, strict=True)
    }
    with Simulator(
        converter.net,
        minibatch_size=minibatch_size,
        progress_bar=False,
        device="/cpu:0",
    ) as sim:
        found = sim.predict(inputs, verbose=0)
    return [
        (neuron_type, found[probe])
        for neuron_type, probe in zip(types, probes, strict=True)
    ]
