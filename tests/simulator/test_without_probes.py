"""Networks without probes, which are run for what their functions do."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

import nengo_dl
from tests.simulator.helpers import make_sim

N_STEPS = 4


def recorder(with_input):
    """Build a network that notes what comes through it."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.seen = []
        stimulus = nengo.Node([0.0] if with_input else lambda t: t)
        end = nengo.Node(lambda t, x: net.seen.append(float(x[0])), size_in=1)
        nengo.Connection(stimulus, end, synapse=None)
    net.seen.clear()  # Nengo has tried the function out
    return net


METHODS = {
    "run_steps": lambda sim, x: sim.run_steps(N_STEPS, data=x),
    "predict": lambda sim, x: sim.predict(x, n_steps=N_STEPS, verbose=0),
    "predict_on_batch": lambda sim, x: sim.predict_on_batch(x, n_steps=N_STEPS),
}


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("minibatch_size", [None, 2])
@pytest.mark.parametrize("with_input", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_networks_without_probes_run(method, with_input, minibatch_size):
    net = recorder(with_input)
    n_items = minibatch_size or 1
    x = np.random.RandomState(0).uniform(size=(n_items, N_STEPS, 1))
    times = np.arange(1, N_STEPS + 1) * 0.001
    want = x if with_input else np.tile(times[None, :, None], (n_items, 1, 1))
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        result = METHODS[method](sim, x if with_input else None)
        assert not result
        assert result == {} or method == "run_steps"
        assert sim.n_steps == (N_STEPS if method == "run_steps" else 0)
    np.testing.assert_allclose(net.seen, want.swapaxes(0, 1).ravel(), rtol=1e-6)


def test_networks_without_python_or_probes_run():
    with nengo.Network(seed=0) as net:
        nengo.Connection(nengo.Node([1.0]), nengo.Ensemble(3, 1))
    with make_sim(net) as sim:
        sim.run_steps(3)
        assert sim.predict(np.ones((2, 5, 1)), stateful=True, verbose=0) == {}
        assert sim.n_steps == 13


def test_networks_without_anything_run():
    with make_sim(nengo.Network(seed=0)) as sim:
        sim.run_steps(3)
        assert sim.predict(n_steps=2, verbose=0) == {}


def test_training_needs_probes():
    with make_sim(recorder(True)) as sim:
        with pytest.raises(SimulationError, match="Add a nengo.Probe"):
            sim.compile("sgd", loss="mse")
