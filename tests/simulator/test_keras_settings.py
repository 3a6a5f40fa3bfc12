"""Keras methods under the settings of networks and simulators, and traces."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError, SimulatorClosed, ValidationError

import nengo_dl
from tests.simulator.helpers import make_sim
from tests.simulator.layered import BATCH, ITEMS, QUIET, STEPS, X, Y, layered

# --- tracing ----------------------------------------------------------------------

CALLS = {
    "fit": lambda sim, x, y: sim.fit(x, y, **QUIET),
    "validation": lambda sim, x, y: sim.fit(x, y, validation_data=(x, y), **QUIET),
    "evaluate": lambda sim, x, y: sim.evaluate(x, y, verbose=0),
    "predict": lambda sim, x, y: sim.predict(x, verbose=0),
    "predict_on_batch": lambda sim, x, y: sim.predict_on_batch(x[:BATCH]),
    "run_steps": lambda sim, x, y: sim.run_steps(STEPS, data=x[:BATCH]),
}


@pytest.mark.parametrize("jit_compile", [True, False])
def test_equal_shapes_are_traced_once(jit_compile):
    traces = []

    def count(x):
        traces.append(x.shape)
        return x

    net = layered(jit_compile=jit_compile)
    with net:
        nengo_dl.Layer(count)(net.output)
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mse")
        for name, call in CALLS.items():
            call(sim, X, Y)
            before = len(traces)
            call(sim, X, Y)
            call(sim, np.concatenate([X, X]), np.concatenate([Y, Y]))
            assert len(traces) == before, name
        for name in ("fit", "evaluate", "predict", "run_steps"):
            CALLS[name](sim, X, Y)
            sim.reset()
        sim.predict(X, stateful=True, verbose=0)
        sim.fit(X, Y, stateful=True, epochs=2, **QUIET)
        assert len(traces) == before


# --- settings ---------------------------------------------------------------------


def test_inference_only():
    """The network predicts as it would without, but refuses to be trained."""
    spiking, expected = [], []
    for settings, outputs in (({"inference_only": True}, spiking), ({}, expected)):
        net = layered(**settings)
        with net:
            neurons = nengo_dl.Layer(nengo.SpikingRectifiedLinear())(
                net.output, gain=np.full(3, 900.0), bias=np.full(3, 400.0)
            )
            nengo.Probe(neurons)
        with make_sim(net, minibatch_size=BATCH) as sim:
            sim.compile("sgd", loss=["mse", None])
            outputs += sim.predict(X, verbose=0).values()
            outputs.append(sim.evaluate(X, [Y, None], verbose=0)["loss"])
            if settings:
                message = "expected a network that can be trained .*inference_only=True"
                with pytest.raises(SimulationError, match=f"Simulator.fit: {message}"):
                    sim.fit(X, Y)
                with pytest.raises(
                    SimulationError, match=f"check_gradients: {message}"
                ):
                    sim.check_gradients()
    for actual, desired in zip(spiking, expected, strict=True):
        np.testing.assert_allclose(actual, desired, rtol=1e-6)


class Mode(keras.layers.Layer):
    """Adds 1 in training."""

    def call(self, x, training=None):
        return x + (1.0 if training else 0.0)


@pytest.mark.parametrize("phase", [None, True, False])
def test_learning_phase(phase):
    """It makes all calls behave as in training, or none."""
    net = layered(keras.Sequential([Mode()]), learning_phase=phase)
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mae")
        with pytest.warns(UserWarning, match="trainable weights"):
            trained = sim.fit(X, X, **QUIET).history["loss"][0]
        scores = sim.evaluate(X, X, verbose=0)["loss"]
        shift = sim.predict(X, verbose=0)[net.probe] - X
        np.testing.assert_allclose(trained, phase is not False, atol=1e-6)
        np.testing.assert_allclose(scores, phase is True, atol=1e-6)
        np.testing.assert_allclose(shift, float(phase is True), atol=1e-6)


def test_the_learning_phase_chooses_what_neurons_do():
    with nengo.Network() as net:
        nengo_dl.configure_settings(learning_phase=True, jit_compile=False)
        neurons = nengo.Ensemble(
            1, 1, gain=[1], bias=[250.0], neuron_type=nengo.SpikingRectifiedLinear()
        ).neurons
        probe = nengo.Probe(neurons)
    expected = np.full((BATCH, STEPS, 1), 250.0)
    with make_sim(net, minibatch_size=BATCH) as sim:
        rates = sim.predict(n_steps=STEPS, verbose=0)[probe]
        sim.compile(loss="mse")
        assert sim.evaluate(n_steps=STEPS, y=expected, verbose=0)["loss"] == 0
        sim.run_steps(STEPS)
        np.testing.assert_allclose(sim.data[probe], expected)
    np.testing.assert_allclose(rates, expected)


NEURONS = [
    nengo.SpikingRectifiedLinear(),
    nengo.LIF(),
    nengo.RegularSpiking(nengo.LIFRate()),
    nengo.PoissonSpiking(nengo.RectifiedLinear()),
    nengo_dl.SpikingLeakyReLU(),
]


@pytest.mark.parametrize("neuron_type", NEURONS, ids=str)
@pytest.mark.parametrize("jit_compile", [False, "auto"])
def test_the_learning_phase_in_runs(neuron_type, jit_compile):
    """With True, rates in all methods; with False, spikes also where a fit starts."""
    outputs = {}
    for phase in (True, False, None):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(learning_phase=phase, jit_compile=jit_compile)
            neurons = nengo.Ensemble(
                2, 1, gain=np.ones(2), bias=[1.0, 60.0], neuron_type=neuron_type
            ).neurons
            probe = nengo.Probe(neurons)
        with make_sim(net, minibatch_size=1) as sim:
            predicted = sim.predict(n_steps=40, verbose=0)[probe]
            sim.run_steps(25)
            sim.run_steps(15)
            np.testing.assert_allclose(sim.data[probe], predicted, rtol=1e-6)
            if phase is False:
                sim.reset()
                sim.compile(keras.optimizers.SGD(0.0), loss="mse")
                fitted = sim.fit(y=predicted, n_steps=40, verbose=0).history["loss"]
                assert fitted == [0]
            outputs[phase] = predicted
    np.testing.assert_array_equal(outputs[None], outputs[False])
    rates = neuron_type.rates(np.ones((1, 2)), [1.0, 1.0], [0.0, 59.0])
    np.testing.assert_allclose(outputs[True], np.tile(rates, (1, 40, 1)), rtol=1e-5)
    assert not np.allclose(outputs[False], outputs[True])


def recurrent(**settings):
    """Build neurons with a loop, whose gradient runs through time."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(**{"jit_compile": False, **settings})
        net.stimulus = nengo.Node(np.zeros(2))
        ens = nengo.Ensemble(6, 2, neuron_type=nengo.Tanh())
        nengo.Connection(net.stimulus, ens, synapse=None)
        nengo.Connection(ens, ens, synapse=0.002)
        net.probe = nengo.Probe(ens)
    return net


