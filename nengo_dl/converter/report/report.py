"""Reports on converted networks, as frozen data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nengo_dl.converter.report.devices import Energy
from nengo_dl.converter.report.hardware_report import HardwareReport
from nengo_dl.converter.report.text import render
from nengo_dl.names import listing, suggestion

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


@dataclass(frozen=True, kw_only=True)
class LayerReport(Counts):
    """One layer of the Keras model; all that `Counts` has, and more.

    Parameters
    ----------
    name : str
        The layer's name, with those of the models that it is in before it.
    type : str
        Its class.
    kind : str
        "native" or "fallback".
    reason : str
        What forced the fallback; empty for native layers.
    error : float or None
        Root mean square of the difference between the layer's output, averaged over
        all steps, and that of Keras, divided by the root mean square of the latter. In
        a model with an axis of time, steps are compared one by one. None if Keras
        computes nothing but zeros and the network does not.
    """

    name: str
    type: str
    kind: str
    reason: str = ""
    error: float | None = None

    def to_dict(self) -> dict:
        """Return all of it, in types that JSON has."""
        own = {key: getattr(self, key) for key in ("name", "type", "kind", "reason")}
        return {**own, "error": self.error, **super().to_dict()}


@dataclass(frozen=True)
class OutputReport:
    """One output of the model over time. Tuples have an element for each step.

    Parameters
    ----------
    name : str
        The name of the output's tensor.
    error : tuple of float or None
        As in `LayerReport`, of the average over the steps so far; in a model with an
        axis of time, of each step.
    keras_accuracy : float or None
        Which part of the labels Keras has right (in a model with an axis of time, by
        the average over it); None without labels.
    accuracy : tuple of float or None
        Which part is right by the average over the steps so far.
    last_accuracy : tuple of float or None
        Which part is right by the output of that step alone.
    latency : int or None
        From which step on ``accuracy`` is at least 99 % of ``keras_accuracy``; None if
        it is not in the end.
    latency_seconds : float or None
        The same, in seconds.
    """

    name: str
    error: tuple[float | None, ...] = field(repr=False)
    keras_accuracy: float | None = None
    accuracy: tuple[float, ...] | None = field(default=None, repr=False)
    last_accuracy: tuple[float, ...] | None = field(default=None, repr=False)
    latency: int | None = None
    latency_seconds: float | None = None

    def to_dict(self) -> dict:
        """Return all of it, in types that JSON has."""
        return _plain(dataclasses.asdict(self))


@dataclass(frozen=True)
class Raster:
    """Spikes of a few neurons for the first item.

    Parameters
    ----------
    layer : str
        The layer's name.
    neurons : tuple of int
        Their numbers.
    spikes : tuple of tuple of int
        How many spikes each has in each step, shape (n_steps, n_neurons).
    """

    layer: str
    neurons: tuple[int, ...] = field(repr=False)
    spikes: tuple[tuple[int, ...], ...] = field(repr=False)


@dataclass(frozen=True)
class Report:
    """Counts, errors and energies of a converted network.

    ``print(report)`` shows it as tables.

    Parameters
    ----------
    model : str
        The name of the Keras model, or of the network.
    n_items : int
        How many items it was run on.
    n_steps : int
        How many steps each took.
    dt : float
        Length of a step, in seconds.
    layers : tuple of `LayerReport`
        In the order in which they were converted. A layer that is called several times
        is one.
    total : `Counts`
        The sums over all layers. Layers whose operations cannot be seen are missing
        there, see ``uncounted``.
    outputs : tuple of `OutputReport`
        One for each output.
    energy : tuple of `Energy`
        One for each device.
    rasters : tuple of `Raster`
        One for each population of spiking neurons.
    energy_at_latency : tuple of `Energy`
        The same as ``energy``, for as many steps as ``latency``, as if each of them
        cost the same. Empty if an output does not come so near to Keras.
    advice : tuple of str
        Sentences on what may be changed.
    hardware : tuple of `HardwareReport`
        One for each output, and each time since programming. Empty if none was asked
        for.

    Examples
    --------
    .. testcode::

       inputs = keras.Input((4,))
       hidden = keras.layers.Dense(8, activation="relu", name="hidden")(inputs)
       model = keras.Model(inputs, keras.layers.Dense(3, name="last")(hidden))
       converter = nengo_dl.Converter(model)

       report = converter.report(np.ones((2, 4)), n_steps=10)
       for layer in report.layers:
           print(layer.name, layer.neurons, layer.neuron_updates, layer.dense)

    .. testoutput::

       hidden 8 80 320.0
       last 0 0 240.0
    """

    model: str
    n_items: int
    n_steps: int
    dt: float
    layers: tuple[LayerReport, ...]
    total: Counts
    outputs: tuple[OutputReport, ...]
    energy: tuple[Energy, ...]
    rasters: tuple[Raster, ...] = field(repr=False)
    energy_at_latency: tuple[Energy, ...] = ()
    advice: tuple[str, ...] = ()
    hardware: tuple[HardwareReport, ...] = ()

    @property
    def latency(self) -> int | None:
        """From which step on all outputs with labels have 99 % of Keras' accuracy."""
        found = [o.latency for o in self.outputs if o.accuracy is not None]
        known = [n for n in found if n is not None]
        return max(known) if known and len(known) == len(found) else None

    def raster(self, layer: str) -> Raster:
        """Return the spikes of a layer's neurons for the first item.

        Parameters
        ----------
        layer : str
            The name of the layer.

        Returns
        -------
        raster : `Raster`
            Of the first population, if the layer has several.

        Raises
        ------
        KeyError
            If there is no such layer, or it has no neurons that spike.
        """
        names = list(dict.fromkeys(raster.layer for raster in self.rasters))
        if layer not in names:
            raise KeyError(
                f"Report.raster: expected a layer whose neurons spike (got {layer!r})."
                f"{suggestion(str(layer), names)} Those that do are {listing(names)}."
            )
        return self.rasters[[raster.layer for raster in self.rasters].index(layer)]

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Names of the layers whose operations cannot be seen."""
        return tuple(layer.name for layer in self.layers if layer.dense is None)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in dicts, lists, strings, numbers and None.

        Returns
        -------
        contents : dict
            By the names of the attributes.
        """
        return {
            "model": self.model,
            "n_items": self.n_items,
            "n_steps": self.n_steps,
            "dt": self.dt,
            "layers": [layer.to_dict() for layer in self.layers],
            "total": self.total.to_dict(),
            "uncounted": list(self.uncounted),
            "outputs": [output.to_dict() for output in self.outputs],
            "energy": [dataclasses.asdict(energy) for energy in self.energy],
            "energy_at_latency": list(map(dataclasses.asdict, self.energy_at_latency)),
            "latency": self.latency,
            "hardware": [found.to_dict() for found in self.hardware],
            "advice": list(self.advice),
            "rasters": [_plain(dataclasses.asdict(raster)) for raster in self.rasters],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as JSON.

        Parameters
        ----------
        indent : int, optional
            See `json.dumps`.

        Returns
        -------
        text : str
            Without NaN and infinity, which are no JSON.
        """
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def plot(self) -> Figure:
        """Draw rates, spikes, accuracy (or error) over time, and errors of layers.

        Returns
        -------
        figure : matplotlib.figure.Figure
        """
        # matplotlib takes long to import, and a report is read without it
        from nengo_dl.converter.report.figure import draw

        return draw(self)

    def __str__(self) -> str:
        return render(self)


def _plain(value: Any) -> Any:
    """Return tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
