"""Tiny networks, each with what some stage of a simulation could get wrong.

Every function builds one and returns it; ``net.all_probes`` records what matters.
"""

import nengo
import numpy as np
import scipy.sparse


def empty():
    """Build a network without any object."""
    return nengo.Network(seed=0)


def feedforward():
    """Build an input, spiking neurons, and filtered and raw outputs."""
    with nengo.Network(seed=1) as net:
        stimulus = nengo.Node(lambda t: np.sin(100 * t))
        ens = nengo.Ensemble(5, 1)
        nengo.Connection(stimulus, ens, synapse=None)
        nengo.Probe(ens, synapse=0.01)
        nengo.Probe(ens.neurons)
        nengo.Probe(ens.neurons, "voltage")
    return net


def integrator():
    """Build a recurrent ensemble that is driven by a constant."""
    with nengo.Network(seed=2) as net:
        stimulus = nengo.Node([1.0, -1.0])
        ens = nengo.Ensemble(8, 2, neuron_type=nengo.LIFRate())
        nengo.Connection(stimulus, ens, transform=0.1, synapse=0.05)
        nengo.Connection(ens, ens, synapse=0.05)
        nengo.Probe(ens, synapse=0.01)
    return net


def passthrough():
    """Build slices, sums and matrices without neurons or delays."""
    with nengo.Network(seed=3) as net:
        a = nengo.Node(lambda t: [t, 2 * t, -t])
        b = nengo.Node(size_in=3)
        c = nengo.Node(size_in=3)
        nengo.Connection(a, b, synapse=None)
        nengo.Connection(a[[2, 0]], b[::-2], transform=2, synapse=None)
        nengo.Connection(b, c, transform=np.arange(9).reshape(3, 3), synapse=None)
        nengo.Connection(b[1], c[1:], transform=[[1], [3]], synapse=None)
        nengo.Probe(b)
        nengo.Probe(c[::-1], synapse=0.005)
    return net


def trivial_transforms():
    """Build transforms that simplifications remove."""
    with nengo.Network(seed=4) as net:
        a = nengo.Node(lambda t: [1 + t, 2 - t])
        b = nengo.Node(size_in=2)
        neurons = nengo.Ensemble(4, 1, neuron_type=nengo.RectifiedLinear()).neurons
        nengo.Connection(a, b, transform=0, synapse=None)
        nengo.Connection(a, b, transform=1, synapse=None)
        nengo.Connection(a, b, transform=[1, 0], synapse=None)
        nengo.Connection(a, b, transform=np.zeros((2, 2)), synapse=None)
        nengo.Connection(a, b, transform=np.eye(2), synapse=0.01)
        nengo.Connection(a, neurons[:2], synapse=None)
        nengo.Connection(neurons, b, transform=np.zeros((2, 4)))
        nengo.Probe(b)
        nengo.Probe(neurons)
    return net


def learning():
    """Build two ensembles whose connection learns, decoders and encoders."""
    with nengo.Network(seed=5) as net:
        stimulus = nengo.Node(lambda t: np.cos(50 * t))
        pre, post = nengo.Ensemble(6, 1), nengo.Ensemble(5, 1)
        nengo.Connection(stimulus, pre, synapse=None)
        conn = nengo.Connection(
            pre,
            post,
            function=lambda x: 0,
            learning_rule_type=[nengo.PES(1e-3), nengo.Voja(learning_rate=1e-2)],
        )
        nengo.Connection(post, conn.learning_rule[0])
        nengo.Connection(stimulus, conn.learning_rule[0], transform=-1)
        nengo.Probe(post, synapse=0.01)
        nengo.Probe(conn, "weights")
        nengo.Probe(conn.learning_rule[1], "scaled_encoders")
    return net


def noise():
    """Build random processes: a node's, an ensemble's, and a filtered one."""
    with nengo.Network(seed=6) as net:
        a = nengo.Node(nengo.processes.WhiteNoise(seed=1), size_out=2)
        ens = nengo.Ensemble(
            5,
            2,
            neuron_type=nengo.LIFRate(),
            noise=nengo.processes.FilteredNoise(nengo.Alpha(0.01), seed=2),
        )
        nengo.Connection(a, ens, synapse=nengo.Alpha(0.01))
        nengo.Probe(a)
        nengo.Probe(ens.neurons)
    return net


def host_nodes():
    """Build Python functions of an input: two side by side, and one after them."""
    with nengo.Network(seed=7) as net:
        a = nengo.Node(lambda t: [np.sin(100 * t), t])
        squares = [nengo.Node(lambda t, x: x**2, size_in=1) for _ in range(2)]
        after = nengo.Node(lambda t, x: [t, x[0] + x[1]], size_in=2, label="after")
        ens = nengo.Ensemble(4, 2, neuron_type=nengo.LIFRate())
        for i, square in enumerate(squares):
            nengo.Connection(a[i], square, synapse=None)
            nengo.Connection(square, after[i], synapse=None)
        nengo.Connection(after, ens)
        nengo.Probe(after)
        nengo.Probe(ens, synapse=0.01)
    return net


def sparse():
    """Build sparse and convolutional transforms."""
    matrix = scipy.sparse.csr_matrix(np.diag([1.0, 2.0, 3.0, 4.0]))
    with nengo.Network(seed=8) as net:
        a = nengo.Node(lambda t: np.arange(4) * t)
        b, c = nengo.Node(size_in=4), nengo.Node(size_in=4)
        nengo.Connection(
            a, b, transform=nengo.Sparse((4, 4), init=matrix), synapse=None
        )
        convolution = nengo.Convolution(2, (4, 1), kernel_size=(3,), strides=(1,))
        nengo.Connection(b, c, transform=convolution, synapse=0.005)
        nengo.Probe(b)
        nengo.Probe(c)
    return net


def subnetworks():
    """Build equal parts in subnetworks, which can be merged."""
    with nengo.Network(seed=9) as net:
        stimulus = nengo.Node(lambda t: np.sin(100 * t))
        array = nengo.networks.EnsembleArray(4, 3, neuron_type=nengo.LIFRate())
        product = nengo.networks.Product(4, 1)
        nengo.Connection(stimulus, array.input[1], synapse=None)
        nengo.Connection(array.output[0], product.input_a)
        nengo.Connection(stimulus, product.input_b)
        nengo.Probe(array.output, synapse=0.01)
        nengo.Probe(product.output)
    return net


ALL = (
    empty,
    feedforward,
    integrator,
    passthrough,
    trivial_transforms,
    learning,
    noise,
    host_nodes,
    sparse,
    subnetworks,
)
