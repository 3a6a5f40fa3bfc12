"""Which state calls of Keras methods start from, and what they leave behind."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

import nengo_dl
from tests.simulator.helpers import assert_same_data, data_of, filtered, make_sim
from tests.simulator.layered import QUIET, STEPS, draw

pytestmark = pytest.mark.filterwarnings("ignore:The model does not have any trainable")
BATCHES = 3
# One item per minibatch, all equal
SAME = np.ones((BATCHES, STEPS, 1))


def learning():
    """Build weights that PES changes in every step."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus, error = nengo.Node([0.5]), nengo.Node([1.0])
        pre = nengo.Ensemble(5, 1, neuron_type=nengo.RectifiedLinear())
        post = nengo.Node(size_in=1)
        net.learned = nengo.Connection(
            pre, post, learning_rule_type=nengo.PES(0.01), function=lambda x: 0
        )
        nengo.Connection(stimulus, pre, synapse=None)
        nengo.Connection(error, net.learned.learning_rule, synapse=None)
        net.probe = nengo.Probe(post)
    return net


def compiled(net, **kwargs):
    """Make a simulator that trains nothing, so that states alone count."""
    sim = make_sim(net, **{"minibatch_size": 1, **kwargs})
    sim.compile(keras.optimizers.SGD(0.0), loss="mse")
    return sim


METHODS = {
    "fit": lambda sim, x, **kwargs: sim.fit(x, x, **QUIET, **kwargs),
    "evaluate": lambda sim, x, **kwargs: sim.evaluate(x, x, verbose=0, **kwargs),
    "predict": lambda sim, x, **kwargs: sim.predict(x, verbose=0, **kwargs),
    "predict_on_batch": lambda sim, x, **k: sim.predict_on_batch(x[:1], **k),
}


