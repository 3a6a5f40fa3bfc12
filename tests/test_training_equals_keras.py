"""A network and a Keras model of the same weights learn the same, step by step."""

from functools import partial

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from tests.simulator.helpers import make_sim

N_BATCHES, BATCH = 20, 4
# relative to the largest weight
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
NEURONS = {
    "relu": nengo.RectifiedLinear(),
    "sigmoid": nengo.Sigmoid(tau_ref=1),
    "tanh": nengo.Tanh(tau_ref=1),
}

Dense, Conv1D, Conv2D = (
    partial(layer, bias_initializer=keras.initializers.RandomNormal(stddev=0.1))
    for layer in (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)
)


# --- Keras models -----------------------------------------------------------------


def linear():
    return (5,), [Dense(3)]


def relu():
    return (5,), [Dense(12, activation="relu"), Dense(3)]


def sigmoid_and_tanh():
    layers = [Dense(7, activation="sigmoid"), Dense(6, activation="tanh")]
    return (5,), [*layers, Dense(3, use_bias=False)]


def conv_2d():
    conv = Conv2D(3, 3, activation="relu")
    return (6, 5, 2), [conv, Conv2D(2, 2, padding="same"), Dense(3)]


def strided_conv_2d():
    conv = Conv2D(4, (3, 2), strides=(2, 1), padding="same", activation="tanh")
    return (6, 5, 2), [conv, Dense(3, activation="sigmoid")]


def channels_first():
    conv = partial(Conv2D, data_format="channels_first")
    layers = [conv(3, 3, activation="relu"), conv(2, 2, padding="same")]
    return (2, 6, 5), [*layers, Dense(3)]


def conv_1d():
    conv = Conv1D(3, 3, strides=2, activation="sigmoid", use_bias=False)
    return (9, 2), [conv, Dense(3)]


def batch_norm():
    layers = [Dense(7), keras.layers.BatchNormalization(momentum=0.8)]
    return (5,), [*layers, keras.layers.ReLU(), Dense(3)]


def regularized():
    hidden = Dense(7, kernel_regularizer="l2", activity_regularizer="l1")
    return (5,), [hidden, Dense(3, kernel_constraint="non_neg")]


def build(make):
    """Make a model that puts out vectors, with the same weights each time."""
    keras.utils.set_random_seed(0)
    shape, layers = make()
    x = inputs = keras.Input(shape)
    for layer in layers:
        if isinstance(layer, keras.layers.Dense) and len(x.shape) > 2:
            x = keras.layers.Flatten()(x)
        x = layer(x)
    return keras.Model(inputs, x)


def over_time(model, n_steps):
    """Apply a model to each time step."""
    x = keras.Input((n_steps, *model.input_shape[1:]))
    steps = [model(x[:, i]) for i in range(n_steps)]
    return keras.Model(x, keras.ops.stack(steps, axis=1))


# --- the same models as networks, and how to read their weights ---------------------


