"""NengoLayer: networks in Keras models of all kinds."""

import json
import os
import shutil
import zipfile

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import BuildError, ValidationError

import nengo_dl
from nengo_dl import NengoLayer
from tests.simulator.helpers import make_sim

N_ITEMS, N_STEPS = 7, 4
RATE = nengo.LIFRate()
RNG = np.random.RandomState(0)
X = RNG.uniform(-1, 1, size=(N_ITEMS, N_STEPS, 2)).astype("float32")
Y = RNG.uniform(-1, 1, size=(N_ITEMS, N_STEPS, 3)).astype("float32")
FIT = {"batch_size": 3, "verbose": 0, "shuffle": False}


# --- networks ---------------------------------------------------------------------


def encoder(**ensemble):
    """Build one input, one ensemble and one filtered output."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(np.zeros(2), label="x")
        ens = nengo.Ensemble(10, 2, **{"neuron_type": RATE, **ensemble})
        nengo.Connection(stimulus, ens, synapse=None)
        nengo.Probe(ens, synapse=0.002, label="y")
    return net


def two_of_each():
    """Build two inputs and two outputs of other sizes, in another order."""
    with nengo.Network(seed=1) as net:
        a, b = nengo.Node(np.zeros(2), label="a"), nengo.Node([0.5], label="b")
        ens = nengo.Ensemble(10, 3, neuron_type=RATE)
        nengo.Connection(b, ens[0], synapse=None)
        nengo.Connection(a, ens[1:], synapse=0.002)
        nengo.Probe(ens.neurons, label="p")
        nengo.Probe(ens, label="q")
    return net


def python_nodes():
    """Build functions of an input, which run in Python in each step."""
    with encoder() as net:
        node = nengo.Node(lambda t, x: t + x**2, size_in=2)
        nengo.Connection(net.ensembles[0], node)
        nengo.Probe(node)
    return net


def functions_of_time():
    """Build nodes whose values are generated ahead of the steps."""
    with encoder() as net:
        wave = nengo.Node(lambda t: [np.sin(500 * t), t])
        noise = nengo.Node(nengo.processes.WhiteSignal(0.1, 50, seed=3), size_out=2)
        for node in (wave, noise):
            nengo.Connection(node, net.ensembles[0], synapse=None)
        nengo.Probe(wave)
    return net


def noisy_ensemble():
    return encoder(noise=nengo.processes.WhiteNoise(seed=4))


def random_spikes():
    """Build neurons that spike at random."""
    with encoder(neuron_type=nengo.PoissonSpiking(RATE)) as net:
        ens = nengo.Ensemble(5, 2, neuron_type=nengo.StochasticSpiking(RATE))
        nengo.Connection(net.ensembles[0], ens)
        nengo.Probe(ens.neurons)
    return net


def spikes():
    return encoder(neuron_type=nengo.LIF())


def keras_layers():
    """Build layers of Keras in a network of Keras."""
    with encoder() as net:
        out = nengo_dl.Layer(dense(4))(net.ensembles[0])
        nengo.Probe(out)
    return net


def learning():
    """Build weights that are learned in each call, from their start."""
    with encoder() as net:
        (ens,) = net.ensembles
        out = nengo.Node(size_in=1)
        conn = nengo.Connection(
            ens, out, function=lambda x: 0, learning_rule_type=nengo.PES(0.01)
        )
        nengo.Connection(out, conn.learning_rule)
        nengo.Connection(net.nodes[0][:1], conn.learning_rule, transform=-1)
        nengo.Probe(out)
    return net


NETWORKS = [
    encoder,
    spikes,
    two_of_each,
    keras_layers,
    learning,
    python_nodes,
    functions_of_time,
    noisy_ensemble,
    random_spikes,
]


def quiet(make, **settings):
    net = make()
    with net:
        nengo_dl.configure_settings(**{"jit_compile": False, **settings})
    return net


def dense(size, **kwargs):
    init = keras.initializers.GlorotUniform(seed=0)
    return keras.layers.Dense(size, kernel_initializer=init, **kwargs)


# --- kinds of models ----------------------------------------------------------------


def functional(layer):
    inputs = keras.Input((None, 2))
    return keras.Model(inputs, dense(3)(layer(dense(2)(inputs))))


def sequential(layer):
    return keras.Sequential([dense(2), layer, dense(3)])


class Subclassed(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.first, self.layer, self.last = dense(2), layer, dense(3)

    def call(self, x, training=None):
        return self.last(self.layer(self.first(x), training=training))


class Inside(keras.layers.Layer):
    """Has a network as a part of it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x, training=None):
        return self.layer(x, training=training)


