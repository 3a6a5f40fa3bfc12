"""Weights on hardware: one formula, wherever a network runs, trains or is frozen."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.chips.quantisation import NUMPY, quantised
from nengo_dl.hardware import Weights, convert
from nengo_dl.nodes import Stencil
from nengo_dl.ops.on_chip import TENSORFLOW

MODELS = {
    "2 bits": Weights(bits=2),
    "3 bits per tensor": Weights(bits=3, per="tensor"),
    "4 bits, mse": Weights(bits=4, scale="mse"),
    "8 bits, power of two": Weights(bits=8, exponent="power_of_two"),
    "16 bits": Weights(bits=16),
}


def expected(weights, model, axis):
    """Quantise one channel after the other, as the formula is written."""
    if model.per == "channel":
        channels = np.moveaxis(weights, axis, 0)
        rows = [expected(c, Weights(model.bits, "tensor"), None) for c in channels]
        return np.moveaxis(np.stack(rows), 0, axis)
    n = 2 ** (model.bits - 1) - 1
    s = np.max(np.abs(weights))
    return np.clip(np.round(weights * n / s), -n, n) * s / n


def kernel(*shape):
    """Draw weights."""
    return np.random.RandomState(0).uniform(-1, 1, size=shape)


# From a name to a transform from 36 inputs, and the axis of its output channels
TRANSFORMS = {
    "dense": (kernel(5, 36), 0),
    "convolution": (
        nengo.Convolution(3, (6, 6, 1), kernel_size=(3, 3), init=kernel(3, 3, 1, 3)),
        -1,
    ),
    "channels first": (
        nengo.Convolution(4, (4, 3, 3), channels_last=False, init=kernel(3, 3, 4, 4)),
        -1,
    ),
    "transposed": (
        nengo.ConvolutionTranspose(2, (3, 3, 4), init=kernel(3, 3, 4, 2)),
        -1,
    ),
    "stencil": (Stencil([[0, 2], [1, 3]], 4, init=kernel(2, 9, 3)), -1),
}


def network(transform, dtype="float32", jit_compile=False, **settings):
    """Make a network with two connections of a transform, that share a kernel."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype=dtype, jit_compile=jit_compile, **settings)
        net.node = nengo.Node(np.zeros(36), label="node")
        is_array = isinstance(transform, np.ndarray)
        size_out = transform.shape[0] if is_array else transform.size_out
        net.out = nengo.Node(size_in=size_out, label="out")
        net.conns = [
            nengo.Connection(net.node, net.out, transform=transform, synapse=None)
            for _ in range(2)
        ]
        net.conns[1].label = "second"
        net.probe = nengo.Probe(net.out)
        net.weights = [nengo.Probe(conn, "weights") for conn in net.conns]
    return net


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("dtype, jit_compile", [("float32", False), ("float64", True)])
def test_weights_are_those_of_the_formula(name, dtype, jit_compile):
    transform, axis = TRANSFORMS[name]
    model = Weights(bits=3)
    net = network(transform, dtype, jit_compile, hardware=model)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(1)
        rounding = 1e-6 if dtype == "float32" else 1e-14
        for conn, probe in zip(net.conns, net.weights, strict=True):
            weights, held = sim.data[conn].weights, sim.data[probe][0]
            np.testing.assert_allclose(
                held, expected(weights, model, axis), rtol=rounding, atol=rounding
            )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_frozen_weights_are_those_that_are_simulated(name, dtype):
    model = MODELS[name]
    jit_compile = dtype == "float32"
    net = network(kernel(5, 36), dtype, jit_compile, hardware=model)
    x = np.random.RandomState(1).uniform(-1, 1, size=(1, 4, 36))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(4, data={net.node: x})
        ours, held = sim.data[net.probe], sim.data[net.weights[0]][0]
        before = sim.data[net.conns[0]].weights
        sim.freeze_params(net)
    np.testing.assert_array_equal(net.conns[0].transform.init, held)
    rows = held if model.per == "channel" else held.reshape(1, -1)
    assert all(len(np.unique(row)) <= 2**model.bits - 1 for row in rows)
    if model.scale == "max" and model.exponent is None:
        np.testing.assert_array_equal(
            np.max(np.abs(rows), axis=1),
            np.max(np.abs(before.reshape(rows.shape)), axis=1),
        )
    net.node.output = lambda t: x[0, int(round(t * 1000)) - 1]
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(4)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(ours, reference.data[net.probe], atol=tolerance)


