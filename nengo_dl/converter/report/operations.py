"""Operations of a network: counts of them, and the spikes and values that cause them.

Neurons that spike put out spikes, and nodes pass them on as long as each leads to one
element at most, with whatever weight: concatenations, sums and averages of spikes are
still spikes, of different heights. A node in which each spike counts several times, as
behind a convolution, has other values, and so has what computes something of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons

from nengo_dl.converter.fan_out import links, neurons_of, passes_on, plain, synapses
from nengo_dl.converter.populations import Obj
from nengo_dl.nodes.array_node import ArrayNode, Scale


@dataclass(frozen=True)
class Counts:
    r"""Operations and spikes for one item, averaged over the items, in all its steps.

    The names are those of NeuroBench (Yik et al. 2025, The neurobench framework for
    benchmarking neuromorphic computing algorithms and systems,
    https://doi.org/10.1038/s41467-025-56739-4). With weights :math:`w_{ij}` and values
    :math:`x_j[n]` that arrive in step :math:`n`, a layer has

    .. math:: \sum_n \sum_j k_j[n] \sum_i [w_{ij} \ne 0]

    effective operations, where :math:`k_j[n]` is the number of spikes for spike trains,
    and :math:`[x_j[n] \ne 0]` for other values. Biases are not counted, nor connections
    that only pass values on, or spikes with other heights.

    Parameters
    ----------
    parameters : int
        Of the Keras layers.
    neurons : int
        How many there are.
    weights : int
        How many numbers the connections have (the kernel of a convolution once).
    zero_weights : int
        How many of them are zero.
    effective_macs : float or None
        Multiplications and additions, for values that are no spikes. None if they
        happen in a `TensorNode`, where they cannot be seen.
    effective_acs : float or None
        Additions of a weight, for spikes.
    dense : float or None
        Operations if no value and no weight were zero, once for each value and step;
        zeros of the padding do not count. Where several spikes arrive in a step, there
        can be more effective operations.
    neuron_updates : int
        Neurons times steps.
    spikes : float
        Of all spiking neurons.
    zero_activations : float
        How many outputs of neurons are zero.
    max_rate : float or None
        The highest firing rate of any neuron for any item, over all steps, in Hz. None
        if there are no neurons.
    rate_sum : float
        The sum of the firing rates of all neurons, in Hz. Of neurons that do not spike,
        rates are their outputs without sign and amplitude.
    """

    parameters: int = 0
    neurons: int = 0
    weights: int = 0
    zero_weights: int = 0
    effective_macs: float | None = 0.0
    effective_acs: float | None = 0.0
    dense: float | None = 0.0
    neuron_updates: int = 0
    spikes: float = 0.0
    zero_activations: float = 0.0
    max_rate: float | None = None
    rate_sum: float = 0.0

    @property
    def activation_sparsity(self) -> float | None:
        """Which part of the outputs of neurons is zero; None without neurons."""
        return _part(self.zero_activations, self.neuron_updates)

    @property
    def connection_sparsity(self) -> float | None:
        """Which part of the weights is zero; None without weights."""
        return _part(self.zero_weights, self.weights)

    @property
    def mean_rate(self) -> float | None:
        """The mean firing rate of all neurons, in Hz; None without neurons."""
        return _part(self.rate_sum, self.neurons)

    def to_dict(self) -> dict:
        """Return all numbers, in types that JSON has."""
        names = [*Counts.__dataclass_fields__, *DERIVED]
        return {name: getattr(self, name) for name in names}


DERIVED = ("activation_sparsity", "connection_sparsity", "mean_rate")


def total(parts: Iterable[Counts]) -> Counts:
    """Return the sums of all counts (the highest of ``max_rate``).

    Parts whose operations cannot be seen are left out of the sums of operations.
    """
    parts = tuple(parts)
    sums = {
        name: sum(getattr(part, name) or 0 for part in parts)
        for name in Counts.__dataclass_fields__
        if name != "max_rate"
    }
    rates = [part.max_rate for part in parts if part.max_rate is not None]
    return Counts(max_rate=max(rates, default=None), **sums)


def _part(count: float, whole: float) -> float | None:
    return count / whole if whole else None


class Operations:
    """Counts what connections compute.

    Parameters
    ----------
    spikes : `Spikes`
        Of all objects that put out spikes.
    nonzero : mapping of Obj to ndarray
        In how many steps of all items each element was not zero, of all objects that
        connections with weights start from.
    model : `nengo.builder.Model`
        Has the weights.
    n_items, n_steps : int
        How many items there were, and how many steps each took.
    """

    def __init__(
        self,
        spikes: Spikes,
        nonzero: Mapping[Obj, np.ndarray],
        model: Model,
        n_items: int,
        n_steps: int,
    ):
        self._spikes, self._nonzero, self._model = spikes, nonzero, model
        self._n_items, self._n_steps = n_items, n_steps

    def of(self, conn: nengo.Connection) -> Counts:
        """Return what a connection computes."""
        if passes_on(conn):
            return Counts()
        obj, weights = neurons_of(conn.pre_obj), self._model.params[conn].weights
        spikes = self._spikes.of(obj)
        if spikes is not None and isinstance(weights, np.ndarray) and weights.ndim < 2:
            return Counts()  # other heights for the same spikes
        made = synapses(conn, weights)
        events = self._nonzero[obj] if spikes is None else spikes
        if obj is conn.pre_obj:
            events = events[conn.pre_slice]
        n = float(events @ made.fan_out) / self._n_items
        return Counts(
            weights=made.n_weights,
            zero_weights=made.n_zeros,
            effective_macs=n if spikes is None else 0.0,
            effective_acs=0.0 if spikes is None else n,
            dense=float(made.dense.sum() * self._n_steps),
        )


class Spikes:
    """Counts the spikes of all objects that put out spikes.

    Those of populations that spike have been counted; connections pass them on, with
    the weights of the model.
    """

    def __init__(
        self,
        counted: Mapping[Neurons, np.ndarray],
        connections: Iterable[nengo.Connection],
        model: Model,
    ):
        self._incoming: dict[Obj, list[nengo.Connection]] = {}
        for conn in connections:
            self._incoming.setdefault(neurons_of(conn.post_obj), []).append(conn)
        self._model = model
        self._found: dict[Obj, np.ndarray | None] = dict(counted)

    def of(self, obj: Obj) -> np.ndarray | None:
        """Return how many spikes each element of an object had.

        None for an object that puts out something else.
        """
        if obj not in self._found:
            self._found[obj] = None  # what comes back to itself is no plain sum
            self._found[obj] = self._sum(obj) if _is_plain(obj) else None
        return self._found[obj]

    def _sum(self, node: nengo.Node) -> np.ndarray | None:
        counts = np.zeros(node.size_out)
        for conn in self._incoming.get(node, []):
            passed = self._passed(conn)
            if passed is None:
                return None
            np.add.at(counts, np.arange(node.size_out)[conn.post_slice], passed)
        return counts

    def _passed(self, conn: nengo.Connection) -> np.ndarray | None:
        """Return how many spikes a connection passes on to each element."""
        before = self.of(neurons_of(conn.pre_obj))
        if before is None or isinstance(conn.pre_obj, nengo.Ensemble):
            return None
        weights = self._model.params[conn].weights
        if not passes_on(conn):
            if synapses(conn, weights).dense.max() > 1:
                return None
            weights = plain(weights)
        found = links(conn.transform, weights)
        if found is None:
            return None
        pre, post = found
        events = before[conn.pre_slice][pre]
        return np.bincount(post, weights=events, minlength=conn.size_out)


def _is_plain(obj: Obj) -> bool:
    """Whether a node puts out what arrives, but for factors."""
    if isinstance(obj, ArrayNode):
        return isinstance(obj.function, Scale)
    return type(obj) is nengo.Node and obj.output is None and obj.size_in > 0