def nested(layer):
    return keras.Sequential([dense(2), Inside(layer), dense(3)])


MODELS = [sequential, Subclassed, nested]


@pytest.mark.parametrize(
    "make_model, jit_compile", [(functional, True), *((make, False) for make in MODELS)]
)
def test_models_of_all_kinds_learn_the_same(make_model, jit_compile):
    results = []
    for make, jit in ((functional, False), (make_model, jit_compile)):
        layer = NengoLayer(quiet(encoder, jit_compile="auto"))
        before = layer.get_weights()
        model = make(layer)
        model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=jit)
        losses = model.fit(X, Y, epochs=2, **FIT).history["loss"]
        weights = {id(variable) for variable in model.trainable_variables}
        assert {id(variable) for variable in layer.trainable_variables} <= weights
        for variable, value in zip(layer.weights, before, strict=True):
            assert variable.trainable == np.any(variable.numpy() != value)
        results.append((losses, *model.get_weights()))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_weights_are_named():
    layer = NengoLayer(quiet(keras_layers))
    names = [variable.name for variable in layer.trainable_variables]
    assert names == ["ensemble.encoders", "ensemble.bias", "kernel", "bias"]
    names = [variable.name for variable in layer.non_trainable_variables]
    assert names == ["ensemble_to_tensornode.weights", "ensemble_to_y.weights"]


# --- the same as the simulator ----------------------------------------------------


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("minibatch_size", [None, 3])
def test_layers_equal_simulators(make, minibatch_size):
    net = quiet(make)
    layer = NengoLayer(net, minibatch_size=minibatch_size)
    x = {name: draw(node, 3) for node, name in layer.input_names.items()}
    outputs = layer(x)
    if not isinstance(outputs, dict):
        outputs = {"y": outputs}
    with make_sim(net, minibatch_size=3) as sim:
        expected = sim.predict({net: x[n] for net, n in layer.input_names.items()})
    assert list(outputs) == list(layer.output_names.values())
    for probe, name in layer.output_names.items():
        np.testing.assert_allclose(outputs[name], expected[probe], rtol=1e-4, atol=1e-4)


def draw(node, n_items):
    size = (n_items, N_STEPS, node.size_out)
    return np.random.RandomState(1).uniform(-1, 1, size=size).astype("float32")


@pytest.mark.parametrize("make", NETWORKS)
def test_any_number_of_items_and_steps(make):
    layer = NengoLayer(quiet(make))
    inputs = [keras.Input((None, node.size_out)) for node in layer.input_names]
    outputs = layer(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.01), loss="mse", jit_compile=False)
    for n_items, n_steps in ((5, 3), (4, 6)):
        x = [np.ones((n_items, n_steps, node.size_out)) for node in layer.input_names]
        predicted = model.predict(x, batch_size=3, verbose=0)
        y = keras.tree.map_structure(np.zeros_like, predicted)
        for array, spec in zip(
            keras.tree.flatten(predicted), keras.tree.flatten(outputs), strict=True
        ):
            assert spec.shape == (None, None, array.shape[-1])
            assert array.shape[:2] == (n_items, n_steps)
    assert np.isfinite(model.fit(x, y, **FIT).history["loss"]).all()


