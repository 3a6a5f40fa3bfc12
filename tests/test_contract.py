"""Names of Keras, TensorFlow and Nengo that are needed, and that nobody promises.

They are private, or attributes that no documentation has, or hooks that a subclass
replaces. Each stands here with its use. So an upgrade that takes one away fails here,
and says in which files it is used.
"""

import importlib
import inspect
import re
import signal
from functools import cache
from operator import attrgetter
from types import SimpleNamespace

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.operator import BsrDotInc, Operator

import nengo_dl
from nengo_dl.engine.raw_call import raw_call
from nengo_dl.engine.shared_array import SharedArray
from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.keras_model.objectives import NamedMetric
from nengo_dl.keras_model.probe_model import ProbeModel
from nengo_dl.metrics import AccuracyOverTime
from tests.test_imports import FILES, ROOT, TREES, attributes, is_private

WORDS = {
    path.relative_to(ROOT).as_posix(): set(re.findall(r"\w+", path.read_text()))
    for path in FILES
}


@cache
def keras_objects():
    """Make an object of each kind whose attributes are needed."""
    kl = keras.layers
    x = keras.Input((4, 3))
    mask = kl.Masking()(x)
    model = keras.Model(x, kl.LSTM(2)(mask) + 1)
    model.compile("sgd", "mse")
    node = model._nodes_by_depth[0][0]
    built = {
        "batch_norm": kl.BatchNormalization(),
        "dense": kl.Dense(2),
        "gru": kl.GRU(2, dropout=0.1),
        "normalization": kl.Normalization(mean=[0.0] * 3, variance=[1.0] * 3),
        "rnn": kl.RNN(kl.StackedRNNCells([kl.GRUCell(2), kl.GRUCell(2)])),
        "bidirectional": kl.Bidirectional(kl.LSTM(2)),
        "time_distributed": kl.TimeDistributed(kl.Dense(2)),
    }
    for layer in built.values():
        layer(x)
    image = keras.Input((8, 8, 4))
    convs = {
        "conv": kl.Conv2D(2, 3),
        "transposed": kl.Conv2DTranspose(2, 3),
        "depthwise": kl.DepthwiseConv2D(3),
        "separable": kl.SeparableConv2D(2, 3),
        "pooling": kl.MaxPooling2D(),
        "up_sampling": kl.UpSampling2D(),
    }
    for layer in convs.values():
        layer(image)
    return SimpleNamespace(
        sequential=keras.Sequential([keras.Input((3,)), kl.Dense(2)]),
        model=model,
        node=node,
        tensor=mask,
        history=mask._keras_history,
        layer=kl.Layer(),
        scope=keras.StatelessScope(collect_losses=True),
        generator=keras.random.SeedGenerator(0),
        metric=keras.metrics.MeanSquaredError(),
        **built,
        **convs,
    )


