"""Draw the picture of the README: ``python docs/images/make.py`` (a minute).

A convolutional network learns handwritten digits in Keras, becomes a network of spiking
neurons, and is shown four digits that it has not seen. Needs what the demo needs.
"""

import io
from pathlib import Path

import keras
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import nengo
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import nengo_dl
from nengo_dl import plots

TARGET = Path(__file__).with_name("digits.png")
N_SHOWN, N_STEPS, DT = 4, 100, 0.001
TARGET_RATE = 250  # Hz; few enough spikes to be seen one by one
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # of Okabe & Ito
GREY = "#B0B0B0"


def learn():
    """Return a trained Keras model, and four digits that are new to it."""
    keras.utils.set_random_seed(0)
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 8, 8, 1)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
    x = keras.layers.Conv2D(16, 3, activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(images[100:], labels[100:], epochs=15, verbose=0)
    chosen = [int(np.flatnonzero(labels[:100] == n)[1]) for n in (2, 0, 7, 4)]
    return model, images, chosen, labels[chosen]


def run(model, images, chosen):
    """Return the spikes of two layers and the decoded outputs, over time."""
    converter = nengo_dl.Converter(
        model,
        swap_activations={keras.activations.relu: nengo_dl.IntegrateAndFire()},
        scale_firing_rates="auto",
        calibration_data=images[100:],
        target_rate=TARGET_RATE,
    )
    with converter.net:
        hidden = (converter.layers[layer] for layer in model.layers[1:5:3])
        spikes = [nengo.Probe(neurons) for neurons in hidden]
    output = converter.outputs[model.output]
    output.synapse = nengo.Alpha(0.005)
    shown = images[chosen].reshape(1, N_SHOWN, -1).repeat(N_STEPS, axis=1)
    with nengo_dl.Simulator(converter.net, DT, device="/cpu:0") as sim:
        sim.run_steps(N_SHOWN * N_STEPS, data=shown)
        return [sim.data[probe] for probe in spikes], sim.data[output]


def draw(images, labels, spikes, outputs):
    """Draw images, spikes and outputs above each other, over the same time."""
    plt.rcParams.update(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    heights = (1.1, 1.6, 1.2, 1.7)
    figure, axes = plt.subplots(
        4, figsize=(7.2, 5), sharex=True, height_ratios=heights, layout="constrained"
    )
    draw_images(axes[0], images)
    names = ("convolution", "dense layer")
    for ax, data, name in zip(axes[1:3], spikes, names, strict=True):
        draw_spikes(ax, data)
        ax.set(ylabel=f"{name}\n(neurons)", xlabel="", yticks=[])
    draw_outputs(axes[-1], outputs, labels)
    figure.align_ylabels(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110)
    # a palette is enough for lines and marks, and makes the file three times smaller
    Image.open(buffer).convert("RGB").quantize(128).save(TARGET, optimize=True)


def draw_spikes(ax, data):
    """Draw the spikes of neurons that prefer one digit, in the colour of the digit."""
    groups = choosy(data, 12)
    neurons = [int(j) for group in groups for j in group]
    colours = np.repeat(COLOURS, [len(group) for group in groups])
    plots.raster(data, neurons, colour=list(colours), dt=DT, ax=ax)
    for marks in ax.lines:
        marks.set_antialiased(False)
    ax.invert_yaxis()


def choosy(data, n):
    """Return, for each digit, the n neurons that prefer it most to all others."""
    rates = data.reshape(N_SHOWN, N_STEPS, -1).mean(axis=1)
    preference = rates - (rates.sum(axis=0) - rates) / (N_SHOWN - 1)
    own = preference.argmax(axis=0)
    return [
        [j for j in np.argsort(-row) if own[j] == i][:n]
        for i, row in enumerate(preference)
    ]


def draw_images(ax, images):
    """Draw each image over the time for which it is shown."""
    length = N_STEPS * DT
    for i, image in enumerate(images):
        place = ax.inset_axes(
            [i * length, 0, length, 1], transform=ax.transData, anchor="C"
        )
        place.imshow(image[..., 0], cmap="gray_r")
        place.axis("off")
    ax.set(ylim=(0, 1), yticks=[], ylabel="input")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)


def draw_outputs(ax, outputs, labels):
    """Draw the outputs; in colour those that one of the images belongs to."""
    times = DT * np.arange(1, len(outputs) + 1)
    for n in np.setdiff1d(range(10), labels):
        ax.plot(times, outputs[:, n], color=GREY, linewidth=0.8)
    for i, n in enumerate(labels):
        ax.plot(times, outputs[:, n], color=COLOURS[i], linewidth=1.8)
        middle = (i + 0.5) * N_STEPS * DT
        peak = outputs[i * N_STEPS : (i + 1) * N_STEPS, n].max()
        ax.annotate(f"“{n}”", (middle, peak), color=COLOURS[i], ha="center")
        if i:
            ax.axvline(i * N_STEPS * DT, color=GREY, linewidth=0.6, linestyle=":")
    ax.set(xlabel="time (s)", ylabel="decoded\noutput", xlim=(0, times[-1]))
    ax.margins(y=0.12)  # room for the names


def main():
    """Learn, run and draw."""
    model, images, chosen, labels = learn()
    spikes, outputs = run(model, images, chosen)
    draw(images[chosen], labels, spikes, outputs)


if __name__ == "__main__":
    main()
