"""Random NIR graphs: every kind of node, in rows, sums, branches and cycles.

Numbers have few binary digits, so that sums are exact in whatever order they are taken:
what differs is never rounding.
"""

import hypothesis.strategies as st
import nir
import numpy as np

DT = 0.25  # of an unnamed unit; time constants are powers of two


class Draw:
    """Draws arrays of short binary fractions."""

    def __init__(self, seed):
        self.rng = np.random.RandomState(seed)

    def weights(self, *shape):
        """Draw multiples of an eighth."""
        return self.rng.randint(-8, 12, size=shape) / 8

    def choice(self, values, *shape):
        """Draw some of a few values."""
        return self.rng.choice(values, size=shape).astype(float)

    def tau(self, *shape):
        """Draw time constants of 2 or 4 steps."""
        return self.choice([0.5, 1.0], *shape)

    def neurons(self, kind, *shape):
        """Draw a population."""
        values = {
            "tau": self.tau,
            "tau_mem": self.tau,
            "tau_syn": self.tau,
            "r": lambda *s: self.choice([1, 2, 4], *s),
            "w_in": lambda *s: self.choice([1, 2, 4], *s),
            "v_leak": lambda *s: self.choice([0, 0, 0.5, 2.0], *s),
            "v_threshold": lambda *s: self.choice([1, 0.5, 2], *s),
            "v_reset": lambda *s: self.choice([0, 0, 0.25, -0.5], *s),
        }
        names = {
            "I": "r",
            "IF": "r v_threshold v_reset",
            "LI": "tau r v_leak",
            "LIF": "tau r v_leak v_threshold v_reset",
            "CubaLI": "tau_syn tau_mem r v_leak w_in",
            "CubaLIF": "tau_syn tau_mem r v_leak v_threshold v_reset w_in",
        }[kind]
        return getattr(nir, kind)(**{n: values[n](*shape) for n in names.split()})


POPULATIONS = ["I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"]
SPIKING = ["IF", "LIF", "CubaLIF"]


