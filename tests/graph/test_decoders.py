"""Decoders that connections solve together are those that Nengo solves one by one."""

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.cache import DecoderCache, NoDecoderCache
from nengo.exceptions import BuildError
from nengo.utils.least_squares_solvers import SVD, Cholesky

from nengo_dl.graph import decoders
from nengo_dl.graph.decoders import SharedDecoders
from nengo_dl.graph.nengo_model import build_model, precision
from tests.network_specs import build
from tests.random_networks import draw_specs

LstsqL2 = nengo.solvers.LstsqL2
SOLVERS = [
    LstsqL2(),
    LstsqL2(reg=0.01),
    LstsqL2(solver=Cholesky(transpose=True)),
    LstsqL2(solver=Cholesky(transpose=False)),
    LstsqL2(weights=True),
    LstsqL2(solver=SVD()),
    nengo.solvers.LstsqNoise(),
    nengo.solvers.LstsqDrop(weights=True),
    nengo.solvers.Lstsq(),
    nengo.solvers.NoSolver(np.ones((40, 1))),
]
NEURONS = [
    nengo.LIF(),
    nengo.Tanh(),
    nengo.RegularSpiking(nengo.Sigmoid()),
    nengo.Direct(),
]


class Halves(nengo.solvers.Solver):
    """A solver that changes the activities that it gets."""

    def __call__(self, A, Y, rng=np.random):
        A *= 0.5
        return A.T @ Y + rng.normal(), {}


def net_with(solvers, neurons=NEURONS[:1], n_neurons=40, n_points=None):
    """Connect ensembles by each solver twice, also from other evaluation points."""
    with nengo.Network(seed=1) as net:
        post = nengo.Ensemble(20, 1)
        for neuron_type in neurons:
            pre = nengo.Ensemble(
                n_neurons, 1, neuron_type=neuron_type, n_eval_points=n_points
            )
            for solver in solvers:
                for function in (None, np.square):
                    nengo.Connection(
                        pre, post, function=function, solver=solver, transform=[[0.5]]
                    )
            nengo.Connection(pre, post, eval_points=nengo.dists.Uniform(-0.5, 0.5))
            nengo.Connection(pre, post, transform=nengo.dists.Uniform(-1, 1))
            nengo.Probe(pre)
    return net


def weights(net, cache, dtype="float64"):
    with precision(dtype):
        model = Model(decoder_cache=cache)
        model.build(net)
    return [
        built.weights
        for built in model.params.values()
        if isinstance(built, nengo.builder.connection.BuiltConnection)
        and isinstance(built.weights, np.ndarray)
    ]


def check_equal(net, dtype="float64"):
    ours = weights(net, SharedDecoders(NoDecoderCache()), dtype)
    theirs = weights(net, NoDecoderCache(), dtype)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_solvers(solver, dtype):
    check_equal(net_with([solver]), dtype)


@pytest.mark.parametrize("n_points", [30, 200])
def test_neuron_types_and_shapes(n_points):
    solvers = [LstsqL2(), LstsqL2(reg=0.2), LstsqL2(), Halves()]
    check_equal(net_with(solvers, NEURONS, n_points=n_points))


@pytest.mark.parametrize("limit", [0, 100_000])
def test_limit_of_memory(limit, monkeypatch):
    monkeypatch.setattr(decoders, "MAX_BYTES", limit)
    check_equal(net_with(SOLVERS[:4], NEURONS))


def test_random_networks():
    """They draw solvers, neurons and transforms, whose random numbers must not move."""
    for spec in draw_specs(20, seed=3):
        check_equal(build(spec))


def test_rates_are_computed_once(monkeypatch):
    calls = []
    rates = nengo.LIF.rates

    def counted(self, x, gain, bias):
        calls.append(x.shape)
        return rates(self, x, gain, bias)

    monkeypatch.setattr(nengo.LIF, "rates", counted)
    with nengo.Network(seed=0) as net:
        pre, post = nengo.Ensemble(20, 1), nengo.Ensemble(20, 1)
        for function in (None, np.square, np.abs):
            nengo.Connection(pre, post, function=function)
        nengo.Probe(pre)
    build_model(net, 0.001, "float64")
    assert len(calls) == 1


def test_silent_neurons():
    with nengo.Network(seed=0) as net:
        silent = nengo.Ensemble(5, 1, gain=np.ones(5), bias=-10 * np.ones(5))
        nengo.Connection(silent, nengo.Ensemble(5, 1))
    with pytest.raises(BuildError, match="'activities' matrix is all zero"):
        build_model(net, 0.001, "float64")


def test_the_cache_below_is_used(tmp_path):
    net = net_with([LstsqL2()])
    found = []
    for _ in range(2):
        cache = SharedDecoders(DecoderCache(cache_dir=tmp_path))
        found.append(weights(net, cache))
        assert cache.get_size_in_bytes() > 0 and cache.get_size() != "0 B"
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)
    cache.shrink(0)
    assert cache.get_size_in_bytes() == 0
    cache.invalidate()
