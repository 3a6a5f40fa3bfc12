import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.builder.processes import SimProcess
from nengo.exceptions import SimulationError, ValidationError
from nengo.processes import (
    BrownNoise,
    FilteredNoise,
    Piecewise,
    PresentInput,
    WhiteNoise,
    WhiteSignal,
)

from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.graph.program import from_model

DT = 0.001


class Counter(nengo.Process):
    """Give 1, 2, 3...; the state is the count."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"count": np.zeros(1)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        count = state["count"]

        def step_counter(t):
            count[...] += 1
            return np.full(shape_out, count)

        return step_counter


class FromFunction(nengo.Process):
    """Give what a function of time gives."""

    def __init__(self, function):
        self.function = function
        super().__init__()

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return self.function


PROCESSES = [
    WhiteNoise(),
    WhiteNoise(seed=3),
    FilteredNoise(seed=4),
    FilteredNoise(),
    BrownNoise(),
    WhiteSignal(0.1, high=50),
    WhiteSignal(0.1, high=50, seed=5),
    PresentInput([[1, 2], [3, 4]], 0.005),
    Piecewise({0.005: [1, 2], 0.01: lambda t: [t, -t]}),
    Counter(),
]


def make(*outputs, minibatch_size=1, dtype="float64", seed=0, **node_args):
    """Return a runner and the feeds of one node for each output."""
    with nengo.Network() as net:
        for output in outputs:
            nengo.Node(output, **node_args)
    model = Model(dt=DT)
    model.build(net)
    program = from_model(model)
    streams = program.streams.with_seed(seed)
    feeds = program.feeds
    return FeedRunner(feeds, DT, minibatch_size, streams, dtype), feeds


def in_chunks(runner, feed, lengths, data=None):
    """Run chunk after chunk; return all values of a feed."""
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    return np.concatenate(
        [
            runner.run(start, length, data)[feed]
            for start, length in zip(starts, lengths, strict=True)
        ]
    )


class Calls:
    """A function of time that counts its calls, and fails once when told to."""

    def __init__(self, error=None, at=None):
        self.times = []
        self.error, self.at = error, at

    def __call__(self, t):
        if self.error is not None and len(self.times) == self.at:
            error, self.error = self.error, None
            raise error
        self.times.append(t)
        return t


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constant(dtype):
    runner, (feed,) = make([1, 0.1], minibatch_size=3, dtype=dtype)
    values = runner.run(0, 1000)[feed]
    assert values.shape == (1000, 1, 2) and values.dtype == dtype
    assert np.all(values == np.array([1, 0.1], dtype=dtype))
    assert values.strides[0] == 0  # no copy for every step


# a function of time and the size of its values
FUNCTIONS = [
    (lambda t: t, 1),
    (np.sin, 1),
    (lambda t: np.float32(t), 1),
    (lambda t: t > 0.002, 1),
    (lambda t: round(1000 * t), 1),
    (lambda t: np.array(t), 1),
    (lambda t: [t, -t], 2),
    (lambda t: np.array([t, 2 * t, 1]), 3),
    (lambda t: np.array([t, 2], dtype=np.float32), 2),
    (lambda t: np.array([1, 2]) * round(1000 * t), 2),
    (lambda t: t, 3),  # the same number everywhere, as in Nengo
    (lambda t: t if t < 0.003 else [t], 1),
    (lambda t: [], 0),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function, size", FUNCTIONS)
def test_function(function, size, dtype):
    runner, (feed,) = make(function, minibatch_size=3, dtype=dtype, size_out=size)
    values = in_chunks(runner, feed, [3, 1, 2])
    expected = np.empty((6, size))
    for i in range(6):
        expected[i] = function((i + 1) * DT)
    assert values.shape == (6, 1, size) and values.dtype == dtype
    np.testing.assert_array_equal(values[:, 0], expected.astype(dtype))


def test_times_are_python_floats_in_absolute_steps():
    calls = Calls()
    runner, _ = make(calls, size_out=1)
    runner.run(1000, 3)
    assert calls.times == [1001 * DT, 1002 * DT, 1003 * DT]
    assert {type(t) for t in calls.times} == {float}


def test_values_are_copied_at_once():
    array = np.zeros(2)

    def function(t):
        array[:] += 1
        return array

    runner, (feed,) = make(function, size_out=2)
    assert runner.run(0, 4)[feed][:, 0].tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]


def test_function_without_output_is_called():
    calls = Calls()
    runner, (feed,) = make(lambda t: calls(t) and None, size_out=0)
    assert runner.run(0, 3)[feed].shape == (3, 1, 0)
    assert len(calls.times) == 3


def test_no_steps():
    calls = Calls()
    runner, feeds = make(calls, [1], WhiteNoise(), size_out=1)
    assert {values.shape[0] for values in runner.run(0, 0).values()} == {0}
    assert calls.times == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_data_replaces_function_and_process(dtype):
    calls = Calls()
    runner, (f_feed, p_feed, c_feed) = make(
        calls, Counter(), [5], minibatch_size=2, dtype=dtype, size_out=1
    )
    x = np.arange(6.0).reshape(2, 3, 1)
    values = runner.run(0, 3, {f.node: x for f in (f_feed, p_feed, c_feed)})
    for feed in (f_feed, p_feed, c_feed):
        assert values[feed].dtype == dtype
        np.testing.assert_array_equal(values[feed], x.swapaxes(0, 1))
    assert calls.times == []
    # the process goes on from where it was
    assert np.all(runner.run(3, 1)[p_feed] == 1)
    assert calls.times == [4 * DT]


@pytest.mark.parametrize("process", PROCESSES)
def test_process_equals_nengo(process):
    with nengo.Network() as net:
        probe = nengo.Probe(nengo.Node(process, size_out=2))
    with nengo.Simulator(net, dt=DT, seed=7, progress_bar=False) as sim:
        sim.run_steps(30)
    runner, (feed,) = make(process, seed=7, size_out=2)
    values = in_chunks(runner, feed, [1, 4, 20, 5])
    np.testing.assert_array_equal(values[:, 0], sim.data[probe])


@pytest.mark.parametrize("process", PROCESSES)
def test_items_differ_where_there_is_no_seed(process):
    runner, (feed,) = make(process, minibatch_size=3, seed=7, size_out=2)
    values = np.broadcast_to(in_chunks(runner, feed, [10, 10]), (20, 3, 2))
    alone, (feed,) = make(process, seed=7, size_out=2)
    np.testing.assert_array_equal(values[:, 0], in_chunks(alone, feed, [20])[:, 0])
    random = type(process) in (WhiteNoise, FilteredNoise, BrownNoise, WhiteSignal)
    for one, other in [(0, 1), (1, 2)]:
        differ = np.any(values[:, one] != values[:, other])
        assert differ == (random and process.seed is None)


def test_ensemble_noise():
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(3, 1, noise=WhiteNoise(seed=1))
    model = Model(dt=DT)
    model.build(net)
    program = from_model(model)
    (feed,) = program.feeds
    assert feed.node is None and type(feed.op) is SimProcess
    runner = FeedRunner([feed], DT, 2, program.streams, "float32")
    assert runner.run(0, 5)[feed].shape == (5, 1, 3)


def test_reset():
    calls = Calls()
    runner, (noise, count, _) = make(
        WhiteNoise(), Counter(), calls, minibatch_size=2, size_out=1
    )
    first = runner.run(0, 5)
    runner.reset()
    again = runner.run(0, 5)
    np.testing.assert_array_equal(first[noise], again[noise])
    np.testing.assert_array_equal(first[count], again[count])
    runner.reset(seed=1)
    assert np.all(runner.run(0, 5)[noise] != first[noise])
    assert len(calls.times) == 15


def test_processes_go_on_when_time_does_not():
    runner, (feed,) = make(Counter())
    runner.run(0, 2)
    assert runner.run(0, 2)[feed].ravel().tolist() == [3, 4]


def test_rewind_gives_the_same_values_again():
    calls = Calls()
    runner, (f_feed, noise) = make(calls, WhiteNoise(), minibatch_size=2, size_out=1)
    expected = make(calls, WhiteNoise(), minibatch_size=2, size_out=1)[0].run(0, 9)
    calls.times.clear()
    runner.run(0, 2)
    runner.run(2, 5)
    runner.rewind()
    runner.rewind()  # nothing more to take back
    values = [runner.run(2, 1), runner.run(3, 6)]
    for feed, other in zip((f_feed, noise), expected.values(), strict=True):
        joined = np.concatenate([v[feed] for v in values])
        np.testing.assert_array_equal(joined, other[2:])
    assert calls.times == [(i + 1) * DT for i in range(9)]


def test_rewound_values_are_dropped_at_another_step_and_by_reset():
    calls = Calls()
    runner, _ = make(calls, size_out=1)
    runner.run(0, 2)
    runner.rewind()
    runner.run(1, 2)
    assert len(calls.times) == 4
    runner.rewind()
    runner.reset()
    runner.run(1, 2)
    assert len(calls.times) == 6


@pytest.mark.parametrize("at", [0, 1, 4])
def test_interrupt_leaves_a_consistent_state(at):
    calls = Calls(KeyboardInterrupt(), at)
    runner, (before, f_feed, after) = make(
        WhiteNoise(), calls, Counter(), minibatch_size=2, size_out=1
    )
    with pytest.raises(KeyboardInterrupt) as excinfo:
        runner.run(0, 5)
    assert excinfo.value.args == ()
    values = runner.run(0, 6)
    assert calls.times == [(i + 1) * DT for i in range(6)]  # each step once
    assert values[f_feed].ravel().tolist() == calls.times
    assert values[after][:, 0].ravel().tolist() == [1, 2, 3, 4, 5, 6]
    expected, (feed, *_) = make(
        WhiteNoise(), Calls(), Counter(), minibatch_size=2, size_out=1
    )
    np.testing.assert_array_equal(values[before], expected.run(0, 6)[feed])


def test_runner_goes_on_after_an_error():
    calls = Calls(ZeroDivisionError("oh"), 3)
    runner, (feed,) = make(calls, size_out=1)
    with pytest.raises(SimulationError):
        runner.run(0, 5)
    assert runner.run(0, 5)[feed].ravel().tolist() == calls.times
    assert len(calls.times) == 5


def late(bad, good=0.0):
    """Return a function that goes bad in the third step."""
    return lambda t: good if t < 0.0025 else bad


# a node's output, its size, and the end of the message
BAD_VALUES = [
    (late(None), 1, "one finite number .*got None of type NoneType at t=0.003"),
    (late("string"), 1, "got 'string' of type str at t=0.003.*Return numbers"),
    (late(["1", "2"], [0, 0]), 2, r"got \['1', '2'\] of type list"),
    (late(1j), 1, "got 1j of type complex"),
    (late(object()), 1, "got <object .* of type object"),
    (late([None, 1], [0, 0]), 2, r"got \[None, 1\] of type list at t=0.003"),
    (
        late(10**400),
        1,
        "got a number of type int beyond .* at t=0.003.. Return smaller",
    ),
    (late(np.nan), 1, r"got \[nan\] in float32 at t=0.003.*divisions by zero"),
    (late(np.array([1, np.inf]), [0, 0]), 2, r"got \[1.0, inf\] in float32 at t=0.003"),
    (late(1e300), 1, r"got \[inf\] in float32 at t=0.003.. Look for div.*overflows"),
    (late(np.ones(3), np.ones(2)), 2, r"got array\(.*\) of type ndarray.*shape \(2,\)"),
    (late([[1, 2], [3]], [0, 0]), 2, r"of type list at t=0.003.*shape \(2,\)"),
    (FromFunction(late(None)), 1, "one finite number .*got None"),
    (FromFunction(late(np.nan)), 1, "one finite number .*got .nan."),
]


@pytest.mark.parametrize("output, size, message", BAD_VALUES)
def test_bad_values(output, size, message):
    runner, (feed,) = make(output, dtype="float32", size_out=size, label="bad")
    with pytest.raises(
        SimulationError, match=f"Node 'bad': output must be .*{message}"
    ):
        runner.run(0, 10)
    assert runner.run(0, 2)[feed].shape == (2, 1, size)  # what came before is kept


def test_errors_name_unlabelled_sources():
    runner, (feed,) = make(late(None), size_out=1)
    with pytest.raises(SimulationError, match="^<Node .unlabeled. at 0x.*>: output"):
        runner.run(0, 10)
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(3, 1, noise=FromFunction(late(np.full(3, np.nan))), label="e")
    model = Model(dt=DT)
    model.build(net)
    program = from_model(model)
    runner = FeedRunner(program.feeds, DT, 1, program.streams, "float32")
    with pytest.raises(SimulationError, match="FromFunction.* for .*: output must be"):
        runner.run(0, 10)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("oh"), OverflowError("oh"), ValueError("oh")]
)
@pytest.mark.parametrize("as_process", [False, True])
def test_exceptions_of_functions(error, as_process):
    def function(t):
        if t > 0.0025:
            raise error
        return 0.0

    output = FromFunction(function) if as_process else function
    runner, _ = make(output, size_out=1, label="bad")
    name = type(error).__name__
    message = f"Node 'bad': .*without an error .*got {name}: oh at t=0.003.*Correct"
    with pytest.raises(SimulationError, match=message) as excinfo:
        runner.run(0, 10)
    assert excinfo.value.__cause__ is error
    assert excinfo.value.__cause__.__traceback__.tb_next.tb_frame.f_code.co_name in (
        "function"
    )


def test_errors_of_make_step_come_at_once():
    with pytest.raises(ValidationError, match="Nyquist"):
        make(WhiteSignal(1, high=1000), size_out=1)
