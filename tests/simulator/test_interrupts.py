"""What ends a run early leaves time, state and probe data of one moment."""

import os
import signal
import threading

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

from tests import small_networks
from tests.simulator.helpers import data_of, make_sim, random_network

N_STEPS = 120


class Fragile:
    """A function of time (and input) that fails once, at a step of one's choice."""

    def __init__(self, error, step):
        self.error = error
        self.step = step
        self.fails = False

    def __call__(self, t, *x):
        if self.fails and round(t / 0.001) == self.step:
            self.fails = False
            raise self.error
        return np.sin(50 * t) + np.sum(x)


def network(function, size_in):
    """Build random and learning parts around a node."""
    net = random_network()
    with net:
        node = nengo.Node(function, size_in=size_in, size_out=1)
        nengo.Connection(node, net.ensembles[0])
        if size_in:
            nengo.Connection(net.nodes[0], node)
        nengo.Probe(node, sample_every=0.002)
        nengo.Probe(net.learned, "weights")
    return net


def assert_consistent(sim, net):
    """Check that everything is of the same step."""
    assert sim.time == sim.n_steps * sim.dt
    for probe in net.probes:
        every = 1 if probe.sample_every is None else 2
        assert len(sim.data[probe]) == sim.n_steps // every
    assert len(sim.trange()) == sim.n_steps
    if sim.n_steps:
        newest = sim.data[net.probes[-1]][-1]
        np.testing.assert_array_equal(sim.data[net.learned].weights, newest)


# what the function raises, and what comes out of the run
ERRORS = {
    "error": (ZeroDivisionError("no"), SimulationError),
    "ctrl-c": (KeyboardInterrupt(), KeyboardInterrupt),
}


@pytest.fixture(scope="module", params=[0, 1], ids=["source", "function of input"])
def fragile(request):
    function = Fragile(None, None)
    net = network(function, request.param)
    with make_sim(net) as sim:
        sim.run_steps(N_STEPS)
        yield function, net, sim, data_of(sim)


@pytest.mark.parametrize("step", [1, 60, N_STEPS])
@pytest.mark.parametrize("raised, expected", ERRORS.values(), ids=ERRORS)
def test_runs_go_on_after_an_error(fragile, raised, expected, step):
    function, net, sim, whole = fragile
    sim.reset()
    function.error, function.step, function.fails = raised, step, True
    with pytest.raises(expected):
        sim.run_steps(N_STEPS)
    assert sim.n_steps < step
    assert_consistent(sim, net)
    sim.run_steps(N_STEPS - sim.n_steps)
    assert_consistent(sim, net)
    for values, reference in zip(data_of(sim), whole, strict=True):
        np.testing.assert_array_equal(values, reference)


def test_errors_in_runs_that_keep_no_state(fragile):
    function, net, sim, whole = fragile
    sim.reset()
    sim.run_steps(7)
    function.error, function.step, function.fails = KeyboardInterrupt(), 60, True
    with pytest.raises(KeyboardInterrupt):
        sim.run_steps(N_STEPS, stateful=False)
    assert sim.n_steps == 7
    lengths = {len(sim.data[probe]) for probe in net.probes[:3]}
    assert len(lengths) == 1 and lengths.pop() >= 7


@pytest.fixture
def interrupting():
    """Make SIGINT raise, as in a program that runs in the foreground."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("delay", [0.05, 0.3])
@pytest.mark.parametrize("make", [random_network, small_networks.host_nodes])
def test_ctrl_c(make, delay, interrupting):
    net = make()
    with make_sim(net) as sim:
        sim.run_steps(100)  # what follows is compiled
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            sim.run_steps(10_000_000)
        timer.join()
        n_steps = sim.n_steps
        assert 100 <= n_steps < 10_000_000
        assert all(len(sim.data[probe]) == n_steps for probe in net.probes)
        sim.run_steps(25)
        interrupted = data_of(sim)
        sim.reset()
        sim.run_steps(n_steps + 25)
        for values, reference in zip(interrupted, data_of(sim), strict=True):
            np.testing.assert_array_equal(values, reference)
