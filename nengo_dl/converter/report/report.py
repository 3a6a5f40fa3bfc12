"""Reports on converted networks, as frozen data."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nengo_dl.converter.report.energy import Energy
from nengo_dl.converter.report.operations import Counts
from nengo_dl.converter.report.text import render
from nengo_dl.names import listing, suggestion

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
class HardwareReport:
    """One output of the model, computed by the network on hardware.

    Parameters
    ----------
    name : str
        The name of the output's tensor.
    seconds : float or None
        Time since devices were programmed; None for hardware without devices.
    accuracies : tuple of float or None
        Which part of the labels is right by the average over all steps, for each time
        that devices were programmed; None without labels.
    errors : tuple of float or None
        As the last one in `OutputReport`, for each time that they were programmed.
    """

    name: str
    seconds: float | None
    accuracies: tuple[float, ...] | None
    errors: tuple[float | None, ...]

    @property
    def accuracy(self) -> float | None:
        """The mean accuracy; None without labels."""
        found = self.accuracies
        return None if found is None else sum(found) / len(found)

    @property
    def worst_accuracy(self) -> float | None:
        """The lowest accuracy; None without labels."""
        return None if self.accuracies is None else min(self.accuracies)

    @property
    def error(self) -> float | None:
        """The mean error; None if one of them is."""
        found = [error for error in self.errors if error is not None]
        return sum(found) / len(found) if len(found) == len(self.errors) else None

    def to_dict(self) -> dict:
        """Return all of it, in types that JSON has."""
        names = ("accuracy", "worst_accuracy", "error")
        derived = {name: getattr(self, name) for name in names}
        accuracies = None if self.accuracies is None else list(self.accuracies)
        own = {"name": self.name, "seconds": self.seconds, "accuracies": accuracies}
        return {**own, "errors": list(self.errors), **derived}


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
