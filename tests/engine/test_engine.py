import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, SimulationError

from nengo_dl.engine import loops
from nengo_dl.engine.engine import MAX_CHUNK_BYTES, MAX_CHUNK_STEPS, Engine
from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.engine.shared_functions import SHARED
from nengo_dl.graph.kept import Last
from nengo_dl.graph.program import from_model
from nengo_dl.settings import Settings
from tests import small_networks
from tests.graph.interpreter import build

N_STEPS = 20


def poisson():
    """Build neurons that draw random numbers in every step."""
    with nengo.Network(seed=10) as net:
        ens = nengo.Ensemble(
            6, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate(), amplitude=0.1)
        )
        nengo.Connection(nengo.Node([0.5]), ens)
        nengo.Connection(ens.neurons, ens.neurons, transform=-0.01)
        nengo.Probe(ens.neurons)
    return net


class Run:
    """An engine together with what feeds it."""

    def __init__(self, net, minibatch_size=1, dtype="float64", seed=0, **kwargs):
        SHARED.clear()  # traces are counted
        settings = Settings(dtype=dtype, jit_compile=kwargs.pop("jit_compile", "auto"))
        self.net = net
        self.model = build(net)
        program = from_model(self.model).replace(**kwargs.pop("program", {}))
        self.engine = Engine(
            program, settings, dt=0.001, minibatch_size=minibatch_size, **kwargs
        )
        streams = program.streams.with_seed(seed)
        self.feeds = FeedRunner(program.feeds, 0.001, minibatch_size, streams, dtype)
        self.seed = seed
        self.restart()

    def restart(self):
        """Go back to the start."""
        self.values = self.engine.values.initial()
        self.feeds.reset()
        self.engine.reset(self.seed)

    def __call__(self, *numbers_of_steps, data=None):
        """Run steps; return the outputs of all probes."""
        outputs = []
        start = 0
        for n_steps in numbers_of_steps:
            chunk = {
                node: x[:, start : start + n_steps] for node, x in (data or {}).items()
            }
            feeds = self.feeds.run(self.values.n_steps, n_steps, chunk)
            self.values, new = self.engine.run(self.values, feeds, n_steps, self.seed)
            outputs.append(new)
            start += n_steps
        return {
            probe: np.concatenate([new[probe] for new in outputs])
            for probe in self.net.all_probes
        }

    @property
    def n_traces(self):
        """Number of times that the loop has been traced."""
        return self.engine.loop.function.experimental_get_tracing_count()


def assert_same(actual, expected, **tolerance):
    assert list(actual) == list(expected)
    for probe, values in expected.items():
        if tolerance:
            np.testing.assert_allclose(actual[probe], values, **tolerance)
        else:
            np.testing.assert_array_equal(actual[probe], values)


# --- one compiled function for every number of steps ------------------------------


def test_a_new_number_of_steps_never_recompiles():
    run = Run(small_networks.feedforward(), minibatch_size=2)
    run(3)
    assert run.n_traces == 1
    run(1, 2, 17, run.engine.chunk)
    run.restart()
    run(5)
    assert run.n_traces == 1


CHUNKS = [(1,) * N_STEPS, (7, 6, 7), (1, 19), (19, 1)]
CHUNKED = [
    small_networks.learning,
    small_networks.noise,
    small_networks.host_nodes,
    poisson,
]


@pytest.mark.parametrize("make", CHUNKED)
def test_chunks_do_not_change_results(make):
    run = Run(make(), minibatch_size=2)
    expected = run(N_STEPS)
    final = run.values
    for chunks in CHUNKS:
        run.restart()
        assert_same(run(*chunks), expected)
        assert run.values.n_steps == final.n_steps == N_STEPS
        for one, other in zip(run.values.state, final.state, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "make, jit_compile",
    [
        (small_networks.learning, "auto"),
        (small_networks.learning, False),
        (small_networks.host_nodes, "auto"),
    ],
)
def test_unrolling_does_not_change_results(make, jit_compile):
    net = make()
    expected = Run(net)(N_STEPS)
    run = Run(net, unroll=3, jit_compile=jit_compile)
    assert_same(run(N_STEPS), expected, rtol=1e-9, atol=1e-12)
    run.restart()
    assert_same(run(1, 2, 3, 4, 10), expected, rtol=1e-9, atol=1e-12)
    if not run.engine.calls_python:
        assert run.n_traces == 1


@pytest.mark.parametrize("make", [*CHUNKED[:2], *CHUNKED[3:]])
def test_shorter_loops_are_compiled_when_they_pay(make, monkeypatch):
    """What they have cost until then is that of the first compilation."""
    run = Run(make(), minibatch_size=2)
    expected = run(N_STEPS)
    run.restart()
    run(*[1] * N_STEPS)
    assert run.engine.loops.lengths == [run.engine.chunk]
    monkeypatch.setattr(loops, "_SECONDS_PER_BYTE", 1e6)
    for chunks, lengths in (((1,) * 20, [10]), ((12, 8), [10, 100])):
        for _ in range(2):  # the first call compiles, at its end
            run.restart()
            assert_same(run(*chunks), expected)
        assert set(lengths) <= set(run.engine.loops.lengths)


