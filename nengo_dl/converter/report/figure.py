"""A `Report` as a picture: rates, spikes, accuracy over time, errors of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nengo_dl import plots
from nengo_dl.plots.axes import COLOURS

if TYPE_CHECKING:
    from nengo_dl.converter.report.report import Report

MAX_RASTER_ROWS = 160
HEIGHT, HEIGHT_PER_LAYER = 7.0, 0.32  # inches
LIGHT = "#B0C4DE"
MARGIN = 2  # percent


def draw(report: Report) -> Figure:
    """Draw a `Report` as a figure with four axes."""
    height = max(HEIGHT, HEIGHT_PER_LAYER * len(report.layers))
    figure, axes = pyplot.subplots(2, 2, figsize=(12, height), layout="constrained")
    (raster, rates), (course, errors) = axes
    raster.sharex(course)
    _draw_rates(report, rates)
    _draw_raster(report, raster)
    _draw_course(report, course)
    _draw_errors(report, errors)
    figure.suptitle(
        f"{report.model}: {report.n_items} items, {report.n_steps} steps", fontsize=11
    )
    return figure


def _draw_rates(report: Report, ax: Axes) -> None:
    layers = [layer for layer in report.layers if layer.neurons]
    names = [layer.name for layer in layers]
    highest = [layer.max_rate or 0.0 for layer in layers]
    ax.barh(names, highest, color=LIGHT)
    mean = [layer.mean_rate or 0.0 for layer in layers]
    ax.barh(names, mean, color=COLOURS[0])
    xlabel = "rate (Hz): mean of all neurons (dark), highest of a neuron (light)"
    ax.set(title="Firing rates", xlabel=xlabel)
    _list_layers(ax, layers, "no neurons")


def _draw_raster(report: Report, ax: Axes) -> None:
    ax.set(title="Spikes for the first item")
    rasters = report.rasters
    if not rasters:
        _say(ax, "no spiking neurons")
        return
    n_rows = max(1, MAX_RASTER_ROWS // len(rasters))
    parts = [np.asarray(raster.spikes)[:, :n_rows] for raster in rasters]
    spikes = np.concatenate(parts, axis=1)
    # the data are numbers of spikes, of height 1, and the axis is one of steps
    plots.raster(spikes, spikes.shape[1], amplitude=1.0, dt=1.0, ax=ax)
    stops = np.cumsum([part.shape[1] for part in parts])
    middles = stops - np.array([part.shape[1] for part in parts]) / 2 - 0.5
    for stop in stops[:-1]:
        ax.axhline(stop - 0.5, color="0.8", linewidth=0.8)
    ax.set_yticks(middles, [raster.layer for raster in rasters], fontsize="small")
    ax.set(xlabel="steps", ylabel="", ylim=(stops[-1] - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)


def _draw_course(report: Report, ax: Axes) -> None:
    """Draw accuracies over time; errors if there are no labels."""
    labelled = [output for output in report.outputs if output.accuracy is not None]
    for output, colour in zip(labelled, _colours(labelled), strict=False):
        name = f"{output.name}: " if len(report.outputs) > 1 else ""
        steps = np.arange(1, report.n_steps + 1)
        mean, last = 100 * np.array([output.accuracy, output.last_accuracy])
        ax.plot(steps, mean, color=colour, label=f"{name}mean so far")
        ax.plot(steps, last, color=colour, alpha=0.4, label=f"{name}single step")
        keras = 100 * (output.keras_accuracy or 0.0)
        ax.axhline(keras, color=colour, linestyle=":", label=f"{name}Keras")
    if labelled:
        bottom, _ = ax.get_ylim()
        ax.set(title="Accuracy over time", ylabel="accuracy (%)")
        ax.set_ylim(max(0, bottom - MARGIN), 100 + MARGIN)
    else:
        _draw_output_errors(report, ax)
    ax.set(xlabel="steps", xlim=(0, report.n_steps + 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize="small")


def _draw_output_errors(report: Report, ax: Axes) -> None:
    for output, colour in zip(report.outputs, _colours(report.outputs), strict=False):
        values = [np.nan if e is None else 100 * e for e in output.error]
        steps = np.arange(1, report.n_steps + 1)
        ax.plot(steps, values, ".-", color=colour, label=output.name)
    ax.set(title="Error of the output over time", ylabel="relative to Keras (%)")
    ax.set_ylim(bottom=0)


def _draw_errors(report: Report, ax: Axes) -> None:
    layers = [layer for layer in report.layers if layer.error is not None]
    names = [layer.name for layer in layers]
    colours = [
        COLOURS[1] if layer.kind == "fallback" else COLOURS[0] for layer in layers
    ]
    ax.barh(names, [100 * (layer.error or 0.0) for layer in layers], color=colours)
    if COLOURS[1] in colours:
        kinds = zip(COLOURS, ("native", "fallback"), strict=False)
        ax.legend(handles=[Patch(color=c, label=k) for c, k in kinds], fontsize="small")
    ax.set(title="Errors of the layers", xlabel="relative to Keras (%)")
    _list_layers(ax, layers, "no layers to compare")


def _list_layers(ax, layers, otherwise: str) -> None:
    """Let the layers go from top to bottom."""
    if not layers:
        _say(ax, otherwise)
        return
    ax.set_ylim(len(layers) - 0.5, -0.5)
    ax.tick_params(axis="y", labelsize="small", length=0)


def _say(ax, what: str) -> None:
    ax.text(0.5, 0.5, what, ha="center", va="center", transform=ax.transAxes)
    ax.set(xticks=[], yticks=[], xlabel="")


def _colours(outputs: Sequence) -> tuple[str, ...]:
    return COLOURS * (len(outputs) // len(COLOURS) + 1)