def trained(net, **kwargs):
    """Train a little; return a prediction, a loss and all weights."""
    with make_sim(net, minibatch_size=BATCH, **kwargs) as sim:
        sim.compile(keras.optimizers.SGD(0.01), loss="mse")
        history = sim.fit(X, X, epochs=2, **QUIET).history["loss"]
        outputs = sim.predict(X, verbose=0)[net.probe]
        return [np.array(history), outputs, *sim.keras_model.get_weights()]


@pytest.mark.parametrize(
    "settings, kwargs",
    [
        ({}, {"unroll_simulation": 2}),
        ({}, {"unroll_simulation": STEPS}),
        ({}, {"unroll_simulation": 50}),
        ({"use_loop": False}, {"unroll_simulation": STEPS}),
        ({"jit_compile": True}, {"unroll_simulation": 2}),
        ({"jit_compile": True, "use_loop": False}, {"unroll_simulation": STEPS}),
    ],
)
def test_loops_change_nothing_but_speed(settings, kwargs):
    expected = trained(recurrent())
    actual = trained(recurrent(**settings), **kwargs)
    for array, desired in zip(actual, expected, strict=True):
        np.testing.assert_allclose(array, desired, rtol=1e-4, atol=1e-6)


def test_steps_without_a_loop():
    net = layered(use_loop=False)
    with make_sim(net, minibatch_size=BATCH, unroll_simulation=2) as sim:
        sim.compile("sgd", loss="mse")
        for name, call in CALLS.items():
            with pytest.raises(ValidationError, match="use_loop"):
                call(sim, X, Y)
            if name != "run_steps":
                call(sim, X[:, :2], Y[:, :2])


