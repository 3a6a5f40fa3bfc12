"""TensorNode and Layer as Nengo objects: shapes, errors, connections, copies."""

import pickle

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ReadonlyError, SimulationError, ValidationError

import nengo_dl
from nengo_dl.config import get_setting, object_settings
from nengo_dl.nodes.tensor_function import SimTensorNode


def square(t, x):
    return t + x**2


def relu(x):
    return tf.nn.relu(x)


@keras.saving.register_keras_serializable(package="tests")
class Scale(keras.layers.Layer):
    """Weights that nothing is known of before the layer is built."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return self.scale * x


class Timed(keras.layers.Layer):
    def call(self, inputs):
        t, x = inputs
        return t + x


class Pair(keras.layers.Layer):
    def call(self, x):
        return [x, x]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x, training=None):
        return self.dense(x)


def functional(n_in=4, n_out=3):
    x = keras.Input((n_in,))
    return keras.Model(x, keras.layers.Dense(n_out)(x))


def nested():
    return keras.Sequential([functional(4, 6), keras.layers.Reshape((2, 3))])


def without_batch(t, x):
    return x[0, 0]


# a function, what it is called with, and the shape of what it returns
SHAPES = [
    (lambda t: tf.fill((1, 3), t), None, True, (3,)),
    (lambda t: tf.reshape(t, (1,)), None, True, ()),
    (square, (4,), True, (4,)),
    (square, (2, 3, 4), True, (2, 3, 4)),
    (square, [2, np.int64(3)], True, (2, 3)),
    (relu, (4,), False, (4,)),
    (relu, (), False, ()),
    (tf.function(relu), (4,), False, (4,)),
    (lambda x: tf.reshape(x, (-1, 2, 2)), (4,), False, (2, 2)),
    (lambda x: keras.ops.sum(x, axis=-1, keepdims=True), (4,), False, (1,)),
    (keras.layers.Dense(5), (4,), False, (5,)),
    (keras.layers.Flatten(), (2, 3), False, (6,)),
    (keras.layers.Conv2D(7, 3, strides=2), (9, 9, 2), False, (4, 4, 7)),
    (keras.layers.LSTM(2), (5, 3), False, (2,)),
    (keras.layers.Lambda(lambda x: x[:, :2]), (4,), False, (2,)),
    (Scale(), (4,), False, (4,)),
    (Timed(), (4,), True, (4,)),
    (Subclassed(), (4,), False, (3,)),
    (functional(), (4,), False, (3,)),
    (keras.Sequential([keras.layers.Dense(2)]), (4,), False, (2,)),
    (nested(), (4,), False, (2, 3)),
    (keras.layers.Dense(5, dtype="mixed_float16"), (4,), False, (5,)),
]


@pytest.mark.parametrize("func, shape_in, pass_time, shape_out", SHAPES)
def test_shapes(func, shape_in, pass_time, shape_out):
    for given in (None, shape_out):
        with nengo.Network() as net:
            node = nengo_dl.TensorNode(func, shape_in, given, pass_time, label="a")
        assert net.nodes == [node]
        assert node.shape_in == (None if shape_in is None else tuple(shape_in))
        assert node.shape_out == shape_out
        assert node.size_in == (0 if shape_in is None else np.prod(shape_in))
        assert node.size_out == np.prod(shape_out)
        assert (node.tensor_func, node.pass_time, node.label) == (func, pass_time, "a")


def test_a_given_shape_is_believed():
    def fail(*args):
        raise AssertionError("called")

    with nengo.Network():
        node = nengo_dl.TensorNode(fail, shape_in=(2,), shape_out=(3,))
    assert node.size_out == 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inference_calls_once_with_a_single_item_of_zeros(dtype):
    calls = []

    def func(t, x):
        calls.append((t, x))
        return x

    with nengo.Network():
        nengo_dl.configure_settings(dtype=dtype)
        nengo_dl.TensorNode(func, shape_in=(2, 3))
    ((t, x),) = calls
    assert t.shape == () and t == 0 and t.dtype == dtype
    assert x.shape == (1, 2, 3) and np.all(x == 0) and x.dtype == dtype


@pytest.mark.parametrize(
    "layer", [keras.layers.Dense(2), keras.Sequential([keras.layers.Dense(2)])]
)
def test_inference_leaves_layers_unbuilt(layer):
    with nengo.Network():
        nengo_dl.TensorNode(layer, shape_in=(4,), pass_time=False)
    assert not layer.built and not layer.weights


# --- errors -----------------------------------------------------------------------

BAD_FUNCTIONS = [
    (
        {"tensor_func": [0]},
        r"TensorNode.tensor_func: expected a function or a Keras layer \(got \[0\]\)",
    ),
    ({"tensor_func": None}, r"tensor_func: .*got None\). Pass a function"),
    ({"tensor_func": keras.layers.Dense}, r"Make an instance first: Dense\(...\)"),
    ({"tensor_func": nengo.LIF()}, "got LIF.*Neuron types go into .*nengo_dl.Layer"),
]
BAD_SHAPES = [
    ({name: value}, rf"TensorNode.{name}: expected a tuple of whole .*Leave out the")
    for name in ("shape_in", "shape_out")
    for value in (3, "ab", (0,), (-1,), (2, None), (1.5,), (True,))
]
BAD_CALLS = [
    ({"pass_time": False}, "pass_time: expected a function that takes .*Pass shape_in"),
    ({"pass_time": "yes"}, "pass_time: .*bool"),
    (
        {"tensor_func": lambda t: 1 / 0},
        "function of <TensorNode 'a'> to return a tensor when it is called with a "
        r"tensor of shape \(\) \(got ZeroDivisionError: .*Try the call",
    ),
    (
        {"shape_in": (3,), "tensor_func": relu},
        r"called with a tensor of shape \(\) and a tensor of shape \(1, 3\) \(got "
        r"TypeError.*called with \(t, x\); pass_time=False passes x alone",
    ),
    (
        {"shape_in": (3,), "tensor_func": keras.layers.Dense(2)},
        r"called with a list of a tensor .*called with \[t, x\]; pass_time=False",
    ),
    (
        {"shape_in": (2,), "pass_time": False, "tensor_func": functional()},
        r"called with a tensor of shape \(1, 2\) \(got ValueError",
    ),
    ({"tensor_func": lambda t: None}, r"one tensor \(got None of type NoneType\)"),
    ({"tensor_func": lambda t: [t]}, "one tensor .* of type list"),
    ({"tensor_func": lambda t: np.zeros((1, 1))}, "one tensor .* of type ndarray"),
    (
        {"shape_in": (2,), "pass_time": False, "tensor_func": Pair()},
        r"one tensor \(got .* of type list\). Return a tensor",
    ),
    ({"tensor_func": lambda t: t}, r"with a minibatch axis .*got shape \(\)\). Keep"),
    ({"tensor_func": without_batch, "shape_in": (2,)}, "with a minibatch axis"),
    (
        {"tensor_func": lambda t: tf.zeros((1, 0))},
        r"shape_out: expected a tuple .*got \(0,\)",
    ),
]


@pytest.mark.parametrize("kwargs, message", BAD_FUNCTIONS + BAD_SHAPES + BAD_CALLS)
def test_errors(kwargs, message):
    kwargs = {"tensor_func": lambda t: tf.zeros((1, 1)), "label": "a", **kwargs}
    with nengo.Network() as net:
        with pytest.raises(ValidationError, match=message):
            nengo_dl.TensorNode(**kwargs)
    assert not net.nodes


@pytest.mark.parametrize(
    "name, value",
    [("tensor_func", relu), ("shape_in", (4,)), ("shape_out", ()), ("pass_time", True)],
)
def test_parameters_are_read_only(name, value):
    with nengo.Network():
        node = nengo_dl.TensorNode(relu, shape_in=(2,), pass_time=False)
    with pytest.raises(ReadonlyError):
        setattr(node, name, value)


# --- other simulators, copies -----------------------------------------------------


def relayed(func, **kwargs):
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([1.0, 2.0, 3.0, 4.0])
        node = nengo_dl.Layer(func)(stimulus, **kwargs)
        nengo.Probe(node)
    return net


def test_other_simulators_build_but_do_not_run():
    net = relayed(relu)
    with net:
        clock = nengo_dl.TensorNode(lambda t: tf.reshape(t, (1, 1)))
    with nengo.Simulator(net, progress_bar=False) as sim:
        assert sum(isinstance(op, SimTensorNode) for op in sim.model.operators) == 2
        assert sim.data[clock] is None
        with pytest.raises(SimulationError, match="to be run by nengo_dl .*Use nengo_"):
            sim.step()
    for args in [(0.0,), (0.0, np.zeros(2))]:
        with pytest.raises(SimulationError, match="to be run by nengo_dl"):
            clock.output(*args)


@pytest.mark.parametrize(
    "func", [relu, functional(), nested(), Scale(), keras.layers.Dense(2)]
)
@pytest.mark.parametrize(
    "duplicate",
    [lambda net: net.copy(), lambda net: pickle.loads(pickle.dumps(net))],
    ids=["copy", "pickle"],
)
def test_networks_can_be_duplicated(func, duplicate):
    net = relayed(func)
    with net:
        nengo_dl.Layer(func)(net.nodes[0])
    _, node, twin = duplicate(net).nodes
    _, original, _ = net.nodes
    for name in ("shape_in", "shape_out", "size_in", "size_out", "pass_time"):
        assert getattr(node, name) == getattr(original, name)
    assert twin.tensor_func is node.tensor_func
    if isinstance(func, keras.Layer):
        assert node.tensor_func is not func
        weights = node.tensor_func.get_weights(), func.get_weights()
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_copies_of_a_node_share_its_layer():
    net = relayed(functional())
    with net:
        node = net.nodes[1].copy()
    assert node.tensor_func is net.nodes[1].tensor_func
    assert node in net.nodes


# --- Layer ------------------------------------------------------------------------


def sources():
    """Build one of each kind of object that a layer can be connected to."""
    ens = nengo.Ensemble(6, 3)
    return [
        (nengo.Node([0] * 4), 4),
        (nengo.Node(size_in=4)[1:3], 2),
        (ens, 3),
        (ens.neurons, 6),
        (ens.neurons[:5], 5),
        (nengo_dl.TensorNode(square, shape_in=(2, 2)), 4),
    ]


def test_layers_have_the_size_of_their_input():
    with nengo.Network() as net:
        for source, size in sources():
            for func in (relu, keras.layers.Dense(2), nengo.LIF()):
                obj, conn = nengo_dl.Layer(func)(source, return_conn=True)
                assert obj.size_in == size
                assert conn in net.connections
                assert (conn.pre, conn.post, conn.synapse) == (source, obj, None)


# a transform, a shape, and the size that follows
SIZES = [
    (None, None, 4),
    (2.0, None, 4),
    ([1.0, 2.0, 3.0, 4.0], None, 4),
    (np.ones((3, 4)), None, 3),
    (nengo.transforms.Dense((3, 4), np.ones((3, 4))), None, 3),
    (nengo.Convolution(2, (4, 1), kernel_size=(2,), strides=(1,)), None, 6),
    (None, (2, 2), 4),
    (np.ones((6, 4)), (3, 2), 6),
]


@pytest.mark.parametrize("transform, shape_in, size", SIZES)
def test_sizes_follow_shape_transform_or_input(transform, shape_in, size):
    with nengo.Network():
        source = nengo.Node([0] * 4)
        kwargs = {"transform": transform, "shape_in": shape_in}
        node = nengo_dl.Layer(relu)(source, **kwargs)
        neurons = nengo_dl.Layer(nengo.LIF())(source, **kwargs)
    assert node.shape_in == ((size,) if shape_in is None else shape_in)
    assert not node.pass_time
    assert neurons.size_in == size and neurons.ensemble.dimensions == 1


def test_arguments_are_handed_on():
    with nengo.Network():
        source = nengo.Node([0] * 4)
        node, conn = nengo_dl.Layer(relu)(
            source, synapse=0.1, return_conn=True, shape_out=(2, 2), label="a"
        )
        neurons = nengo_dl.Layer(nengo.LIF(amplitude=2))(
            source, gain=nengo.dists.Choice([1]), label="b"
        )
    assert (node.shape_out, node.label) == ((2, 2), "a")
    assert conn.synapse == nengo.Lowpass(0.1)
    assert isinstance(neurons, nengo.ensemble.Neurons)
    assert neurons.ensemble.neuron_type == nengo.LIF(amplitude=2)
    assert (neurons.ensemble.gain, neurons.ensemble.label) == (
        nengo.dists.Choice([1]),
        "b",
    )


def test_connections_are_not_trainable_and_nothing_else_changes():
    with nengo.Network() as net:
        with nengo.Network():
            source = nengo.Node([0] * 4)
            ens = nengo.Ensemble(4, 4)
            other = nengo.Connection(source, ens)
            _, conn = nengo_dl.Layer(relu)(source, return_conn=True)
    flags = object_settings(net, "trainable")
    assert flags == {conn: False}
    assert get_setting(net, "trainable", obj=other) is None


@pytest.mark.parametrize(
    "func, name",
    [
        (relu, "relu"),
        (tf.nn.relu, "relu"),
        (keras.layers.Dense(2, name="abc"), "abc"),
        (nengo.LIF(), "LIF()"),
    ],
)
def test_layers_have_a_name(func, name):
    assert str(nengo_dl.Layer(func)) == f"Layer({name})"


@pytest.mark.parametrize(
    "func, message",
    [
        (3, r"Layer.layer_func: expected a function or a Keras layer \(got 3\). Pass"),
        (keras.layers.Dense, r"layer_func: .*Make an instance first: Dense\(...\)"),
        (nengo.LIF, r"layer_func: .*Make an instance first: LIF\(...\)"),
    ],
)
def test_layer_functions_are_checked(func, message):
    with pytest.raises(ValidationError, match=message):
        nengo_dl.Layer(func)


@pytest.mark.parametrize("value", [np.zeros(3), tf.zeros(3), "x", None])
def test_layers_start_at_nengo_objects(value):
    with nengo.Network() as net:
        with pytest.raises(ValidationError, match="Layer.input: .*Connect from a neng"):
            nengo_dl.Layer(relu)(value)
    assert not net.all_objects


@pytest.mark.parametrize("shape_in", [(2, None), (0,), 4])
def test_shapes_of_layers_are_checked(shape_in):
    with nengo.Network():
        source = nengo.Node([0] * 4)
        with pytest.raises(ValidationError, match="shape_in: expected a tuple"):
            nengo_dl.Layer(relu)(source, shape_in=shape_in)


def test_tensor_layer_is_deprecated():
    with nengo.Network():
        source = nengo.Node([0] * 4)
        with pytest.warns(DeprecationWarning, match=r"Write nengo_dl.Layer\(layer_fun"):
            node = nengo_dl.tensor_layer(source, relu, shape_in=(2, 2))
    assert node.tensor_func is relu and node.shape_in == (2, 2)
