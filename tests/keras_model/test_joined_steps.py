"""Products that are computed for all steps together change nothing but the time."""

import nengo
import numpy as np
import pytest

from nengo_dl.engine.execution import Clock
from tests.keras_model.layers import draw_inputs, make_layer

N_ITEMS, N_STEPS = 3, 4


def weights(rows, columns, seed=0):
    return np.random.RandomState(seed).normal(size=(rows, columns))


def node(size):
    return nengo.Node(np.zeros(size))


def to_neurons():
    neurons = nengo.Ensemble(5, 1, neuron_type=nengo.Sigmoid(), seed=0).neurons
    nengo.Connection(node(7), neurons, transform=weights(5, 7), synapse=None)
    nengo.Probe(neurons)


def parts_of_nodes():
    a, b, target = node(7), node(4), nengo.Node(size_in=3)
    nengo.Connection(a[[5, 1, 2]], target, transform=weights(3, 3, 1), synapse=None)
    nengo.Connection(a[::2], target[:2], transform=weights(2, 4, 2), synapse=None)
    nengo.Connection(b[1:], target[1], transform=weights(1, 3, 3), synapse=None)
    nengo.Probe(target)


def with_state():
    a, target = node(6), nengo.Node(size_in=4)
    nengo.Connection(a, target, transform=weights(4, 6), synapse=None)
    nengo.Connection(target, target, transform=weights(4, 4) / 4, synapse=0.005)
    nengo.Probe(target, synapse=0.01)


def larger_than_the_input():
    target = nengo.Node(size_in=20)
    nengo.Connection(node(6), target, transform=weights(20, 6), synapse=None)
    nengo.Probe(target)


def without_product():
    nengo.Probe(node(2), synapse=0.01)


# whether anything is computed ahead
CASES = {
    to_neurons: True,
    parts_of_nodes: True,
    with_state: True,
    larger_than_the_input: False,
    without_product: False,
}


def build(make):
    with nengo.Network(seed=1) as net:
        make()
    return net


@pytest.mark.parametrize("use_loop", (True, False))
@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_all_steps_at_once_are_one_after_the_other(make, use_loop):
    net = build(make)
    single = make_layer(net, N_ITEMS, stateful=True)
    single.keep.assign(True)
    inputs = draw_inputs(single, N_ITEMS, N_STEPS)
    expected = [
        single({name: x[:, i : i + 1] for name, x in inputs.items()})
        for i in range(N_STEPS)
    ]
    engine = {} if use_loop else {"use_loop": False, "unroll": N_STEPS}
    found = make_layer(net, engine=engine)(inputs)
    for name, rows in found.items():
        together = np.concatenate([row[name] for row in expected], axis=1)
        np.testing.assert_allclose(rows, together, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "make, joins", CASES.items(), ids=lambda x: getattr(x, "__name__", str(x))
)
def test_what_is_computed_ahead_takes_no_more_memory_than_the_inputs(make, joins):
    layer = make_layer(build(make), N_ITEMS)
    step = layer.engine.step()
    sizes = [layer.engine.layout.blocks[n].size for n in feed_blocks(layer)]
    feeds = tuple(np.ones((N_STEPS, size, N_ITEMS)) for size in sizes)
    start = Clock(np.int32(0), np.int32(0), np.zeros((1, N_ITEMS)))
    prepared = step.prepare(layer.parameters.blocks())
    results = step.join(prepared, feeds, start)[len(feeds) :]
    assert bool(results) == joins
    assert all(r.shape[0] == N_STEPS and r.shape[2] == N_ITEMS for r in results)
    assert all(r.shape[1] <= sum(sizes) for r in results)


def feed_blocks(layer):
    return layer.engine.layout.of_kind("feed")
