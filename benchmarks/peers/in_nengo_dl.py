"""The cases in nengo_dl."""

import keras
import nengo
import numpy as np

import nengo_dl
from benchmarks.peers.cases import N_CLASSES

LIF = nengo.LIF(amplitude=0.01)
WEIGHTS = nengo_dl.dists.Glorot()


def _layer(n_neurons):
    """Make neurons that their inputs alone excite."""
    return nengo.Ensemble(
        n_neurons, 1, neuron_type=LIF, gain=np.ones(n_neurons), bias=np.ones(n_neurons)
    ).neurons


def _convolution(n_channels, shape, stride):
    return nengo.Convolution(
        n_channels, shape, kernel_size=(3, 3), strides=(stride, stride), init=WEIGHTS
    )


def build(case):
    """Return the network of a case, which is trained through its spikes."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking", keep_history=False)
        source = nengo.Node(np.zeros(case.n_inputs))
        if case.kind == "convolutional":
            for n_channels, shape, stride in (
                (12, (28, 28, 1), 1),
                (64, (26, 26, 12), 2),
            ):
                transform = _convolution(n_channels, shape, stride)
                layer = _layer(transform.size_out)
                nengo.Connection(source, layer, transform=transform, synapse=None)
                source = layer
        else:
            layer = _layer(256 if case.kind == "dense" else 128)
            nengo.Connection(source, layer, transform=WEIGHTS, synapse=None)
        if case.kind == "recurrent":
            nengo.Connection(layer, layer, transform=WEIGHTS, synapse=0.005)
        output = nengo.Node(size_in=N_CLASSES)
        nengo.Connection(layer, output, transform=WEIGHTS, synapse=0.005)
        nengo.Probe(output)
    return net


def make(case, use):
    """Return a function that trains on, or predicts, all minibatches."""
    sim = nengo_dl.Simulator(
        build(case), minibatch_size=case.minibatch, progress_bar=False
    )
    sim.compile(
        keras.optimizers.SGD(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    x, y = case.data()

    def train():
        sim.fit(x, y[:, None, None], n_steps=case.n_steps, verbose=0)

    def infer():
        return sim.predict(x, n_steps=case.n_steps, verbose=0)

    return train if use == "train" else infer
