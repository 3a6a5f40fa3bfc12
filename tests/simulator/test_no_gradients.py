"""What is said where nothing can be trained: the reason, and what to do."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError

import nengo_dl
from tests.simulator.helpers import make_sim

RATE = nengo.LIFRate()


def chain(*, connection=None, probe=None, through=None):
    """Build an ensemble, something after it, and a probe of each."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node([0.5], label="stimulus")
        ens = nengo.Ensemble(5, 1, neuron_type=RATE, label="ens")
        nengo.Connection(stimulus, ens, synapse=None)
        last = ens
        if through is not None:
            last = through()
            nengo.Connection(ens, last, synapse=None)
        if connection is not None:
            node = nengo.Node(size_in=1)
            nengo.Connection(last, node, synapse=connection)
            last = node
        net.out = nengo.Probe(last, synapse=probe, label="out")
        net.before = nengo.Probe(stimulus, label="before")
    return net


def python():
    return nengo.Node(lambda t, x: 2 * x, size_in=1, label="python")


def tensor(function):
    def make():
        return nengo_dl.TensorNode(function, shape_in=(1,), pass_time=False)

    return make


def detached(y_true, y_pred):
    return tf.reduce_mean(tf.stop_gradient(y_pred) - y_true)


SYNAPSE = "in 1 step, nothing that is trainable gets through"
# network, probe, number of steps, loss, what the message says
CASES = [
    (chain(probe=0.01), "out", 1, "mse", f'{SYNAPSE} the synapse of <Probe "out"'),
    (
        chain(connection=0.01),
        "out",
        1,
        "mse",
        f"{SYNAPSE} synapses on the way to 'out'",
    ),
    (chain(probe=nengo.Alpha(0.01)), "out", 1, "mse", "Give data of more steps"),
    (chain(probe=0.01), "out", 1, "mse", "or set synapse=None"),
    (chain(through=python), "out", 1, "mse", "'python'> calls a Python function"),
    (chain(through=python), "out", 1, "mse", "as a nengo_dl.TensorNode"),
    (chain(through=tensor(tf.stop_gradient)), "out", 1, "mse", "Look for tf.stop_grad"),
    (
        chain(through=tensor(tf.round)),
        "out",
        1,
        detached,
        "'out' depends on 'ens.bias'",
    ),
    (chain(), "out", 1, detached, "or the loss, has no gradient"),
    (chain(), "before", 1, "mse", "nothing that 'before' depends on is trainable"),
    (chain(), "before", 1, "mse", "Trainable is: 'ens.bias', 'ens.encoders'"),
]


@pytest.mark.parametrize("net, probe, n_steps, loss, message", CASES)
def test_the_reason_is_named(net, probe, n_steps, loss, message):
    x = np.ones((2, n_steps, 1))
    with make_sim(net) as sim:
        sim.compile("sgd", loss={probe: loss})
        before = sim.keras_model.get_weights()
        start = "Simulator.fit: expected a loss that depends on something that can be"
        with pytest.raises(SimulationError, match=start) as info:
            sim.fit(x, {probe: x}, verbose=0)
        assert message in str(info.value)
        for old, new in zip(before, sim.keras_model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


TRAINED = [
    (chain(probe=0.01), 2),
    (chain(connection=0.01), 2),
    (chain(connection=0.01, probe=0.01), 3),
    (chain(), 1),
    (chain(through=tensor(keras.layers.Dense(1))), 1),
]


@pytest.mark.parametrize("net, n_steps", TRAINED)
def test_what_can_be_trained_is(net, n_steps):
    x = np.ones((2, n_steps, 1))
    with make_sim(net) as sim:
        sim.compile(keras.optimizers.SGD(1.0), loss={net.out: "mse"})
        before = sim.keras_model.get_weights()
        sim.fit(x, {net.out: 2 * x}, verbose=0)
        assert not np.array_equal(before[0], sim.keras_model.get_weights()[0])


def test_other_errors_of_keras_stay():
    net = chain()
    x = np.ones((2, 1, 1))

    def broken(y_true, y_pred):
        raise ValueError("mine")

    with make_sim(net) as sim:
        sim.compile("sgd", loss={net.out: broken})
        with pytest.raises(ValueError, match="mine"):
            sim.fit(x, {net.out: x}, verbose=0)
