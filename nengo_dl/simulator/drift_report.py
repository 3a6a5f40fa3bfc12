"""Reports on networks in devices that drift, as frozen data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_dl.durations import duration
from nengo_dl.names import listing, suggestion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("mean", "sd", "min", "max")


@dataclass(frozen=True)
class DriftMetric:
    """A loss or metric at several times, of devices that were programmed several times.

    Parameters
    ----------
    name : str
        As `Simulator.evaluate` calls it.
    exact : float
        Its value with the exact weights.
    values : tuple of tuple of float
        Its values, of shape (programmings, number of times).
    """

    name: str
    exact: float
    values: tuple[tuple[float, ...], ...] = field(repr=False)

    def over_programmings(self, statistic: Callable[..., Any]) -> tuple[float, ...]:
        """Return a statistic of all programmings, for each time.

        Parameters
        ----------
        statistic : callable
            A function of an array and an axis, e.g. ``numpy.mean``.

        Returns
        -------
        values : tuple of float
            In the order of the times.
        """
        return tuple(statistic(np.array(self.values), axis=0).tolist())


@dataclass(frozen=True)
class DriftReport:
    """Losses and metrics of a network while the devices with its weights drift.

    `Simulator.evaluate_over_time` makes it. ``print(report)`` shows it as a table.

    Parameters
    ----------
    times : tuple of float
        Times since programming, in seconds.
    compensation : "global" or "channel" or None
        How the drift was compensated.
    seed : int
        Seed of the first programming; others have the ones that follow.
    metrics : tuple of `DriftMetric`
        All values, by loss and metric.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import DriftReport
       from nengo_dl.simulator.drift_report import DriftMetric

       values = ((0.9, 0.8), (0.7, 0.4))  # two programmings, two times
       metrics = (DriftMetric("accuracy", 1.0, values),)
       report = DriftReport((1.0, 86400.0), "global", 0, metrics)
       print(np.round(report.mean["accuracy"], 3), report.min["accuracy"])
       print(report)

    .. testoutput::

       [0.8 0.6] (0.7, 0.4)
       Devices programmed 2 times (seeds from 0), compensation: global

       accuracy       mean         sd        min        max
       exact             1
       1 s             0.8        0.1        0.7        0.9
       1 d             0.6        0.2        0.4        0.8
    """

    times: tuple[float, ...]
    compensation: str | None
    seed: int
    metrics: tuple[DriftMetric, ...]

    @property
    def programmings(self) -> int:
        """(int) How many times devices were programmed."""
        return len(self.metrics[0].values) if self.metrics else 0

    @property
    def exact(self) -> dict[str, float]:
        """(dict of str to float) Each metric, with the exact weights."""
        return {metric.name: metric.exact for metric in self.metrics}

    @property
    def mean(self) -> dict[str, tuple[float, ...]]:
        """(dict of str to tuple of float) Each metric's mean, for each time."""
        return self._all(np.mean)

    @property
    def sd(self) -> dict[str, tuple[float, ...]]:
        """(dict of str to tuple of float) Standard deviations between programmings."""
        return self._all(np.std)

    @property
    def min(self) -> dict[str, tuple[float, ...]]:
        """(dict of str to tuple of float) Smallest values, for each time."""
        return self._all(np.min)

    @property
    def max(self) -> dict[str, tuple[float, ...]]:
        """(dict of str to tuple of float) Largest values, for each time."""
        return self._all(np.max)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in dicts, lists, strings, numbers and None.

        Returns
        -------
        contents : dict
            By the names of the attributes; "metrics" has a dict for each metric.
        """
        statistics = {name: getattr(self, name) for name in COLUMNS}
        return {
            "times": list(self.times),
            "compensation": self.compensation,
            "seed": self.seed,
            "programmings": self.programmings,
            "metrics": {
                metric.name: {
                    "exact": metric.exact,
                    **{k: list(found[metric.name]) for k, found in statistics.items()},
                    "values": [list(row) for row in metric.values],
                }
                for metric in self.metrics
            },
        }

    def plot(self, metrics: Iterable[str] | None = None) -> Figure:
        """Draw mean, spread and worst cases over time, in axes for each metric.

        Parameters
        ----------
        metrics : iterable of str, optional
            Names of metrics; by default all, but for those that repeat another one, as
            the loss of a single probe repeats the total loss.

        Returns
        -------
        figure : matplotlib.figure.Figure
            The figure.

        Raises
        ------
        KeyError
            If there is no such metric.
        """
        # matplotlib takes long to import, and a report is read without it
        from nengo_dl.simulator.drift_figure import draw

        found = {metric.name: metric for metric in self.metrics}
        if metrics is None:
            different = {m.values: m.name for m in reversed(self.metrics)}
            metrics = reversed(different.values())
        metrics = tuple(metrics)
        unknown = [name for name in metrics if name not in found]
        if unknown:
            raise KeyError(
                f"DriftReport.plot: expected names of metrics (got {listing(unknown)})."
                f"{suggestion(str(unknown[0]), found)} They are {listing(found)}."
            )
        labels = [duration(t) for t in self.times]
        return draw(self, [found[name] for name in metrics], labels)

    def __str__(self) -> str:
        head = (
            f"Devices programmed {self.programmings} times (seeds from {self.seed}), "
            f"compensation: {self.compensation or 'none'}"
        )
        return "\n".join([head, *self._tables()])

    def _tables(self) -> Iterator[str]:
        statistics = [getattr(self, name) for name in COLUMNS]
        labels = ["exact", *map(duration, self.times)]
        width = max(len(x) for x in (*labels, *(m.name for m in self.metrics)))
        for metric in self.metrics:
            columns = [found[metric.name] for found in statistics]
            yield ""
            yield _line(metric.name, width, COLUMNS)
            yield _line("exact", width, [_number(metric.exact)])
            for label, row in zip(labels[1:], zip(*columns, strict=True), strict=True):
                yield _line(label, width, map(_number, row))

    def _all(self, statistic: Callable[..., Any]) -> dict[str, tuple[float, ...]]:
        return {m.name: m.over_programmings(statistic) for m in self.metrics}


def _line(name: str, width: int, cells: Iterable[str]) -> str:
    return f"{name:<{width}}" + "".join(f"{cell:>11}" for cell in cells)


def _number(value: float) -> str:
    return f"{value:.4g}"
