"""Axes, lines and labels. Matplotlib is imported when something is drawn."""

from numbers import Real

import numpy as np
from nengo.exceptions import ValidationError

# of Okabe & Ito, but for yellow, which is hard to see on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def axes(ax):
    """Return the axes to draw into."""
    if ax is not None:
        return ax
    # pyplot chooses a way to show windows when it is imported: only now is it needed
    from matplotlib import pyplot

    return pyplot.gca()


def line_colours(n):
    """Return a colour for each of some lines."""
    if n <= len(COLOURS):
        return COLOURS[:n]
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0, 0.9, n))


def draw_lines(ax, x, values, names):
    """Draw a line for each column, and name them if they are few."""
    n = values.shape[1]
    for line, name, colour in zip(values.T, names, line_colours(n), strict=True):
        ax.plot(x, line, color=colour, linewidth=1, label=name)
    if len(ax.get_legend_handles_labels()[1]) > 1 and n <= len(COLOURS):
        ax.legend(fontsize="small")


def times_of(n_steps, dt):
    """Return the times at the ends of steps, as ``sim.trange()`` does."""
    _check_dt(dt)
    return dt * np.arange(1, n_steps + 1)


def label_time(ax, n_steps, dt):
    """Let the horizontal axis be time, with room for a spike in the last step."""
    _check_dt(dt)
    ax.set(xlabel="time (s)", xlim=(0, (n_steps + 0.5) * dt))


def _check_dt(dt):
    if not isinstance(dt, Real) or not 0 < float(dt) < np.inf:
        raise ValidationError(
            f"must be a positive number of seconds (got {dt!r}). Pass sim.dt, or the "
            "sample_every of the probe.",
            attr="dt",
        )


def number_rows(ax, numbers):
    """Label rows with the numbers of their neurons: round ones, if any will do."""
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(integer=True, steps=[1, 2, 5, 10])
    numbers = np.asarray(numbers)
    if _leave_some_out(numbers):
        ticks = locator.tick_values(numbers[0], numbers[-1])
        ticks = ticks[(ticks >= numbers[0]) & (ticks <= numbers[-1])]
        rows = np.interp(ticks, numbers, np.arange(len(numbers)))
        ax.set_yticks(rows, [f"{tick:.0f}" for tick in ticks])
        return

    def name(row, position):
        is_row = row == int(row) and 0 <= row < len(numbers)
        return str(numbers[int(row)]) if is_row else ""

    ax.yaxis.set_major_locator(locator)
    ax.yaxis.set_major_formatter(name)


def _leave_some_out(numbers):
    """Tell whether these are some of all neurons, evenly spaced but for rounding."""
    if np.any(np.diff(numbers) < 1) or numbers[-1] - numbers[0] < len(numbers):
        return False
    even = np.linspace(numbers[0], numbers[-1], len(numbers))
    return bool(np.all(np.abs(numbers - even) < 1))
