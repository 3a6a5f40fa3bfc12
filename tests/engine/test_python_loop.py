"""The loop that is driven from Python does what TensorFlow's loop does."""

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.engine import engine as engine_module
from nengo_dl.engine.compiled_loop import CompiledLoop
from nengo_dl.engine.packing import MAX_PACKED
from nengo_dl.engine.python_loop import PythonLoop
from tests import small_networks
from tests.engine.test_engine import Run, assert_same

N_STEPS = 12


def chain():
    """Build Python after Python, with something and with nothing in between."""
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: [np.sin(100 * t), t])
        first = nengo.Node(lambda t, x: x + t, size_in=2, label="first")
        ens = nengo.Ensemble(5, 2, neuron_type=nengo.LIFRate())
        second = nengo.Node(lambda t, x: x[0] * x[1], size_in=2)
        third = nengo.Node(lambda t, x: [2 * x[0], t], size_in=1)
        sink = nengo.Node(lambda t, x: None, size_in=1, size_out=0)
        nengo.Connection(source, first, synapse=None)
        nengo.Connection(first, ens, synapse=None)
        nengo.Connection(ens, second, synapse=None)
        nengo.Connection(second, third, synapse=None)
        nengo.Connection(third, first, synapse=0.01)
        nengo.Connection(second, sink)
        for obj in (first, ens, second, third):
            nengo.Probe(obj)
    return net


def large():
    """Build blocks that are too large to be packed, of state and of other kinds."""
    size = MAX_PACKED + 3
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.full(size, t))
        ens = nengo.Ensemble(size, 1, gain=np.ones(size), bias=np.ones(size))
        total = nengo.Node(lambda t, x: [x.sum(), t], size_in=size)
        wide = nengo.Node(lambda t, x: np.full(size, x[0]), size_in=2)
        nengo.Connection(source, ens.neurons, synapse=0.01)
        nengo.Connection(ens.neurons, total, synapse=0.01, transform=0.01)
        nengo.Connection(total, wide, synapse=None)
        nengo.Connection(wide, ens.neurons, transform=0.001)
        nengo.Probe(ens.neurons)
        nengo.Probe(wide, sample_every=0.002)
        nengo.Probe(total)
    return net


def learning():
    """Build weights that learn from an error that Python computes."""
    net = small_networks.learning()
    with net:
        error = nengo.Node(lambda t, x: 0.5 * x, size_in=1)
        nengo.Connection(net.ensembles[1], error, synapse=None)
        nengo.Connection(error, net.connections[1].learning_rule[0])
    return net


def random():
    """Build neurons that draw random numbers around Python, and noise with a step."""
    with nengo.Network(seed=0) as net:
        ens = nengo.Ensemble(
            6, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate(), amplitude=0.1)
        )
        node = nengo.Node(lambda t, x: 0.5 * x, size_in=1)
        nengo.Connection(nengo.Node(nengo.processes.WhiteNoise()), ens, synapse=None)
        nengo.Connection(ens, node)
        nengo.Connection(node, ens, synapse=None)
        nengo.Probe(ens.neurons)
    return net


def only_python():
    """Build nothing but Python."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t, x: x + t, size_in=1, size_out=1)
        nengo.Connection(nengo.Node(lambda t: t), node, synapse=None)
        nengo.Probe(node)
    return net


NETWORKS = [small_networks.host_nodes, chain, large, learning, random, only_python]


@pytest.mark.parametrize("jit_compile", ["auto", False])
@pytest.mark.parametrize("minibatch_size", [1, 3])
@pytest.mark.parametrize("make", NETWORKS)
def test_loops_agree(make, minibatch_size, jit_compile, monkeypatch):
    net = make()
    ours = Run(net, minibatch_size, jit_compile=jit_compile)
    assert isinstance(ours.engine.loop, PythonLoop)
    found = ours(N_STEPS)
    monkeypatch.setattr(engine_module, "_needs_loop", lambda kernel: True)
    other = Run(net, minibatch_size, jit_compile=False)
    assert isinstance(other.engine.loop, CompiledLoop)
    assert_same(found, other(N_STEPS), rtol=1e-9, atol=1e-12)
    for one, two in zip(ours.values.state, other.values.state, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", NETWORKS)
def test_chunks_do_not_change_results(make):
    run = Run(make(), minibatch_size=2)
    expected, final = run(N_STEPS), run.values
    for chunks in ((1,) * N_STEPS, (5, 7)):
        run.restart()
        assert_same(run(*chunks), expected)
    # state that comes from elsewhere is not that which the loop has kept
    run.restart()
    run(5)
    state = tuple(tf.identity(block) for block in run.values.state)
    run.values = type(run.values)(run.values.params, state, 5)
    run(7)
    for one, two in zip(run.values.state, final.state, strict=True):
        np.testing.assert_array_equal(one, two)


def test_new_parameters_take_effect():
    net = small_networks.host_nodes()
    run = Run(net)
    run(3)
    values = run.engine.values.initial()
    run.restart()
    changed = type(values)(tuple(2 * x for x in values.params), values.state)
    run.values = changed
    found = run(4)
    other = Run(net)
    other.values = changed
    assert_same(found, other(4))


def drawing(x):
    return x + tf.random.uniform(x.shape, dtype=x.dtype)


def test_what_has_effects_stays_in_tensorflows_loop():
    with nengo.Network() as net:
        node = nengo.Node(lambda t, x: x, size_in=1)
        pure = nengo_dl.TensorNode(lambda t, x: 2 * x, shape_in=(1,))
        nengo.Connection(node, pure)
    assert isinstance(Run(net).engine.loop, PythonLoop)
    with net:
        nengo.Connection(
            node, nengo_dl.TensorNode(drawing, shape_in=(1,), pass_time=False)
        )
    assert isinstance(Run(net).engine.loop, CompiledLoop)