@cache
def nengo_objects():
    """Build a network with each kind of operator; return its parts."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([1.0], label="stimulus")
        function = nengo.Node(lambda t, x: x, size_in=1)
        ens = nengo.Ensemble(5, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        post = nengo.Ensemble(5, 1)
        nengo.Connection(stimulus, function)
        nengo.Connection(stimulus, ens, synapse=nengo.synapses.Triangle(0.01))
        error, signal = nengo.Node(size_in=1), nengo.Node(size_in=1)
        for rule in (nengo.PES(), nengo.RLS()):
            conn = nengo.Connection(ens, post, learning_rule_type=rule)
            nengo.Connection(error, conn.learning_rule)
        conn = nengo.Connection(stimulus, post, learning_rule_type=nengo.Voja())
        nengo.Connection(signal, conn.learning_rule)
        rules = [nengo.BCM(), nengo.Oja()]
        nengo.Connection(
            ens.neurons, post.neurons, transform=np.eye(5), learning_rule_type=rules
        )
        sparse = nengo.Sparse((5, 5), indices=[[0, 0]])
        nengo.Connection(ens.neurons, post.neurons, transform=sparse)
        for kind in (nengo.Convolution, nengo.ConvolutionTranspose):
            image = nengo.Node(np.zeros(16))
            conv = kind(2, (4, 4, 1), kernel_size=(2, 2))
            nengo.Connection(image, nengo.Node(size_in=conv.size_out), transform=conv)
        nengo.Probe(ens)
        nengo.Connection(nengo.Node([1.0, 1.0])[[1, 0]], nengo.Node(size_in=2))
    model = nengo.builder.Model()
    model.build(net)
    operators = {type(op).__name__: op for op in model.operators}
    shapes = (1, 2, 2), (2, 1), (2, 1)
    values = [nengo.builder.Signal(np.ones(shape)) for shape in shapes]
    operators["BsrDotInc"] = BsrDotInc(*values, [0], [0, 1], reshape=False)
    nengo_dl.config.enable_setting(net, "trainable")
    return SimpleNamespace(
        config=net.config,
        params=net.config[nengo.Ensemble],
        model=model,
        ops=SimpleNamespace(**operators),
        signal=model.sig[ens]["in"],
        built_ensemble=model.params[ens],
        built_connection=model.params[conn],
        conv=conv,
    )


def find(path):
    """Return an object of a module, of those above, or a class."""
    root, _, rest = path.partition(".")
    made = {"K": keras_objects, "N": nengo_objects}
    modules = {"keras": keras, "nengo": nengo, "tf": tf}
    return attrgetter(rest)(made[root]() if root in made else modules[root])


# Objects (K: those of Keras above, N: those of Nengo) that have the names; the names;
# what they are needed for.
TABLE = [
    # Keras: the graph of a model, of which no public function tells
    ("K.sequential", "_functional", "the graph of a sequential model"),
    ("K.model", "_nodes_by_depth", "the calls of layers in a model, in their order"),
    ("K.model", "operations", "layers and operators of a model, in a report"),
    ("K.node", "is_input", "calls that are none: of input layers"),
    ("K.node", "operation", "what is called"),
    ("K.node", "input_tensors outputs", "what goes into a call, and what comes out"),
    ("K.node", "arguments", "what else a layer is called with"),
    ("K.node.arguments", "fill_in kwargs", "a call of another layer in the same way"),
    ("K.tensor", "_keras_history", "the call that puts out a tensor"),
    ("K.history", "operation node_index", "the call that puts out a tensor"),
    ("K.history.operation", "_inbound_nodes", "the calls of a layer"),
    ("K.tensor", "_keras_mask", "masks that no argument of a call shows"),
    # Keras: models and layers
    ("K.layer", "supports_jit", "whether a call can be compiled with XLA"),
    ("keras.Model", "make_train_function", "the optimizer's variables come before XLA"),
    ("K.model", "distribute_strategy", "these variables belong to the strategy"),
    ("K.model", "compiled", "metrics there are after `compile` alone"),
    ("K.model.optimizer", "built", "whether there are the optimizer's variables"),
    ("K.model.optimizer", "_get_variable_index", "the devices of a variable"),
    ("K.model.optimizer", "build update_step", "updates by pulses"),
    (
        "keras.Model",
        "train_step test_step predict_step",
        "one minibatch, by name",
    ),
    ("keras.Model", "compute_loss compute_metrics", "losses and metrics of outputs"),
    ("keras.Model", "get_metrics_result", "all that is reported"),
    (
        "keras.Layer",
        "save_own_variables load_own_variables",
        "learned weights",
    ),
    ("keras.Layer", "compute_output_spec", "shapes without a call"),
    ("keras.Layer", "get_build_config build_from_config", "copies of layers"),
    ("K.metric", "_direction", "what callbacks call better"),
    (
        "keras.StatelessScope",
        "add_update",
        "what a call assigns, for later",
    ),
    ("K.scope", "losses", "what layers add to a loss"),
    ("K.generator", "state", "masks of dropout that stay the same"),
    # Keras: recurrent layers
    ("K.rnn.cell", "cells", "the cells that a cell is made of"),
    ("K.gru.cell", "seed_generator", "masks of dropout that stay the same"),
    ("K.gru.cell", "reset_dropout_mask", "masks of dropout that are drawn again"),
    ("K.gru.cell", "reset_recurrent_dropout_mask", "the same, for the state"),
    ("K.gru.cell", "state_size get_initial_state", "the state of a cell"),
    ("K.gru.cell", "kernel recurrent_kernel bias", "the weights of a cell"),
    ("K.gru.cell", "use_bias reset_after", "how a cell uses its weights"),
    (
        "K.gru",
        "go_backwards return_sequences return_state",
        "what a layer does",
    ),
    ("K.gru", "zero_output_for_mask", "outputs at steps that a mask leaves out"),
    ("K.gru", "dropout recurrent_dropout", "what training alone does"),
    ("K.gru", "activation recurrent_activation", "neurons of a cell"),
    ("K.bidirectional", "forward_layer", "the shape of one step"),
    ("K.time_distributed", "layer", "what is called at each step"),
    # Keras: weights and arguments of layers, as attributes
    ("K.dense", "kernel bias use_bias activation", "connections and neurons"),
    ("K.dense", "lora_enabled quantization_mode", "kernels that are not all weights"),
    ("K.dense", "activity_regularizer dtype_policy compute_dtype", "what is kept"),
    ("K.conv", "kernel bias strides padding data_format", "convolutions"),
    ("K.conv", "kernel_size dilation_rate filters groups", "convolutions"),
    ("K.transposed", "output_padding", "transposed convolutions"),
    ("K.depthwise", "depth_multiplier", "depthwise convolutions"),
    ("K.separable", "depthwise_kernel pointwise_kernel", "separable convolutions"),
    ("K.pooling", "pool_size strides padding", "pooling"),
    ("K.up_sampling", "interpolation size", "up-sampling"),
    ("K.batch_norm", "gamma beta moving_mean moving_variance", "a scale and a shift"),
    ("K.batch_norm", "epsilon center scale axis", "a scale and a shift"),
    ("K.normalization", "mean variance invert", "a scale and a shift"),
    # TensorFlow
    ("tf.distribute.Strategy", "extended", "replicas elsewhere"),
    ("tf.distribute.StrategyExtended", "worker_devices", "replicas elsewhere"),
    # Nengo: what is built
    ("N.model", "step time toplevel operators probes", "all that is simulated"),
    ("N.model", "params sig add_op", "parameters and signals of objects"),
    ("N.signal", "base is_view elemoffset elemstrides", "elements of a view"),
    ("N.signal", "initial_value readonly sparse", "what there is at the start"),
    ("N.built_ensemble", "scaled_encoders encoders gain bias", "parameters of neurons"),
    ("N.built_ensemble", "eval_points intercepts max_rates", "parameters of neurons"),
    ("N.built_connection", "weights eval_points solver_info", "parameters of weights"),
    ("nengo.builder.Builder", "builders", "nodes with build functions of their own"),
    # Nengo: operators
    ("N.ops.Reset", "dst value", "signals that start each step anew"),
    ("N.ops.Copy", "src dst src_slice dst_slice inc", "copies"),
    ("N.ops.DotInc", "A X Y", "products"),
    ("N.ops.ElementwiseInc", "A X Y", "products"),
    ("N.ops.SparseDotInc", "A X Y", "sparse products"),
    ("N.ops.BsrDotInc", "A X Y indices indptr", "sparse products"),
    ("N.ops.ConvInc", "W X Y conv", "convolutions"),
    ("N.ops.ConvTransposeInc", "W X Y conv", "transposed convolutions"),
    ("N.conv", "dimensions groups strides padding channels_last", "convolutions"),
    ("N.conv", "kernel_size n_filters input_shape output_shape", "convolutions"),
    ("N.ops.SimPyFunc", "fn t x output", "Python functions"),
    ("N.ops.SimNeurons", "neurons J output state state_extra", "neurons"),
    ("N.ops.SimProcess", "process input output state mode tag", "synapses and noise"),
    ("N.ops.SimPES", "pre_filtered error delta learning_rate", "learning"),
    ("N.ops.SimRLS", "pre_filtered error delta inv_gamma", "learning"),
    (
        "N.ops.SimBCM",
        "pre_filtered post_filtered theta delta",
        "learning",
    ),
    ("N.ops.SimOja", "pre_filtered post_filtered weights delta beta", "learning"),
    ("N.ops.SimVoja", "pre_decoded post_filtered scaled_encoders scale", "learning"),
    ("N.ops.SimVoja", "learning_signal delta learning_rate", "learning"),
    (
        "nengo.Process",
        "get_rng make_step make_state",
        "the same random numbers",
    ),
    # Nengo: the configuration of a network
    ("N.config", "params configures", "settings of classes and of objects"),
    ("N.params", "extra_params get_param set_param", "settings of classes"),
    ("nengo.params.Parameter", "coerce get_default del_default", "settings of classes"),
    ("nengo.Network", "context", "the network that a call is for"),
]
NAMES = [(path, name, use) for path, names, use in TABLE for name in names.split()]


# Methods whose arguments each subclass chooses for itself
OWN = ("__init__", "call", "build", "update_state")


def users(name):
    """List the files that use a name."""
    return [file for file, words in WORDS.items() if name in words]


@pytest.mark.parametrize("path, name, use", NAMES)
def test_name(path, name, use):
    where = ", ".join(users(name))
    assert where, "nothing uses it any more: take it from the table"
    assert hasattr(find(path), name), f"needed for {use}, in {where}"


def test_private_names_stand_in_the_table():
    used = {
        node.attr
        for node in attributes(TREES["converter/keras_graph.py"])
        if is_private(node.attr)
    }
    assert used <= {name for _, name, _ in NAMES}


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (EngineLayer, keras.layers.Layer()),
        (nengo_dl.NengoLayer, keras.layers.Layer()),
        (ProbeModel, keras.Model(x := keras.Input((1,)), x + 0)),
        (NamedMetric, keras.metrics.Metric(name="metric")),
        (AccuracyOverTime, keras.metrics.Metric(name="metric")),
        (nengo_dl.losses.CrossentropyOverTime, keras.losses.MeanSquaredError()),
        (nengo_dl.hardware.PulsedSGD, keras.optimizers.SGD()),
        (nengo_dl.TensorNode, nengo.Node([0.0], add_to_container=False)),
    ],
)
def test_private_names_of_subclasses_are_their_own(ours, theirs):
    """What a base adds must not be what we call something else."""
    source = inspect.getsource(ours)
    names = set(re.findall(r"self\.(_[a-z]\w*)|def (_[a-z]\w*)", source))
    names = {name for pair in names for name in pair if name}
    names -= {"_direction", "_get_variable_index"}  # in the table above
    assert not [name for name in names if hasattr(theirs, name)]


@pytest.mark.parametrize(
    "ours, base, name",
    [
        (ours, base, name)
        for ours, base in [
            (EngineLayer, keras.Layer),
            (nengo_dl.NengoLayer, keras.Layer),
            (ProbeModel, keras.Model),
            (NamedMetric, keras.metrics.Metric),
            (nengo_dl.hardware.PulsedSGD, keras.optimizers.SGD),
            (nengo_dl.callbacks.TensorBoard, keras.callbacks.TensorBoard),
        ]
        for name in vars(ours)
        if inspect.isfunction(vars(ours)[name]) and name not in OWN
        if inspect.isfunction(getattr(base, name, None))
    ],
)
def test_overridden_methods_take_what_they_are_given(ours, base, name):
    given = inspect.signature(getattr(base, name)).parameters
    taken = inspect.signature(getattr(ours, name)).parameters
    assert "kwargs" in taken or set(given) - {"args", "kwargs"} <= set(taken)


def test_the_first_metric_is_the_loss():
    """`ProbeModel.metrics` puts its own between this one and the others."""
    assert find("K.model").metrics[0].name == "loss"


def test_directions_of_metrics():
    """`nengo_dl.metrics` hands them on, for callbacks whose mode is "auto"."""
    assert keras.metrics.SparseCategoricalAccuracy()._direction == "up"
    assert keras.metrics.MeanSquaredError()._direction == "down"


@pytest.mark.parametrize("order", range(3))
def test_steps_of_filters_have_matrices(order):
    """Kernels of synapses take ``step.A``, ``B``, ``C``, ``D`` as Nengo made them."""
    synapse = nengo.LinearFilter([1.0], [0.1] * order + [1.0])
    state = synapse.make_state((2,), (2,), 0.001)
    step = synapse.make_step((2,), (2,), 0.001, None, state)
    assert len(step.A) == order and np.size(step.A) == order**2
    assert np.size(step.B) == np.size(step.C) == order
    assert np.size(step.D) == 1


def test_names_of_operations_that_call_python():
    """``ops/tensor_node.py`` finds Python in a function by the types of operations."""
    kinds = {
        "PyFunc": lambda x: tf.numpy_function(np.sin, [x], x.dtype),
        "EagerPyFunc": lambda x: tf.py_function(tf.sin, [x], x.dtype),
    }
    for kind, fn in kinds.items():
        spec = tf.TensorSpec((2,), tf.float32)
        graph = tf.function(fn).get_concrete_function(spec).graph
        assert kind in {op.type for op in graph.get_operations()}


def test_an_operation_is_called_as_the_function_that_makes_it():
    """``converter/operators.py`` leads from operations to functions by their names."""
    x = keras.Input((2,))
    operations = {keras.ops.floor_divide: x // 2, keras.ops.get_item: x[:, 0]}
    for function, tensor in operations.items():
        kind = type(tensor._keras_history.operation).__name__
        assert kind.lower() == function.__name__.replace("_", "")


def test_configuration_of_a_registered_function():
    """`NengoLayer` reads the name of what makes its network from these keys."""

    @keras.saving.register_keras_serializable(package="contract")
    def make():
        return nengo.Network()

    config = keras.saving.serialize_keras_object(make)
    assert config["class_name"] == "function"
    assert keras.saving.get_registered_object(config["config"]) is make
    lambda_config = keras.saving.serialize_keras_object(lambda: None)
    assert lambda_config["class_name"] == "__lambda__"


def test_operators_say_what_they_do_to_signals():
    """Graph passes, the planner and the parameters take it from these lists."""
    for op in vars(find("N.ops")).values():
        assert isinstance(op, Operator)
        for signals in (op.sets, op.incs, op.reads, op.updates):
            assert all(isinstance(signal, nengo.builder.Signal) for signal in signals)


@pytest.mark.parametrize(
    "kind, name",
    [
        (nengo.Ensemble, "encoders"),
        (nengo.ensemble.Neurons, "bias"),
        (nengo.Connection, "weights"),
        (nengo.Probe, "in"),
        (nengo.Node, "out"),
    ],
)
def test_names_of_built_signals(kind, name):
    """Parameters, probes and feeds are found as ``model.sig[obj][name]``."""
    signals = find("N.model").sig
    assert any(name in signals[obj] for obj in signals if isinstance(obj, kind))


def test_traced_functions_are_called_by_name(monkeypatch):
    """Needed for short steps, in engine/raw_call.py; without it, calls are public."""
    made = tf.function(lambda x, y: (x + y, x - y)).get_concrete_function(
        *[tf.TensorSpec((2,))] * 2
    )
    arguments = [tf.constant([1.0, 2.0]), tf.constant([3.0, 5.0])]
    module = importlib.import_module("tensorflow.python.pywrap_tfe")
    execute, names = module.TFE_Py_Execute, []

    def counted(handle, device, name, *rest):
        names.append(name)
        return execute(handle, device, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(module, "TFE_Py_Execute", counted)
        found = [raw_call(made)(arguments)]
    assert names == [made.name.decode()]

    def fail(name):
        raise ImportError(name)

    with monkeypatch.context() as patch:
        patch.setattr(importlib, "import_module", fail)
        call = raw_call(made)
    found.append(call(arguments))
    for results in found:
        assert [x.numpy().tolist() for x in results] == [[4, 7], [-2, -3]]


@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
def test_tensors_share_memory_with_arrays(shape, dtype):
    """Nobody promises it; without it, engine/shared_array.py copies."""
    shared = SharedArray(shape, dtype)
    tensors = [shared.tensor]
    for value in (1, 2):
        shared.array[...] = value
        tensors.append(shared.tensor)
        np.testing.assert_array_equal(tensors[-1], np.full(shape, value))
    assert shared.is_shared == (tensors[1] is tensors[2] is tensors[0])
    assert shared.is_shared or tf.config.list_logical_devices("GPU")


def test_signals_without_enums():
    """Needed for short runs, in simulator/interrupts.py; all others work without."""
    handlers = importlib.import_module("_signal")
    before = signal.getsignal(signal.SIGINT)
    assert handlers.getsignal(signal.SIGINT) is before
    handlers.signal(signal.SIGINT, before)
