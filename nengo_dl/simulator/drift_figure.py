"""A `DriftReport` as a picture: metrics over the time since programming."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from nengo_dl.plots.axes import COLOURS

if TYPE_CHECKING:
    from nengo_dl.simulator.drift_report import DriftMetric, DriftReport

WIDTH, HEIGHT = 5.0, 3.6  # inches, of the axes of a metric
MAX_LABELS = 6  # with a label for each time
DECADE = 10.0
LIGHT = "#DCE6F1"


def draw(
    report: DriftReport, metrics: Sequence[DriftMetric], labels: Sequence[str]
) -> Figure:
    """Draw metrics, each in axes of its own, with labels for the times."""
    n = len(metrics)
    size = (WIDTH * n, HEIGHT)
    figure, axes = pyplot.subplots(
        1, n, figsize=size, layout="constrained", squeeze=False
    )
    for ax, metric in zip(axes[0], metrics, strict=True):
        _draw_metric(ax, report.times, metric)
        _label_times(ax, report.times, labels)
    handles, names = axes[0, 0].get_legend_handles_labels()
    place = "outside lower center"
    figure.legend(handles, names, loc=place, ncols=len(names), fontsize="small")
    how = report.compensation or "no"
    figure.suptitle(
        f"{report.programmings} programmings, {how} compensation", fontsize=11
    )
    return figure


def _draw_metric(ax: Axes, times: Sequence[float], metric: DriftMetric) -> None:
    order = np.argsort(times)
    t, values = np.array(times)[order], np.array(metric.values)[:, order]
    mean, sd = values.mean(axis=0), values.std(axis=0)
    colour = COLOURS[0]
    ax.axhline(metric.exact, color="0.3", linestyle=":", label="exact weights")
    lowest, highest = values.min(axis=0), values.max(axis=0)
    ax.fill_between(t, lowest, highest, color=LIGHT, label="all programmings")
    ax.errorbar(t, mean, sd, fmt=".-", color=colour, capsize=3, label="mean and sd")
    ax.set_title(metric.name, fontsize=11)


def _label_times(ax: Axes, times: Sequence[float], labels: Sequence[str]) -> None:
    """Let the horizontal axis be logarithmic, but for zero."""
    positive = [t for t in times if t > 0]
    start = min(positive, default=1.0)
    if len(positive) < len(times):
        # as far from the first positive time as a decade is wide
        ax.set_xscale("symlog", linthresh=start, linscale=1.0)
        ax.set_xlim(-start / DECADE, DECADE / 3 * max(positive, default=start))
    else:
        ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    if len(times) <= MAX_LABELS:
        ax.set_xticks(list(times), list(labels))
        ax.set_xlabel("time since programming")
    else:
        ax.set_xlabel("time since programming (s)")
