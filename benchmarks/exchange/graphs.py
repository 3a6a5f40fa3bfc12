"""Graphs of the shapes that the paper about NIR has, with weights from a seed.

This imports NumPy and ``nir`` alone, so that the frameworks can run it, too.
"""

import nir
import numpy as np

DT = 1e-4


def cnn(rng):
    """Convolutions of integrate-and-fire neurons for events of 34 x 34 pixels."""
    nodes = {"input": nir.Input([2, 34, 34])}
    # filters, size and stride of a kernel, and whether windows are summed behind it
    layers = ((16, 5, 2, False), (16, 3, 1, True), (8, 3, 1, True))
    channels, side = 2, 34
    for i, (n_filters, kernel, stride, is_pooled) in enumerate(layers):
        weight = rng.normal(size=(n_filters, channels, kernel, kernel))
        nodes[f"conv{i}"] = nir.Conv2d(
            (side, side),
            _single(weight / np.sqrt(channels)),
            stride=(stride, stride),
            padding=(1, 1),
            dilation=(1, 1),
            groups=1,
            bias=np.zeros(n_filters, np.float32),
        )
        channels, side = n_filters, (side + 2 - kernel) // stride + 1
        nodes[f"neurons{i}"] = _integrate(channels, side, side)
        if is_pooled:
            two = np.array([2, 2])
            nodes[f"pool{i}"] = nir.SumPool2d(two, two, np.array([0, 0]))
            side //= 2
    size = channels * side * side
    nodes["flatten"] = nir.Flatten(np.array([channels, side, side]), 0, -1)
    for name, n_in, n_out in (("fc1", size, 256), ("fc2", 256, 10)):
        weight = rng.normal(size=(n_out, n_in)) * 2 / n_in
        nodes[name] = nir.Affine(_single(weight), np.zeros(n_out, np.float32))
        nodes[f"{name}_neurons"] = _integrate(n_out)
    nodes["output"] = nir.Output([10])
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names, names[1:], strict=False)))


def recurrent(rng, n=(12, 38, 7)):
    """A layer of leaky neurons that hears itself, as for reading Braille.

    It is a graph in the graph: in a flat one, snnTorch's reader leads what arrives at
    the neurons through the weights of the cycle first.
    """
    n_in, n_hidden, n_out = n
    loop = {
        "input": nir.Input([n_hidden]),
        "lif": _lif(n_hidden),
        "w_rec": _affine(rng, n_hidden, n_hidden),
        "output": nir.Output([n_hidden]),
    }
    edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    nodes = {
        "input": nir.Input([n_in]),
        "fc1": _affine(rng, n_in, n_hidden),
        "rec": nir.NIRGraph(loop, edges),
        "fc2": _affine(rng, n_hidden, n_out),
        "last": _lif(n_out),
        "output": nir.Output([n_out]),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names, names[1:], strict=False)))


# what makes a graph, its framework, items of a minibatch, and steps: recorded Braille
# has 256, and small minibatches show the costs that do not depend on their size
GRAPHS = {
    "cnn": (cnn, "sinabs", 32, 100),
    "cnn-single": (cnn, "sinabs", 1, 100),
    "cnn-few": (cnn, "sinabs", 8, 100),
    "recurrent": (recurrent, "snntorch", 64, 256),
    "recurrent-short": (recurrent, "snntorch", 32, 100),
}


def make(name):
    """Return a graph, the name of its framework, and input for it."""
    function, peer, minibatch_size, n_steps = GRAPHS[name]
    graph = function(np.random.RandomState(0))
    shape = tuple(int(n) for n in graph.nodes["input"].input_type["input"])
    rng = np.random.RandomState(1)
    x = rng.uniform(size=(minibatch_size, n_steps, *shape)) < 0.1
    return graph, peer, x.astype(np.float32)


def _single(x):
    return np.asarray(x, np.float32)


def _affine(rng, n_in, n_out):
    weight = rng.normal(size=(n_out, n_in)) * 1.5 / np.sqrt(n_in)
    return nir.Affine(_single(weight), np.zeros(n_out, np.float32))


def _integrate(*shape):
    one = np.ones(shape, np.float32)
    return nir.IF(r=one, v_threshold=one, v_reset=0 * one)


def _lif(*shape):
    one = np.ones(shape, np.float32)
    tau = DT / (1 - _single(0.9)) * one
    return nir.LIF(tau=tau, r=tau / DT, v_leak=0 * one, v_threshold=one)
