"""Runs: how long, from which state, with which data, and at what times."""

import warnings

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError
from nengo.utils.progress import ProgressBar

import nengo_dl
from nengo_dl.simulator.pace import FIRST_STEPS
from tests import small_networks
from tests.simulator.helpers import assert_same_data, data_of, filtered, make_sim, relay

# --- running ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "seconds, n_steps", [(0.01, 10), (0.0106, 11), (0.0004, 0), (0, 0), (0.003, 3)]
)
def test_run_rounds_to_steps(seconds, n_steps):
    with make_sim(relay()) as sim:
        if n_steps == 0:
            with pytest.warns(
                UserWarning, match=r"0 time steps of dt=0.001: nothing is"
            ):
                sim.run(seconds)
        else:
            sim.run(seconds, progress_bar=False)
        assert sim.n_steps == n_steps


def test_no_steps():
    with make_sim(relay()) as sim:
        sim.run_steps(2)
        before = data_of(sim)
        with pytest.warns(UserWarning, match="n_steps=0: nothing is run"):
            sim.run_steps(0)
        assert sim.n_steps == 2
        assert_same_data(data_of(sim), before)


def test_a_step_is_a_run_of_one():
    net = filtered()
    data = {net.nodes[0]: np.full((1, 1, 1), 2.0)}
    with make_sim(net) as sim, make_sim(net) as expected:
        sim.step()
        sim.step(data=data)
        sim.step()
        expected.run_steps(1)
        expected.run_steps(1, data=data)
        expected.run(0.001)
        assert sim.n_steps == 3
        assert_same_data(data_of(sim), data_of(expected))


def test_runs_continue_and_accumulate():
    net = small_networks.learning()
    with make_sim(net) as sim:
        sim.run_steps(60)
        expected = data_of(sim)
        sim.reset()
        for n_steps in (1, 20, 39):
            sim.run_steps(n_steps)
            assert [len(x) for x in data_of(sim)] == [sim.n_steps] * 3
        assert_same_data(data_of(sim), expected)


@pytest.mark.parametrize("stateful", [True, False])
def test_state_is_kept_if_asked_to(stateful):
    net = filtered()
    with make_sim(net) as sim:
        sim.run_steps(5, stateful=stateful)
        assert sim.n_steps == (5 if stateful else 0)
        sim.run_steps(5)
        first, second = np.split(sim.data[net.probes[0]], 2)
        assert len(first) == 5
        assert np.array_equal(first, second) != stateful
        assert (second[0] > first[-1]).all() == stateful


def test_time_goes_back_if_the_state_does():
    net = relay()
    with make_sim(net) as sim:
        sim.run_steps(2)
        sim.run_steps(3, stateful=False)
        sim.run_steps(2)
        times = sim.data[net.probes[0]][:, 0] / 10
    np.testing.assert_allclose(
        times, 0.001 * np.array([1, 2, 3, 4, 5, 3, 4]), rtol=1e-5
    )
    assert sim.n_steps == 4


def test_learned_weights_stay_if_the_state_does_not():
    net = small_networks.learning()
    conn, post = net.connections[1], net.ensembles[1]
    with make_sim(net) as sim:
        initial = sim.data[conn].weights
        sim.run_steps(20, stateful=False)
        learned = sim.data[conn].weights
        assert not np.allclose(learned, initial)
        np.testing.assert_array_equal(learned, sim.data[net.probes[1]][-1])
        np.testing.assert_array_equal(
            sim.data[post].scaled_encoders, sim.data[net.probes[2]][-1]
        )
        sim.run_steps(1)
        assert np.abs(sim.data[conn].weights - learned).max() < 1e-4
        sim.reset()
        np.testing.assert_array_equal(sim.data[conn].weights, initial)


@pytest.mark.parametrize(
    "make, n_steps, stateful, warns",
    [
        (filtered, 1, False, True),
        (filtered, 1, True, False),
        (filtered, 2, False, False),
        (relay, 1, False, False),
        (lambda: filtered(stateful=False), 1, True, True),
    ],
)
def test_single_steps_without_state_do_not_pass_synapses(
    make, n_steps, stateful, warns
):
    message = "One step with stateful=False.*<Connection from.*Run more steps"
    with make_sim(make()) as sim, warnings.catch_warnings():
        warnings.simplefilter("error")
        if warns:
            with pytest.warns(UserWarning, match=message):
                sim.run_steps(n_steps, stateful=stateful)
        else:
            sim.run_steps(n_steps, stateful=stateful)


