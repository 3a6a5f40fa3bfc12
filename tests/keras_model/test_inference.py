"""Inference in compiled loops is what it is without, for any number of steps."""

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.graph.kept import ALL_STEPS, Last
from nengo_dl.keras_model import inference
from nengo_dl.keras_model.inference import InferenceLoops, without_gradients
from tests import small_networks
from tests.keras_model.layers import draw_inputs, make_layer

N_ITEMS = 2
# shorter, longer and as long as the first, in whole chunks and not
N_STEPS = (4, 2, 9, 8, 1, 4)


def last_steps():
    with small_networks.integrator() as net:
        nengo_dl.configure_settings(keep_history=True)
        probe = nengo.Probe(net.ensembles[0].neurons)
    net.config[probe].keep_history = False
    return net


def probed_weights():
    with small_networks.integrator() as net:
        nengo.Probe(net.connections[-1], "weights")
    return net


def added_losses():
    import keras

    with nengo.Network(seed=0) as net:
        layer = keras.layers.ActivityRegularization(l2=0.1, dtype="float64")
        node = nengo_dl.TensorNode(layer, shape_in=(3,), pass_time=False)
        nengo.Connection(nengo.Node(np.zeros(3)), node, synapse=0.01)
        nengo.Probe(node)
    return net


NETWORKS = [
    small_networks.feedforward,
    small_networks.learning,
    small_networks.noise,
    last_steps,
    probed_weights,
    added_losses,
]