def conv2d(draw, channels, dilation=1):
    """Draw a convolution of two dimensions."""
    groups = draw.rng.choice([1, channels])
    filters = channels * draw.rng.choice([1, 2])
    # nir takes the first axis of kernels for all
    kernel = [draw.rng.randint(1, 4)] * 2
    return nir.Conv2d(
        input_shape=None,
        weight=draw.weights(filters, channels // groups, *kernel),
        stride=tuple(draw.rng.randint(1, 3, size=2)),
        padding=tuple(draw.rng.randint(0, 2, size=2)),
        dilation=(dilation, 1),
        groups=int(groups),
        bias=draw.weights(filters),
    )


def conv1d(draw, channels):
    """Draw a convolution of one dimension."""
    is_same = draw.rng.rand() < 0.3
    return nir.Conv1d(
        input_shape=None,
        weight=draw.weights(3, channels, 3),
        stride=1 if is_same else int(draw.rng.randint(1, 3)),
        padding="same" if is_same else 1,
        dilation=1,
        groups=1,
        bias=draw.weights(3),
    )


def pool(draw):
    """Draw a pooling, whose averages are exact."""
    kind = draw.rng.choice(["AvgPool2d", "SumPool2d"])
    kernel, padding = np.array([2, 2]), np.array([0, draw.rng.randint(2)])
    return getattr(nir, kind)(kernel, draw.rng.randint(1, 3, size=2), padding)


def elementwise(draw, shape):
    """Draw a node that leaves a shape as it is."""
    kind = draw.rng.choice(["Scale", "Delay", "Threshold", *POPULATIONS, *SPIKING])
    if kind == "Scale":
        return nir.Scale(draw.weights(*shape))
    if kind == "Delay":
        return nir.Delay(DT * draw.rng.randint(0, 4, size=shape))
    if kind == "Threshold":
        return nir.Threshold(draw.choice([0.5, 1, 2], *shape))
    return draw.neurons(kind, *shape)


def spatial(draw, shape):
    """Draw a node for channels and space."""
    if len(shape) == 2:
        return conv1d(draw, shape[0])
    if draw.rng.rand() < 0.4:
        return pool(draw)
    return conv2d(draw, shape[0], draw.rng.choice([1, 2]))


def matrix(draw, shape):
    """Draw a matrix, with or without biases."""
    n_out = draw.rng.randint(1, 5)
    weight = draw.weights(n_out, shape[0])
    if draw.rng.rand() < 0.5:
        return nir.Linear(weight)
    return nir.Affine(weight, draw.weights(n_out))


def shape_behind(node, shape):
    """Return the shape behind a node."""
    ends = nir.Input(np.array(shape)), nir.Output(None)
    graph = nir.NIRGraph(
        {"input": ends[0], "node": node, "output": ends[1]},
        [("input", "node"), ("node", "output")],
    )
    return tuple(int(n) for n in graph.nodes["output"].output_type["output"])


def row(draw, shape, length):
    """Draw nodes one after the other, and the shape behind them."""
    nodes = {}
    for i in range(length):
        makers = [elementwise]
        if len(shape) == 1:
            makers.append(matrix)
        elif min(shape[1:]) >= 4:
            makers += [spatial, spatial]
        node = makers[draw.rng.randint(len(makers))](draw, shape)
        if len(shape) > 1 and draw.rng.rand() < 0.2:
            node = nir.Flatten(np.array(shape), 0, -1)
        shape = shape_behind(node, shape)
        nodes[f"n{i}_{type(node).__name__.lower()}"] = node
    return nodes, shape


def chain(nodes):
    """List edges between nodes, in their order."""
    names = list(nodes)
    return list(zip(names, names[1:], strict=False))


def make(seed, shape, length, loop, nested, branch):
    """Make a graph."""
    draw = Draw(seed)
    nodes, last = row(draw, shape, length)
    nodes = {"input": nir.Input(np.array(shape)), **nodes}
    edges, end = chain(nodes), list(nodes)[-1]
    if loop and len(last) == 1:
        n = last[0]
        nodes["loop"] = draw.neurons(draw.rng.choice(SPIKING), n)
        nodes["back"] = nir.Affine(draw.weights(n, n) / 2, draw.weights(n))
        edges += [(end, "loop"), ("loop", "back"), ("back", "loop")]
        end = "loop"
    if nested:
        inner = {"in": nir.Input(np.array(last)), "lif": draw.neurons("LIF", *last)}
        inner["out"] = nir.Output(np.array(last))
        nodes["sub"] = nir.NIRGraph(inner, chain(inner))
        edges.append((end, "sub"))
        end = "sub"
    if branch:
        nodes["left"] = nir.Scale(draw.weights(*last))
        nodes["right"] = draw.neurons("IF", *last)
        nodes["both"] = nir.Threshold(draw.choice([0.5, 1.0], *last))
        edges += [(end, "left"), (end, "right"), ("left", "both"), ("right", "both")]
        nodes["second"] = nir.Output(np.array(last))
        edges.append(("left", "second"))
        end = "both"
    nodes["output"] = nir.Output(np.array(last))
    return nir.NIRGraph(nodes, [*edges, (end, "output")])


def graphs():
    """Return a strategy for graphs."""
    return st.builds(
        make,
        seed=st.integers(0, 2**16),
        shape=st.sampled_from([(3,), (5,), (2, 6), (2, 5, 6), (1, 6, 6)]),
        length=st.integers(1, 4),
        loop=st.booleans(),
        nested=st.booleans(),
        branch=st.booleans(),
    )


def spikes(graph, seed=0, n_items=2, n_steps=12):
    """Draw input in multiples of a half, of shape (n_items, n_steps, size)."""
    size = int(np.prod(graph.nodes["input"].input_type["input"]))
    return np.random.RandomState(seed).randint(0, 3, (n_items, n_steps, size)) / 2.0
