"""Each kind of bad input: the error, what it says, and that nothing is left broken."""

import nengo
import numpy as np
import pytest
from nengo.builder import Model, Signal
from nengo.builder.operator import Operator
from nengo.exceptions import BuildError, SimulationError, ValidationError

import nengo_dl
from tests.simulator.helpers import filtered, make_sim, relay

# --- arguments of the simulator ---------------------------------------------------

ARGUMENTS = [
    (
        {"network": None},
        r"Simulator.network: must be a nengo.Network \(got None\). Pass",
    ),
    ({"network": "net"}, "network: must be a nengo Network .*'net' of type str.*Pass"),
    (
        {"network": nengo.Node(add_to_container=False)},
        "network: .*<Node .* of type Node",
    ),
    ({"model": 5}, r"model: must be a nengo Model \(got 5 of type int\). Pass the"),
    ({"dt": 0}, r"Simulator.dt: must be a positive number of seconds \(got 0\). Leave"),
    ({"dt": -0.001}, "dt: must be a positive .*got -0.001"),
    ({"dt": np.nan}, "dt: must be a positive .*got nan"),
    ({"dt": np.inf}, "dt: must be a positive .*got inf"),
    ({"dt": None}, "dt: must be a positive .*got None"),
    ({"dt": "0.1s"}, "dt: must be a positive .*got '0.1s'"),
    ({"dt": [0.1]}, r"dt: must be a positive .*got \[0.1\]"),
    ({"dt": True}, "dt: must be a positive .*got True"),
    (
        {"seed": -1},
        r"Simulator.seed: must be a whole number from 0 .*got -1\). Leave it",
    ),
    (
        {"seed": 2**32},
        r"seed: must be a whole number .*to 2\*\*32 - 1 .*got 4294967296",
    ),
    ({"seed": 1.5}, "seed: must be a whole .*got 1.5"),
    ({"seed": "x"}, "seed: must be a whole .*got 'x'"),
    ({"device": "upc"}, "Simulator.device: must be the name .*got 'upc'.*/.*cpu:0"),
    ({"device": "/gpu:77"}, "device: .*got '/gpu:77'.*those that are visible"),
    ({"device": 3}, "device: must be the name of a TensorFlow device .*got 3"),
    ({"unroll_simulation": 0}, "unroll_simulation: must be a whole .*least 1 .*got 0"),
    ({"unroll_simulation": None}, "unroll_simulation: .*got None.*Leave it out"),
    ({"minibatch_size": 0}, "Simulator.minibatch_size: must be a whole number, at .*0"),
    ({"minibatch_size": 2.0}, "minibatch_size: .*got 2.0.*Leave it out"),
    ({"minibatch_size": "3"}, "minibatch_size: .*got '3'"),
    ({"minibatch_size": True}, "minibatch_size: .*got True"),
    (
        {"progress_bar": "yes"},
        "progress_bar: must be True, False.*got 'yes'.*Pass prog",
    ),
]


@pytest.mark.parametrize("kwargs, message", ARGUMENTS)
def test_arguments(kwargs, message):
    with pytest.raises(ValidationError, match=message):
        make_sim(**{"network": relay(), **kwargs})


# --- what is done with it ---------------------------------------------------------

OTHER = nengo.Node(size_in=1, add_to_container=False)
CALLS = [
    (
        lambda sim: sim.run(-1),
        "time_in_seconds: must be .*0 or more .*got -1.*use reset",
    ),
    (lambda sim: sim.run(np.nan), "time_in_seconds: must be a finite .*got nan"),
    (lambda sim: sim.run(np.inf), "time_in_seconds: must be a finite .*got inf"),
    (lambda sim: sim.run(""), "time_in_seconds: must be a finite .*got ''"),
    (lambda sim: sim.run(None), "time_in_seconds: must be a finite .*got None"),
    (
        lambda sim: sim.run_steps(-1),
        "n_steps: must be a whole .*got -1.*`reset` to start",
    ),
    (lambda sim: sim.run_steps(1.5), "n_steps: must be a whole .*got 1.5.*Use `run`"),
    (lambda sim: sim.run_steps(None), "n_steps: must be a whole .*got None"),
    (lambda sim: sim.run_steps(1, progress_bar="x"), "progress_bar: must be.*got 'x'"),
    (lambda sim: sim.reset(seed=-1), "seed: must be a whole .*got -1"),
    (lambda sim: sim.reset(seed="a"), "seed: must be a whole .*got 'a'"),
    (
        lambda sim: sim.data[OTHER],
        "data: Object <Node .*is not part of .*Pass an object",
    ),
    (lambda sim: sim.data["node"], "data: Object node is not part of .*got str"),
    (
        lambda sim: sim.get_name(OTHER),
        "get_name: expected an input .*names are 'node', ",
    ),
    (lambda sim: sim.get_name("node"), "get_name: expected an input .*got 'node'"),
    (lambda sim: sim.get_name([]), r"get_name: expected an input .*got \[\]"),
    (lambda sim: sim.trange(0), "sample_every: must be a positive .*got 0.*the probe"),
    (lambda sim: sim.trange(-0.1), "sample_every: must be a positive .*got -0.1"),
    (lambda sim: sim.trange(np.nan), "sample_every: must be a positive .*got nan"),
    (lambda sim: sim.trange("1"), "sample_every: must be a positive .*got '1'"),
]


