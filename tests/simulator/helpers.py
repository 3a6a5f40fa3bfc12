"""Small things that the tests of the simulator share."""

import nengo
import numpy as np

import nengo_dl


def make_sim(network, **kwargs):
    return nengo_dl.Simulator(
        network, **{"progress_bar": False, "device": "/cpu:0", **kwargs}
    )


def relay(*outputs, **settings):
    """Build input nodes, each with a probe, in a network that starts fast."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, **settings)
        for output in outputs or (lambda t: 10 * t,):
            node = nengo.Node(output)
            if node.size_out:
                nengo.Probe(node)
    return net


def filtered(**settings):
    """Build a constant, a filter with a state, and a probe."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, **settings)
        stimulus, target = nengo.Node([1.0]), nengo.Node(size_in=1)
        nengo.Connection(stimulus, target, synapse=0.01)
        nengo.Probe(target)
    return net


def data_of(sim):
    return [np.array(sim.data[probe]) for probe in sim.model.probes]


def assert_same_data(actual, expected, **tolerance):
    for one, other in zip(actual, expected, strict=True):
        if tolerance:
            np.testing.assert_allclose(one, other, **tolerance)
        else:
            np.testing.assert_array_equal(one, other)


def random_network():
    """Build everything that a reset can put back: state, weights, random streams."""
    with nengo.Network(seed=1) as net:
        noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        pre = nengo.Ensemble(6, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        post = nengo.Node(size_in=1)
        net.learned = nengo.Connection(
            pre, post, function=lambda x: 1, learning_rule_type=nengo.PES(0.01)
        )
        nengo.Connection(noise, pre)
        nengo.Connection(post, net.learned.learning_rule)
        net.noise_probe = nengo.Probe(noise)
        net.spikes = nengo.Probe(pre.neurons)
        net.output = nengo.Probe(post)
    return net
