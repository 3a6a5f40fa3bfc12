import nengo
import numpy as np
import pytest
from nengo.builder.node import SimPyFunc
from nengo.builder.operator import Copy, TimeUpdate
from nengo.builder.probe import SimProbe
from nengo.builder.processes import SimProcess

from nengo_dl.graph.program import input_nodes
from tests import small_networks
from tests.graph.interpreter import build, program_of, run


@pytest.mark.parametrize("make", small_networks.ALL)
def test_program_computes_what_nengo_does(make):
    net = make()
    outputs = run(program_of(net), n_steps=10)
    with nengo.Simulator(net, progress_bar=False, optimize=False) as sim:
        sim.run_steps(10)
    for probe, values in outputs.items():
        np.testing.assert_allclose(values, sim.data[probe], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", small_networks.ALL)
def test_what_depends_on_time_alone_is_no_operator(make):
    for op in program_of(make()).operators:
        assert not isinstance(op, TimeUpdate | SimProbe)
        assert type(op) is not SimPyFunc or op.x is not None
        assert type(op) is not SimProcess or op.input is not None


@pytest.mark.parametrize("make", small_networks.ALL)
def test_every_probe_has_a_signal(make):
    net = make()
    program = program_of(net)
    assert list(program.probes) == net.all_probes


def test_input_nodes_are_all_nodes_without_input_in_order():
    with nengo.Network() as net:
        a = nengo.Node([1])
        with nengo.Network():
            b = nengo.Node(lambda t: t)
        nengo.Node(size_in=1)
        nengo.Node(lambda t, x: x, size_in=1)
        c = nengo.Node(nengo.processes.WhiteNoise())
    assert input_nodes(net) == tuple(n for n in net.all_nodes if n in (a, b, c))
    assert input_nodes(None) == ()


def square(t):
    return t**2


def note(t):
    return None


# what a node puts out, and its size
OUTPUTS = {
    "number": (0.5, 1),
    "array": ([1.0, 2.0], 2),
    "function": (square, 1),
    "nothing": (note, 0),
    "process": (nengo.processes.WhiteNoise(seed=0), 1),
    "piecewise": (nengo.processes.Piecewise({0: [1, 2, 3]}), 3),
}


@pytest.mark.parametrize("output, size", OUTPUTS.values(), ids=OUTPUTS)
def test_feed_of_an_input_node(output, size):
    with nengo.Network() as net:
        node = nengo.Node(output, size_out=None if callable(output) else size)
    (feed,) = program_of(net).feeds
    assert feed.node is node
    assert feed.size == size
    if isinstance(feed.output, np.ndarray):
        np.testing.assert_array_equal(feed.output, np.atleast_1d(output))
    else:
        assert feed.output is output
    assert (feed.op is None) == (not isinstance(output, nengo.Process))


def test_feeds_are_those_of_input_nodes_first_and_in_order():
    with nengo.Network() as net:
        nengo.Ensemble(3, 1, noise=nengo.processes.WhiteNoise())
        for output in (note, 1.0, square, note, nengo.processes.WhiteNoise()):
            nengo.Node(output)
    feeds = program_of(net).feeds
    assert [feed.node for feed in feeds] == [*net.all_nodes, None]


def test_noise_is_fed_and_added():
    with nengo.Network() as net:
        ens = nengo.Ensemble(3, 1, noise=nengo.processes.WhiteNoise())
    model = build(net)
    program = program_of(net)
    (feed,) = program.feeds
    assert feed.node is None and feed.size == model.sig[ens.neurons]["in"].size
    (copy,) = (
        op for op in program.operators if type(op) is Copy and op.src is feed.signal
    )
    assert copy.inc


def test_programs_are_frozen():
    program = program_of(small_networks.feedforward())
    with pytest.raises(AttributeError):
        program.operators = ()
    with pytest.raises(TypeError):
        program.probes[None] = None
    with pytest.raises(TypeError):
        program.resets[program.time] = 1.0
    changed = program.replace(resets={program.time: 1.0})
    assert dict(changed.resets) == {program.time: 1.0} and not program.resets