def test_networks_without_state():
    net = filtered(stateful=False)
    with make_sim(net) as sim:
        assert not sim.stateful
        sim.run_steps(4)
        assert sim.n_steps == 0
        sim.run_steps(4)
        first, second = np.split(sim.data[net.probes[0]], 2)
        np.testing.assert_array_equal(first, second)


def test_networks_without_loop():
    net = filtered(use_loop=False)
    with make_sim(net, unroll_simulation=5) as sim:
        for run in (lambda: sim.run_steps(4), lambda: sim.run(0.006), sim.step):
            with pytest.raises(ValidationError, match="must equal unroll_simulation=5"):
                run()
        assert sim.n_steps == 0
        sim.run_steps(5)
        sim.run(0.005)
        with make_sim(filtered()) as expected:
            expected.run_steps(10)
        assert_same_data(data_of(sim), data_of(expected), rtol=1e-6)


def test_functions_of_time_are_called_once_per_step():
    calls = []
    net = relay(lambda t: calls.append(t), lambda t: t, lambda t: calls.append(-t))
    calls.clear()
    with make_sim(net, minibatch_size=2) as sim:
        sim.run_steps(70)
        sim.run_steps(3)
    times = 0.001 * np.arange(1, 74)
    np.testing.assert_allclose([t for t in calls if t > 0], times)
    np.testing.assert_allclose([-t for t in calls if t < 0], times)


def test_sources_without_input_run_in_a_network_of_nothing_else():
    with make_sim(small_networks.empty()) as sim:
        sim.run_steps(3)
        assert sim.n_steps == 3
        assert list(sim.data) == [sim.model.toplevel]


# --- progress ---------------------------------------------------------------------


class Bar(ProgressBar):
    """Note what is shown."""

    def __init__(self):
        self.shown = []

    def update(self, progress):
        self.shown.append((progress.name_during, progress.n_steps, progress.max_steps))

    def close(self):
        self.shown.append("closed")


def test_progress_of_builds_and_runs():
    default, other = Bar(), Bar()
    with make_sim(filtered(), progress_bar=default) as sim:
        assert sim.progress_bar is default
        building = default.shown[-2]
        assert building[0] == "Building" and building[1] == building[2] > 1
        assert default.shown[-1] == "closed"
        default.shown.clear()
        sim.run_steps(120)
        assert default.shown[-2:] == [("Simulating", 120, 120), "closed"]
        default.shown.clear()
        sim.run(0.01, progress_bar=other)
        sim.run_steps(10, progress_bar=False)
        sim.step()
        assert not default.shown
        assert other.shown[-2:] == [("Simulating", 10, 10), "closed"]
        sim.step(progress_bar=other)
        assert other.shown[-2:] == [("Simulating", 1, 1), "closed"]


def test_all_steps_of_a_network_without_loop_run_at_once():
    bar, n_steps = Bar(), FIRST_STEPS + 10
    with make_sim(filtered(use_loop=False), unroll_simulation=n_steps) as sim:
        sim.run_steps(n_steps, progress_bar=bar)
    done = [n for name, n, _ in bar.shown[:-1] if name == "Simulating" and n]
    assert set(done) == {n_steps}


# --- data for input nodes ---------------------------------------------------------

X, Y = np.arange(12.0).reshape(2, 3, 2), -np.arange(6.0).reshape(2, 3, 1)
N = np.full((2, 1), 3)
# from the two input nodes to the data, and whether the first and second is given
FORMS = {
    "nothing": (lambda a, b: None, False, False),
    "objects": (lambda a, b: {a: X, b: Y}, True, True),
    "names": (lambda a, b: {"stimulus": X, "node": Y}, True, True),
    "mixed": (lambda a, b: {b: Y, "stimulus": X}, True, True),
    "first": (lambda a, b: {a: X}, True, False),
    "second": (lambda a, b: {"node": Y}, False, True),
    "steps": (lambda a, b: {"node": Y, "n_steps": N}, False, True),
    "list": (lambda a, b: [X, Y], True, True),
    "tuple": (lambda a, b: (X, Y, N), True, True),
    "tensors": (lambda a, b: {a: tf.constant(X), b: tf.constant(Y)}, True, True),
    "integers": (lambda a, b: {a: X.astype(int)}, True, False),
}