def test_host_functions_run_once_per_step_when_unrolled():
    calls = []
    with nengo.Network() as net:
        node = nengo.Node(lambda t, x: calls.append(t), size_in=1, size_out=0)
        nengo.Connection(nengo.Node([1]), node, synapse=None)
    Run(net, unroll=4)(10)
    np.testing.assert_allclose(calls, 0.001 * np.arange(1, 11))


@pytest.mark.parametrize("n_values", [1, 100, 10_000_000])
def test_chunks_are_bounded(n_values):
    """Buffers fit into the bound, but there is room for a step whatever its size."""
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(min(n_values, 50_000)))
        if n_values > 1:
            nengo.Probe(node)
    engine = Run(net, minibatch_size=max(1, n_values // 50_000)).engine
    assert 1 <= engine.chunk <= MAX_CHUNK_STEPS
    if n_values == 1:
        assert engine.chunk == MAX_CHUNK_STEPS
    if n_values == 10_000_000:
        assert engine.chunk == 1 and n_values * 8 > MAX_CHUNK_BYTES


# --- minibatches ------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [small_networks.feedforward, small_networks.learning, small_networks.host_nodes],
)
def test_minibatch_items_are_independent(make):
    net = make()
    (node,) = (n for n in net.all_nodes if n.size_in == 0)
    data = np.random.RandomState(0).uniform(-1, 1, (3, N_STEPS, node.size_out))
    batched = Run(net, minibatch_size=3)(N_STEPS, data={node: data})
    single = Run(net)
    for i in range(3):
        single.restart()
        alone = single(N_STEPS, data={node: data[i : i + 1]})
        for probe, values in alone.items():
            np.testing.assert_allclose(
                batched[probe][:, i], values[:, 0], rtol=1e-9, atol=1e-12
            )


def test_random_streams_differ_between_items():
    outputs = Run(poisson(), minibatch_size=3)(N_STEPS)
    (values,) = outputs.values()
    assert not np.array_equal(values[:, 0], values[:, 1])
    assert not np.array_equal(values[:, 1], values[:, 2])


def test_parameters_are_shared_by_all_items():
    with nengo.Network(seed=0) as net:
        ens = nengo.Ensemble(4, 1)
        conn = nengo.Connection(ens, nengo.Node(size_in=1))
        probes = nengo.Probe(conn, "weights"), nengo.Probe(ens.neurons)
    run = Run(net, minibatch_size=3)
    outputs = run(5)
    assert outputs[probes[0]].shape == (5, 1, 1, 4)
    assert outputs[probes[1]].shape == (5, 3, 4)
    assert all(x.shape[1] == 1 for x in run.values.params)
    assert all(x.shape[1] == 3 for x in run.values.state)


# --- what is compiled -------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        small_networks.learning,
        small_networks.sparse,
        small_networks.host_nodes,
        poisson,
    ],
)
def test_compiling_does_not_change_results(make):
    net = make()
    run = Run(net, jit_compile=False)
    assert not run.engine.jit_compile
    expected = run(N_STEPS)
    choices = ["auto"] if make is small_networks.host_nodes else ["auto", True]
    for jit_compile in choices:
        run = Run(net, jit_compile=jit_compile)
        if jit_compile is True:
            assert run.engine.jit_compile
        assert_same(run(N_STEPS), expected, rtol=1e-9, atol=1e-12)


def test_python_cannot_be_compiled():
    with nengo.Network() as net:
        nengo.Node(lambda t, x: x, size_in=1, label="controller")
    message = "jit_compile=True.*<Node 'controller'> calls a Python.*Set jit_.*auto"
    with pytest.raises(BuildError, match=message):
        Run(net, jit_compile=True)


def test_kinds_of_runs_are_told_apart_in_the_log(caplog):
    with caplog.at_level("INFO", "nengo_dl"):
        Run(small_networks.feedforward())
        Run(small_networks.host_nodes())
        Run(small_networks.feedforward(), jit_compile=False)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3
    assert "whole loop is compiled with XLA" in messages[0]
    assert "segments only" in messages[1] and "calls a Python function" in messages[1]
    assert "XLA is turned off" in messages[2]


# --- Python functions -------------------------------------------------------------


@pytest.mark.parametrize("jit_compile", ["auto", False])
def test_host_functions_get_one_item_at_a_time(jit_compile):
    calls = []

    def first(t, x):
        calls.append((t, x.copy()))
        x[...] = 99  # the argument is a copy
        return [t, calls[-1][1].sum()]

    with nengo.Network() as net:
        source = nengo.Node([0, 0])
        node = nengo.Node(first, size_in=2, size_out=2)
        nengo.Connection(source, node, synapse=None)
        probes = nengo.Probe(node), nengo.Probe(source)
    data = np.arange(12.0).reshape(2, 3, 2)
    run = Run(net, minibatch_size=2, jit_compile=jit_compile)
    outputs = run(3, data={source: data})
    assert len(calls) == 6
    for step in range(3):
        for item in range(2):
            t, x = calls[2 * step + item]
            assert isinstance(t, float) and x.shape == (2,) and x.flags.owndata
            np.testing.assert_array_equal(x, data[item, step])
            np.testing.assert_allclose(
                outputs[probes[0]][step, item], [0.001 * (step + 1), x.sum()]
            )
    np.testing.assert_array_equal(outputs[probes[1]], data.swapaxes(0, 1))