@pytest.mark.parametrize("make", [functions_of_time, random_spikes])
def test_calls_repeat_what_has_a_seed(make):
    layer = NengoLayer(quiet(make))
    for one, other in zip(
        *(keras.tree.flatten(layer(X)) for _ in range(2)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


# --- inputs and outputs -------------------------------------------------------------

A, B = np.ones((3, N_STEPS, 2), "float32"), np.ones((3, N_STEPS, 1), "float32")


def test_forms_of_inputs():
    net = quiet(two_of_each)
    layer = NengoLayer(net)
    expected = layer({"a": A, "b": B})
    for inputs in ([A, B], (A, B), {"b": B, "a": A}, [tf.constant(A), B]):
        assert_same(layer(inputs), expected)
    # what is not given puts out what it was defined with
    assert_same(layer(A), layer([A, 0.5 * B]))
    assert_same(layer({"b": B}), layer([0 * A, B]))


def test_chosen_inputs_and_outputs():
    net = quiet(two_of_each)
    expected = NengoLayer(net)([0 * A, B])
    for inputs, outputs in ((["b"], ["q"]), ([net.nodes[1]], [net.probes[1]])):
        layer = NengoLayer(net, inputs=inputs, outputs=outputs)
        np.testing.assert_array_equal(layer(B), expected["q"])
    both = NengoLayer(net, inputs=["b", "a"], outputs=["q", "p"])([B, 0 * A])
    assert list(both) == ["q", "p"]
    assert_same(both, {name: expected[name] for name in both})


def test_functions_of_time_can_be_given():
    net = quiet(functions_of_time)
    layer = NengoLayer(net, inputs=["x", "node"], outputs=["probe"])
    np.testing.assert_array_equal(layer([X, 2 * X]), 2 * X)
    assert layer(X).shape == X.shape


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-6, atol=1e-6)


def test_networks_without_input_nodes():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ens = nengo.Ensemble(5, 1, neuron_type=RATE)
        nengo.Probe(ens, label="y")
    outputs = NengoLayer(net)(np.zeros((3, N_STEPS, 0)))
    assert outputs.shape == (3, N_STEPS, 1)


def test_outputs_of_the_last_step_and_of_weights():
    net = quiet(encoder)
    with net:
        out = nengo.Node(size_in=1)
        conn = nengo.Connection(net.ensembles[0], out, transform=[[1, 2]])
        nengo.Probe(conn, "weights", label="w")
    expected = NengoLayer(net)(X)
    with net:
        nengo_dl.configure_settings(keep_history=True)
        net.config[net.probes[0]].keep_history = False
    outputs = NengoLayer(net)(X)
    assert outputs["y"].shape == (N_ITEMS, 1, 2)
    assert outputs["w"].shape == (1, N_STEPS, 1, 10)
    np.testing.assert_array_equal(outputs["y"], expected["y"][:, -1:])
    np.testing.assert_array_equal(outputs["w"], expected["w"])


def test_several_inputs_and_outputs_in_a_model():
    a, b = keras.Input((N_STEPS, 2)), keras.Input((N_STEPS, 1))
    layer = NengoLayer(quiet(two_of_each))
    outputs = layer([dense(2)(a), b])
    model = keras.Model([a, b], {"out": dense(1)(outputs["p"]), "q": outputs["q"]})
    losses = {"out": "mse", "q": "mae"}
    model.compile("adam", loss=losses, jit_compile=False)
    y = {"out": np.ones((3, N_STEPS, 1)), "q": np.ones((3, N_STEPS, 3))}
    losses = model.fit([A, B], y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


# --- ways to use it -----------------------------------------------------------------


def test_calls_share_weights():
    layer = NengoLayer(quiet(encoder))
    a, b = keras.Input((N_STEPS, 2)), keras.Input((N_STEPS, 2))
    model = keras.Model([a, b], layer(a) + layer(b))
    assert len(model.trainable_variables) == len(layer.trainable_variables)
    with tf.GradientTape(persistent=True) as tape:
        parts = [tf.reduce_sum(layer(x)) for x in (X, -X)]
        whole = tf.reduce_sum(model([X, -X]))
    weights = layer.trainable_variables
    first, second, both = (tape.gradient(y, weights) for y in (*parts, whole))
    for one, other, total in zip(first, second, both, strict=True):
        np.testing.assert_allclose(one + other, total, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [encoder, spikes, two_of_each, python_nodes])
def test_gradients_run_eagerly(make):
    layer = NengoLayer(quiet(make))
    inputs = [tf.constant(draw(node, 3)) for node in layer.input_names]

    def differentiate():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = keras.tree.flatten(layer(inputs, training=True))
            total = sum(tf.reduce_sum(output) for output in outputs)
        return tape.gradient(total, [*inputs, *layer.trainable_variables])

    graph = tf.function(differentiate, jit_compile=layer.supports_jit)
    for eager, compiled in zip(differentiate(), graph(), strict=True):
        # no gradient passes Python, so the decoders before it have none
        assert np.any(eager) or (make is python_nodes and eager.shape == (2, 10))
        np.testing.assert_allclose(eager, compiled, rtol=1e-4, atol=1e-4)


def test_more_axes():
    layer = NengoLayer(quiet(encoder))
    x = np.stack([X, 2 * X, -X], axis=1)
    inputs = keras.Input((3, N_STEPS, 2))
    model = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
    actual = model.predict(x, verbose=0)
    for i in range(3):
        np.testing.assert_allclose(actual[:, i], layer(x[:, i]), rtol=1e-5, atol=1e-5)


def test_precision():
    layer = NengoLayer(quiet(encoder, dtype="float64"))
    assert layer(X).dtype == "float64"
    model = functional(layer)
    assert model.predict(X, verbose=0).dtype == "float32"
    model.compile("sgd", loss="mse", jit_compile=False)
    model.fit(X, Y, **FIT)


def test_stateful():
    net = quiet(spikes)
    whole = NengoLayer(net)(np.tile(X[:2], (1, 3, 1)))
    layer = NengoLayer(net, stateful=True, minibatch_size=2)
    model = keras.Sequential([keras.Input(batch_shape=(2, N_STEPS, 2)), layer])
    parts = [
        layer(X[:2]),
        model.predict(X[:2], verbose=0),
        model.predict_on_batch(X[:2]),
    ]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-5, atol=1e-5)
    layer.reset_state()
    np.testing.assert_allclose(layer(X[:2]), parts[0], rtol=1e-5, atol=1e-5)


def test_training_mode():
    layer = NengoLayer(quiet(spikes))
    rates = NengoLayer(quiet(encoder))(X)
    np.testing.assert_allclose(layer(X, training=True), rates, rtol=1e-4, atol=1e-4)
    assert not np.allclose(layer(X, training=False), rates, rtol=1e-2)


def test_dropout_in_the_network():
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        x = nengo.Node(np.zeros(20))
        nengo.Probe(nengo_dl.Layer(keras.layers.Dropout(0.5, seed=0))(x))
    layer, ones = NengoLayer(net), np.ones((2, 3, 20))
    assert np.all(layer(ones) == 1)
    assert set(np.unique(layer(ones, training=True))) == {0, 2}


@pytest.mark.parametrize("wrap", [Inside, lambda model: model])
def test_metrics_of_compiled_models_inside(wrap):
    """Only the outer model reports."""
    inner = keras.Sequential([keras.Input((2,)), dense(3)])
    inner.compile("sgd", loss="mse", metrics=["mae"])
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        x = nengo.Node(np.zeros(2))
        nengo.Probe(nengo_dl.Layer(wrap(inner))(x), label="y")
    with make_sim(net) as sim:
        sim.compile("sgd", loss="mse", metrics=["mse"])
        assert list(sim.evaluate(X, Y, verbose=0)) == ["loss", "y_loss", "y_mse"]
    model = keras.Sequential([keras.Input((N_STEPS, 2)), NengoLayer(net)])
    model.compile("sgd", loss="mse", metrics=["mse"], jit_compile=False)
    if wrap is not Inside:  # in which Keras finds metrics that nothing updates
        result = model.evaluate(X, Y, verbose=0, return_dict=True)
        assert set(result) == {"loss", "mse"}


# --- saving and showing -------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tests")
def make_encoder():
    return quiet(encoder)


@keras.saving.register_keras_serializable(package="tests")
def make_two_of_each():
    return quiet(two_of_each)


def test_models_are_saved(tmp_path):
    path = tmp_path / "model.keras"
    model = functional(NengoLayer(make_encoder, seed=3, name="net"))
    model.compile("sgd", loss="mse", jit_compile=False)
    model.fit(X, Y, **FIT)
    model.save(path)
    loaded = keras.models.load_model(path)
    for actual, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_all_arguments_are_saved():
    config = NengoLayer(
        make_two_of_each,
        dt=0.002,
        seed=3,
        inputs=["b"],
        outputs=["q"],
        stateful=True,
        minibatch_size=2,
        unroll_simulation=4,
        name="net",
        trainable=False,
    ).get_config()
    again = NengoLayer.from_config(config)
    assert again.get_config() == config
    assert again.name == "net" and not again.trainable_variables
    assert list(again.output_names.values()) == ["q"]


def test_networks_cannot_be_saved_but_their_weights_can(tmp_path):
    model = functional(NengoLayer(quiet(encoder)))
    with pytest.raises(NotImplementedError, match="expected a function that makes the"):
        model.save(tmp_path / "model.keras")
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    other = functional(NengoLayer(quiet(encoder)))
    other.set_weights([w + 1 for w in model.get_weights()])
    other.load_weights(path)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_functions_that_are_not_registered(tmp_path):
    model = functional(NengoLayer(lambda: quiet(encoder)))
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="lambda"):
        keras.models.load_model(tmp_path / "model.keras")


