"""A network that comes from no model as the source of a conversion: itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.ensemble import Neurons

from nengo_dl.converter.conversion import (
    Conversion,
    Made,
    SourceLayer,
    TensorSpec,
)
from nengo_dl.converter.fan_out import neurons_of
from nengo_dl.converter.populations import Obj
from nengo_dl.nodes.array_node import ArrayNode
from nengo_dl.nodes.tensor_node import TensorNode


@dataclass(eq=False)
class NetworkSource:
    """A network in place of a model: its objects are the layers, and nothing is known.

    See `nengo_dl.converter.conversion.Source`.
    """

    name: str
    layers: tuple[SourceLayer, ...]
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    n_outer_axes: int = 2

    def compute(self, inputs: Any) -> list[np.ndarray]:
        """Return no outputs."""
        del inputs
        return []

    def compute_all(self, inputs: Any) -> tuple[dict, list[np.ndarray]]:
        """Return no outputs."""
        del inputs
        return {}, []


def as_conversion(network: nengo.Network, inputs: tuple[nengo.Node, ...]) -> Conversion:
    """Return a network in the form of a converted one.

    Its layers are the ensembles, and the nodes with inputs, each with the connections
    that lead to it.
    """
    objs: list[Obj] = [*network.all_ensembles]
    objs += [node for node in network.all_nodes if node.size_in > 0]
    incoming: dict[Any, list[nengo.Connection]] = {obj: [] for obj in objs}
    for conn in network.all_connections:
        target = conn.post_obj
        target = target.ensemble if isinstance(target, Neurons) else target
        # connections to learning rules belong to no object, and what ensembles in
        # direct mode compute is Python
        if target in incoming and not _is_direct(conn.pre_obj):
            incoming[target].append(conn)
    layers = tuple(
        SourceLayer(name, type(obj).__name__, 0, (obj,))
        for obj, name in zip(objs, _names(objs), strict=True)
    )
    return Conversion(
        NetworkSource(network.label or "network", layers),
        network,
        inputs,
        outputs=(),
        averages=frozenset(),
        constants=frozenset(),
        made={obj: _made(obj, tuple(conns)) for obj, conns in incoming.items()},
        populations=(),
        tunings=None,
        synapse=None,
    )


def _made(obj: Any, connections: tuple[nengo.Connection, ...]) -> Made:
    reason = ""
    if isinstance(obj, TensorNode):
        reason = "it calls TensorFlow"
    elif isinstance(obj, nengo.Node) and not isinstance(obj, ArrayNode):
        reason = "it calls Python" if obj.output is not None else ""
    elif _is_direct(obj):
        reason = "it is in direct mode"
    has_neurons = isinstance(obj, nengo.Ensemble) and not reason
    neurons = (obj.neurons,) if has_neurons else ()
    return Made((neurons_of(obj),), neurons, connections, reason, bool(reason))


def _is_direct(obj: Any) -> bool:
    return isinstance(obj, nengo.Ensemble) and isinstance(obj.neuron_type, nengo.Direct)


def _names(objs: Iterable[Any]) -> Iterator[str]:
    """Yield labels, or types, numbered where they are not unique."""
    counts: dict[str, int] = {}
    for obj in objs:
        name = obj.label or type(obj).__name__.lower()
        counts[name] = counts.get(name, -1) + 1
        yield f"{name}_{counts[name]}" if counts[name] else name
