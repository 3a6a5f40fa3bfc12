"""The network: spiking neurons see images, ten ensembles of others name the digits."""

from dataclasses import dataclass

import nengo
import numpy as np

import nengo_dl
from demo.digits import IMAGE_SHAPE, N_CLASSES

DT = 0.001
PRESENTATION_TIME = 0.1
STEPS_PER_IMAGE = round(PRESENTATION_TIME / DT)
# neurons of the sheet whose spikes are recorded
N_RECORDED = 200


@dataclass(frozen=True)
class Classifier:
    """A network, and those of its objects that the demo looks at.

    Parameters
    ----------
    net : Network
        All of it.
    output : Probe
        What the ten ensembles stand for, shape (n_steps, 10).
    seen, named : Probe
        Spikes of the sheet's first neurons, and of the ten ensembles one by one.
    """

    net: nengo.Network
    output: nengo.Probe
    seen: nengo.Probe
    named: nengo.Probe


def build(training, shown, dtype="float32", n_neurons=1000, n_per_digit=40):
    """Make a network that has learned from some images and is shown others.

    Nothing is trained step by step: Nengo solves for the weights with which the spikes
    that training images cause add up to the digits' names (one 1 among nine 0).

    Parameters
    ----------
    training, shown : `demo.digits.Digits`
        Images that the weights are solved for, and images that appear one by one.
    dtype : str
        Precision in which nengo_dl simulates; nengo.Simulator always takes float64.
    n_neurons : int
        Number of neurons that see the images.
    n_per_digit : int
        Number of neurons in the ensemble of each digit.

    Returns
    -------
    classifier : Classifier
    """
    presented = nengo.processes.PresentInput(shown.images, PRESENTATION_TIME)
    with nengo.Network(label="digits", seed=0) as net:
        nengo_dl.configure_settings(dtype=dtype)
        screen = nengo.Node(presented, label="screen")
        sheet = nengo.Ensemble(
            n_neurons,
            training.images.shape[1],
            # what a neuron with local encoders makes of most images
            radius=3,
            encoders=local_encoders(n_neurons, np.random.RandomState(0)),
            intercepts=nengo.dists.Uniform(-0.4, 0.5),
            label="sheet",
        )
        names = nengo.networks.EnsembleArray(
            n_per_digit,
            N_CLASSES,
            intercepts=nengo.dists.Uniform(0.1, 0.9),
            encoders=nengo.dists.Choice([[1]]),
            label="names",
        )
        nengo.Connection(screen, sheet, synapse=None)
        nengo.Connection(
            sheet,
            names.input,
            eval_points=training.images,
            scale_eval_points=False,
            function=training.one_hot,
            solver=nengo.solvers.LstsqL2(reg=0.05),
            synapse=0.01,
        )
        return Classifier(
            net,
            output=nengo.Probe(names.output, synapse=0.01, label="output"),
            seen=nengo.Probe(sheet.neurons[:N_RECORDED], label="seen"),
            named=nengo.Probe(names.add_neuron_output(), label="named"),
        )


def local_encoders(n_neurons, rng, width=1.5):
    """Let each neuron look at a random pattern in its own spot of the image."""
    rows, columns = np.indices(IMAGE_SHAPE).reshape(2, 1, -1)
    centres = rng.uniform(0, 7, size=(2, n_neurons, 1))
    distance = (rows - centres[0]) ** 2 + (columns - centres[1]) ** 2
    window = np.exp(-distance / (2 * width**2))
    return rng.standard_normal(window.shape) * window


def answers(output):
    """Return the digits that the network names, one for each image.

    Parameters
    ----------
    output : ndarray of shape (..., n_steps, 10)

    Returns
    -------
    digits : ndarray of shape (..., n_images)
        Those whose outputs are largest in the last 10 steps of each presentation.
    """
    each = output.reshape(*output.shape[:-2], -1, STEPS_PER_IMAGE, N_CLASSES)
    return each[..., -10:, :].mean(axis=-2).argmax(axis=-1)