def spoil(path, network):
    """Replace what a saved model says about the function that makes its network."""
    with zipfile.ZipFile(path) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    config = json.loads(contents["config.json"])
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "NengoLayer":
            layer["config"]["network"] = network
    contents["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)


def function(module, name, registered=None):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered or name,
    }


STRANGERS = [
    function("os", "getcwd"),
    function("os", "fork"),
    function("posix", "getpid"),
    function("builtins", "breakpoint"),
    function("builtins", "getcwd"),
    function("antigravity", "x"),
    function("random", "random"),
    function("tests.keras_model.test_nengo_layer", "encoder"),
    function("os", "getcwd", "tests>make_encoder"),
    function("keras.config", "enable_unsafe_deserialization"),
    function("keras", "Input"),
    {"module": "os", "class_name": "getcwd", "config": {}, "registered_name": "getcwd"},
    {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"units": 1},
        "registered_name": None,
    },
    "os.getcwd",
    "getcwd",
    None,
    3,
    ["os", "getcwd"],
]


@pytest.mark.parametrize("safe_mode", [True, False])
def test_files_can_name_registered_functions_alone(safe_mode, tmp_path, monkeypatch):
    """Loading a file calls nothing that the program has not told Keras about."""
    monkeypatch.setattr(os, "getcwd", lambda: pytest.fail("called"))
    path = tmp_path / "model.keras"
    functional(NengoLayer(make_encoder)).save(path)
    for stranger in STRANGERS:
        spoil(path, stranger)
        with pytest.raises(
            (ValueError, TypeError), match="register_keras_serializable"
        ):
            keras.models.load_model(path, safe_mode=safe_mode)


