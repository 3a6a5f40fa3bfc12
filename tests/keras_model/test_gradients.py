"""The gradient of every trainable parameter equals the finite difference."""

import functools

import nengo
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_model.layers import draw_inputs, make_layer

N_STEPS = 5  # no whole number of pairs, for what is unrolled by two
N_ITEMS = 2
STEP = 1e-6


def drive(post, size=2, **kwargs):
    """Connect a node of arbitrary values to something, after a synapse."""
    return nengo.Connection(nengo.Node(np.zeros(size)), post, **kwargs)


def neurons(neuron_type):
    """Build a network of two ensembles of a neuron type, with a recurrent loop."""

    def make():
        kwargs = {"neuron_type": neuron_type, "seed": 3}
        a = nengo.Ensemble(8, 2, **kwargs)
        b = nengo.Ensemble(7, 1, **kwargs)
        drive(a)
        nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=0.005)
        nengo.Connection(b, b, synapse=0.01, transform=0.5)
        nengo.Probe(b, synapse=0.01)
        nengo.Probe(a.neurons)

    return make


def neuron_weights():
    a = nengo.Ensemble(6, 1, neuron_type=nengo.Sigmoid(), seed=1)
    b = nengo.Ensemble(5, 1, neuron_type=nengo.Tanh(), seed=2)
    drive(a, 1)
    nengo.Connection(
        a.neurons, b.neurons, transform=nengo.dists.Gaussian(0, 0.1), synapse=None
    )
    nengo.Probe(b.neurons)


def transforms():
    ens = nengo.Ensemble(10, 4, neuron_type=nengo.Sigmoid(), seed=1)
    drive(ens[[2, 0]], transform=np.array([[1.0, -0.5], [0.3, 2.0]]))
    drive(ens[1], 1, transform=0.7)
    drive(ens[::2], transform=[0.1, 1.3])
    drive(
        ens[:2],
        3,
        transform=nengo.Sparse(
            (2, 3), indices=[[0, 1], [1, 2], [1, 0]], init=[1, 2, 3]
        ),
    )
    nengo.Probe(ens, synapse=nengo.Alpha(0.005))


def convolutions():
    image = nengo.transforms.ChannelShape((5, 5, 2))
    conv = nengo.Convolution(3, image, strides=(2, 2), padding="same")
    back = nengo.ConvolutionTranspose(2, conv.output_shape, strides=(2, 2))
    ens = nengo.Ensemble(conv.output_shape.size, 1, neuron_type=nengo.Tanh(), seed=1)
    drive(ens.neurons, image.size, transform=conv)
    out = nengo.Node(size_in=back.output_shape.size)
    nengo.Connection(ens.neurons, out, transform=back, synapse=None)
    nengo.Probe(out)


def learning():
    pre = nengo.Ensemble(6, 1, neuron_type=nengo.Sigmoid(), seed=1)
    post = nengo.Ensemble(5, 1, neuron_type=nengo.Sigmoid(), seed=2)
    error = nengo.Node(size_in=1)
    drive(pre, 1)
    conn = nengo.Connection(
        pre, post, learning_rule_type=nengo.PES(learning_rate=1e-2), synapse=0.01
    )
    nengo.Connection(post, error)
    nengo.Connection(error, conn.learning_rule)
    nengo.Probe(post, synapse=0.01)


CASES = {
    "convolutions": convolutions,
    "learning": learning,
    "neuron weights": neuron_weights,
    "transforms": transforms,
    **{
        str(neuron_type): neurons(neuron_type)
        for neuron_type in (
            nengo.RectifiedLinear(),
            nengo.SpikingRectifiedLinear(),
            nengo.Sigmoid(),
            nengo.LIF(),
            nengo.LIFRate(amplitude=0.5),
            nengo.AdaptiveLIF(),
            nengo.RegularSpiking(nengo.LIFRate()),
        )
    },
}


def objective(layer, inputs, targets):
    """Sum the outputs, each with a weight of its own."""
    outputs = layer(inputs, training=True)
    return sum(tf.reduce_sum(outputs[name] * targets[name]) for name in sorted(outputs))


@functools.cache
def differentiated(make, unroll):
    """Return a layer, and a function that returns its objective and the gradients."""
    with nengo.Network(seed=0) as net:
        make()
    layer = make_layer(net, engine={"unroll": unroll})
    inputs = draw_inputs(layer, N_ITEMS, N_STEPS)
    rng = np.random.RandomState(1)
    targets = {
        name: rng.normal(size=(N_ITEMS, N_STEPS, probe.size_in))
        for probe, name in layer.output_names.items()
    }

    def differentiate():
        with tf.GradientTape() as tape:
            value = objective(layer, inputs, targets)
        return value, tape.gradient(value, [v.value for v in layer.trainable_variables])

    return layer, tf.function(differentiate)


@pytest.mark.parametrize("unroll", [1, 2], ids=["loop", "unrolled"])
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_gradient_equals_finite_difference(make, unroll):
    layer, differentiate = differentiated(make, unroll)
    _, gradients = differentiate()
    rng = np.random.RandomState(2)
    assert layer.trainable_variables
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        direction = rng.normal(size=variable.shape)
        direction /= np.linalg.norm(direction)
        value = variable.numpy()
        side = []
        for sign in (1, -1):
            variable.assign(value + sign * STEP * direction)
            side.append(float(differentiate()[0]))
        variable.assign(value)
        numeric = (side[0] - side[1]) / (2 * STEP)
        analytic = np.sum(np.array(gradient) * direction)
        scale = max(1, np.abs(np.array(gradient)).max())
        assert abs(analytic - numeric) <= 1e-5 * scale, variable.path


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_compiled_gradient_equals_that_of_the_graph(make):
    _, differentiate = differentiated(make, 1)
    compiled = tf.function(differentiate.python_function, jit_compile=True)
    for a, b in zip(compiled()[1], differentiate()[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-7)
