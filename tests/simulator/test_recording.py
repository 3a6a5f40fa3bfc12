"""What is kept of a run: the probes' samples, and nothing else."""

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.engine.values import Values
from nengo_dl.graph.kept import Every, Last
from nengo_dl.graph.nengo_model import build_model
from nengo_dl.graph.program import from_model
from nengo_dl.simulator.recording import Recording
from tests.simulator.helpers import make_sim, relay

with nengo.Network():
    NODE = nengo.Node([0.0])
    EVERY, SECOND, ODD, LAST = (nengo.Probe(NODE) for _ in range(4))
KEPT = {
    EVERY: Every(),
    SECOND: Every(period=2),
    ODD: Every(period=3.3),
    LAST: Last(),
}
N_STEPS = 12
ROWS = np.arange(N_STEPS * 2.0).reshape(N_STEPS, 2, 1)
STEPS = np.arange(N_STEPS) + 1
# ways to cut a run into chunks
CUTS = [(12,), (1,) * 12, (5, 7), (1, 11), (11, 1), (3, 1, 4, 4)]


def record(recording, n_steps):
    """Extend a recording as a run of the engine would."""
    start = recording.values.n_steps
    rows = ROWS[start : start + n_steps]
    outputs = {EVERY: rows, SECOND: rows, ODD: rows, LAST: rows[-1:]}
    values = Values((), (), start + n_steps)
    return recording.extended(values, outputs, KEPT)


@pytest.mark.parametrize("merge_often", [False, True])
@pytest.mark.parametrize("chunks", CUTS, ids=str)
def test_samples_do_not_depend_on_chunks(chunks, merge_often):
    recording = Recording(Values((), ()))
    for n_steps in chunks:
        recording = record(recording, n_steps)
        if merge_often:
            recording = recording.merged()
    recording = recording.merged()
    assert recording.values.n_steps == N_STEPS
    expected = {
        EVERY: ROWS,
        SECOND: ROWS[STEPS % 2 == 0],
        ODD: ROWS[STEPS % 3.3 < 1],
        LAST: ROWS[-1:],
    }
    for probe, rows in expected.items():
        np.testing.assert_array_equal(recording.outputs(probe), rows)


def test_recordings_are_values():
    empty = Recording(Values((), ()))
    assert empty.merged() is empty
    assert empty.outputs(EVERY) is None
    first = record(empty, 5)
    assert first.merged() is first
    second = record(first, 7)
    assert empty.chain is None and len(first.outputs(EVERY)) == 5
    assert len(second.merged().outputs(EVERY)) == N_STEPS
    with pytest.raises(AttributeError):
        first.values = None


def test_recordings_do_not_hold_the_engine_buffers():
    buffer = np.zeros((1000, 2, 1))
    outputs = {EVERY: buffer[:3], LAST: buffer[2:3]}
    recording = Recording(Values((), ())).extended(Values((), (), 3), outputs, KEPT)
    for probe in (EVERY, LAST):
        assert recording.outputs(probe).base is None


@pytest.mark.parametrize(
    "period, kept",
    [
        (None, [1, 2, 3, 4, 5, 6]),
        (0.001, [1, 2, 3, 4, 5, 6]),
        (0.0005, [1, 2, 3, 4, 5, 6]),
        (0.002, [2, 4, 6]),
        (0.0025, [3, 5]),
        (0.006, [6]),
        (0.1, []),
    ],
)
def test_sampling_periods(period, kept):
    with nengo.Network() as net:
        probe = nengo.Probe(nengo.Node([0.0]), sample_every=period)
    program = from_model(build_model(net, 0.001, "float64", progress_bar=False))
    steps = np.arange(1, 7)
    assert program.kept[probe].recorded(steps, first_step=1).tolist() == kept


@pytest.mark.parametrize("period", [0.001, 0.002, 0.003, 0.0025, 0.004, 0.1])
def test_samples_are_those_of_nengo(period):
    net = relay(lambda t: t)
    net.probes[0].sample_every = period
    with make_sim(net) as sim, nengo.Simulator(net, progress_bar=False) as reference:
        for n_steps in (1, 10, 9):
            sim.run_steps(n_steps)
            reference.run_steps(n_steps)
        expected = np.reshape(reference.data[net.probes[0]], (-1, 1))
        np.testing.assert_allclose(sim.data[net.probes[0]], expected, rtol=1e-6)


def test_samples_continue_over_runs_and_begin_again_after_a_reset():
    net = relay(lambda t: t)
    (probe,) = net.probes
    probe.sample_every = 0.003
    with make_sim(net) as sim:
        for _ in range(4):
            sim.run_steps(2)
        np.testing.assert_allclose(sim.data[probe][:, 0], [0.003, 0.006], rtol=1e-6)
        sim.reset()
        sim.run_steps(2)
        assert sim.data[probe].shape == (0, 1)
        sim.step()
        np.testing.assert_allclose(sim.data[probe], [[0.003]], rtol=1e-6)


@pytest.mark.parametrize("minibatch_size", [None, 2])
def test_only_the_last_step_is_kept(minibatch_size):
    net = relay(lambda t: t, lambda t: [t, -t])
    with net:
        nengo_dl.configure_settings(keep_history=True)
    first, second = net.probes
    net.config[second].keep_history = False
    second.sample_every = 0.002
    lead = () if minibatch_size is None else (minibatch_size,)
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        n_steps = 0
        for more in (1, 1, 99, 1000):  # in one or in several chunks
            sim.run_steps(more)
            n_steps += more
            assert sim.data[first].shape == (*lead, n_steps, 1)
            assert sim.data[second].shape == (*lead, 1, 2)
            np.testing.assert_allclose(
                np.broadcast_to([0.001 * n_steps, -0.001 * n_steps], (*lead, 1, 2)),
                sim.data[second],
                rtol=1e-5,
            )
        sim.reset(include_probes=False)
        np.testing.assert_allclose(sim.data[second][..., 0, 0], 1.101, rtol=1e-5)
        sim.clear_probes()
        assert len(sim.data[second]) == 0


def test_long_runs_of_probes_without_history_hold_no_data():
    net = relay(lambda t: t, keep_history=False)
    with make_sim(net) as sim:
        sim.run_steps(2000)
        recording = sim.recording
        assert all(len(rows) == 1 for rows in recording.newest.values())
        assert recording.chain is None or not recording.chain[0]
