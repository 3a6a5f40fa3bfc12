"""The pictures: what is shown, which neurons spike, what is decoded and learned."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.ticker import MultipleLocator  # noqa: E402

from demo.digits import IMAGE_SHAPE, N_CLASSES  # noqa: E402
from demo.network import DT, PRESENTATION_TIME, STEPS_PER_IMAGE  # noqa: E402

COLOURS = plt.get_cmap("tab10").colors
STYLE = {
    "figure.dpi": 150,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "savefig.bbox": "tight",
}


def raster(path, shown, seen, named):
    """Draw the spikes of the sheet and of the ten ensembles.

    Parameters
    ----------
    path : Path
        Where to write the picture.
    shown : Digits
        The images that are drawn along the time axis.
    seen, named : ndarray of shape (n_steps, n_neurons)
        Spikes for at least these images.
    """
    with plt.rc_context(STYLE):
        figure, (images, upper, lower) = _panels((1, 4, 4))
        _draw_images(images, shown)
        end = len(shown) * STEPS_PER_IMAGE
        _draw_spikes(upper, seen[:end], ["0.25"] * seen.shape[1], size=1)
        upper.set(ylabel="neuron", title=f"{seen.shape[1]} neurons that see the image")
        each = named.shape[1] // N_CLASSES
        colours = [COLOURS[i // each] for i in range(named.shape[1])]
        _draw_spikes(lower, named[:end], colours, size=2)
        lower.set(
            yticks=(np.arange(N_CLASSES) + 0.5) * each,
            yticklabels=range(N_CLASSES),
            ylabel="ensemble of the digit",
            title="Ten ensembles that name the digit",
            xlabel="time (s)",
        )
        lower.tick_params(axis="y", length=0)
        for i in range(1, N_CLASSES):
            lower.axhline(i * each - 0.5, color="0.9", linewidth=0.5, zorder=0)
        figure.savefig(path)
        plt.close(figure)


def decoded(path, shown, outputs, differences):
    """Draw decoded outputs of two simulators, and how far they are apart.

    Parameters
    ----------
    path : Path
        Where to write the picture.
    shown : Digits
        The images that are drawn along the time axis.
    outputs : dict of str to ndarray of shape (n_steps, 10)
        Decoded outputs of two simulators; the second one is drawn over the first.
    differences : dict of str to ndarray of shape (n_steps,)
        What to draw on a logarithmic axis.
    """
    with plt.rc_context(STYLE):
        figure, (images, upper, lower) = _panels((1, 4, 2))
        _draw_images(images, shown)
        times = DT * np.arange(1, len(shown) * STEPS_PER_IMAGE + 1)
        styles = ({"linewidth": 3, "alpha": 0.35}, {"linewidth": 1})
        for (name, output), style in zip(outputs.items(), styles, strict=True):
            for digit in range(N_CLASSES):
                line = output[: len(times), digit]
                upper.plot(times, line, color=COLOURS[digit], **style)
            upper.plot([], [], color="0.2", label=name, **style)
        upper.set(ylabel="decoded value", title="What the ten ensembles stand for")
        upper.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
        upper.axhline(0, color="0.8", linewidth=0.5, zorder=0)
        _name_winners(upper, shown, next(iter(outputs.values())))
        for name, values in differences.items():
            # a logarithmic axis has no place for 0
            lower.semilogy(times, np.maximum(values[: len(times)], 1e-17), label=name)
        lower.set(
            xlabel="time (s)",
            ylabel="difference",
            title="Difference from nengo.Simulator (peaks: one spike is a step off)",
        )
        lower.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
        figure.savefig(path)
        plt.close(figure)


def curves(path, lessons):
    """Draw losses and accuracies over the course of training.

    Parameters
    ----------
    path : Path
        Where to write the picture.
    lessons : list of Lesson
        What was trained.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
        for panel, key in zip(axes, ("loss", "accuracy"), strict=True):
            for lesson, colour in zip(lessons, COLOURS, strict=False):
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
        for lesson, colour in zip(lessons, COLOURS, strict=False):
            axes[1].plot([], [], color=colour, label=f"{lesson.name}, {lesson.method}")
        axes[1].plot([], [], "-", color="0.4", label="test images")
        axes[1].plot([], [], ":", color="0.4", label="training images")
        axes[1].legend(loc="lower right", frameon=False)
        figure.savefig(path)
        plt.close(figure)


def _panels(heights):
    """Make panels above one another with the same time axis."""
    figure, axes = plt.subplots(
        len(heights),
        sharex=True,
        figsize=(9, 6.5),
        height_ratios=heights,
        layout="constrained",
    )
    return figure, axes


def _draw_images(axes, shown):
    """Put each image above the time in which it is shown."""
    for i, image in enumerate(shown.images):
        middle = (i + 0.5) * PRESENTATION_TIME
        place = axes.inset_axes(
            (middle - PRESENTATION_TIME / 2, 0, PRESENTATION_TIME, 1),
            transform=axes.get_xaxis_transform(),
        )
        place.imshow(image.reshape(IMAGE_SHAPE), cmap="gray_r")
        place.axis("off")
    axes.set(xlim=(0, len(shown) * PRESENTATION_TIME), title="On the screen")
    axes.axis("off")


def _draw_spikes(axes, spikes, colours, size):
    """Draw a dot for each spike, and a line where the image changes."""
    steps, neurons = np.nonzero(spikes)
    axes.scatter(
        DT * (steps + 1),
        neurons,
        s=size,
        c=np.array([matplotlib.colors.to_rgb(c) for c in colours])[neurons],
        linewidths=0,
    )
    axes.set_ylim(-0.5, spikes.shape[1] - 0.5)
    for change in np.arange(0, len(spikes), STEPS_PER_IMAGE)[1:]:
        axes.axvline(DT * change, color="0.8", linewidth=0.5, zorder=0)


def _name_winners(axes, shown, output):
    """Write the digit with the largest value at the end of each presentation."""
    axes.set_ylim(top=1.25)
    for i in range(len(shown)):
        end = (i + 1) * STEPS_PER_IMAGE - 1
        digit = int(output[end].argmax())
        middle = (i + 0.5) * PRESENTATION_TIME
        axes.text(
            middle,
            1.2,
            str(digit),
            color=COLOURS[digit],
            fontsize=13,
            fontweight="bold",
            ha="center",
            va="top",
        )
        axes.axvline(DT * (end + 1), color="0.8", linewidth=0.5, zorder=0)
