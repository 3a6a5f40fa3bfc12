"""How much a layer, or a network, computes for one item of data."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    r"""What is computed for one item, on average over the items, in all its steps.

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
