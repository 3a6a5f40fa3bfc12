"""The tuning of all populations of a network, from their activations on data."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.converter.calibration.data import presented, run
from nengo_dl.converter.calibration.largest import Largest
from nengo_dl.converter.calibration.latency import TUNED_STEPS, choose_synapse, errors
from nengo_dl.converter.calibration.response import fitted
from nengo_dl.converter.calibration.tuning import Tuning, rate_type, scaling, started

# Of each population, about so many neurons, and at most so many items, are samples.
N_NEURONS, N_ITEMS = 256, 64
# How often neurons are tuned at most.
N_SWEEPS = 8
# The largest activation of a channel counts as at least this part of the population's.
MIN_PART = 0.01


@dataclass(frozen=True)
class Statistics:
    """What is known of a population.

    Parameters
    ----------
    neuron_type : NeuronType
        As it will be, before it is tuned.
    top : ndarray of shape (n_neurons,)
        The activation that is mapped to the firing rate.
    channels : ndarray of shape (n_neurons,)
        To which channel neurons belong.
    sampled : slice
        Of which neurons samples are kept.
    currents : ndarray of shape (n_steps, n_items, n_sampled)
        What arrives at the sampled neurons.
    activations : ndarray of shape (n_items, n_sampled)
        What they put out, averaged over time.
    """

    neuron_type: NeuronType
    top: np.ndarray
    channels: np.ndarray
    sampled: slice
    currents: np.ndarray
    activations: np.ndarray

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to go by."""
        return not np.any(self.top > 0)

    @property
    def bends(self) -> bool:
        """Whether the response is not linear, and can be tuned."""
        return isinstance(self.neuron_type, nengo.LIFRate) and not self.is_silent


class Calibration:
    """Tunes populations by their activations on data.

    Rueckauer et al. 2017, Conversion of continuous-valued deep networks to efficient
    event-driven networks for image classification,
    https://doi.org/10.3389/fnins.2017.00682, introduced percentiles of activations.

    Parameters
    ----------
    convert : callable
        Makes a `Converter` of a list of tunings (None for as it is) and a synapse.
    arrays : tuple of ndarray
        Data, as from `check`.
    percentile : float
        Which of the activations is mapped to the rate.
    rate : float
        A firing rate, in Hz.
    per_channel : bool
        Whether each channel of a population has a percentile of its own.
    """

    def __init__(
        self,
        convert: Callable[[Any, Any], Any],
        arrays: tuple[np.ndarray, ...],
        percentile: float,
        rate: float,
        per_channel: bool,
    ):
        self._convert, self._arrays, self._rate = convert, arrays, rate
        self._statistics = _statistics(
            convert(None, None), arrays, percentile, per_channel
        )

    def synapse(self) -> float | None:
        """Return the synapse with which the average output is right soonest.

        Rectified linear neurons need none: filters would only be late.
        """
        if not any(found.bends for found in self._statistics):
            return None
        return choose_synapse(self._errors)

    @cache  # noqa: B019, a calibration does not outlive its conversion
    def tunings(self, synapse: Any) -> tuple[Tuning, ...]:
        """Return the tuning of each population, in the order in which they were made.

        Rectified linear neurons (spiking or not, leaky or not) are scaled exactly.
        Those with the response curve of LIF neurons are tuned by their answer to what
        arrives at them: first to constant currents, then to the spikes of the network
        as it is tuned up to then, so that each layer makes up for those before it. What
        arrives at the first of them does not change, at the second one only with the
        first, and so on. All others stay as they are.
        """
        tunings = [self._tuning(found, found.currents) for found in self._statistics]
        bent = [i for i, found in enumerate(self._statistics) if found.bends]
        for n_done in range(min(len(bent), N_SWEEPS)):
            currents = self._currents(tunings, synapse)
            for i in bent[n_done:]:
                tunings[i] = self._tuning(self._statistics[i], currents[i])
        return tuple(tunings)

    def _errors(self, synapse):
        return errors(self._convert(self.tunings(synapse), synapse), self._arrays)

    def _tuning(self, found: Statistics, currents: np.ndarray) -> Tuning:
        kind = found.neuron_type
        if found.bends:
            top = found.top[found.sampled]
            fit = fitted(
                started(kind),
                currents / top,
                found.activations / top,
                found.channels[found.sampled],
                found.channels.max() + 1,
                self._rate,
            )
            biases = fit.biases[found.channels]
            return Tuning(fit.gain / found.top, biases, fit.amplitude * found.top)
        if found.is_silent or not isinstance(kind, nengo.RectifiedLinear):
            return Tuning()
        return scaling(self._rate / (found.top * kind.amplitude))

    def _currents(self, tunings: list[Tuning], synapse: Any) -> dict[int, np.ndarray]:
        """Record what arrives at samples of the populations whose response bends.

        Returns
        -------
        currents : dict of int to ndarray of shape (n_steps, n_items, n_sampled)
            Before gains and biases of the tuning.
        """
        converter = self._convert(tunings, synapse)
        with converter.net:
            probes = {
                i: nengo.Probe(converter.populations[i][found.sampled], "input")
                for i, found in enumerate(self._statistics)
                if found.bends
            }
        few = tuple(x[:N_ITEMS] for x in self._arrays)
        parts = list(run(converter.net, _data(converter, few, TUNED_STEPS)))
        currents = {}
        for i, probe in probes.items():
            tuning, found = tunings[i], self._statistics[i]
            arrived = np.concatenate([part[probe] for part in parts])
            bias, gain = tuning.bias[found.sampled], tuning.gain[found.sampled]
            currents[i] = (np.moveaxis(arrived, 1, 0) - bias) / gain
        return currents