class Maker:
    """Makes a network, with an argument that is saved."""

    def __init__(self, n_neurons):
        self.n_neurons = n_neurons

    def __call__(self):
        with quiet(encoder) as net:
            nengo.Ensemble(self.n_neurons, 1)
        return net

    def get_config(self):
        return {"n_neurons": self.n_neurons}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def plain_encoder():
    return quiet(encoder)


@pytest.mark.parametrize("how", ["passed", "scope", "registered"])
@pytest.mark.parametrize(
    "network", [Maker(3), plain_encoder], ids=["object", "function"]
)
def test_ways_to_tell_keras_about_a_function(how, network, tmp_path):
    path = tmp_path / "model.keras"
    known = network if network is plain_encoder else Maker
    objects = {} if how == "registered" else {known.__name__: known}
    with keras.saving.custom_object_scope({}):
        if how == "registered":
            keras.saving.register_keras_serializable("tests", known.__name__)(known)
        model = functional(NengoLayer(network, name="net"))
        model.save(path)
        if how == "passed":
            loaded = keras.models.load_model(path, custom_objects=objects)
        else:
            with keras.saving.custom_object_scope(objects):
                loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_summary():
    model, lines = functional(NengoLayer(quiet(encoder), name="net")), []
    model.summary(print_fn=lines.append)
    (line,) = (line for line in "\n".join(lines).splitlines() if "net" in line)
    # encoders and biases, and the decoders of the probe
    assert "(None, None, 2)" in line and str(10 * 2 + 10 + 2 * 10) in line