@pytest.fixture(scope="module")
def usable():
    net = filtered()
    with make_sim(net) as sim:
        sim.run_steps(2)
        yield net, sim, sim.data[net.probes[0]][:2]


def assert_usable(net, sim, expected):
    """Check that nothing has run, and that the simulation starts as ever."""
    assert sim.n_steps == 0
    sim.run_steps(len(expected))
    np.testing.assert_array_equal(sim.data[net.probes[0]], expected)


@pytest.mark.parametrize("call, message", CALLS)
def test_calls(usable, call, message):
    net, sim, expected = usable
    sim.reset()
    with pytest.raises(ValidationError, match=message):
        call(sim)
    assert_usable(net, sim, expected)


DATA = [
    (
        {"node": np.ones((3, 1))},
        r"Data for 'node': .*\(minibatch_size, n_steps, 1\).*Add",
    ),
    ({"node": np.ones((1, 3, 2))}, r"expected shape .*got \(1, 3, 2\).*size_out, 1"),
    (
        {"node": np.ones((2, 3, 1))},
        "Data: expected 1 items.*got 2 for 'node'.*Pass other",
    ),
    (
        {"node": np.ones((1, 2, 1))},
        "n_steps: must be the same .*got 3 for the .* 2 for",
    ),
    ({"node": [[["a"]] * 3]}, "Data for 'node': expected an array of real.*Convert"),
    ({"node": np.full((1, 3, 1), np.nan)}, "expected finite numbers .*nan at item 0"),
    ({"nod": np.ones((1, 3, 1))}, "keys must be input nodes.*got 'nod'.*mean 'node'"),
    ({OTHER: np.ones((1, 3, 1))}, "keys must be input nodes.*size_in=1.*are 'node'"),
    ("node", "Data: must be None, a dict, a list or an array .*got str.*Pass a dict"),
    ({"n_steps": [[4]]}, "Data for 'n_steps': .*where all else has 3 steps.*Leave it"),
]


@pytest.mark.parametrize("data, message", DATA)
def test_data(usable, data, message):
    net, sim, expected = usable
    sim.reset()
    with pytest.raises(ValidationError, match=message):
        sim.run_steps(3, data=data)
    assert_usable(net, sim, expected)


# --- what Python functions return -------------------------------------------------

# the value, and what is said about it for a function of time, and of input
VALUES = [
    (None, "got None.*Return", "got None.*Return"),
    (np.nan, r"got \[nan\].*Look for", "non-finite value nan.*Check"),
    ([np.inf], r"got \[inf\].*Look for", r"non-finite value \[inf\].*Check"),
    ([1.0, 2.0], r"got \[1.0, 2.0\].*shape \(1,\)", r"got \[1.0, 2.0\].*shape"),
    ([], r"got \[\].*shape \(1,\)", r"got \[\].*shape"),
    ("abc", "got 'abc' of type str.*Return", "got 'abc' of type str.*Return"),
    (1j, "got 1j of type complex.*Return", "got 1j of type complex.*Return"),
    ({}, "got {} of type dict.*Return", "got {} of type dict.*Return"),
]


class Source:
    """A function whose third value is of one's choice, or an error."""

    def __init__(self):
        self.bad = 0.0
        self.error = None

    def __call__(self, t, *x):
        if not 0.0025 < t < 0.0035:
            return 100 * t
        if self.error is not None:
            raise self.error
        return self.bad


