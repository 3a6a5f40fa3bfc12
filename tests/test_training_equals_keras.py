"""A network and a Keras model of the same weights learn the same, step by step."""

import contextlib
from functools import cache, partial

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
    # Keras adds biases on the wrong axis of images as wide as they have channels
    conv = partial(Conv2D, data_format="channels_first")
    layers = [conv(3, 3, activation="relu"), conv(2, 2, padding="same")]
    return (2, 6, 7), [*layers, Dense(3)]


def conv_1d():
    conv = Conv1D(3, 3, strides=2, activation="sigmoid", use_bias=False)
    return (9, 2), [conv, Dense(3)]


def batch_norm():
    norm = keras.layers.BatchNormalization(momentum=0.8)
    layers = [Dense(7, use_bias=False), norm]
    return (5,), [*layers, keras.layers.ReLU(), Dense(3)]


def regularized():
    layers = [Dense(7, kernel_regularizer="l2"), Dense(3, kernel_constraint="non_neg")]
    return (5,), layers


NATIVE = [linear, relu, sigmoid_and_tanh, conv_1d, conv_2d, strided_conv_2d]
NATIVE += [channels_first]


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
        for layer in model.layers[1:]:
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


def check(build_network, make, optimizer, dtype="float32", n_steps=1, **settings):
    """Train a Keras model and a network on the same minibatches; compare weights."""
    with computing_in(dtype):
        net, reads = build_network(build(make))
    x, y, expected = from_keras(make, optimizer, dtype, n_steps)
    actual = train_network(net, reads, optimizer, x, y, dtype, **settings)
    compare(actual, expected, TOLERANCE[dtype])


@cache
def from_keras(make, optimizer, dtype, n_steps):
    """Train a Keras model, once for all networks; return data and what came of it."""
    with computing_in(dtype):
        model = build(make)
        x, y = data(model.input_shape[1:], model.output_shape[1:], n_steps)
        return x, y, train_keras(over_time(model, n_steps), optimizer, x, y)


def data(size_in, size_out, n_steps):
    rng = np.random.RandomState(0)
    shapes = [(N_BATCHES * BATCH, n_steps, *size) for size in (size_in, size_out)]
    return [rng.normal(size=shape) for shape in shapes]


