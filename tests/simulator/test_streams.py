"""Random streams of a network are independent, and are those of Nengo."""

import nengo
import numpy as np
import pytest
from nengo.processes import BrownNoise, FilteredNoise, WhiteNoise, WhiteSignal

import nengo_dl
from tests.simulator.helpers import make_sim

N_STEPS = 200


class Noise(nengo.Process):
    """White noise, with or without input."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        if shape_in[0]:
            return lambda t, x: 0 * x + rng.normal(size=shape_out)
        return lambda t: rng.normal(size=shape_out)


class OtherNoise(Noise):
    """A type of its own, so that it has a kernel of its own."""


class Coins(nengo.RectifiedLinear):
    """Neurons that draw random numbers, and that TensorFlow does not know."""

    state = {"rng": np.random.RandomState}

    def step(self, dt, J, output, rng):
        output[...] = rng.normal(size=J.shape)

    def make_state(self, n_neurons, rng, dtype=None):
        return {"rng": np.random.RandomState(rng.randint(2**31))}


def noisy_network():
    """Mix everything that draws random numbers, and synapses, which take streams."""
    with nengo.Network(seed=3) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        zero = nengo.Node([0.0])
        outputs = []
        for process in (Noise(), WhiteNoise(), OtherNoise(), Noise()):
            outputs.append(nengo.Node(process, size_out=1))
            through = nengo.Node(
                OtherNoise() if len(outputs) % 2 else Noise(), size_in=1, size_out=1
            )
            nengo.Connection(zero, through, synapse=0.005)
            outputs.append(through)
        for process in (FilteredNoise(), BrownNoise(), WhiteSignal(1, high=90)):
            nengo.Node(process)
        nengo.Node(WhiteNoise(), size_out=1)
        for kind in (nengo.RectifiedLinear(), nengo.RectifiedLinear(), Coins()):
            ens = nengo.Ensemble(
                2, 1, neuron_type=kind, gain=[1, 1], bias=[9, 9], noise=WhiteNoise()
            )
            outputs.append(ens.neurons)
        outputs.append(nengo.Ensemble(2, 1, neuron_type=Coins()).neurons)
        net.exact = [nengo.Probe(output) for output in outputs]
        poisson = nengo.PoissonSpiking(nengo.RectifiedLinear())
        net.random = [
            nengo.Probe(
                nengo.Ensemble(
                    2, 1, neuron_type=poisson, gain=[1, 1], bias=[200, 200]
                ).neurons
            )
            for _ in range(2)
        ]
    return net


def columns(outputs):
    """Turn arrays of shape (items, n_steps, size) into one of a row per stream."""
    return np.concatenate([np.moveaxis(x, 1, 2).reshape(-1, N_STEPS) for x in outputs])


def assert_independent(rows):
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.max(np.abs(correlation)) < 6 / np.sqrt(N_STEPS)


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("method", ["run", "predict"])
def test_streams_are_independent(method):
    net = noisy_network()
    with make_sim(net, minibatch_size=2) as sim:
        if method == "run":
            sim.run_steps(N_STEPS)
            data = sim.data
        else:
            data = sim.predict(n_steps=N_STEPS, verbose=0)
        assert_independent(columns([data[p] for p in net.exact + net.random]))


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("minibatch_size", [None, 1, 3])
@pytest.mark.parametrize("seed", [None, 2**32 - 1])
def test_streams_are_those_of_nengo(seed, minibatch_size):
    net = noisy_network()
    with make_sim(net, minibatch_size=minibatch_size, seed=seed) as sim:
        sim.run_steps(30)
        data = [np.array(sim.data[probe]) for probe in net.exact]
    # random neurons draw from the seed that they were built with
    with nengo.Simulator(net, seed=seed, optimize=False, progress_bar=False) as sim:
        sim.run_steps(30)
        for values, probe in zip(data, net.exact, strict=True):
            first = values if minibatch_size is None else values[0]
            np.testing.assert_allclose(first, sim.data[probe], rtol=1e-9)


@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**32 - 2, 2**32 - 1])
def test_any_seed_of_a_network(seed):
    def make():
        with nengo.Network(seed=seed) as net:
            nengo_dl.configure_settings(jit_compile=False)
            nengo.Probe(nengo.Node(WhiteNoise(), size_out=1))
        return net

    data = []
    for _ in range(2):
        with make_sim(make()) as sim:
            assert sim.seed == (seed + 1) % 2**32
            sim.run_steps(3)
            data.append(sim.data[sim.model.probes[0]])
    np.testing.assert_array_equal(*data)
    assert nengo_dl.NengoLayer(make()).get_weights() == []