# Shapes of weights and the axes along which they share a scale: a value alone, less and
# more than what is added up at once, and channels at the end
SHARED = {
    "one value": ((7, 1), (1,)),
    "a few": ((7, 43), (1,)),
    "many": ((3, 2500), (1,)),
    "a tensor": ((30, 50), (0, 1)),
    "filters": ((3, 3, 5, 4), (0, 1, 2)),
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("size", [1.0, 1e-25])
def test_mse_chooses_the_scale_with_the_smallest_error(name, bits, size):
    shape, axes = SHARED[name]
    weights = np.random.RandomState(bits).laplace(size=shape) * size
    weights = weights.astype(np.float32)
    model = Weights(bits=bits, scale="mse")
    n = np.float32(model.n_levels)
    found = quantised(weights, n, model, axes, NUMPY)
    largest = np.max(np.abs(weights), axis=axes, keepdims=True)
    tried = []
    for part in np.linspace(0.2, 1, 41, dtype=np.float32):
        s = part * largest
        tried.append(np.clip(np.round(weights * n / s), -n, n) / n * s)
    errors = np.subtract(tried, weights, dtype=np.float64)
    errors = np.sum(errors**2, axis=tuple(axis + 1 for axis in axes), keepdims=True)
    best = np.argmin(errors, axis=0, keepdims=True)
    np.testing.assert_array_equal(
        found, np.take_along_axis(np.array(tried), best, 0)[0]
    )


@pytest.mark.parametrize("name", SHARED)
def test_mse_chooses_the_same_scale_in_all_libraries(name):
    shape, axes = SHARED[name]
    weights = np.random.RandomState(0).normal(size=shape).astype(np.float32)
    model, n = Weights(bits=3, scale="mse"), np.float32(3)
    expected = quantised(weights, n, model, axes, NUMPY)
    for jit_compile in (True, False):
        function = tf.function(quantised, jit_compile=jit_compile)
        found = function(tf.constant(weights), tf.constant(n), model, axes, TENSORFLOW)
        np.testing.assert_array_equal(found, expected)


def test_steps_are_powers_of_two_and_clip_nothing():
    net = network(kernel(5, 36), hardware=Weights(bits=4, exponent="power_of_two"))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(1)
        held, weights = sim.data[net.weights[0]][0], sim.data[net.conns[0]].weights
    for row, found in zip(weights, held, strict=True):
        step = 2.0 ** np.ceil(np.log2(np.max(np.abs(row)) / 7))
        np.testing.assert_array_equal(found, np.round(row / step) * step)


def total(y_true, y_pred):
    """Return a loss that is linear in its arguments."""
    return keras.ops.sum(y_pred - y_true)


def test_gradients_are_those_of_the_identity():
    """A linear network's gradient by its weights does not depend on the weights."""
    changes = []
    for hardware in (None, Weights(bits=2), Weights(bits=2, noise=0.5, drop=0.2)):
        net = network(kernel(5, 36), "float64", hardware=hardware)
        x = np.random.RandomState(1).uniform(-1, 1, size=(4, 1, 36))
        with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
            before = sim.data[net.conns[0]].weights
            sim.compile(keras.optimizers.SGD(0.1), loss={net.probe: total})
            sim.fit({net.node: x}, {net.probe: np.zeros((4, 1, 5))}, verbose=0)
            changes.append(sim.data[net.conns[0]].weights - before)
    np.testing.assert_allclose(changes[1], changes[0], rtol=1e-9)
    np.testing.assert_allclose(changes[2], changes[0], rtol=1e-9)


def test_all_methods_compute_with_the_same_weights():
    net = network(kernel(5, 36), jit_compile=True, hardware=Weights(bits=2))
    x = np.random.RandomState(1).uniform(-1, 1, size=(2, 3, 36)).astype(np.float32)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        predicted = sim.predict({net.node: x}, verbose=0)[net.probe]
        sim.compile(loss={net.probe: "mse"})
        loss = sim.evaluate({net.node: x}, {net.probe: predicted}, verbose=0)["loss"]
        sim.run_steps(3, data={net.node: x})
        np.testing.assert_allclose(sim.data[net.probe], predicted, atol=1e-6)
    assert loss < 1e-12
    layer = nengo_dl.NengoLayer(net, outputs=[net.probe])
    np.testing.assert_allclose(layer({"node": x}), predicted, atol=1e-6)


def ensembles():
    """Make a network with encoders, decoders, full weights and a diagonal."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False)
        node = nengo.Node([0.5, -0.3])
        with nengo.Network(label="inner"):
            first = nengo.Ensemble(20, 2, label="first")
        second = nengo.Ensemble(15, 2, label="second")
        nengo.Connection(node, first, transform=[0.7, -0.9], label="diagonal")
        nengo.Connection(first, second, label="decoded")
        nengo.Connection(
            second, second, solver=nengo.solvers.LstsqL2(weights=True), label="full"
        )
        net.probe = nengo.Probe(second, synapse=0.01)
    return net


@pytest.mark.parametrize("per", ["channel", "tensor"])
def test_frozen_ensembles_agree_with_nengo(per):
    net = convert(ensembles(), Weights(bits=4, per=per))
    with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
        sim.run_steps(60)
        sim.freeze_params(net)
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(60)
    np.testing.assert_allclose(
        sim.data[net.probe], reference.data[net.probe], atol=1e-12
    )