@pytest.fixture(scope="module", params=[0, 1], ids=["of time", "of input"])
def sourced(request):
    source = Source()
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(source, size_in=request.param, size_out=1, label="source")
        target = nengo.Node(size_in=1)
        nengo.Connection(node, target, synapse=0.01)
        nengo.Probe(target)
    with make_sim(net, minibatch_size=2) as sim:
        sim.run_steps(6)
        yield net, sim, source, sim.data[net.probes[0]], request.param


@pytest.mark.parametrize("value, of_time, of_input", VALUES)
def test_values_of_functions(sourced, value, of_time, of_input):
    net, sim, source, expected, size_in = sourced
    sim.reset()
    source.bad = value
    message = f"Node 'source'.*{of_input if size_in else of_time}"
    with pytest.raises(SimulationError, match=message):
        sim.run_steps(6)
    assert sim.n_steps < 3
    source.bad = 0.0
    sim.run_steps(6 - sim.n_steps)
    np.testing.assert_array_equal(sim.data[net.probes[0]], expected)


def test_errors_in_functions(sourced):
    net, sim, source, expected, _ = sourced
    sim.reset()
    source.error = LookupError("nothing here")
    with pytest.raises(
        SimulationError, match="Node 'source'.*LookupError: nothing"
    ) as e:
        sim.run_steps(6)
    assert e.value.__cause__ is source.error
    trace = source.error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert trace.tb_frame.f_code is Source.__call__.__code__  # the user's own line
    source.error = None
    sim.run_steps(6 - sim.n_steps)
    np.testing.assert_array_equal(sim.data[net.probes[0]], expected)


class Delayed(nengo.Process):
    """A process whose value is bad from the third step on."""

    def __init__(self, bad, **kwargs):
        self.bad = bad
        super().__init__(**kwargs)

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, *x: self.bad if t > 0.0025 else np.zeros(shape_out)


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("size_in", [0, 1])
@pytest.mark.parametrize(
    "value, message", [(None, "got None"), (np.nan, "nan"), ([1.0, 2.0, 3.0], "3.0")]
)
def test_values_of_processes(size_in, value, message):
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        nengo.Node(Delayed(value), size_in=size_in, size_out=2, label="process")
    with make_sim(net) as sim:
        with pytest.raises(SimulationError, match=f"Node 'process'.*{message}"):
            sim.run_steps(5)
        assert sim.n_steps < 3
        sim.run_steps(1)


class Broken(nengo.neurons.NeuronType):
    """Neurons whose step fails."""

    def gain_bias(self, max_rates, intercepts):
        return np.ones_like(max_rates), np.zeros_like(intercepts)

    def max_rates_intercepts(self, gain, bias):
        return np.ones_like(gain), np.zeros_like(bias)

    def step(self, dt, J, output):
        raise ArithmeticError("out of ions")


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
def test_errors_in_neurons():
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        nengo.Ensemble(3, 1, neuron_type=Broken(), label="brain")
    with make_sim(net) as sim:
        message = "Ensemble 'brain'.*ArithmeticError: out of ions"
        with pytest.raises(SimulationError, match=message) as info:
            sim.run_steps(2)
        assert isinstance(info.value.__cause__, ArithmeticError)
        assert sim.n_steps == 0


# --- what cannot be built ---------------------------------------------------------


class Mystery(Operator):
    """An operator that nobody knows."""

    def __init__(self, target):
        super().__init__()
        self.sets, self.incs, self.reads, self.updates = [target], [], [], []


class Riddle(Mystery):
    pass


def test_operators_without_a_kernel():
    model = Model(dt=0.001)
    model.build(relay())
    for op_type in (Riddle, Mystery):
        model.add_op(op_type(Signal(np.zeros(1))))
    message = (
        r"No kernel for operator Mystery, Riddle\. Register one with "
        r"@nengo_dl.ops.Builder.register\(Mystery\)"
    )
    with pytest.raises(BuildError, match=message):
        make_sim(None, model=model)


def test_loops_without_a_synapse():
    with nengo.Network() as net:
        a, b = nengo.Node(size_in=1, label="a"), nengo.Node(size_in=1, label="b")
        nengo.Connection(a, b, synapse=None)
        nengo.Connection(b, a, synapse=None)
    with pytest.raises(BuildError, match="every loop of connections .*a synapse.*Give"):
        make_sim(net)


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_networks_that_nengo_refuses_leave_nothing_behind():
    bits = nengo.rc.get("precision", "bits")
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype="float32")
        nengo.Ensemble(3, 1, encoders=np.zeros((3, 1)))
    with pytest.raises(BuildError, match="zero-length encoders"):
        make_sim(net)
    assert nengo.rc.get("precision", "bits") == bits
