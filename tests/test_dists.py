import pickle

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.dists import Glorot, He, TruncatedNormal, VarianceScaling

N_OUT, N_IN = 400, 100
ALL = [TruncatedNormal(), VarianceScaling(), Glorot(), He()]
# Each with the variance that its weights have, before tails are cut.
SCALED = [
    (VarianceScaling(), 1 / 250),
    (VarianceScaling(2), 2 / 250),
    (VarianceScaling(2, mode="fan_in"), 2 / 100),
    (VarianceScaling(2, mode="fan_out"), 2 / 400),
    (VarianceScaling(3, mode="fan_in", distribution="normal"), 3 / 100),
    (Glorot(), 1 / 250),
    (Glorot(2, distribution="normal"), 2 / 250),
    (He(), 1 / 100),
    (He(2), 4 / 100),
    (He(np.sqrt(2), distribution="uniform"), 2 / 100),
]
# Part of a normal distribution's standard deviation that is left within two of them.
CUT = 0.8796


@pytest.mark.parametrize("dist", ALL, ids=repr)
def test_shapes_and_seeds(dist):
    for d, shape in ((None, (7,)), (1, (7, 1)), (3, (7, 3)), (0, (7, 0))):
        samples = dist.sample(7, d, rng=np.random.RandomState(0))
        assert samples.shape == shape
        again = dist.sample(7, d, rng=np.random.RandomState(0))
        np.testing.assert_array_equal(samples, again)
    assert dist.sample(0).shape == (0,)


@pytest.mark.parametrize("dist, variance", SCALED, ids=repr)
def test_variance(dist, variance):
    samples = dist.sample(N_OUT, N_IN, rng=np.random.RandomState(0))
    std = np.sqrt(variance)
    if dist.distribution == "uniform":
        assert np.max(np.abs(samples)) <= np.sqrt(3) * std
        np.testing.assert_allclose(np.std(samples), std, rtol=0.02)
    else:
        assert np.max(np.abs(samples)) <= 2 * std
        np.testing.assert_allclose(np.std(samples), CUT * std, rtol=0.02)
    assert abs(np.mean(samples)) < 5 * std / np.sqrt(samples.size)


def test_a_vector_of_weights_has_one_input():
    samples = He(3, distribution="uniform").sample(5000, rng=np.random.RandomState(0))
    np.testing.assert_allclose(np.std(samples), 3, rtol=0.05)


def test_truncated_normal():
    rng = np.random.RandomState(0)
    samples = TruncatedNormal(mean=3, stddev=2).sample(20000, rng=rng)
    assert np.max(np.abs(samples - 3)) <= 4
    np.testing.assert_allclose(np.mean(samples), 3, atol=0.05)
    np.testing.assert_allclose(np.std(samples), 2 * CUT, rtol=0.02)
    samples = TruncatedNormal(limit=0.1).sample(1000, rng=rng)
    assert np.max(np.abs(samples)) <= 0.1
    # what is left is nearly uniform
    np.testing.assert_allclose(np.std(samples), 0.1 / np.sqrt(3), rtol=0.1)


def test_defaults():
    assert TruncatedNormal() == TruncatedNormal(mean=0, stddev=1, limit=2)
    assert TruncatedNormal(stddev=3).limit == 6
    assert VarianceScaling() == VarianceScaling(1, "fan_avg", "uniform")
    assert Glorot() == Glorot(1, "uniform")
    assert He() == He(1, "normal")


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: TruncatedNormal(stddev=0), "stddev"),
        (lambda: TruncatedNormal(limit=0), "limit"),
        (lambda: VarianceScaling(scale=0), "scale"),
        (lambda: VarianceScaling(mode="fan"), "mode"),
        (lambda: VarianceScaling(distribution="gauss"), "distribution"),
        (lambda: Glorot(distribution="gauss"), "distribution"),
        (lambda: He(scale=-1), "scale"),
    ],
)
def test_invalid_arguments(make, name):
    with pytest.raises(ValidationError, match=name):
        make()


@pytest.mark.parametrize("dist", ALL, ids=repr)
def test_nengo_takes_them_for_weights(dist):
    assert pickle.loads(pickle.dumps(dist)) == dist
    with nengo.Network(seed=0) as net:
        a, b = nengo.Ensemble(4, 1), nengo.Ensemble(5, 1)
        conn = nengo.Connection(a.neurons, b.neurons, transform=dist)
    with nengo.Simulator(net, progress_bar=False) as sim:
        assert sim.data[conn].weights.shape == (5, 4)
