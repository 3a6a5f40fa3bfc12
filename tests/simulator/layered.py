"""A small network to train, for the tests of Keras methods."""

import keras
import nengo
import numpy as np

import nengo_dl

# size of a minibatch, number of items and of time steps
BATCH, ITEMS, STEPS = 2, 4, 3
QUIET = {"verbose": 0, "shuffle": False}


def draw(*shape, seed=0):
    """Draw numbers between -1 and 1."""
    return np.random.RandomState(seed).uniform(-1, 1, size=shape).astype("float32")


def dense(units, **kwargs):
    """Make a Dense layer with the same weights each time."""
    kwargs = {"kernel_initializer": keras.initializers.GlorotUniform(0), **kwargs}
    return keras.layers.Dense(units, **kwargs)


def layered(layer=None, synapse=None, **settings):
    """Build a layer between an input of size 2 and a probe without a label."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(**{"jit_compile": False, **settings})
        net.stimulus = nengo.Node(np.zeros(2), label="in")
        net.layer = dense(3) if layer is None else layer
        net.output = nengo_dl.Layer(net.layer)(net.stimulus)
        net.probe = nengo.Probe(net.output, synapse=synapse)
    return net


X = draw(ITEMS, STEPS, 2)
Y = draw(ITEMS, STEPS, 3, seed=1)
