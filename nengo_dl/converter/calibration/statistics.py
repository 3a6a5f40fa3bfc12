"""Activations of populations on data, of which a percentile and samples are kept."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.converter.calibration.largest import Largest
from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.presentation import flat, presented
from nengo_dl.converter.tuning import rate_type

# Of each population, about so many neurons, and at most so many items, are samples.
N_NEURONS, N_ITEMS = 256, 64
# The largest activation of a channel counts as at least this part of the population's.
MIN_PART = 0.01


@dataclass(frozen=True, eq=False)
class Statistics:
    """Activations of a population, and samples of its neurons."""

    neuron_type: NeuronType  # as it will be, before it is tuned
    top: np.ndarray  # the activation that is mapped to the firing rate, of each neuron
    channels: np.ndarray  # to which channel each neuron belongs
    sampled: slice  # of which neurons samples are kept
    currents: np.ndarray  # arriving at them, of shape (n_steps, n_items, n_sampled)
    activations: np.ndarray  # averages over time, of shape (n_items, n_sampled)

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to go by."""
        return not np.any(self.top > 0)

    @property
    def bends(self) -> bool:
        """Whether the response is not linear, and can be tuned."""
        return isinstance(self.neuron_type, nengo.LIFRate) and not self.is_silent


def statistics(
    net: nengo.Network,
    conversion: Conversion,
    inputs: Sequence[np.ndarray],
    percentile: float,
    per_channel: bool,
) -> list[Statistics]:
    """Run rate neurons on data, and keep what is needed of their activations.

    The network has that of the conversion, whose neuron types are changed for it.
    """
    populations = [population.neurons for population in conversion.populations]
    types = [neurons.ensemble.neuron_type for neurons in populations]
    n_values = math.prod(inputs[0].shape[: conversion.source.n_outer_axes])
    kept = [
        _Collector(population.channels, n_values, percentile, per_channel)
        for population in conversion.populations
    ]
    probes = {}
    for i, (neurons, kind) in enumerate(zip(populations, types, strict=True)):
        neurons.ensemble.neuron_type = rate_type(kind)
        with conversion.net:
            probes[i, "input"] = nengo.Probe(neurons[kept[i].sampled], "input")
            probes[i, "output"] = nengo.Probe(neurons)
    arrays = flat(conversion.source, inputs)
    data = dict(zip(conversion.inputs, arrays, strict=True))
    for found in presented(net, probes, data, arrays[0].shape[1]):
        for i, k in enumerate(kept):
            k.add(found[i, "input"], found[i, "output"])
    return [
        Statistics(kind, k.top(), k.all_channels, k.sampled, *k.samples())
        for kind, k in zip(types, kept, strict=True)
    ]


def sampled(channels: np.ndarray) -> slice:
    """Choose at most 512 neurons at even distances.

    Of all channels, of shape (n_neurons,), there are samples, as far as there are not
    more channels than samples, because the distance has no factor in common with their
    number.
    """
    n_channels = int(channels.max()) + 1
    first = max(1, len(channels) // N_NEURONS)
    step = next(k for k in itertools.count(first) if math.gcd(k, n_channels) == 1)
    return slice(None, None, step)


class _Collector:
    """Collects the statistics of a population, minibatch by minibatch."""

    def __init__(
        self, channels: np.ndarray, n_values: int, percentile: float, per_channel: bool
    ):
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

    def add(self, currents: np.ndarray, activations: np.ndarray) -> None:
        """Take in arrays of shape (n_items, n_steps, n)."""
        n_wanted = N_ITEMS - self._n_items
        self._currents.append(currents[:n_wanted].copy())
        self._activations.append(activations[:n_wanted, :, self.sampled].mean(axis=1))
        self._n_items += len(self._currents[-1])
        by_channel = np.abs(activations[..., self._order])
        by_channel = by_channel.reshape(-1, self._n_channels, self._n_positions)
        rows = np.moveaxis(by_channel, 1, 2).reshape(-1, self._n_channels)
        self._largest.add(rows)

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Return currents and activations, as for `Statistics`."""
        currents = np.moveaxis(np.concatenate(self._currents), 1, 0)
        return currents, np.concatenate(self._activations)

    def top(self) -> np.ndarray:
        """Return the percentile for each neuron, of shape (n_neurons,)."""
        top = self._largest.percentile()
        return np.maximum(top, MIN_PART * top.max())[self._channels]
