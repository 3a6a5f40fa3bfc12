"""Spikes: a mark for each, and which neurons have most of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.plots.axes import COLOURS, axes, label_time, number_rows
from nengo_dl.plots.data import checked, numbers_of, per_neuron, select

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@argument("raster")
def raster(
    data: ArrayLike,
    neurons: int | Sequence[int] = 100,
    *,
    item: int = 0,
    amplitude: ArrayLike | None = None,
    colour: Any = None,
    dt: float = 0.001,
    ax: Axes | None = None,
) -> Axes:
    """Draw a mark for each spike: time on one axis, neurons on the other.

    Several spikes of a neuron in one step are spread evenly over that step, and a
    single one is drawn at the end of its step.

    Parameters
    ----------
    data : array_like of shape (n_steps, n_neurons) or (minibatch_size, n_steps, \
n_neurons)
        Spikes, as a probe of neurons records them.
    neurons : int or sequence of int
        How many neurons to draw at most, evenly spaced, or the numbers of those to
        draw, from the bottom to the top (see `most_active`).
    item : int
        Which item of the minibatch to draw.
    amplitude : float, array_like of shape (n_neurons,), or None
        Amplitude of the neuron type: a step with one spike has the value
        ``amplitude / dt``. By default, the smallest spike of each neuron is one spike.
    colour : colour or sequence of colours
        Of all marks, or one for each neuron that is drawn, as matplotlib takes them. By
        default dark, and another one for negative spikes.
    dt : float
        Time between two steps of the data, in seconds.
    ax : Axes
        Where to draw.

    Returns
    -------
    ax : Axes
        With a line for each colour, of as many strokes as there are spikes. Three
        points are a stroke: its lower end, its upper end, and a gap.

    Raises
    ------
    ValidationError
        If the data has another shape or is not made of spikes, there is no such item or
        neuron, or there are not as many colours as neurons.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           ens = nengo.Ensemble(30, 1)
           spikes = nengo.Probe(ens.neurons)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run(0.1)
           ax = nengo_dl.plots.raster(sim.data[spikes])
    """
    values = select(data, item)
    n_neurons = values.shape[1]
    numbers = numbers_of(neurons, n_neurons)
    if amplitude is not None:
        amplitude = per_neuron(amplitude, n_neurons)[numbers]
    counts = _count_spikes(values[:, numbers], amplitude, dt)
    times, rows, signs = _place_spikes(counts, dt)
    ax = axes(ax)
    if colour is None:
        palette, chosen = ("0.15", COLOURS[1]), (signs < 0).astype(int)
    else:
        palette, of_row = _palette(colour, len(numbers))
        chosen = of_row[rows]
    for i in np.unique(chosen):
        _draw_marks(ax, times[chosen == i], rows[chosen == i], palette[i])
    label_time(ax, len(values), dt)
    some = "" if len(numbers) == n_neurons else f" ({len(numbers)} of {n_neurons:,})"
    ax.set(ylabel=f"neuron{some}", ylim=(-0.5, len(numbers) - 0.5))
    number_rows(ax, numbers)
    return ax


@argument("most_active")
def most_active(data: ArrayLike, n: int) -> np.ndarray:
    """Find the neurons with the largest mean activity.

    Parameters
    ----------
    data : array_like of shape (n_steps, n_neurons) or (minibatch_size, n_steps, \
n_neurons)
        Spikes or rates; those of all items of a minibatch count.
    n : int
        How many neurons; all, if there are not as many.

    Returns
    -------
    neurons : ndarray of int
        Their numbers, of shape (n,), in ascending order, to be passed to `raster` or
        `rates`.

    Raises
    ------
    ValidationError
        If the data has another shape, or `n` is less than 1.

    Examples
    --------
    .. testcode::

       print(nengo_dl.plots.most_active([[0, 3, 1], [0, 2, 2]], 2))

    .. testoutput::

       [1 2]
    """
    values = checked(data)
    if n < 1:
        raise InvalidValue(
            f"expected n of at least 1 (got {n}). Pass the number of neurons to find."
        )
    activity = np.abs(values).reshape(-1, values.shape[-1]).mean(axis=0)
    return np.sort(np.argsort(-activity, kind="stable")[:n])


def _count_spikes(values, amplitude, dt):
    """Return how many spikes there are in each step; negative ones have their sign."""
    size = np.abs(values)
    if amplitude is None:
        unit = np.min(size, axis=0, initial=np.inf, where=size > 0)
    else:
        unit = amplitude / dt
    counts = values / unit
    whole = np.round(counts)
    # values in float32 have errors, which grow with them
    if not np.all(np.abs(counts - whole) <= 1e-3 + 1e-6 * np.abs(whole)):
        raise InvalidValue(
            "expected spikes, all values of a neuron being multiples of amplitude / dt "
            "(got others). Probe the neurons without a synapse, pass the amplitude of "
            "the neuron type, or draw rates with nengo_dl.plots.rates."
        )
    return whole.astype(int)


def _place_spikes(counts, dt):
    """Return time, row and sign of each spike."""
    steps, rows = np.nonzero(counts)
    counts = counts[steps, rows]
    each = np.abs(counts)
    index = np.repeat(np.arange(len(each)), each)
    # the j-th of k spikes in a step comes after j / k of it
    j = np.arange(1, len(index) + 1) - (np.cumsum(each) - each)[index]
    times = dt * (steps[index] + j / each[index])
    return times, rows[index], np.sign(counts)[index]


def _palette(colour, n_rows):
    """Return all different colours, and which of them each row has."""
    from matplotlib.colors import is_color_like, to_hex

    colours = [colour] * n_rows if is_color_like(colour) else list(colour)
    if len(colours) != n_rows:
        raise InvalidValue(
            f"expected a colour, or {n_rows}, one for each neuron that is drawn (got "
            f"{len(colours)}). Name one colour to draw all neurons in it."
        )
    return np.unique([to_hex(c) for c in colours], return_inverse=True)


def _draw_marks(ax, times, rows, colour):
    """Draw all marks as one line with gaps, since as many lines would take long."""
    gaps = np.full_like(times, np.nan)
    ax.plot(
        np.stack([times, times, gaps], axis=1).ravel(),
        np.stack([rows - 0.35, rows + 0.35, gaps], axis=1).ravel(),
        color=colour,
        linewidth=0.8,
        # else marks of less than a pixel are not drawn at all
        solid_capstyle="projecting",
        snap=False,
    )
