"""TensorNodes in simulations: what they compute, with which weights, and how."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import BuildError, ValidationError

import nengo_dl
from nengo_dl.graph.nengo_model import build_model
from nengo_dl.graph.program import from_model, input_nodes
from nengo_dl.nodes.tensor_function import SimTensorNode
from nengo_dl.ops import BuildContext, Builder
from tests.simulator.helpers import make_sim

DT = 0.001
N_STEPS = 3


def random_data(*shape):
    return np.random.RandomState(0).uniform(-1, 1, size=shape).astype("float32")


def network(func, shape_in, jit_compile=False, dtype="float32", **kwargs):
    """Connect an input to a TensorNode, and probe that."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit_compile, dtype=dtype)
        net.source = nengo.Node(np.zeros(int(np.prod(shape_in or 1))))
        net.node = nengo_dl.TensorNode(func, shape_in=shape_in, label="a", **kwargs)
        if shape_in is not None:
            nengo.Connection(net.source, net.node, synapse=None)
        net.probe = nengo.Probe(net.node)
    return net


def run(net, minibatch_size=2):
    """Simulate a network on random input; return the input and the output."""
    data = random_data(minibatch_size, N_STEPS, net.source.size_out)
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        sim.run_steps(N_STEPS, data={net.source: data})
        return data, sim.data[net.probe]