@pytest.mark.parametrize("jit_compile", ["auto", False])
def test_functions_without_output_are_called_once_per_step(jit_compile):
    calls = []
    with nengo.Network() as net:
        a, b = nengo.Node(lambda t: 10 * t), nengo.Node(size_in=1)
        node = nengo.Node(
            lambda t, x: calls.append((t, *x)), size_in=1, size_out=0, label="sink"
        )
        nengo.Connection(a, b, synapse=None)
        nengo.Connection(b, node, synapse=None)
    run = Run(net, jit_compile=jit_compile)
    run(3, 1)
    times = 0.001 * np.arange(1, 5)
    np.testing.assert_allclose(calls, np.stack([times, 10 * times], axis=1))


def failing(at):
    def function(t, x):
        if t > at:
            raise ZeroDivisionError("no more")
        return x

    with nengo.Network() as net:
        node = nengo.Node(function, size_in=1, label="fragile")
        relay = nengo.Node(size_in=1)
        nengo.Connection(nengo.Node(lambda t: 100 * t), node, synapse=None)
        nengo.Connection(node, relay, synapse=0.005)
        nengo.Probe(relay)
    return net


def test_errors_of_functions_surface():
    run = Run(failing(at=0.0045))
    run(3)
    before = run.values
    message = "fragile.*expected the function to return.*ZeroDivisionError: no more"
    with pytest.raises(SimulationError, match=message) as info:
        run(5)
    assert isinstance(info.value.__cause__, ZeroDivisionError)
    frames = [entry.name for entry in info.traceback]
    assert info.value.__cause__.__traceback__ is not None and frames
    run.values = before  # still valid
    run.feeds.rewind()
    assert run(1)[run.net.probes[0]].shape == (1, 1, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_requests_to_stop_are_no_simulation_errors(error):
    def function(t, x):
        raise error

    with nengo.Network() as net:
        nengo.Node(function, size_in=1, size_out=1)
    with pytest.raises(error):
        Run(net)(2)


# --- values -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initial_values_are_those_of_the_build(dtype):
    net = small_networks.learning()
    run = Run(net, minibatch_size=2, dtype=dtype)
    learned = run.model.sig[net.connections[1]]["weights"]
    encoders = run.model.sig[net.ensembles[0]]["encoders"]
    current = run.model.sig[net.ensembles[0]]["in"]
    for signal, batch in ((learned, 2), (encoders, 1)):
        value = run.engine.values.get(run.values, signal)
        assert value.dtype == dtype and value.shape == (batch, *signal.shape)
        for item in value:
            np.testing.assert_allclose(item, signal.initial_value, rtol=1e-6)
    assert run.engine.values.get(run.values, current) is None


def test_learned_parameters_can_be_carried_over():
    net = small_networks.learning()
    run = Run(net)
    learned = run.model.sig[net.connections[1]]["weights"]
    voltage = run.model.sig[net.ensembles[0].neurons]["voltage"]
    run(10)
    initial = run.engine.values.initial()
    kept = run.engine.values.with_params(initial, run.values)
    get = run.engine.values.get
    np.testing.assert_array_equal(get(kept, learned), get(run.values, learned))
    np.testing.assert_array_equal(get(kept, voltage), get(initial, voltage))
    assert not np.array_equal(get(kept, learned), get(initial, learned))
    assert kept.n_steps == 0
    run.values = kept
    run(5)
    assert run.n_traces == 1


def test_probes_of_the_last_step():
    net = small_networks.feedforward()
    expected = Run(net)(7)
    run = Run(net, program={"kept": {net.probes[0]: Last()}})
    outputs = run(3, 4)
    assert outputs[net.probes[0]].shape[0] == 2  # one row per call
    np.testing.assert_allclose(
        outputs[net.probes[0]], expected[net.probes[0]][[2, 6]], rtol=1e-9
    )
    assert_same(
        {p: outputs[p] for p in net.probes[1:]},
        {p: expected[p] for p in net.probes[1:]},
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_all_seeds(seed):
    run = Run(poisson(), seed=seed, jit_compile=False)
    first = run(5)
    run.restart()
    assert_same(run(5), first)


def test_many_engines_do_not_alarm_tensorflow(caplog):
    """It warns of functions that are traced again and again."""
    for _ in range(6):
        Run(small_networks.passthrough(), jit_compile=False)(1)
    assert not [record for record in caplog.records if "retracing" in record.message]
