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
    correct : dict of str to float
        The part of the test images that it names correctly, by what runs it.
    """

    name: str
    method: str
    curves: dict
    seconds: float
    correct: dict


def train_spikes(training, shown):
    """Train a Nengo network, run it, and run it on `nengo.Simulator`.

    Parameters
    ----------
    training, shown : Digits
        Images to learn, as many as fill minibatches, and images to classify.

    Returns
    -------
    lesson : Lesson
    """
    keras.utils.set_random_seed(0)
    net, screen, output = build_network()
    test = _steps(shown, N_STEPS)
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH_SIZE, seed=0, progress_bar=False
    ) as sim:
        sim.compile(keras.optimizers.Adam(2e-3), loss=_loss(), metrics=["accuracy"])
        start = time.perf_counter()
        history = sim.fit(
            *_steps(training, N_STEPS),
            validation_data=test,
            epochs=N_EPOCHS,
            verbose=0,
        ).history
        seconds = time.perf_counter() - start
        correct = {"nengo_dl": sim.evaluate(*test, verbose=0)["output_accuracy"]}
        sim.freeze_params(net)
    correct["nengo.Simulator"] = _run_on_nengo(net, screen, output, shown)
    curves = {
        key.replace("output_accuracy", "accuracy"): history[key] for key in history
    }
    return Lesson(f"{N_HIDDEN} LIF neurons", "sim.fit", curves, seconds, correct)


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


def train_keras(training, shown):
    """Train a Keras model, and put it into a Nengo network as it is.

    Parameters
    ----------
    training, shown : Digits
        Images to learn, as many as fill minibatches, and images to classify.

    Returns
    -------
    lesson : Lesson
    """
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((N_PIXELS,)),
            keras.layers.Reshape((*IMAGE_SHAPE, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(N_CLASSES),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), loss=_loss(), metrics=["accuracy"])
    test = (shown.images, shown.labels)
    start = time.perf_counter()
    history = model.fit(
        training.images,
        training.labels,
        batch_size=MINIBATCH_SIZE,
        validation_data=test,
        epochs=N_EPOCHS,
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    correct = {
        "Keras": model.evaluate(*test, verbose=0, return_dict=True)["accuracy"],
        "nengo_dl, as a TensorNode": _run_as_node(model, shown),
    }
    return Lesson("a convolutional model", "Keras' fit", history, seconds, correct)


def _run_as_node(model, shown):
    """Return the accuracy of a Keras model in a Nengo network."""
    with nengo.Network(seed=0) as net:
        screen = nengo.Node(np.zeros(N_PIXELS))
        inside = nengo_dl.TensorNode(model, (N_PIXELS,), (N_CLASSES,), pass_time=False)
        nengo.Connection(screen, inside, synapse=None)
        nengo.Probe(inside, label="output")
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH_SIZE, progress_bar=False
    ) as sim:
        sim.compile(loss=_loss(), metrics=["accuracy"])
        return sim.evaluate(*_steps(shown, 1), verbose=0)["output_accuracy"]


def _run_on_nengo(net, screen, output, shown):
    """Return the accuracy of a network of Nengo objects on Nengo's own simulator."""
    n_correct = 0
    with nengo.Simulator(net, progress_bar=False) as sim:
        for image, label in zip(shown.images, shown.labels, strict=True):
            screen.image = image
            sim.reset()
            sim.run_steps(N_STEPS, progress_bar=False)
            n_correct += sim.data[output][-1].argmax() == label
    return n_correct / len(shown)


def _steps(digits, n_steps):
    """Return inputs for a number of steps, and targets for the last one."""
    return np.repeat(digits.images[:, None], n_steps, 1), digits.labels[:, None, None]


def _loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def rows(lessons):
    """List which part of the images each network names correctly.

    Returns
    -------
    rows : list of dict
        One for each network and what runs it.
    """
    return [
        {
            "trained": lesson.name if i == 0 else "",
            "by": lesson.method if i == 0 else "",
            "in": f"{lesson.seconds:.0f} s" if i == 0 else "",
            "runs on": runner,
            "correct": f"{correct:.1%}",
        }
        for lesson in lessons
        for i, (runner, correct) in enumerate(lesson.correct.items())
    ]