@pytest.fixture(scope="module")
def two_inputs():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node([100.0, 200.0], label="stimulus")
        net.b = nengo.Node(lambda t: t)
        nengo.Node(size_in=1)
        net.probes_of = nengo.Probe(net.a), nengo.Probe(net.b)
    with make_sim(net, minibatch_size=2) as sim:
        yield net, sim


@pytest.mark.parametrize("form, first, second", FORMS.values(), ids=FORMS)
def test_forms_of_data(two_inputs, form, first, second):
    net, sim = two_inputs
    sim.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sim.run_steps(3, data=form(net.a, net.b))
    a, b = (sim.data[probe] for probe in net.probes_of)
    times = 0.001 * np.broadcast_to(np.arange(1, 4)[:, None], (2, 3, 1))
    np.testing.assert_allclose(a, X if first else np.tile([100.0, 200.0], (2, 3, 1)))
    np.testing.assert_allclose(b, Y if second else times, rtol=1e-6)


@pytest.mark.parametrize("data", [X, [X], tf.constant(X)])
def test_one_array_goes_to_the_first_node(two_inputs, data):
    net, sim = two_inputs
    sim.reset()
    with pytest.warns(UserWarning, match="one array for each of the 2 input nodes"):
        sim.run(0.003, data=data)
    np.testing.assert_array_equal(sim.data[net.probes_of[0]], X)


def test_data_is_for_one_run(two_inputs):
    net, sim = two_inputs
    sim.reset()
    sim.run_steps(3, data={net.b: Y})
    sim.run_steps(2)
    values = sim.data[net.probes_of[1]]
    np.testing.assert_array_equal(values[:, :3], Y)
    np.testing.assert_allclose(values[0, 3:, 0], [0.004, 0.005], rtol=1e-6)


def test_data_of_long_runs_is_cut_into_chunks():
    net = relay()
    data = np.random.RandomState(0).uniform(size=(1, 2345, 1)).astype(np.float32)
    with make_sim(net) as sim:
        sim.run_steps(2345, data={net.nodes[0]: data})
        np.testing.assert_array_equal(sim.data[net.probes[0]], data[0])


# --- times and names --------------------------------------------------------------


@pytest.mark.parametrize("sample_every", [None, 0.001, 0.002, 0.003, 0.005, 0.02])
@pytest.mark.parametrize("dt", [0.001, 0.0005])
def test_times(sample_every, dt):
    net = relay(lambda t: t)
    net.probes[0].sample_every = sample_every
    with (
        make_sim(net, dt=dt) as sim,
        nengo.Simulator(net, dt=dt, progress_bar=False) as reference,
    ):
        sim.run_steps(23)
        reference.run_steps(23)
    times = sim.trange(sample_every=sample_every)
    np.testing.assert_allclose(times, reference.trange(sample_every=sample_every))
    np.testing.assert_allclose(sim.data[net.probes[0]][:, 0], times, rtol=1e-5)


@pytest.mark.parametrize("sample_every", [0.0015, 0.0001, 0.0033])
def test_times_of_periods_that_are_no_whole_steps(sample_every):
    net = relay(lambda t: t)
    net.probes[0].sample_every = sample_every
    with make_sim(net) as sim:
        sim.run_steps(23)
    data = sim.data[net.probes[0]][:, 0]
    np.testing.assert_allclose(data, sim.trange(sample_every), rtol=1e-5)


def test_times_before_the_first_run():
    with make_sim(relay()) as sim:
        assert sim.trange().shape == (0,)


def test_the_old_name_of_the_sampling_period():
    with make_sim(relay()) as sim:
        sim.run_steps(9)
        with pytest.warns(DeprecationWarning, match="Use `sample_every`"):
            times = sim.trange(dt=0.003)
        np.testing.assert_allclose(times, [0.003, 0.006, 0.009])
        with pytest.raises(
            ValidationError, match="got 0.003 and 0.002.*`sample_every`"
        ):
            sim.trange(sample_every=0.002, dt=0.003)
