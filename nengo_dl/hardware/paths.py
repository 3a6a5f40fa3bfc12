"""How the neurons of a network reach each other, through nodes that only pass on.

A chip has neurons and weights between them. Whatever lies between two populations, such
as an average or a node that collects inputs, is part of their weights there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, TypeAlias

import nengo
import numpy as np
import scipy.sparse
from nengo.builder import Model
from nengo.ensemble import Neurons

from nengo_dl.chips.limits import held_by_host, held_by_loihi
from nengo_dl.errors import InvalidValue
from nengo_dl.nir.export.links import Filter, Link, Matrix, Scaling, Windowed, link_of
from nengo_dl.nodes.array_node import ArrayNode, Constant, Scale

Source: TypeAlias = Any  # neurons, or a node that is no part of the chip


@dataclass(frozen=True, eq=False)
class Path:
    """Connections from neurons, or from a node, to a population, one after the other.

    Parameters
    ----------
    source : Neurons or Node
        The start.
    target : Ensemble
        The end.
    links : tuple of Link
        The connections.
    matrices : tuple of sparse array
        What each connection, and each node between them, does; the first comes first.
    """

    source: Source
    target: nengo.Ensemble
    links: tuple[Link, ...]
    matrices: tuple[Any, ...]

    @property
    def is_spiking(self) -> bool:
        """(bool) Whether it starts at neurons."""
        return isinstance(self.source, Neurons)

    @cached_property
    def matrix(self) -> Any:
        """(csr_array of shape (n_neurons, size_out)) From values to input currents."""
        found = reduce(lambda product, m: m @ product, self.matrices)
        found = scipy.sparse.csr_array(found)
        found.eliminate_zeros()
        return found

    @property
    def synapse(self) -> Filter | None:
        """(Filter or None) The only synapse on the way.

        Raises
        ------
        InvalidValue
            If there are several.
        """
        found = [link.synapse for link in self.links if link.synapse is not None]
        if len(found) > 1:
            raise InvalidValue(
                f"expected one synapse from {self.source} on (got {len(found)}). Set "
                "synapse=None for all but one of the connections."
            )
        return found[0] if found else None

    @property
    def synapse_object(self) -> Any:
        """(Synapse or None) The same, as a connection has it."""
        found = [link.conn.synapse for link in self.links if link.synapse is not None]
        return found[0] if found else None

    @property
    def height(self) -> float:
        """(float) What its start puts out for a spike on the chip; 1 of a node."""
        return self.source.ensemble.neuron_type.amplitude if self.is_spiking else 1.0

    def rounded(self, weights: np.ndarray) -> np.ndarray:
        """Return weights from a spike, or a value of 1, to currents with 8 bits."""
        return held_by_loihi(weights) if self.is_spiking else held_by_host(weights)

    @property
    def constant(self) -> np.ndarray | None:
        """(ndarray or None) What its start puts out, if it is always the same."""
        return None if self.is_spiking else constant_output(self.source)


def constant_output(node: nengo.Node) -> np.ndarray | None:
    """Return the values of a node that holds biases; None of any other node.

    Nodes of a user that put out an array are inputs, which data can replace.
    """
    is_constant = isinstance(node, ArrayNode) and isinstance(node.function, Constant)
    return node.compute(0) if is_constant else None


class Paths:
    """All paths to the populations of a network.

    Parameters
    ----------
    network : Network
        The network.
    model : Model
        What Nengo has built of it.

    Attributes
    ----------
    by_target : dict of Ensemble to list of `Path`
        The paths to each population.
    problems : list of str
        What is no path that a chip could have.
    """

    def __init__(self, network: nengo.Network, model: Model):
        self._model = model
        self._into: dict[Any, list[nengo.Connection]] = {}
        self._links: dict[nengo.Connection, Link | None] = {}
        self.problems: list[str] = []
        for conn in network.all_connections:
            self._into.setdefault(conn.post_obj, []).append(conn)
        self.by_target = {
            ens: [path for obj in (ens.neurons, ens) for path in self._to(ens, obj)]
            for ens in network.all_ensembles
        }

    def _to(self, ens: nengo.Ensemble, obj: Any) -> Iterator[Path]:
        """Yield the paths that arrive at an ensemble, or at its neurons."""
        last: tuple[Any, ...] = ()
        if obj is ens:
            last = (scipy.sparse.csr_array(self._model.params[ens].scaled_encoders),)
        for source, links, matrices in self._back(obj):
            yield Path(source, ens, links, (*matrices, *last))

    def _back(self, obj: Any) -> Iterator[tuple[Source, tuple, tuple]]:
        """Yield starts, connections and matrices of all that arrives at an object."""
        for conn in self._into.get(obj, ()):
            link = self._link(conn)
            if link is None:
                continue
            here = (link_matrix(link),)
            if not isinstance(link.pre, nengo.Node) or not passes_on(link.pre):
                yield link.pre, (link,), here
                continue
            if isinstance(link.pre, ArrayNode):
                factors = np.ravel(link.pre.function.factors)
                here = (scipy.sparse.diags_array(factors), *here)
            for source, links, matrices in self._back(link.pre):
                yield source, (*links, link), (*matrices, *here)

    def _link(self, conn: nengo.Connection) -> Link | None:
        if conn not in self._links:
            try:
                self._links[conn] = link_of(conn, self._model)
            except InvalidValue as error:
                self._links[conn] = None
                self.problems.append(f"{conn}: {error}")
        return self._links[conn]


def passes_on(node: nengo.Node) -> bool:
    """Whether a node puts out what arrives, or multiplies it by constants."""
    if isinstance(node, ArrayNode):
        return isinstance(node.function, Scale)
    return node.output is None and node.size_in > 0


# --- matrices -------------------------------------------------------------------------


def link_matrix(link: Link) -> Any:
    """Return what a connection does, from all of its start to all of its end."""
    found = MATRICES[type(link.map)](link)
    found = scipy.sparse.diags_array(np.broadcast_to(link.gain, found.shape[0])) @ found
    if link.into is None:
        return found
    n_rows = len(link.into)
    ones = (np.ones(n_rows), (link.into, np.arange(n_rows)))
    spread = scipy.sparse.csr_array(ones, shape=(link.post.size_in, n_rows))
    return spread @ found


def _scaling(link: Link) -> Any:
    size = link.pre.size_out
    return scipy.sparse.diags_array(np.broadcast_to(link.map.factor, size))


def _matrix(link: Link) -> Any:
    return scipy.sparse.csr_array(link.map.weights)


def _windowed(link: Link) -> Any:
    """Return the matrix of a convolution, tap by tap."""
    conv = link.map
    inputs, outputs = (
        np.moveaxis(index, -1, 0) if shape.channels_last else index
        for shape in (conv.shape_in, conv.shape_out)
        for index in (np.arange(shape.size).reshape(shape.shape),)
    )
    pads = [(0, 0), *((p, p) for p in conv.padding)]
    inputs = np.pad(inputs, pads, constant_values=-1)
    n_filters, n_in = conv.kernel.shape[:2]
    group = np.arange(n_filters) // (n_filters // conv.groups)
    channels = group[:, None] * n_in + np.arange(n_in)
    rows, columns, values = [], [], []
    for tap in np.ndindex(*conv.kernel.shape[2:]):
        steps = zip(tap, conv.stride, outputs.shape[1:], strict=True)
        at = tuple(slice(t, t + s * (n - 1) + 1, s) for t, s, n in steps)
        column = inputs[(slice(None), *at)].reshape(len(inputs), -1)[channels]
        row = np.broadcast_to(outputs.reshape(n_filters, 1, -1), column.shape)
        value = np.broadcast_to(conv.kernel[(..., *tap)][..., None], column.shape)
        inside = column >= 0
        rows.append(row[inside])
        columns.append(column[inside])
        values.append(value[inside])
    places = (np.concatenate(rows), np.concatenate(columns))
    shape = (conv.shape_out.size, conv.shape_in.size)
    return scipy.sparse.csr_array((np.concatenate(values), places), shape=shape)


MATRICES: dict[type, Callable[[Link], Any]] = {
    Scaling: _scaling,
    Matrix: _matrix,
    Windowed: _windowed,
}
