"""The pictures: what is shown, which neurons spike, what is decoded and learned."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from demo.digits import IMAGE_SHAPE, N_CLASSES
from demo.network import DT, PRESENTATION_TIME, STEPS_PER_IMAGE
from nengo_dl import plots

COLOURS = ("#0072B2", "#D55E00")
# as nengo_dl.plots draws ten lines
DIGIT_COLOURS = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, N_CLASSES))
STYLE = {
    "figure.dpi": 150,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "savefig.bbox": "tight",
}


def raster(shown, seen, named):
    """Draw the spikes of the sheet and of the ten ensembles.

    Parameters
    ----------
    shown : Digits
        The images that are drawn along the time axis.
    seen, named : ndarray of shape (n_steps, n_neurons)
        Spikes for at least these images.

    Returns
    -------
    figure : Figure
    """
    figure, (images, upper, lower) = _panels((1, 4, 4))
    end = len(shown) * STEPS_PER_IMAGE
    preferred = _preferred_digits(seen[:end], shown)
    order = np.argsort(preferred, kind="stable")
    colours = DIGIT_COLOURS[preferred[order]]
    plots.raster(seen[:end], order, colour=list(colours), dt=DT, ax=upper)
    upper.set(
        xlabel="",
        ylabel="neuron, by digit",
        yticks=[],
        title=f"Spikes of {seen.shape[1]} neurons that see the image, in the colour of "
        "the digit that each prefers",
    )
    each = named.shape[1] // N_CLASSES
    colours = [colour for colour in DIGIT_COLOURS for _ in range(each)]
    plots.raster(named[:end], named.shape[1], colour=colours, dt=DT, ax=lower)
    lower.set(
        ylabel="ensemble of the digit",
        title="Spikes of ten ensembles that name the digit",
    )
    lower.set_yticks((np.arange(N_CLASSES) + 0.5) * each, range(N_CLASSES))
    lower.tick_params(axis="y", length=0)
    for i in range(1, N_CLASSES):
        lower.axhline(i * each - 0.5, color="0.9", linewidth=0.5, zorder=0)
    for panel in (upper, lower):
        _mark_changes(panel, len(shown))
    _draw_images(images, shown)
    return figure


def decoded(shown, outputs, differences):
    """Draw decoded outputs of two simulators, and how far they are apart.

    Parameters
    ----------
    shown : Digits
        The images that are drawn along the time axis.
    outputs : dict of str to ndarray of shape (n_steps, 10)
        Decoded outputs of two simulators; the second one is drawn over the first.
    differences : dict of str to ndarray of shape (n_steps,)
        What to draw on a logarithmic axis.

    Returns
    -------
    figure : Figure
    """
    figure, (images, upper, lower) = _panels((1, 4, 2))
    end = len(shown) * STEPS_PER_IMAGE
    styles = ({"linewidth": 3, "alpha": 0.35}, {"linewidth": 1})
    for (name, output), style in zip(outputs.items(), styles, strict=True):
        n_lines = len(upper.lines)
        plots.decoded(output[:end], dt=DT, ax=upper)
        for line in upper.lines[n_lines:]:
            line.set(label="_", **style)
        upper.plot([], [], color="0.2", label=name, **style)
    _legend(upper)
    upper.set(xlabel="", title="What the ten ensembles stand for")
    _mark_changes(upper, len(shown))
    _name_winners(upper, shown, output)
    for (name, values), colour in zip(differences.items(), COLOURS, strict=True):
        # a logarithmic axis has no place for 0
        values = np.maximum(values[:end], 1e-17)
        lower.semilogy(DT * np.arange(1, end + 1), values, color=colour, label=name)
    lower.set(
        xlabel="time (s)",
        ylabel="difference",
        title="Difference from nengo.Simulator (peaks: one spike is a step off)",
    )
    _legend(lower)
    _draw_images(images, shown)
    return figure


def curves(lessons):
    """Draw losses and accuracies over the course of training.

    Parameters
    ----------
    lessons : list of Lesson
        What was trained.

    Returns
    -------
    figure : Figure
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for panel, key in zip(axes, ("loss", "accuracy"), strict=True):
        for lesson, colour in zip(lessons, COLOURS, strict=True):
            for prefix, style in (("", ":"), ("val_", "-")):
                values = np.array(lesson.curves[prefix + key])
                epochs = np.arange(1, len(values) + 1)
                panel.plot(epochs, values, style, color=colour)
        panel.set(xlabel="epoch", xlim=(0, None))
        panel.xaxis.set_major_locator(MultipleLocator(5))
        panel.grid(axis="y", color="0.93")
    axes[0].set(yscale="log", title="Loss (cross-entropy)")
    axes[1].set(ylim=(0.8, 1.003), title="Digits named correctly")
    axes[1].yaxis.set_major_locator(MultipleLocator(0.05))
    axes[1].yaxis.set_major_formatter("{x:.0%}")
    for lesson, colour in zip(lessons, COLOURS, strict=True):
        axes[1].plot([], [], color=colour, label=f"{lesson.name}, {lesson.method}")
    axes[1].plot([], [], "-", color="0.4", label="test images")
    axes[1].plot([], [], ":", color="0.4", label="training images")
    axes[1].legend(loc="lower right", frameon=False)
    return figure


def _panels(heights):
    """Make panels above one another with the same time axis."""
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    return figure, figure.subplots(len(heights), sharex=True, height_ratios=heights)


def _preferred_digits(spikes, shown):
    """Return the digit of the image for which each neuron spikes most."""
    of_image = spikes.reshape(len(shown), STEPS_PER_IMAGE, -1).sum(axis=1)
    return shown.labels[of_image.argmax(axis=0)]


def _draw_images(axes, shown):
    """Put each image above the time in which it is shown."""
    for i, image in enumerate(shown.images):
        place = axes.inset_axes(
            (i * PRESENTATION_TIME, 0, PRESENTATION_TIME, 1),
            transform=axes.get_xaxis_transform(),
        )
        place.imshow(image.reshape(IMAGE_SHAPE), cmap="gray_r")
        place.axis("off")
    axes.set(xlim=(0, len(shown) * PRESENTATION_TIME), title="On the screen")
    axes.axis("off")


def _mark_changes(axes, n_images):
    """Draw a line where the image changes."""
    for i in range(1, n_images):
        axes.axvline(i * PRESENTATION_TIME, color="0.8", linewidth=0.5, zorder=0)


def _name_winners(axes, shown, output):
    """Write the digit with the largest value at the end of each presentation."""
    axes.set_ylim(top=1.25)
    for i in range(len(shown)):
        digit = int(output[(i + 1) * STEPS_PER_IMAGE - 1].argmax())
        axes.text(
            (i + 0.5) * PRESENTATION_TIME,
            1.2,
            str(digit),
            color=DIGIT_COLOURS[digit],
            fontsize=13,
            fontweight="bold",
            ha="center",
            va="top",
        )


def _legend(axes):
    """Put a legend beside the title."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