def _statistics(converter, arrays, percentile, per_channel) -> list[Statistics]:
    """Run rate neurons on data, and keep what is needed of their activations."""
    populations = converter.populations
    types = [neurons.ensemble.neuron_type for neurons in populations]
    n_values = math.prod(arrays[0].shape[: 2 if converter.temporal_model else 1])
    kept = [_Kept(c, n_values, percentile, per_channel) for c in converter.channels]
    probes = []
    for neurons, kind, k in zip(populations, types, kept, strict=True):
        neurons.ensemble.neuron_type = rate_type(kind)
        with converter.net:
            current = nengo.Probe(neurons[k.sampled], "input")
            probes.append((current, nengo.Probe(neurons)))
    for found in run(converter.net, _data(converter, arrays, 1)):
        for k, (current, output) in zip(kept, probes, strict=True):
            k.add(found[current], found[output])
    return [
        Statistics(kind, k.top(), k.all_channels, k.sampled, *k.samples())
        for kind, k in zip(types, kept, strict=True)
    ]


def sampled(channels: np.ndarray) -> slice:
    """Choose at most 512 neurons at even distances.

    Parameters
    ----------
    channels : ndarray of int, of shape (n_neurons,)
        To which channel neurons belong. Of all of them there are samples, as far as
        there are not more channels than samples, because the distance has no factor in
        common with their number.
    """
    n_channels = int(channels.max()) + 1
    first = max(1, len(channels) // N_NEURONS)
    step = next(k for k in itertools.count(first) if math.gcd(k, n_channels) == 1)
    return slice(None, None, step)


class _Kept:
    """What is kept of a population, minibatch by minibatch."""

    def __init__(self, channels, n_values, percentile, per_channel):
        self.all_channels = channels
        self._channels = channels if per_channel else np.zeros_like(channels)
        self._order = np.argsort(self._channels, kind="stable")
        self._n_channels = int(self._channels.max()) + 1
        self._n_positions = len(channels) // self._n_channels
        self._largest = Largest(n_values * self._n_positions, percentile)
        self.sampled = sampled(channels)
        self._n_items = 0
        self._currents: list[np.ndarray] = []
        self._activations: list[np.ndarray] = []

    def add(self, currents, activations):
        """Take in arrays of shape (n_items, n_steps, n)."""
        n_wanted = N_ITEMS - self._n_items
        self._currents.append(currents[:n_wanted].copy())
        self._activations.append(activations[:n_wanted, :, self.sampled].mean(axis=1))
        self._n_items += len(self._currents[-1])
        by_channel = np.abs(activations[..., self._order])
        by_channel = by_channel.reshape(-1, self._n_channels, self._n_positions)
        rows = np.moveaxis(by_channel, 1, 2).reshape(-1, self._n_channels)
        self._largest.add(rows)

    def samples(self):
        """Return currents over time, and activations, as for `Statistics`."""
        currents = np.moveaxis(np.concatenate(self._currents), 1, 0)
        n_steps = TUNED_STEPS if len(currents) == 1 else 1
        return np.repeat(currents, n_steps, axis=0), np.concatenate(self._activations)

    def top(self):
        """Return the percentile for each neuron, of shape (n_neurons,)."""
        top = self._largest.percentile()
        return np.maximum(top, MIN_PART * top.max())[self._channels]


def _data(converter, arrays, n_steps):
    """Return what input nodes are set to."""
    data = presented(arrays, n_steps, converter.temporal_model)
    return dict(zip(converter.inputs.values(), data, strict=True))