def test_the_last_step_alone():
    """Targets need not have as many steps as inputs."""
    net = layered()
    with net:
        nengo_dl.configure_settings(keep_history=True)
        history = nengo.Probe(net.output)
    net.config[net.probe].keep_history = False
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mse")
        outputs = sim.predict(X, verbose=0)
        assert outputs[net.probe].shape == (ITEMS, 1, 3)
        np.testing.assert_array_equal(outputs[net.probe], outputs[history][:, -1:])
        scores = sim.evaluate(X, [Y[:, -1:], Y], verbose=0)
        loss = np.mean((outputs[net.probe] - Y[:, -1:]) ** 2)
        np.testing.assert_allclose(scores["probe_loss"], loss, rtol=1e-5)
        sim.fit(X, [Y[:, -1:], Y], **QUIET)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    net = recurrent(dtype=dtype)
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile("adam", loss="mse")
        sim.fit(X, X, **QUIET)
        assert {weight.dtype for weight in sim.keras_model.weights} == {dtype}
        assert sim.predict(X, verbose=0)[net.probe].dtype == dtype
    assert keras.config.floatx() == "float32"


# --- errors -----------------------------------------------------------------------

NEED_OPEN = {
    "fit": lambda sim: sim.fit(X, Y),
    "evaluate": lambda sim: sim.evaluate(X, Y),
    "predict": lambda sim: sim.predict(X),
    "predict_on_batch": lambda sim: sim.predict_on_batch(X[:BATCH]),
    "compile": lambda sim: sim.compile("sgd", loss="mse"),
    "check_gradients": lambda sim: sim.check_gradients(),
    "keras_model": lambda sim: sim.keras_model,
    "tensor_graph": lambda sim: sim.tensor_graph,
    "save_params": lambda sim: sim.save_params("a"),
    "load_params": lambda sim: sim.load_params("a"),
}


@pytest.fixture(scope="module")
def closed_sim():
    with make_sim(layered(), minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mse")
    return sim


@pytest.mark.parametrize("name", NEED_OPEN)
def test_closed(closed_sim, name):
    with pytest.raises(SimulatorClosed, match=f"Simulator.{name}: the simulator is cl"):
        NEED_OPEN[name](closed_sim)


@pytest.mark.parametrize("name, other", [("train", "fit"), ("loss", "evaluate")])
def test_removed(name, other):
    with make_sim(layered()) as sim:
        with pytest.raises(SimulationError, match=f"{name} was removed.*{other}"):
            getattr(sim, name)(X, n_steps=3)


def test_not_compiled():
    with make_sim(layered(), minibatch_size=BATCH) as sim:
        for call in (sim.fit, sim.evaluate):
            with pytest.raises(ValueError, match="compile"):
                call(X, Y)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_n_steps_with_a_dataset(method):
    data = tf.data.Dataset.from_tensors((X[:BATCH], Y[:BATCH]))
    with make_sim(layered(), minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mse")
        with pytest.raises(
            SimulationError, match=f"{method}: expected no n_steps toge"
        ):
            getattr(sim, method)(data, n_steps=STEPS)