def outcome(layer, inputs):
    outputs = layer(inputs)
    return tf.nest.map_structure(np.array, [outputs, layer.losses])


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("stateful", [False, True])
def test_loops_equal_steps_one_after_the_other(make, stateful):
    layers = [make_layer(make(), N_ITEMS, stateful) for _ in range(2)]
    for layer in layers:
        layer.keep.assign(stateful)
    for n_steps in N_STEPS:
        inputs = draw_inputs(layers[0], N_ITEMS, n_steps, seed=n_steps)
        expected = outcome(layers[0], inputs)
        with without_gradients():
            actual = outcome(layers[1], inputs)
        tf.nest.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11),
            actual,
            expected,
        )
    states = [layer.values() for layer in layers]
    for a, b in zip(states[0].state, states[1].state, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    assert states[0].n_steps == states[1].n_steps


def sums():
    """Make loops that add up their input, and the lengths of those that were traced."""
    traced = []

    def run(length, params, state, inputs, seed, start, n_steps):
        traced.append(length)
        steps = tf.range(length)
        rows = tf.where(steps < n_steps, inputs["x"][0, :, 0], 0) + params[0]
        total = state[0] + tf.cumsum(rows)
        state = total[n_steps - 1]
        time = tf.cast(seed + start + steps + 1, tf.float32)
        return (state,), (total[None], time[None], tf.reshape(state, (1, 1)))

    return InferenceLoops(run, (ALL_STEPS, ALL_STEPS, Last()), 5), traced


def call(loops, x):
    n_steps = x.shape[1] or tf.shape(x)[1]
    params, state = (tf.constant(0.5),), (tf.constant(2.0),)
    return loops(params, state, {"x": x}, tf.constant(10), tf.constant(100), n_steps)


def check_sums(result, x):
    total = 2 + np.cumsum(x[0, :, 0] + 0.5)
    (state,), (totals, times, last) = result
    np.testing.assert_allclose(totals, total[None])
    np.testing.assert_allclose(times, 111 + np.arange(x.shape[1])[None])
    np.testing.assert_allclose(state, total[-1])
    np.testing.assert_allclose(last, [total[-1:]])


@pytest.mark.parametrize("is_known", [True, False])
def test_one_compilation_serves_all_numbers_of_steps(is_known):
    loops, traced = sums()
    shape = (1, None, 1) if not is_known else None
    signature = None if is_known else [tf.TensorSpec(shape, tf.float32)]
    function = tf.function(lambda x: call(loops, x), input_signature=signature)
    for n_steps in (4, 9, 1, 12, 4):
        x = np.arange(n_steps, dtype=np.float32)[None, :, None]
        check_sums(function(x), x)
    assert traced == [4 if is_known else 5]


def test_lengths_that_do_not_fit_are_compiled_when_used_often(monkeypatch):
    monkeypatch.setattr(inference, "MAX_MISFITS", 10)
    loops, traced = sums()
    assert not loops.expect(4, 1000)  # the first call gets its length
    x = np.ones((1, 4, 1), np.float32)
    check_sums(call(loops, tf.constant(x)), x)
    assert not loops.expect(4, 1000)
    assert not loops.expect(3, 1000)
    assert not loops.expect(9, 3)
    assert loops.expect(9, 1)
    assert not loops.expect(9, 1000)
    assert loops.lengths == (4, 9)
    for n_steps in (2, 8, 9, 15):
        x = np.ones((1, n_steps, 1), np.float32)
        check_sums(call(loops, tf.constant(x)), x)
        signature = [tf.TensorSpec((1, None, 1), tf.float32)]
        unknown = tf.function(lambda x: call(loops, x), input_signature=signature)
        check_sums(unknown(x), x)
    assert traced == [4, 9]


def test_long_runs_have_equal_chunks(monkeypatch):
    monkeypatch.setattr(inference, "MAX_LENGTH", 10)
    loops, traced = sums()
    x = np.ones((1, 21, 1), np.float32)
    check_sums(call(loops, tf.constant(x)), x)
    assert traced == [7]


def test_methods_agree_on_one_compilation():
    net = small_networks.integrator()
    with net:
        node = nengo.Node(np.zeros(2))
        nengo.Connection(node, net.ensembles[0])
    probe = net.probes[0]
    rng = np.random.RandomState(0)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile("sgd", loss="mse")
        for n_steps in (3, 5, 2, 7):
            x = rng.normal(size=(2, n_steps, 2))
            sim.run_steps(n_steps, data={node: x}, stateful=False)
            y = sim.data[probe]
            sim.clear_probes()
            outputs = sim.predict({node: x}, verbose=0)
            np.testing.assert_allclose(outputs[probe], y, rtol=1e-5, atol=1e-6)
            report = sim.evaluate({node: x}, {probe: y}, verbose=0)
            np.testing.assert_allclose(report["loss"], 0, atol=1e-10)


def two_inputs(jit_compile="auto"):
    """Return a network, its input nodes and its probe."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
        nodes = nengo.Node([0]), nengo.Node([0])
        ensemble = nengo.Ensemble(10, 1)
        for node in nodes:
            nengo.Connection(node, ensemble)
        probe = nengo.Probe(ensemble, synapse=0.1)
    return net, nodes, probe


@pytest.mark.parametrize("verbose", [0, 2])
def test_predict_is_traced_once_for_all_numbers_of_steps(verbose):
    """Also with inputs that are held. A single step has a graph without a loop."""
    net, nodes, probe = two_inputs()
    rng = np.random.RandomState(0)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        n_traces = []
        for n_steps in (5, 5, 3, 12, 5, 1):
            data = {nodes[0]: rng.rand(4, n_steps, 1), nodes[1]: rng.rand(4, 1, 1)}
            outputs = sim.predict(data, n_steps=n_steps, verbose=verbose)[probe]
            for items in (slice(0, 2), slice(2, 4)):
                part = {node: x[items] for node, x in data.items()}
                sim.run_steps(n_steps, data=part, stateful=False)
                expected = sim.data[probe]
                np.testing.assert_allclose(outputs[items], expected, atol=1e-6)
                sim.clear_probes()
            function = sim.keras_model.predict_function
            n_traces.append(function.experimental_get_tracing_count())
    assert n_traces == [1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_what_varied_before_can_be_held(jit_compile):
    """One trace serves both, also where it was made for what varies."""
    net, nodes, probe = two_inputs(jit_compile)
    rng = np.random.RandomState(0)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile(loss="mse")
        for n_steps, *lengths in ((5, 5, 1), (9, 1, 1), (9, 1, 9), (7, 7, 1)):
            data = {
                node: rng.rand(2, length, 1)
                for node, length in zip(nodes, lengths, strict=True)
            }
            sim.run_steps(n_steps, data=data, stateful=False)
            expected = sim.data[probe]
            sim.clear_probes()
            outputs = sim.predict(data, n_steps=n_steps, verbose=0)
            np.testing.assert_allclose(outputs[probe], expected, atol=1e-6)
            y = {probe: expected}
            report = sim.evaluate(data, y, n_steps=n_steps, verbose=0)
            np.testing.assert_allclose(report["loss"], 0, atol=1e-10)


def test_simulators_compile_lengths_that_are_used_often(monkeypatch):
    monkeypatch.setattr(inference, "MAX_MISFITS", 3)
    net = small_networks.feedforward()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        outputs, traced = [], []
        for n_steps in (2, 5, 5, 5, 3, 8):
            outputs.append(sim.predict(n_steps=n_steps, verbose=0))
            traced.append(sim.keras_model.predict_function)
        for probe in net.probes:
            np.testing.assert_array_equal(outputs[1][probe], outputs[2][probe])
            np.testing.assert_array_equal(outputs[1][probe], outputs[3][probe])
        assert len(set(map(id, traced))) > 1
        # what has the new loop serves all numbers of steps, too
        assert traced[-1] is traced[-3]
        assert traced[-1].experimental_get_tracing_count() == 1