@contextlib.contextmanager
def computing_in(dtype):
    """Let Keras compute in another precision."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def train_keras(model, optimizer, x, y):
    """Return the mean loss, and the weights before and after training."""
    before = model.get_weights()
    model.compile(optimizer(), loss="mse", jit_compile=False)
    history = model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    return history.history["loss"], before, model.get_weights()


def train_network(net, reads, optimizer, x, y, dtype, **settings):
    """Return the mean loss, and the weights before and after training."""
    with net:
        nengo_dl.configure_settings(dtype=dtype, **settings)
    with make_sim(net, minibatch_size=BATCH, unroll_simulation=x.shape[1]) as sim:
        before = [read(sim) for read in reads]
        sim.compile(optimizer(), loss={net.probes[0]: "mse"})
        x = {net.nodes[0]: x.reshape(*x.shape[:2], -1)}
        history = sim.fit(x, {net.probes[0]: y}, shuffle=False, verbose=0)
        after = [read(sim) for read in reads]
    return history.history["loss"], before, after


def compare(actual, expected, tolerance):
    np.testing.assert_allclose(actual[0], expected[0], rtol=max(tolerance, 1e-6))
    for ours, theirs in zip(actual[1:], expected[1:], strict=True):
        for value, wanted in zip(ours, theirs, strict=True):
            scale = max(1, np.max(np.abs(wanted)))
            np.testing.assert_allclose(value, wanted, rtol=0, atol=tolerance * scale)
    for before, after in zip(*expected[1:], strict=True):
        assert np.max(np.abs(after - before)) > 1e-3  # it has learned


# which model, number of time steps, settings
TIMES = [
    (relu, 3, {}),
    (relu, 3, {"jit_compile": False}),
    (conv_2d, 1, {"use_loop": False}),
    (conv_2d, 3, {"use_loop": False, "jit_compile": False}),
]


@pytest.mark.parametrize("make", NATIVE)
def test_neurons_and_connections(make):
    check(native, make, sgd, jit_compile=False)


@pytest.mark.parametrize("make", [*NATIVE, batch_norm, regularized])
def test_keras_layers_in_a_network(make):
    check(tensor_nodes, make, sgd, jit_compile=False)


@pytest.mark.parametrize("make", [conv_2d, batch_norm, regularized])
def test_a_keras_model_in_a_network(make):
    check(tensor_node, make, adam)


@pytest.mark.parametrize(
    "optimizer, build_network",
    [(adam, native), (rmsprop, tensor_node), (adamw, native), (schedule, tensor_node)],
)
def test_optimizers(optimizer, build_network):
    check(build_network, relu, optimizer, dtype="float64", jit_compile=False)


@pytest.mark.parametrize("make, n_steps, settings", TIMES)
def test_time_steps(make, n_steps, settings):
    check(native, make, adam, n_steps=n_steps, dtype="float64", **settings)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_encoders_and_decoders(dtype):
    with computing_in(dtype):
        model = build(relu)
        x, y = data((5,), (3,), 1)
        expected = train_keras(over_time(model, 1), adam, x, y)
    kernel, bias, decoders, offset = expected[1]
    with nengo.Network(seed=0) as net:
        stimulus, out = nengo.Node(np.zeros(5)), nengo.Node(size_in=3)
        one = nengo.Node([1])
        ens = nengo.Ensemble(
            12,
            5,
            neuron_type=NEURONS["relu"],
            encoders=kernel.T,
            normalize_encoders=False,
            gain=np.ones(12),
            bias=bias,
        )
        nengo.Connection(stimulus, ens, synapse=None)
        solver = nengo.solvers.NoSolver(decoders)
        conn = nengo.Connection(
            ens, out, function=lambda x: np.zeros(3), solver=solver, synapse=None
        )
        shift = nengo.Connection(one, out, transform=offset[:, None], synapse=None)
        nengo_dl.configure_settings(trainable=None)
        net.config[net.connections[0]].trainable = False
        nengo.Probe(out)
    reads = [
        lambda sim: sim.data[ens].scaled_encoders.T,
        lambda sim: sim.data[ens].bias,
        lambda sim: sim.data[conn].weights.T,
        lambda sim: sim.data[shift].weights.ravel(),
    ]
    actual = train_network(net, reads, adam, x, y, dtype)
    compare(actual, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("use_loop", [True, False])
def test_through_time(use_loop):
    with computing_in("float64"):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 5))
        rnn = keras.layers.SimpleRNN(4, return_sequences=True)
        model = keras.Model(inputs, rnn(inputs))
        x, y = data((5,), (4,), 6)
        expected = train_keras(model, adam, x, y)
    kernel, recurrent, bias = expected[1]
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(np.zeros(5))
        ens = nengo.Ensemble(
            4, 1, neuron_type=NEURONS["tanh"], gain=np.ones(4), bias=bias
        )
        forward = nengo.Connection(
            stimulus, ens.neurons, transform=kernel.T, synapse=None
        )
        # a synapse without time constant is a delay of one time step
        back = nengo.Connection(
            ens.neurons, ens.neurons, transform=recurrent.T, synapse=0
        )
        nengo.Probe(ens.neurons)
    reads = [
        lambda sim: sim.data[forward].weights.T,
        lambda sim: sim.data[back].weights.T,
        lambda sim: sim.data[ens].bias,
    ]
    settings = {"use_loop": use_loop}
    actual = train_network(net, reads, adam, x, y, "float64", **settings)
    compare(actual, expected, TOLERANCE["float64"])
