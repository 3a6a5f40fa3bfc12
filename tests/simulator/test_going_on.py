"""Simulations that go on from where they, or others, have been."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

import nengo_dl
from tests.simulator.helpers import assert_same_data, data_of, make_sim
from tests.simulator.test_streams import Coins, Noise

pytestmark = pytest.mark.filterwarnings("ignore:.*runs in Python each step")


class Walk(nengo.Process):
    """A random walk that starts at 1, with or without input."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"place": np.ones(shape_out)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        place = state["place"]

        def step_walk(t, x=0):
            place[...] += rng.normal(size=shape_out) + np.sum(x)
            return place

        return step_walk


def noisy():
    """Build random processes and neurons of all kinds, with and without seeds."""
    with nengo.Network(seed=3) as net:
        nengo_dl.configure_settings(jit_compile=False)
        outputs = [
            nengo.Node(process, size_out=1)
            for process in (
                Noise(),
                Walk(),
                nengo.processes.WhiteNoise(seed=7),
                nengo.processes.FilteredNoise(nengo.Alpha(0.01)),
                nengo.processes.BrownNoise(),
                nengo.processes.WhiteSignal(0.5, high=90),
                nengo.processes.PresentInput([[1], [2]], 0.003),
                np.sin,
            )
        ]
        through = nengo.Node(Walk(), size_in=1, size_out=1)
        nengo.Connection(outputs[0], through)
        noise = nengo.processes.WhiteNoise(seed=3)
        for kind in (Coins(), nengo.PoissonSpiking(nengo.RectifiedLinear())):
            ens = nengo.Ensemble(
                3, 1, neuron_type=kind, gain=np.ones(3), bias=[99] * 3, noise=noise
            )
            outputs.append(ens.neurons)
        for output in (*outputs, through):
            nengo.Probe(output)
    return net


@pytest.mark.parametrize("minibatch_size", [None, 2])
def test_a_new_simulator_goes_on_exactly(minibatch_size, tmp_path):
    with make_sim(noisy(), minibatch_size=minibatch_size) as sim:
        sim.run_steps(17)
        sim.save_params(tmp_path / "state", include_state=True)
        sim.clear_probes()
        sim.run_steps(9)
        expected = data_of(sim)
    with make_sim(noisy(), minibatch_size=minibatch_size, seed=99) as sim:
        sim.run_steps(2)
        sim.load_params(tmp_path / "state", include_state=True)
        sim.clear_probes()
        sim.run_steps(4)
        sim.run_steps(5)
        assert_same_data(data_of(sim), expected)


def test_a_state_after_a_failed_run(tmp_path):
    def fail_once(t):
        if t > 0.0055 and not failed:
            failed.append(t)
            raise RuntimeError
        return t

    def network():
        with nengo.Network(seed=1) as net:
            nengo_dl.configure_settings(jit_compile=False)
            for output in (Walk(), nengo.processes.WhiteNoise(), fail_once, Walk()):
                nengo.Probe(nengo.Node(output, size_out=1))
        return net

    failed = []
    with make_sim(network(), minibatch_size=2) as sim:
        sim.run_steps(3)
        with pytest.raises(SimulationError):
            sim.run_steps(9)
        sim.save_params(tmp_path / "state", include_state=True)
        sim.clear_probes()
        sim.run_steps(9)
        expected = data_of(sim)
    with make_sim(network(), minibatch_size=2) as sim:
        sim.load_params(tmp_path / "state", include_state=True)
        sim.run_steps(9)
        assert_same_data(data_of(sim), expected)


def test_streams_are_back_after_runs_that_keep_no_state():
    with make_sim(noisy(), minibatch_size=2) as sim:
        sim.run_steps(5)
        sim.clear_probes()
        sim.run_steps(6, stateful=False)
        sim.predict(n_steps=3, verbose=0)
        sim.run_steps(6)
        for data in data_of(sim):
            np.testing.assert_array_equal(data[:, :6], data[:, 6:])


def test_streams_need_the_same_minibatch_size(tmp_path):
    with make_sim(noisy(), minibatch_size=1) as sim:
        sim.save_params(tmp_path / "state", include_state=True)
    with make_sim(noisy(), minibatch_size=2) as sim:
        message = "Nothing has been loaded.\n.*state/streams/0/random"
        with pytest.raises(SimulationError, match=message):
            sim.load_params(tmp_path / "state", include_state=True)
        sim.run_steps(2)


# --- training ---------------------------------------------------------------------

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.03),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "schedule": lambda: keras.optimizers.RMSprop(
        keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    ),
}


def learner(optimizer):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        stimulus = nengo.Node([0.0])
        ens = nengo.Ensemble(6, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(stimulus, ens, synapse=None)
        nengo.Probe(ens)
    sim = make_sim(net, minibatch_size=2)
    sim.compile(optimizer, loss="mse")
    return sim


def train(sim):
    x = np.linspace(-1, 1, 8).reshape(4, 2, 1)
    return sim.fit(x, x**2, epochs=2, shuffle=False, verbose=0).history["loss"]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_goes_on_with_the_optimizer(make, tmp_path):
    with learner(make()) as sim:
        train(sim)
        sim.save_params(tmp_path / "all", include_optimizer=True)
        sim.save_params(tmp_path / "parameters")
        expected = train(sim)
    with learner(make()) as sim:
        sim.load_params(tmp_path / "all", include_optimizer=True)
        np.testing.assert_allclose(train(sim), expected, rtol=1e-12)
    with learner(make()) as sim:
        sim.load_params(tmp_path / "parameters")
        assert not np.allclose(train(sim), expected, rtol=1e-6)


def test_optimizers_that_do_not_fit_change_nothing(tmp_path):
    with learner("adam") as sim:
        train(sim)
        sim.save_params(tmp_path / "adam", include_optimizer=True)
    with learner("sgd") as sim:
        before = train(sim)
        weights = sim.keras_model.get_weights()
        for kwargs, message in (
            ({}, "The file holds the state of this optimizer: pass include_optimizer="),
            ({"include_optimizer": True}, "optimizer/sgd/0' is missing"),
        ):
            with pytest.raises(SimulationError, match=message):
                sim.load_params(tmp_path / "adam", **kwargs)
        assert_same_data(sim.keras_model.get_weights(), weights)
        assert before
    with make_sim(noisy()) as sim:
        with pytest.raises(SimulationError, match="Call Simulator.compile first"):
            sim.save_params(tmp_path / "none", include_optimizer=True)
