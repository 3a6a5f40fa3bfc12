"""How the neurons of a network reach each other, through nodes that only pass on.

A chip has neurons and weights between them. Whatever lies between two populations, such
as an average or a node that collects inputs, is part of their weights there.
"""

from collections.abc import Iterator
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
from nengo_dl.hardware.matrices import link_matrix
from nengo_dl.nir.export.links import Filter, Link, link_of
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

    def _back(
        self, obj: Any, behind: tuple = ()
    ) -> Iterator[tuple[Source, tuple, tuple]]:
        """Yield starts, connections and matrices of all that arrives at an object.

        Objects ``behind`` it are those that led here. Meeting one of them again is a
        cycle.
        """
        behind = (*behind, obj)
        for conn in self._into.get(obj, ()):
            link = self._link(conn)
            if link is not None and link.pre in behind and passes_on(link.pre):
                self._note(
                    f"{conn}: expected no cycle of nodes without neurons (got one)"
                )
                link = None
            if link is None:
                continue
            here: tuple[Any, ...] = (link_matrix(link),)
            if not passes_on(link.pre):
                yield link.pre, (link,), here
                continue
            if isinstance(link.pre, ArrayNode):
                factors = np.ravel(link.pre.function.factors)
                here = (scipy.sparse.diags_array(factors), *here)
            for source, links, matrices in self._back(link.pre, behind):
                yield source, (*links, link), (*matrices, *here)

    def _link(self, conn: nengo.Connection) -> Link | None:
        if conn not in self._links:
            try:
                self._links[conn] = link_of(conn, self._model)
            except InvalidValue as error:
                self._links[conn] = None
                self._note(f"{conn}: {error}")
        return self._links[conn]

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def passes_on(obj: Any) -> bool:
    """Whether an object is a node that puts out what arrives, or multiples of it."""
    if isinstance(obj, ArrayNode):
        return isinstance(obj.function, Scale)
    return isinstance(obj, nengo.Node) and obj.output is None and obj.size_in > 0
