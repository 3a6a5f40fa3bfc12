"""From what was counted to a `Report`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from nengo.builder import Model

from nengo_dl.converter.report.arguments import Data
from nengo_dl.converter.report.counts import Counts, total
from nengo_dl.converter.report.devices import Device, energies
from nengo_dl.converter.report.events import Spikes
from nengo_dl.converter.report.fan_out import synapses
from nengo_dl.converter.report.parts import Part
from nengo_dl.converter.report.report import LayerReport, OutputReport, Raster, Report
from nengo_dl.converter.report.signals import is_wiring, source
from nengo_dl.converter.report.tallies import Course, Deviation, Tallies

LATENCY_PART = 0.99


@dataclass(frozen=True, eq=False)
class Measured:
    """All that is known after a run.

    Parameters
    ----------
    converter : `Converter`
        What was run.
    data : `Data`
        On what.
    dt : float
        Length of a step, in seconds.
    layers : tuple of `Part`
        The layers.
    spikes : `Spikes`
        Which signals are spikes, and how many.
    tallies : `Tallies`
        What was counted.
    model : nengo.builder.Model
        Has the weights.
    """

    converter: Any
    data: Data
    dt: float
    layers: tuple[Part, ...]
    spikes: Spikes
    tallies: Tallies
    model: Model


def summarise(found: Measured, devices: Iterable[Device]) -> Report:
    """Return the report on a run."""
    for part in found.layers:
        _check_finite(part, found.tallies.deviations[part])
    counts = [_counts(part, found) for part in found.layers]
    whole = total(counts)
    return Report(
        model=found.converter.model.name,
        n_items=found.data.n_items,
        n_steps=found.data.n_steps,
        dt=found.dt,
        layers=tuple(
            _layer(part, count, found.tallies.deviations[part])
            for part, count in zip(found.layers, counts, strict=True)
        ),
        total=whole,
        outputs=tuple(
            _output(name, course, found.dt) for name, course in found.tallies.courses
        ),
        energy=energies(whole, found.data.n_steps, devices),
        rasters=tuple(
            Raster(
                part.name,
                tuple(firing.numbers.tolist()),
                tuple(map(tuple, firing.spikes.tolist())),
            )
            for part, firing in found.tallies.firing
        ),
    )


def _check_finite(part: Part, deviations: Sequence[Deviation]) -> None:
    sums = [value for d in deviations for value in (d.squares, d.squares_of_keras)]
    if not np.all(np.isfinite(sums)):
        raise ValueError(
            f"Converter.report: expected finite outputs of layer '{part.name}' (got "
            "some that are NaN or infinite, or too large for float32). Check the "
            "weights of the model, and the data."
        )


def _counts(part: Part, found: Measured) -> Counts:
    """Return what a layer computes."""
    operations = asdict(total(_synapses(conn, found) for conn in part.connections))
    operations |= {"parameters": part.n_parameters, **_neurons(part, found)}
    if part.is_opaque:
        operations |= dict.fromkeys(("effective_macs", "effective_acs", "dense"))
    return Counts(**operations)


def _synapses(conn, found: Measured) -> Counts:
    """Return what a connection computes."""
    if is_wiring(conn):
        return Counts()
    obj, weights = source(conn.pre_obj), found.model.params[conn].weights
    spikes = found.spikes.of(obj)
    if spikes is not None and isinstance(weights, np.ndarray) and weights.ndim < 2:
        return Counts()  # other heights for the same spikes
    made = synapses(conn, weights)
    events = found.tallies.activity[obj].n_nonzero if spikes is None else spikes
    if obj is conn.pre_obj:
        events = events[conn.pre_slice]
    n = float(events @ made.fan_out) / found.data.n_items
    return Counts(
        weights=made.n_weights,
        zero_weights=int(made.n_zeros),
        effective_macs=n if spikes is None else 0.0,
        effective_acs=0.0 if spikes is None else n,
        dense=float(made.dense.sum() * found.data.n_steps),
    )


def _neurons(part: Part, found: Measured) -> dict[str, Any]:
    """Return what the neurons of a layer do."""
    n_items, n_steps = found.data.n_items, found.data.n_steps
    activity = [found.tallies.activity[obj] for obj in part.populations]
    rates = [found.tallies.rates[obj] for obj in part.populations]
    n_neurons = sum(obj.size_out for obj in part.populations)
    n_nonzero = sum(count.n_nonzero.sum() for count in activity)
    n_spikes = sum(count.n_spikes.sum() for count in activity)
    return {
        "neurons": n_neurons,
        "neuron_updates": n_neurons * n_steps,
        "spikes": float(n_spikes / n_items),
        "zero_activations": float(n_neurons * n_steps - n_nonzero / n_items),
        "max_rate": max((count.max for count in rates), default=None),
        "rate_sum": float(sum(count.sum for count in rates) / n_items),
    }


def _layer(part: Part, counts: Counts, deviations: Sequence[Deviation]) -> LayerReport:
    return LayerReport(
        name=part.name,
        type=type(part.layer).__name__,
        kind="fallback" if part.reason else "native",
        reason=part.reason,
        error=_relative(
            sum(deviation.squares for deviation in deviations),
            sum(deviation.squares_of_keras for deviation in deviations),
        ),
        **asdict(counts),
    )


def _output(name: str, course: Course, dt: float) -> OutputReport:
    squares = np.broadcast_to(course.squares_of_keras, course.squares.shape)
    error = tuple(map(_relative, course.squares, squares))
    if course.n_labels == 0:
        return OutputReport(name, error)
    accuracy = course.n_right_mean / course.n_labels
    from_step = latency(accuracy)
    return OutputReport(
        name,
        error,
        course.n_right_keras / course.n_labels,
        tuple(accuracy.tolist()),
        tuple((course.n_right_last / course.n_labels).tolist()),
        from_step,
        from_step * dt,
    )


def latency(accuracy: np.ndarray) -> int:
    """Return from which step on (the first is 1) it is near to what it is at last."""
    is_below = accuracy < LATENCY_PART * accuracy[-1]
    return int(np.flatnonzero(is_below)[-1]) + 2 if is_below.any() else 1


def _relative(squares: float, squares_of_keras: float) -> float | None:
    if squares_of_keras > 0:
        return math.sqrt(squares / squares_of_keras)
    return 0.0 if squares == 0 else None