def native(model):
    """Build a network of neurons and connections."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(trainable=None)
        obj, reads = nengo.Node(np.zeros(np.prod(model.input_shape[1:]))), []
        for layer in model.layers:
            if layer.weights:
                obj, added = native_layer(net, obj, layer)
                reads += added
        nengo.Probe(obj)
    return net, reads


def native_layer(net, obj, layer):
    """Add what a layer does to a network; return its output and its weights."""
    kernel, *bias = layer.get_weights()
    is_dense = isinstance(layer, keras.layers.Dense)
    transform = kernel.T if is_dense else convolution(layer, kernel)
    name = keras.activations.serialize(layer.activation)
    if name == "linear":
        out = nengo.Node(size_in=layer_size(layer))
    else:
        size = layer_size(layer)
        biases = bias[0] if bias and is_dense else np.zeros(size)
        gain = np.ones(size)
        out = nengo.Ensemble(size, 1, neuron_type=NEURONS[name], gain=gain, bias=biases)
        net.config[out].trainable = False
        out = out.neurons
    conn = nengo.Connection(obj, out, transform=transform, synapse=None)
    reads = [lambda sim: weights_of(sim, conn, kernel.shape)]
    if bias and is_dense and name != "linear":
        net.config[out].trainable = True
        reads.append(lambda sim: sim.data[out.ensemble].bias)
    elif bias:
        reads.append(add_bias(net, out, layer, bias[0]))
    return out, reads


def weights_of(sim, conn, shape):
    weights = sim.data[conn].weights
    return weights.T if weights.ndim == 2 else weights.reshape(shape)


def add_bias(net, out, layer, bias):
    """Add a bias that many neurons share; return how to read it."""
    one, relay = nengo.Node([1]), nengo.Node(size_in=len(bias))
    conn = nengo.Connection(one, relay, transform=bias[:, None], synapse=None)
    n_positions = layer_size(layer) // len(bias)
    spread = np.tile(np.eye(len(bias)), (n_positions, 1))
    if getattr(layer, "data_format", None) == "channels_first":
        spread = np.repeat(np.eye(len(bias)), n_positions, axis=0)
    fixed = nengo.Connection(relay, out, transform=spread, synapse=None)
    net.config[fixed].trainable = False
    return lambda sim: sim.data[conn].weights.ravel()


def layer_size(layer):
    return int(np.prod(layer.output.shape[1:]))


def convolution(layer, kernel):
    return nengo.Convolution(
        layer.filters,
        layer.input.shape[1:],
        kernel_size=layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        channels_last=layer.data_format == "channels_last",
        init=kernel,
    )


def copied(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def tensor_nodes(model):
    """Build a network with one TensorNode per layer."""
    model = copied(model)
    with nengo.Network(seed=0) as net:
        x = nengo.Node(np.zeros(np.prod(model.input_shape[1:])))
        for layer in model.layers:
            x = nengo_dl.Layer(layer)(x, shape_in=layer.input.shape[1:])
        nengo.Probe(x)
    return net, [lambda sim, w=w: w.numpy() for w in model.weights]


def tensor_node(model):
    """Build a network with the whole model in one TensorNode."""
    model = copied(model)
    with nengo.Network(seed=0) as net:
        x = nengo.Node(np.zeros(np.prod(model.input_shape[1:])))
        x = nengo_dl.Layer(model)(x, shape_in=model.input_shape[1:])
        nengo.Probe(x)
    return net, [lambda sim, w=w: w.numpy() for w in model.weights]


# --- training -----------------------------------------------------------------------


def sgd():
    return keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)


def adam():
    return keras.optimizers.Adam(0.01)


def rmsprop():
    return keras.optimizers.RMSprop(0.01, clipnorm=0.1)


def adamw():
    return keras.optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=0.5)


def schedule():
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9)
    return keras.optimizers.SGD(rate, clipvalue=0.01, use_ema=True)


def data(model, n_steps):
    rng = np.random.RandomState(0)
    n_items = N_BATCHES * BATCH
    x = rng.normal(size=(n_items, n_steps, *model.input_shape[1:]))
    y = rng.normal(size=(n_items, n_steps, *model.output_shape[1:]))
    return x, y


def check(build_network, make, optimizer, dtype="float32", n_steps=1, **settings):
    """Train a Keras model and a network on the same minibatches; compare weights."""
    floatx = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        model = build(make)
        net, reads = build_network(model)
        x, y = data(model, n_steps)
        expected = train_keras(model, optimizer(), x, y)
    finally:
        keras.config.set_floatx(floatx)
    with net:
        nengo_dl.configure_settings(dtype=dtype, **settings)
    with make_sim(net, minibatch_size=BATCH, unroll_simulation=n_steps) as sim:
        sim.compile(optimizer(), loss="mse")
        flat = x.reshape(len(x), n_steps, -1)
        history = sim.fit(flat, y, shuffle=False, verbose=0).history["loss"]
        actual = [read(sim) for read in reads]
    np.testing.assert_allclose(history, expected[0], rtol=1e-5)
    for value, before, after in zip(actual, *expected[1:], strict=True):
        assert np.max(np.abs(after - before)) > 1e-3  # it has learned
        scale = max(1, np.max(np.abs(after)))
        np.testing.assert_allclose(value, after, rtol=0, atol=TOLERANCE[dtype] * scale)


def train_keras(model, optimizer, x, y):
    """Return the losses, and the weights before and after training."""
    before = model.get_weights()
    timed = over_time(model, x.shape[1])
    timed.compile(optimizer, loss="mse")
    history = timed.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    return history.history["loss"], before, model.get_weights()


NATIVE = [linear, relu, sigmoid_and_tanh, conv_2d, strided_conv_2d, channels_first]
NATIVE += [conv_1d]
OPTIMIZERS = [sgd, adam, rmsprop, adamw, schedule]


@pytest.mark.parametrize("make", NATIVE)
def test_neurons_and_connections(make):
    check(native, make, sgd)


@pytest.mark.parametrize("make", [*NATIVE, batch_norm, regularized])
@pytest.mark.parametrize("build_network", [tensor_nodes, tensor_node])
def test_keras_layers_in_a_network(build_network, make):
    check(build_network, make, sgd)


@pytest.mark.parametrize("build_network", [native, tensor_node])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer, build_network):
    check(build_network, relu, optimizer, dtype="float64")


@pytest.mark.parametrize("make", [relu, conv_2d])
@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("use_loop", [True, False])
@pytest.mark.parametrize("jit_compile", [True, False])
def test_time_steps(make, n_steps, use_loop, jit_compile):
    settings = {"use_loop": use_loop, "jit_compile": jit_compile}
    check(native, make, adam, n_steps=n_steps, dtype="float64", **settings)
