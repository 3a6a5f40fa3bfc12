"""The tuning of all populations of a network, from their activations on data.

Rueckauer et al. 2017, Conversion of continuous-valued deep networks to efficient
event-driven networks for image classification,
https://doi.org/10.3389/fnins.2017.00682, introduced percentiles of activations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import nengo
import numpy as np

from nengo_dl.config import configure_settings
from nengo_dl.converter.calibration.latency import TUNED_STEPS, errors, soonest
from nengo_dl.converter.calibration.response import fitted
from nengo_dl.converter.calibration.statistics import N_ITEMS, Statistics, statistics
from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.objects import AnySynapse
from nengo_dl.converter.presentation import flat, presented
from nengo_dl.converter.tuning import Tuning, scaling, slope, started
from nengo_dl.silence import warnings_ignored

# How often neurons are tuned at most.
N_SWEEPS = 8
# "auto" chooses among them; in seconds; None is no synapse at all.
SYNAPSES = (None, 0.002, 0.005)

MAX = float(np.finfo(float).max)

Convert = Callable[[tuple[Tuning, ...] | None, AnySynapse], Conversion]
Variant = tuple[tuple[Tuning, ...], AnySynapse]


def check_positive(name: str, value: Any, high: float = MAX) -> None:
    """Raise ValueError if an argument is no positive number, or too large."""
    if not isinstance(value, Real) or not 0 < float(value) <= high:
        limit = "" if high == MAX else f" of at most {high}"
        raise ValueError(
            f"Converter.{name}: expected a positive number{limit} (got {value!r}). "
            "Leave it out for the default."
        )


@dataclass(frozen=True)
class Goal:
    """Which activations are to have which firing rate."""

    percentile: float  # of the activations of a population
    rate: float  # that it is mapped to, in Hz
    per_channel: bool  # whether each channel has a percentile of its own

    def __post_init__(self) -> None:
        check_positive("percentile", self.percentile, 100)
        check_positive("target_rate", self.rate)


def calibrate(
    convert: Convert, inputs: Sequence[np.ndarray], goal: Goal, synapse: AnySynapse
) -> Variant:
    """Choose the tuning of each population, and the synapse if it is "auto".

    Rectified linear neurons (spiking or not, leaky or not) are scaled exactly. Those
    with the response curve of LIF neurons are tuned by their answer to what arrives at
    them: first to constant currents, then to the spikes of the network as it is tuned
    up to then, so that each layer makes up for those before it. What arrives at the
    first of them does not change, at the second one only with the first, and so on.
    All others stay as they are.

    The synapse is the one with which the average output is right soonest. Rectified
    linear neurons need none: filters would only be late. All synapses are tried side by
    side, as parts of one network.
    """
    net, (conversion,) = together(convert, [(None, None)])
    found = statistics(net, conversion, inputs, goal.percentile, goal.per_channel)
    bent = [i for i, population in enumerate(found) if population.bends]
    synapses: tuple[AnySynapse, ...] = (synapse,)
    if synapse == "auto":
        synapses = SYNAPSES if bent else (None,)
    first = [_tuning(population, population.currents, goal) for population in found]
    variants = [(tuple(first), each) for each in synapses]
    for n_done in range(min(len(bent), N_SWEEPS)):
        arrived = _currents(convert, variants, found, inputs)
        variants = [
            (_retuned(tunings, currents, found, bent[n_done:], goal), each)
            for (tunings, each), currents in zip(variants, arrived, strict=True)
        ]
    if len(variants) == 1:
        return variants[0]
    return variants[soonest(errors(*together(convert, variants), inputs))]


def together(
    convert: Convert, variants: Sequence[tuple[tuple[Tuning, ...] | None, AnySynapse]]
) -> tuple[nengo.Network, list[Conversion]]:
    """Make several conversions of a model, and one network that has all of theirs."""
    # what there is to warn of is said of the final conversion
    with warnings_ignored(UserWarning):
        with nengo.Network(add_to_container=False) as net:
            configure_settings(jit_compile=False)  # for few steps, compiling is longer
            return net, [convert(*variant) for variant in variants]


def _tuning(found: Statistics, currents: np.ndarray, goal: Goal) -> Tuning:
    kind = found.neuron_type
    if found.bends:
        top = found.top[found.sampled]
        if len(currents) == 1:  # constant over time
            currents = np.repeat(currents, TUNED_STEPS, axis=0)
        fit = fitted(
            started(kind),
            currents / top,
            found.activations / top,
            found.channels[found.sampled],
            found.channels.max() + 1,
            goal.rate,
        )
        biases = fit.biases[found.channels]
        return Tuning(fit.gain / found.top, biases, fit.amplitude * found.top)
    linear = slope(kind)
    if found.is_silent or linear is None:
        return Tuning()
    return scaling(goal.rate / (found.top * linear))


def _retuned(
    tunings: Sequence[Tuning],
    currents: dict[int, np.ndarray],
    found: Sequence[Statistics],
    chosen: Sequence[int],
    goal: Goal,
) -> tuple[Tuning, ...]:
    """Tune some populations to what arrives at them."""
    tunings = list(tunings)
    for i in chosen:
        tunings[i] = _tuning(found[i], currents[i], goal)
    return tuple(tunings)


def _currents(
    convert: Convert,
    variants: Sequence[Variant],
    found: Sequence[Statistics],
    inputs: Sequence[np.ndarray],
) -> list[dict[int, np.ndarray]]:
    """Record what arrives at samples of the populations whose response bends.

    For each variant, arrays of shape (n_steps, n_items, n_sampled), before gains and
    biases of its tunings.
    """
    net, conversions = together(convert, variants)
    source = conversions[0].source
    probes: dict[tuple[int, int], nengo.Probe] = {}
    data: dict[nengo.Node, np.ndarray] = {}
    arrays = flat(source, [x[:N_ITEMS] for x in inputs])
    for k, conversion in enumerate(conversions):
        data |= dict(zip(conversion.inputs, arrays, strict=True))
        with conversion.net:
            for i, population in enumerate(found):
                if population.bends:
                    neurons = conversion.populations[i].neurons
                    probes[k, i] = nengo.Probe(neurons[population.sampled], "input")
    n_steps = arrays[0].shape[1] if source.n_outer_axes > 1 else TUNED_STEPS
    parts = list(presented(net, probes, data, n_steps))
    currents: list[dict[int, np.ndarray]] = [{} for _ in variants]
    for k, i in probes:
        tuning, chosen = variants[k][0][i], found[i].sampled
        arrived = np.concatenate([part[k, i] for part in parts])
        currents[k][i] = np.moveaxis(tuning.currents(arrived, chosen), 1, 0)
    return currents
