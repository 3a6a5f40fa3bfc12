"""Where in a network there are spikes, and how many.

Neurons that spike put out spikes, and nodes pass them on as long as each leads to one
element at most, with whatever weight: concatenations, sums and averages of spikes are
still spikes, of different heights. A node in which each spike counts several times, as
behind a convolution, has other values, and so has what computes something of them.
"""

from collections.abc import Iterable, Mapping

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons

from nengo_dl.converter.populations import Obj
from nengo_dl.converter.report.fan_out import is_wiring, links, plain, source, synapses
from nengo_dl.nodes.array_node import ArrayNode, Scale


class Spikes:
    """Counts the spikes of all objects that put out spikes.

    Those of populations that spike have been counted; connections pass them on, with
    the weights of the model.
    """

    def __init__(
        self,
        counted: Mapping[Neurons, np.ndarray],
        connections: Iterable[nengo.Connection],
        model: Model,
    ):
        self._incoming: dict[Obj, list[nengo.Connection]] = {}
        for conn in connections:
            self._incoming.setdefault(source(conn.post_obj), []).append(conn)
        self._model = model
        self._found: dict[Obj, np.ndarray | None] = dict(counted)

    def of(self, obj: Obj) -> np.ndarray | None:
        """Return how many spikes each element of an object had.

        None for an object that puts out something else.
        """
        if obj not in self._found:
            self._found[obj] = None  # what comes back to itself is no plain sum
            self._found[obj] = self._sum(obj) if _is_passing(obj) else None
        return self._found[obj]

    def _sum(self, node: nengo.Node) -> np.ndarray | None:
        counts = np.zeros(node.size_out)
        for conn in self._incoming.get(node, []):
            passed = self._passed(conn)
            if passed is None:
                return None
            np.add.at(counts, np.arange(node.size_out)[conn.post_slice], passed)
        return counts

    def _passed(self, conn: nengo.Connection) -> np.ndarray | None:
        """Return how many spikes a connection passes on to each element."""
        before = self.of(source(conn.pre_obj))
        if before is None or isinstance(conn.pre_obj, nengo.Ensemble):
            return None
        weights = self._model.params[conn].weights
        if not is_wiring(conn):
            if synapses(conn, weights).dense.max() > 1:
                return None
            weights = plain(weights)
        found = links(conn.transform, weights)
        if found is None:
            return None
        pre, post = found
        events = before[conn.pre_slice][pre]
        return np.bincount(post, weights=events, minlength=conn.size_out)


def _is_passing(obj: Obj) -> bool:
    """Whether a node puts out what arrives, but for factors."""
    if isinstance(obj, ArrayNode):
        return isinstance(obj.function, Scale)
    return type(obj) is nengo.Node and obj.output is None and obj.size_in > 0