@pytest.mark.parametrize("method", METHODS)
def test_calls_put_the_state_back(method):
    """A run goes on as if nothing had been in between."""
    net = filtered()
    with compiled(net) as sim, make_sim(net, minibatch_size=1) as expected:
        expected.run_steps(8)
        sim.run_steps(5)
        METHODS[method](sim, SAME)
        assert (sim.n_steps, sim.time) == (5, 0.005)
        sim.run_steps(3)
        assert_same_data(data_of(sim), data_of(expected), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_stateful_calls_keep_the_state(method):
    """A run goes on where they have ended."""
    net = filtered()
    n_steps = STEPS * (1 if method == "predict_on_batch" else BATCHES)
    with compiled(net) as sim, make_sim(net, minibatch_size=1) as expected:
        expected.run_steps(5 + n_steps + 3)
        sim.run_steps(5)
        METHODS[method](sim, SAME, stateful=True)
        assert sim.n_steps == 5 + n_steps
        sim.run_steps(3)
        kept = np.r_[0:5, 5 + n_steps : 8 + n_steps]
        desired = [data[:, kept] for data in data_of(expected)]
        assert_same_data(data_of(sim), desired, rtol=1e-6)


def test_every_minibatch_starts_from_the_state_before():
    net = filtered()
    with make_sim(net, minibatch_size=1) as sim, make_sim(net) as expected:
        expected.run_steps(5 + STEPS)
        sim.run_steps(5)
        for _ in range(2):
            outputs = sim.predict(SAME, verbose=0)[net.probes[0]]
            for item in outputs:
                desired = expected.data[net.probes[0]][5:]
                np.testing.assert_allclose(item, desired, rtol=1e-6)


@pytest.mark.parametrize("minibatch_size", [1, 2])
def test_stateful_minibatches_are_one_long_run(minibatch_size):
    net = filtered()
    x = draw(BATCHES * minibatch_size, STEPS, 1)
    # item i of each minibatch continues item i of the one before
    long = np.concatenate(np.split(x, BATCHES), axis=1)
    with (
        make_sim(net, minibatch_size=minibatch_size) as sim,
        make_sim(net, minibatch_size=minibatch_size) as expected,
    ):
        expected.run_steps(long.shape[1], data=long)
        outputs = sim.predict(x, stateful=True, verbose=0)[net.probes[0]]
        outputs = np.concatenate(np.split(outputs, BATCHES), axis=1)
        desired = expected.data[net.probes[0]]
        np.testing.assert_allclose(outputs, desired, rtol=1e-5, atol=1e-7)


def test_validation_puts_the_state_back():
    net = filtered()
    with compiled(net) as sim:
        sim.run_steps(2)
        history = sim.fit(SAME, SAME, validation_data=(SAME, SAME), **QUIET).history
        assert sim.n_steps == 2
        assert history["loss"] == history["val_loss"]


LEARN = {
    "fit": lambda sim: sim.fit(y=0 * SAME, n_steps=STEPS, verbose=0),
    "evaluate": lambda sim: sim.evaluate(y=0 * SAME, n_steps=STEPS, verbose=0),
    "predict": lambda sim: sim.predict([0.5 * SAME, SAME], verbose=0),
    "predict_on_batch": lambda sim: sim.predict_on_batch(n_steps=STEPS),
}


@pytest.mark.parametrize("method", METHODS)
def test_what_was_learned_stays(method):
    """Learned weights are parameters: they go on from minibatch to minibatch."""
    net = learning()
    n_batches = 1 if method == "predict_on_batch" else BATCHES
    with compiled(net) as sim, make_sim(net, minibatch_size=1) as expected:
        for _ in range(n_batches):
            expected.run_steps(STEPS, stateful=False)
        before = sim.data[net.learned].weights
        LEARN[method](sim)
        assert sim.n_steps == 0
        after = sim.data[net.learned].weights
        assert not np.array_equal(after, before)
        np.testing.assert_allclose(after, expected.data[net.learned].weights, rtol=1e-5)
        sim.run_steps(1)
        expected.run_steps(1)
        np.testing.assert_allclose(
            sim.data[net.probe][:, -1:], expected.data[net.probe][:, -1:], rtol=1e-5
        )
        sim.reset()
        np.testing.assert_array_equal(sim.data[net.learned].weights, before)


@pytest.mark.parametrize("method", METHODS)
def test_a_call_that_fails(method):
    """It raises what the function raised, and the simulation goes on."""

    broken = []

    def output(t, x):
        if broken and t > 0.0075:
            raise KeyError("mine")
        return x

    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        source, target = nengo.Node([1.0]), nengo.Node(output, size_in=1)
        nengo.Connection(source, target, synapse=0.01)
        nengo.Probe(target)
    with compiled(net) as sim, make_sim(net, minibatch_size=1) as expected:
        sim.run_steps(5)
        broken.append(True)
        with pytest.raises(SimulationError, match="Node .*raised KeyError: 'mine'"):
            METHODS[method](sim, np.tile(SAME, (1, 2, 1)), stateful=True)
        assert sim.n_steps == 5
        broken.clear()
        METHODS[method](sim, SAME)
        sim.run_steps(1)
        expected.run_steps(6)
        assert_same_data(data_of(sim), data_of(expected))


# --- truncated backpropagation through time ---------------------------------------


def test_chunks_of_a_long_sequence():
    """The state is carried from chunk to chunk, the gradient stops in between."""
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        net.source, target = nengo.Node([0.0]), nengo.Node(size_in=1)
        net.conn = nengo.Connection(net.source, target, transform=0.5, synapse=0.003)
        net.probe = nengo.Probe(target)
    rate, tau, n_chunks = 0.3, 0.003, 4
    decay = np.exp(-0.001 / tau)
    x = 3 * draw(n_chunks, 2, 1).astype("float64")
    y = draw(n_chunks, 2, 1, seed=1).astype("float64")

    weight, state, gradients = 0.5, 0.0, []
    for inputs, targets in zip(x[..., 0], y[..., 0], strict=True):
        slope, gradient = 0.0, 0.0  # of the state, with respect to the weight
        for value, target in zip(inputs, targets, strict=True):
            gradient += 2 * (state - target) * slope / len(inputs)
            state = decay * state + (1 - decay) * weight * value
            slope = decay * slope + (1 - decay) * value
        weight -= rate * gradient
        gradients.append(gradient)

    with make_sim(net, minibatch_size=1) as sim:
        sim.compile(keras.optimizers.SGD(rate), loss="mse")
        sim.fit(x, y, stateful=True, **QUIET)
        assert sim.n_steps == 2 * n_chunks
        assert np.abs(gradients).min() > 1e-4
        np.testing.assert_allclose(sim.data[net.conn].weights, weight, rtol=1e-6)
        outputs = sim.predict(x[:1], verbose=0)[net.probe]
        np.testing.assert_allclose(outputs[0, 0], state, rtol=1e-6)


# --- warnings ---------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_networks_without_a_state_to_keep(method):
    net = filtered(stateful=False)
    with compiled(net) as sim:
        assert not sim.stateful
        with pytest.warns(
            UserWarning, match="stateful=True has no effect in a network"
        ):
            METHODS[method](sim, SAME, stateful=True)
        assert sim.n_steps == 0
        outputs = sim.predict(SAME, verbose=0)[net.probes[0]]
        np.testing.assert_array_equal(outputs, outputs[:1].repeat(BATCHES, axis=0))


@pytest.mark.parametrize("method", METHODS)
def test_a_single_step_through_a_synapse(method, recwarn):
    net = filtered()
    with compiled(net) as sim:
        METHODS[method](sim, SAME)
        METHODS[method](sim, SAME[:, :1], stateful=True)
        assert not [w for w in recwarn if "synapse" in str(w.message)]
        with pytest.warns(UserWarning, match="synapse"):
            METHODS[method](sim, SAME[:, :1])


def test_a_single_step_to_a_probe_with_a_synapse(recwarn):
    """It matters for probes with a loss alone."""
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        source = nengo.Node([1.0])
        plain = nengo.Probe(source)
        delayed = nengo.Probe(source, synapse=0.01)
    with make_sim(net, minibatch_size=1) as sim:
        sim.predict(SAME[:, :1], verbose=0)
        sim.compile("sgd", loss={plain: "mse"})
        sim.evaluate(SAME[:, :1], {plain: SAME[:, :1]}, verbose=0)
        assert not [w for w in recwarn if "synapse" in str(w.message)]
        sim.compile("sgd", loss={delayed: "mse"})
        with pytest.warns(UserWarning, match="synapse"):
            sim.evaluate(SAME[:, :1], {delayed: SAME[:, :1]}, verbose=0)


@pytest.mark.parametrize("whole", [True, False], ids=["model", "layer"])
def test_reset_restores_whole_models_but_not_layers(whole):
    layer = keras.layers.Dense(1)
    inner = keras.Sequential([keras.Input((2,)), layer]) if whole else layer
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0, 0])
        node = nengo_dl.TensorNode(inner, shape_in=(2,), pass_time=False)
        nengo.Connection(stimulus, node, synapse=None)
        nengo.Probe(node)
    x = np.ones((2, 3, 2))
    with nengo_dl.Simulator(
        net, minibatch_size=2, device="/cpu:0", progress_bar=False
    ) as sim:
        sim.compile("sgd", loss="mse")
        before = layer.get_weights()
        sim.fit(x, np.ones((2, 3, 1)), verbose=0)
        trained = layer.get_weights()
        sim.reset()
    for old, new, now in zip(before, trained, layer.get_weights(), strict=True):
        assert not np.array_equal(old, new)
        np.testing.assert_array_equal(now, old if whole else new)
