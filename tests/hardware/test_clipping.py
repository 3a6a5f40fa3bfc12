"""Weights that training clips: after each update, in training alone."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.hardware import Weights
from nengo_dl.keras_model.weights import MAX_SEPARATE

RATE = 0.1


def heavy(seed, shape=(6, 40)):
    """Draw weights of which some are far larger than most."""
    return np.random.RandomState(seed).standard_t(2, size=shape)


def network(model, n=2, learned=False):
    """Make a network of matrices, all of one input."""
    with nengo.Network() as net:
        nengo_dl.configure_settings(
            hardware=model, dtype="float64", jit_compile=False, trainable=None
        )
        net.node = nengo.Node(np.ones(40), label="node")
        net.conns, net.outputs = [], []
        for i in range(n):
            out = nengo.Node(size_in=6)
            conn = nengo.Connection(net.node, out, transform=heavy(i), synapse=None)
            net.conns.append(conn)
            net.outputs.append(nengo.Probe(out))
    return net


def total(y_true, y_pred):
    """Return a loss whose gradient by each weight is its input, for one item."""
    return keras.ops.sum(y_pred - y_true)


def fit(sim, net, n_updates=1):
    """Update all weights."""
    sim.compile(keras.optimizers.SGD(RATE), loss=total)
    x = np.ones((n_updates, 1, 40))
    y = {probe: np.zeros((n_updates, 1, 6)) for probe in net.outputs}
    sim.fit({net.node: x}, y, verbose=0)


def clipped(weights, bound, axis):
    """Clip as the definition says."""
    squares = np.mean(np.square(weights), axis=axis, keepdims=True)
    largest = bound * np.sqrt(squares)
    return np.clip(weights, -largest, largest)


@pytest.mark.parametrize("per, axis", [("channel", 1), ("tensor", None)])
@pytest.mark.parametrize("n", [2, MAX_SEPARATE + 1])  # which are stacked
@pytest.mark.parametrize("bits", [None, 4])
def test_weights_are_clipped_after_each_update(per, axis, n, bits):
    net = network(Weights(bits=bits, per=per, clip=1.5), n)
    net.config[net.conns[1]].hardware = None  # which stays as it is
    with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
        fit(sim, net, n_updates=2)
        for i, conn in enumerate(net.conns):
            expected = heavy(i)
            for _ in range(2):
                expected = expected - RATE
                if conn is not net.conns[1]:
                    expected = clipped(expected, 1.5, axis)
            np.testing.assert_allclose(sim.data[conn].weights, expected, atol=1e-9)
            assert (np.ptp(expected) < np.ptp(heavy(i))) == (conn is not net.conns[1])


def test_nothing_is_clipped_outside_of_training():
    net = network(Weights(clip=0.5))
    with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
        sim.run_steps(1)
        sim.compile(loss="mse")
        y = {probe: np.zeros((1, 1, 6)) for probe in net.outputs}
        sim.evaluate(y=y, n_steps=1, verbose=0)
        sim.freeze_params(net)
        np.testing.assert_allclose(sim.data[net.outputs[0]][0], heavy(0).sum(axis=1))
    np.testing.assert_array_equal(net.conns[0].transform.init, heavy(0))


def test_layers_in_other_models_are_clipped():
    net = network(Weights(clip=1.5, per="tensor"), n=1)
    inputs = keras.Input((1, 40))
    layer = nengo_dl.NengoLayer(net, outputs=net.outputs)
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(RATE), loss=total)
    model.fit(np.ones((1, 1, 40)), np.zeros((1, 1, 6)), batch_size=1, verbose=0)
    expected = clipped(heavy(0) - RATE, 1.5, None)
    np.testing.assert_allclose(layer.get_weights()[0], expected, rtol=1e-5)


def test_few_equal_weights_are_not_lost():
    """A standard deviation around the mean would be zero."""
    with nengo.Network() as net:
        nengo_dl.configure_settings(hardware=Weights(clip=2.5), jit_compile=False)
        net.node, out = nengo.Node(np.ones(40)), nengo.Node(size_in=6)
        conn = nengo.Connection(
            net.node, out, transform=np.full((6, 40), 0.5), synapse=None
        )
        net.outputs = [nengo.Probe(out)]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        fit(sim, net)
        np.testing.assert_allclose(sim.data[conn].weights, 0.5 - RATE, rtol=1e-5)


@pytest.mark.parametrize("clip", [0, -1.0, np.inf, True, "2.5"])
def test_errors(clip):
    with pytest.raises(ValidationError, match="Weights.clip: must be a positive numb"):
        Weights(clip=clip)
