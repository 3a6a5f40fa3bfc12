"""The second part: networks that learn from examples, one minibatch after the other."""

import time
from dataclasses import dataclass

import keras
import nengo
import numpy as np

import nengo_dl
from demo.digits import IMAGE_SHAPE, N_CLASSES

N_PIXELS, N_HIDDEN = IMAGE_SHAPE[0] * IMAGE_SHAPE[1], 128
N_STEPS = 30
N_EPOCHS = 20
MINIBATCH_SIZE = 30


@dataclass(frozen=True)
class Lesson:
    """What came of training.

    Parameters
    ----------
    name : str
        What was trained.
    method : str
        What trained it.
    curves : dict of str to list of float
        "loss" and "accuracy" after each epoch, and with "val\\_" before, of images that
        it was not trained with.
    seconds : float
        How long it took.
    """

    name: str
    method: str
    curves: dict
    seconds: float


def train(training, shown):
    """Train a Nengo network, run it, and run it on `nengo.Simulator`.

    Parameters
    ----------
    training, shown : Digits
        Images to learn, as many as fill minibatches, and images to classify.

    Returns
    -------
    lesson : Lesson
    rows : list of dict
        For each simulator, which part of the images the trained network names
        correctly, and how long it takes.
    """
    keras.utils.set_random_seed(0)
    net, screen, output = build_network()
    test = _steps(shown, N_STEPS)
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH_SIZE, seed=0, progress_bar=False
    ) as sim:
        sim.compile(keras.optimizers.Adam(2e-3), loss=loss(), metrics=["accuracy"])
        start = time.perf_counter()
        history = sim.fit(
            *_steps(training, N_STEPS),
            validation_data=test,
            epochs=N_EPOCHS,
            verbose=0,
        ).history
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        correct = sim.evaluate(*test, verbose=0)["output_accuracy"]
        ours = _row(f"nengo_dl, {MINIBATCH_SIZE} at once", correct, start, shown)
        sim.freeze_params(net)
    curves = {
        key.replace("output_accuracy", "accuracy"): history[key] for key in history
    }
    lesson = Lesson(f"{N_HIDDEN} LIF neurons", "sim.fit", curves, seconds)
    return lesson, [ours, _run_on_nengo(net, screen, output, shown)]


class Screen:
    """Shows one image."""

    def __init__(self):
        self.image = np.zeros(N_PIXELS)

    def __call__(self, t):
        """Return the pixels."""
        del t
        return self.image


def build_network():
    """Make a network with weights that know nothing yet.

    Returns
    -------
    net : Network
        In training its neurons spike, and a surrogate stands in for the derivative.
    screen : Screen
        What the network sees unless it is given data.
    output : Probe
        Ten values, of which the last step is kept.
    """
    with nengo.Network(label="learner", seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking", keep_history=False)
        screen = Screen()
        pixels = nengo.Node(screen, size_out=N_PIXELS, label="pixels")
        hidden = nengo.Ensemble(
            N_HIDDEN,
            1,
            # outputs are about 1 where a neuron has 100 spikes per second
            neuron_type=nengo.LIF(amplitude=0.01),
            gain=np.ones(N_HIDDEN),
            bias=np.ones(N_HIDDEN),
            label="hidden",
        ).neurons
        named = nengo.Node(size_in=N_CLASSES, label="named")
        weights = nengo_dl.dists.Glorot()
        nengo.Connection(pixels, hidden, transform=weights, synapse=None)
        nengo.Connection(hidden, named, transform=weights, synapse=None)
        return net, screen, nengo.Probe(named, synapse=0.008, label="output")


def _run_on_nengo(net, screen, output, shown):
    """Run a network of Nengo objects on Nengo's own simulator."""
    n_correct = 0
    with nengo.Simulator(net, progress_bar=False) as sim:
        start = time.perf_counter()
        for image, label in zip(shown.images, shown.labels, strict=True):
            screen.image = image
            sim.reset()
            sim.run_steps(N_STEPS, progress_bar=False)
            n_correct += sim.data[output][-1].argmax() == label
        return _row("nengo.Simulator", n_correct / len(shown), start, shown)


def _row(runner, correct, start, shown):
    """Say how well and how fast something has run since a time."""
    each = (time.perf_counter() - start) / len(shown)
    return {
        "simulator": runner,
        "correct": f"{correct:.1%}",
        "ms per image": f"{each * 1e3:.2f}",
    }


def _steps(digits, n_steps):
    """Return inputs for a number of steps, and targets for the last one."""
    return np.repeat(digits.images[:, None], n_steps, 1), digits.labels[:, None, None]


def loss():
    """Return the loss of ten values, of which that of the digit should be largest."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