@pytest.mark.skipif(shutil.which("dot") is None, reason="no graphviz")
def test_plot(tmp_path):
    pytest.importorskip("pydot")
    path = tmp_path / "model.png"
    keras.utils.plot_model(functional(NengoLayer(quiet(encoder))), path)
    assert path.exists()


# --- errors -------------------------------------------------------------------------

BAD_ARGUMENTS = [
    ((3,), {}, r"network: must be a nengo.Network, or .*\(got 3 of type int\)"),
    ((lambda: 3,), {}, "network: must be a nengo.Network, or a function"),
    ((two_of_each,), {"inputs": ["c"]}, "inputs: must be among 'a', 'b', by name"),
    ((two_of_each,), {"inputs": [two_of_each()]}, "inputs: must be among 'a', 'b'"),
    ((two_of_each,), {"outputs": ["P"]}, "outputs: .*'P'.*Did you mean 'p'"),
    ((two_of_each,), {"outputs": "pq"}, "outputs: .*list"),
    ((two_of_each,), {"inputs": "ab"}, "inputs: .*list"),
    ((two_of_each,), {"outputs": []}, "outputs: .*at least one"),
    ((nengo.Network,), {}, "outputs: .*at least one.*nengo.Probe"),
    ((encoder,), {"dt": 0}, "dt: must be a positive number"),
    ((encoder,), {"seed": -1}, "seed: must be a whole number"),
    ((encoder,), {"minibatch_size": 0}, "minibatch_size: must be a whole number"),
    ((encoder,), {"unroll_simulation": 0.5}, "unroll_simulation: must be a whole"),
    ((encoder,), {"stateful": True}, "stateful: needs the minibatch_size"),
]


@pytest.mark.parametrize("args, kwargs, message", BAD_ARGUMENTS)
def test_bad_arguments(args, kwargs, message):
    with pytest.raises(ValidationError, match=f"NengoLayer.{message}"):
        NengoLayer(*args, **kwargs)


BAD_INPUTS = [
    (X[..., :1], r"expected shape \(minibatch_size, n_steps, 2\) for 'x', got .*1\)"),
    (X[:, 0], "Add an axis for the time steps"),
    ([X, X], r"expected at most 1 inputs \('x'\), got 2"),
    ({"y": X}, "expected names of input nodes, 'x'"),
    ({}, "at least one"),
    ([], "at least one"),
]


@pytest.mark.parametrize("inputs, message", BAD_INPUTS)
def test_bad_inputs(inputs, message):
    with pytest.raises(ValidationError, match=message):
        NengoLayer(quiet(encoder))(inputs)


def test_inputs_that_disagree():
    layer = NengoLayer(quiet(two_of_each))
    for b in (B[:2], B[:, :2]):
        with pytest.raises(ValidationError, match="same number of items and steps"):
            layer([A, b])


def test_another_minibatch_size():
    layer = NengoLayer(quiet(encoder), minibatch_size=3)
    assert layer(X[:3]).shape == (3, N_STEPS, 2)
    with pytest.raises(ValidationError, match=r"expected shape \(3, n_steps, 2\)"):
        layer(X)


def test_networks_that_cannot_be_built():
    with pytest.raises(BuildError, match="jit_compile=True"):
        NengoLayer(quiet(python_nodes, jit_compile=True))