class Mlp(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(5, activation="tanh")
        self.readout = keras.layers.Dense(2)

    def call(self, x, training=None):
        return self.readout(self.hidden(x))


class Block(keras.layers.Layer):
    """Layers inside of a layer that has no build method of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.Sequential([keras.layers.Dense(4), Mlp()])

    def call(self, x):
        return self.inner(x) + keras.ops.mean(x, axis=-1, keepdims=True)


class Timed(keras.layers.Layer):
    """Takes the time and an input."""

    def build(self, input_shape):
        time, x = input_shape
        assert tuple(time) == ()
        self.scale = self.add_weight(shape=(x[-1],))

    def call(self, inputs):
        t, x = inputs
        return t * self.scale * x


class Mode(keras.layers.Layer):
    """Tells training from inference."""

    def call(self, x, training=None):
        return x + (1.0 if training else 0.0)


class Refused(keras.layers.Layer):
    """Says that XLA cannot compile it."""

    def __init__(self):
        super().__init__()
        self.supports_jit = False

    def call(self, x):
        return 2 * x


def functional():
    x = keras.Input((4,))
    a = keras.layers.Dense(3, activation="relu")(x)
    b = keras.layers.Concatenate()([a, x])
    return keras.Model(x, keras.layers.Dense(2)(b))


def convolutional():
    return keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.Conv2D(3, 3, padding="same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPooling2D(),
            keras.layers.Dropout(0.5),
        ]
    )


# --- functions --------------------------------------------------------------------

FUNCTIONS = [
    (lambda t, x: tf.sin(t) + x, (3,), True),
    (lambda t, x: t * tf.transpose(x, (0, 2, 1)), (3, 2), True),
    (lambda x: tf.reduce_sum(x, axis=(1, 2)), (3, 2), False),
    (lambda x: x[:, :2], (4,), False),
    (lambda x: tf.reshape(x, (x.shape[0], 2, 3)), (6,), False),
    (lambda x: keras.ops.softmax(x), (4,), False),
    (tf.function(lambda x: tf.cumsum(x, axis=1)), (4,), False),
    (lambda x: tf.stack([x, x], axis=-1), (), False),
]


@pytest.mark.parametrize("minibatch_size", [1, 3])
@pytest.mark.parametrize("func, shape_in, pass_time", FUNCTIONS)
def test_function(func, shape_in, pass_time, minibatch_size):
    net = network(func, shape_in, pass_time=pass_time)
    data, outputs = run(net, minibatch_size)
    for i in range(N_STEPS):
        x = data[:, i].reshape((minibatch_size, *shape_in))
        t = tf.constant((i + 1) * DT, tf.float32)
        expected = func(t, x) if pass_time else func(x)
        np.testing.assert_allclose(
            outputs[:, i], np.reshape(expected, (minibatch_size, -1)), atol=1e-6
        )


@pytest.mark.parametrize("minibatch_size", [1, 3])
def test_function_of_time_alone(minibatch_size):
    def func(t):
        return tf.reshape(t, (1, 1)) * tf.reshape(
            tf.range(1, 2 * minibatch_size + 1, dtype=t.dtype), (minibatch_size, 2)
        )

    net = network(func, None)
    assert input_nodes(net) == (net.source,)
    _, outputs = run(net, minibatch_size)
    for i in range(N_STEPS):
        np.testing.assert_allclose(
            outputs[:, i], func(tf.constant((i + 1) * DT, tf.float32)), rtol=1e-6
        )


def test_nodes_that_nengo_builds_are_inputs_whatever_their_type():
    class MyNode(nengo.Node):
        pass

    class MyTensorNode(nengo_dl.TensorNode):
        pass

    with nengo.Network() as net:
        MyTensorNode(lambda t: tf.reshape(t, (1, 1)))
        node = MyNode([1])
    assert input_nodes(net) == (node,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arguments_have_the_dtype_of_the_simulation(dtype):
    seen = []

    def func(t, x):
        seen.append((t.dtype, t.shape, x.dtype, x.shape))
        return x

    run(network(func, (2, 3), dtype=dtype, shape_out=(6,)), 4)
    assert set(seen) == {(tf.as_dtype(dtype), (), tf.as_dtype(dtype), (4, 2, 3))}


def test_items_that_share_an_input_are_passed_one_by_one():
    shapes = []

    def func(x):
        shapes.append(tuple(x.shape))
        return x

    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        # nothing is connected: the input is zero for all items
        node = nengo_dl.TensorNode(func, (2,), shape_out=(2,), pass_time=False)
        probe = nengo.Probe(node)
    with make_sim(net, minibatch_size=3) as sim:
        sim.run_steps(2)
        assert sim.data[probe].shape == (3, 2, 2)
    assert set(shapes) == {(3, 2)}


def test_kernels_take_any_number_of_items():
    """With an unknown minibatch size, all axes but the first are known."""
    net = network(lambda t, x: t + tf.nn.relu(x), (2, 3))
    ctx = BuildContext(DT, np.dtype("float32"), None)
    kernel = build_kernel(net, ctx)
    for items in (3, 1):
        x = random_data(6, items)
        key = tf.constant([0, 1, items])
        (y,) = kernel.fn(key, tf.fill((1, items), 0.5), tf.constant(x))
        np.testing.assert_allclose(y, 0.5 + np.maximum(x, 0))


def test_gradients_pass():
    kernel = build_kernel(network(lambda x: x**3, (4,), pass_time=False))
    x = tf.constant(random_data(4, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = kernel.fn(tf.constant([0, 1, 2]), x)
    np.testing.assert_allclose(tape.gradient(y, x), 3 * x**2, rtol=1e-6)


def build_kernel(net, ctx=None):
    """Build the kernel of a network's only TensorNode."""
    ctx = BuildContext(DT, np.dtype("float32"), 2) if ctx is None else ctx
    program = from_model(build_model(net, DT, "float32", progress_bar=False))
    (op,) = (op for op in program.operators if type(op) is SimTensorNode)
    return Builder.build((op,), ctx)


# --- Keras layers and models ------------------------------------------------------

LAYERS = [
    (lambda: keras.layers.Dense(3, activation="tanh"), (4,)),
    (lambda: keras.layers.Conv1D(2, 3), (5, 2)),
    (lambda: keras.layers.LayerNormalization(), (4,)),
    (lambda: keras.layers.LSTM(3), (2, 4)),
    (lambda: keras.layers.Dropout(0.5), (4,)),
    (lambda: keras.layers.Rescaling(2.0, offset=1.0), (4,)),
    (Block, (4,)),
    (Mlp, (4,)),
    (functional, (4,)),
    (convolutional, (4, 4, 2)),
    (lambda: keras.Sequential([functional(), keras.layers.Dense(2)]), (4,)),
]


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("make, shape_in", LAYERS)
def test_layer(make, shape_in, built):
    layer = make()
    if built:
        layer(np.zeros((1, *shape_in), "float32"))
    before = layer.get_weights()
    data, outputs = run(network(layer, shape_in, pass_time=False))
    if built:
        for weight, value in zip(layer.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, value)
    expected = layer(data.reshape((-1, *shape_in)), training=False)
    np.testing.assert_allclose(
        outputs, np.reshape(expected, outputs.shape), rtol=1e-5, atol=1e-6
    )


def test_layers_get_time_and_input_as_a_list():
    layer = Timed()
    data, outputs = run(network(layer, (4,)))
    times = np.arange(1, N_STEPS + 1)[:, None] * DT
    np.testing.assert_allclose(outputs, times * layer.scale * data, rtol=1e-5)


def test_weights_are_those_of_the_layer_at_any_time():
    layer = keras.layers.Dense(2)
    net = network(layer, (4,), pass_time=False)
    data = {net.source: random_data(1, 1, 4)}
    with make_sim(net, minibatch_size=1) as sim:
        for _ in range(2):
            sim.run_steps(1, data=data)
            layer.set_weights([weight + 1 for weight in layer.get_weights()])
        sim.reset()
        sim.run_steps(1, data=data)
        expected = layer(data[net.source][:, 0])
        np.testing.assert_allclose(sim.data[net.probe][:, 0], expected, rtol=1e-5)


def test_nodes_share_a_layer():
    layer = keras.layers.Dense(4)
    net = network(layer, (4,), pass_time=False)
    with net:
        probe = nengo.Probe(nengo_dl.Layer(layer)(net.node))
    data = random_data(2, N_STEPS, 4)
    with make_sim(net, minibatch_size=2) as sim:
        sim.run_steps(N_STEPS, data={net.source: data})
        np.testing.assert_allclose(
            sim.data[probe], layer(layer(data)), rtol=1e-5, atol=1e-6
        )
    assert len(layer.weights) == 2


def test_layers_of_a_simulation_are_collected_once():
    shared, other = keras.layers.Dense(4), functional()
    net = network(shared, (4,), pass_time=False)
    with net:
        nengo_dl.Layer(other)(nengo_dl.Layer(shared)(net.node))
        nengo_dl.Layer(tf.nn.relu)(net.source)
    program = from_model(build_model(net, DT, "float32", progress_bar=False))
    ctx = BuildContext(DT, np.dtype("float32"))
    for op in program.operators:
        if type(op) is SimTensorNode:
            Builder.build((op,), ctx)
    assert {id(layer) for layer in ctx.layers} == {id(shared), id(other)}
    assert len(ctx.layers) == 2
    assert all(layer.built for layer in ctx.layers)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16", "float32", "float64"])
def test_precisions_of_layers_are_converted(policy, dtype):
    layer = keras.layers.Dense(2, dtype=policy)
    data, outputs = run(network(layer, (4,), pass_time=False, dtype=dtype))
    assert outputs.dtype == dtype
    np.testing.assert_allclose(outputs, np.asarray(layer(data), dtype), rtol=0.05)


def test_functions_may_use_layers_and_variables():
    layer, variable = keras.layers.Dense(2), tf.Variable(3.0)
    net = network(lambda x: variable * layer(x), (4,), pass_time=False, shape_out=(2,))
    data, outputs = run(net)
    np.testing.assert_allclose(outputs, 3 * layer(data), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer, expected",
    [
        (Mode(), [0, 1]),
        (keras.Sequential([keras.layers.Identity(), Mode()]), [0, 1]),
        (keras.layers.Identity(), [0, 0]),
        (lambda x: tf.identity(x), [0, 0]),
    ],
)
def test_training_reaches_layers(layer, expected):
    kernel = build_kernel(network(layer, (4,), pass_time=False))
    arguments = tf.constant([0, 1, 2]), tf.zeros((4, 2))
    (inference,) = kernel.fn(*arguments)
    (training,) = (kernel.training_fn or kernel.fn)(*arguments)
    np.testing.assert_array_equal(inference, np.full((4, 2), expected[0]))
    np.testing.assert_array_equal(training, np.full((4, 2), expected[1]))


def test_training_changes_what_layers_change_by_themselves():
    layer = keras.layers.BatchNormalization()
    kernel = build_kernel(network(layer, (4,), pass_time=False))
    mean = layer.moving_mean.numpy()
    arguments = tf.constant([0, 1, 2]), tf.constant(1 + random_data(4, 2))
    kernel.fn(*arguments)
    np.testing.assert_array_equal(layer.moving_mean, mean)
    kernel.training_fn(*arguments)
    assert not np.any(layer.moving_mean == mean)


# --- XLA --------------------------------------------------------------------------


def through_python(x):
    return tf.ensure_shape(tf.numpy_function(lambda a: 2 * a, [x], x.dtype), x.shape)


def through_eager_python(x):
    return tf.ensure_shape(tf.py_function(lambda a: 2 * a, [x], x.dtype), x.shape)


def in_a_branch(x):
    return tf.cond(tf.reduce_sum(x) > 1e9, lambda: x, lambda: through_python(x))


def sparse(x):
    matrix = tf.sparse.from_dense(2 * tf.eye(4))
    return tf.transpose(tf.sparse.sparse_dense_matmul(matrix, tf.transpose(x)))


REFUSED_BY_XLA = [
    (through_python, "<TensorNode 'a'> calls Python in every step"),
    (through_eager_python, "<TensorNode 'a'> calls Python in every step"),
    (in_a_branch, "<TensorNode 'a'> calls Python in every step"),
    (sparse, "<TensorNode 'a'> uses SparseTensorDenseMatMul, which XLA cannot"),
    (Refused(), "<TensorNode 'a'> calls a layer that does not support XLA"),
    (
        keras.Sequential([keras.Sequential([Refused()])]),
        "<TensorNode 'a'> calls a layer that does not support XLA",
    ),
]


@pytest.mark.parametrize("func, reason", REFUSED_BY_XLA)
def test_xla_is_off_where_it_refuses(func, reason):
    data, outputs = run(network(func, (4,), jit_compile="auto", pass_time=False))
    np.testing.assert_allclose(outputs, 2 * data, rtol=1e-6)
    forced = network(func, (4,), jit_compile=True, pass_time=False)
    with pytest.raises(BuildError, match=f"jit_compile=True.*{reason}"):
        make_sim(forced)


@pytest.mark.parametrize(
    "func, shape_in",
    [(lambda x: 2 * x, (4,)), (functional(), (4,)), (convolutional(), (4, 4, 2))],
)
def test_xla_computes_the_same(func, shape_in):
    outputs = [
        run(network(func, shape_in, jit_compile=jit, pass_time=False))[1]
        for jit in (True, False)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


# --- errors -----------------------------------------------------------------------


def fail(x):
    raise KeyError("my function")


# a function, the shape that it is said to return, and the error
WRONG = [
    (lambda x: 5.0, (2,), r"<TensorNode 'a'> to return one tensor \(got 5.0 of type f"),
    (
        lambda x: [x],
        (2,),
        "one tensor .* of type ListWrapper|one tensor .* of type lis",
    ),
    (lambda x: None, (2,), "one tensor .*got None of type NoneType"),
    (
        lambda x: tf.cast(x, tf.float64),
        (2,),
        r'a float32 tensor \(got a float64 .*Convert it: tf.cast\(y, "float32"\)',
    ),
    (lambda x: tf.argmax(x, axis=1), (), "a float32 tensor .got a int64 tensor of sha"),
    (keras.layers.Lambda(lambda x: x > 0), (2,), "a float32 tensor .got a bool"),
    (lambda x: x[:2], (2,), "first axis has the minibatch size 3 .*Keep the first"),
    (lambda x: tf.reduce_sum(x), (1,), "first axis has the minibatch size 3"),
    (lambda x: tf.zeros((1, 2)), (2,), r"size 3 .got a float32 tensor of shape .1, 2."),
    (lambda x: tf.transpose(x), (2,), "first axis has the minibatch size 3"),
    (
        lambda x: x[:, :1],
        (2,),
        "2 elements per item, as shape_out says .*Correct shape",
    ),
    (keras.layers.Dense(3), (2,), "2 elements per item"),
    (fail, (2,), "a tensor when it is called .*got KeyError: 'my function'.*Try the"),
]


@pytest.mark.parametrize("func, shape_out, message", WRONG)
def test_wrong_results_are_found_when_the_simulator_is_built(func, shape_out, message):
    net = network(func, (2,), pass_time=False, shape_out=shape_out)
    with pytest.raises(ValidationError, match=f"tensor_func: expected .*{message}"):
        make_sim(net, minibatch_size=3)


class AddsLoss(keras.layers.Layer):
    """Adds a loss, in training alone if it is told so."""

    def __init__(self, always=True):
        super().__init__()
        self.always = always

    def call(self, x, training=False):
        if self.always or training:
            self.add_loss(keras.ops.sum(x))
        return x


def regularized(**kwargs):
    return keras.layers.Dense(
        2, kernel_regularizer="l2", bias_regularizer="l1", **kwargs
    )


ADD_LOSSES = [
    lambda: regularized(activity_regularizer="l2"),
    lambda: keras.Sequential([regularized(), AddsLoss(), regularized()]),
    lambda: keras.layers.ActivityRegularization(l1=0.1),
]


def losses_of_keras(layer, data, training):
    """Add up the losses of a call for each step, and those of weights once."""
    weights = sum(map(float, layer.losses)) if layer.trainable_weights else 0.0
    total = weights
    for step in range(data.shape[1]):
        layer(data[:, step], training=training) if training else layer(data[:, step])
        total += sum(map(float, layer.losses)) - weights
    return total


@pytest.mark.parametrize(
    "make, jit_compile",
    [
        *((make, False) for make in (*ADD_LOSSES, lambda: AddsLoss(always=False))),
        (ADD_LOSSES[1], True),
    ],
)
def test_losses_of_layers_count(make, jit_compile):
    """Outputs are the layer's; the model's loss has those of all steps added up."""
    layer = make()
    layer(np.zeros((1, 2)))
    net = network(layer, (2,), jit_compile, pass_time=False)
    data = random_data(3, N_STEPS, 2)
    with make_sim(net, minibatch_size=3) as sim:
        outputs = sim.predict(data, verbose=0)[net.probe]
        wanted = np.stack([layer(data[:, i]) for i in range(N_STEPS)], axis=1)
        np.testing.assert_allclose(outputs, wanted, atol=1e-6)
        sim.run_steps(N_STEPS, data={net.source: data})
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        mse = np.mean(np.square(outputs - data))
        for training in (False, True):
            method = sim.fit if training else sim.evaluate
            result = method(data, data, verbose=0)
            got = result.history["loss"][0] if training else result["loss"]
            wanted = mse + losses_of_keras(layer, data, training)
            np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_losses_of_layers_train():
    """Gradients of losses reach the weights of the layer, through all steps."""
    layer = keras.layers.Dense(2, activity_regularizer="l2", use_bias=False)
    layer.build((None, 2))
    before = layer.kernel.numpy()
    data = random_data(3, N_STEPS, 2)
    flat = data.reshape(-1, 2)
    gradient = 2 * 0.01 * flat.T @ (flat @ before) / 3
    net = network(layer, (2,), pass_time=False)
    with make_sim(net, minibatch_size=3) as sim:
        sim.compile(keras.optimizers.SGD(0.5), loss=None)
        sim.fit(data, verbose=0)
    np.testing.assert_allclose(layer.kernel.numpy(), before - 0.5 * gradient, rtol=1e-4)


class Counts(keras.layers.Layer):
    """Reports how large its input is, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.mean = keras.metrics.Mean(name="size")
        self.calls = self.add_weight(shape=(), trainable=False, initializer="zeros")

    def call(self, x):
        self.mean.update_state(keras.ops.abs(x))
        self.calls.assign(self.calls + 1)
        return x


def test_metrics_and_weights_that_calls_change():
    layer = Counts()
    data = random_data(3, N_STEPS, 2)
    layer(data[:, 0])
    layer.calls.assign(0)
    with make_sim(network(layer, (2,), pass_time=False), minibatch_size=3) as sim:
        sim.compile(loss="mse")
        result = sim.evaluate(data, data, verbose=0)
    np.testing.assert_allclose(result["size"], np.abs(data).mean(), rtol=1e-5)
    assert float(layer.calls) == N_STEPS


def test_regularized_weights_may_be_shared():
    layer = keras.Sequential([regularized(), regularized()])
    net = network(layer, (2,), pass_time=False)
    with net:
        nengo_dl.Layer(layer)(net.node)
    run(net)
    assert len(layer.losses) == 4
