"""Reports on networks that come from no model."""

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
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.presentation import positive
from nengo_dl.converter.report.devices import DEVICES, Device
from nengo_dl.converter.report.fan_out import source
from nengo_dl.converter.report.measure import Run, measured
from nengo_dl.converter.report.report import Report
from nengo_dl.errors import arguments_of
from nengo_dl.names import unique_names
from nengo_dl.nodes.array_node import ArrayNode
from nengo_dl.nodes.tensor_node import TensorNode
from nengo_dl.simulator.inputs import read_inputs, steps_of


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


def report(
    network: nengo.Network,
    x: Any = None,
    n_steps: int | None = None,
    *,
    dt: float = 0.001,
    minibatch_size: int = 32,
    devices: Iterable[Device] = DEVICES,
) -> Report:
    """Run any network on data, and report what it does and costs.

    Parameters
    ----------
    network : nengo.Network
        With any objects, spiking or not.
    x : None or dict or list or ndarray, optional
        Data for the input nodes, as for `Simulator.predict`: by node or name, in order,
        or of the first one, of shape (n_items, n_steps, size_out). Others put out what
        they say.
    n_steps : int, optional
        Number of steps; needed if `x` does not tell.
    dt : float
        Length of a step, in seconds.
    minibatch_size : int
        How many items are run side by side.
    devices : iterable of `nengo_dl.converter.report.Device`
        What energies are estimated for.

    Returns
    -------
    report : `nengo_dl.converter.report.Report`
        Its layers are the ensembles, and the nodes with inputs, each with the
        connections that lead to it. There are no outputs to compare with.

    Raises
    ------
    ValidationError
        If the data does not fit the network, or nothing says how many steps to run.

    Notes
    -----
    Encoders are not counted. Operations of functions in Python, of a `TensorNode` and
    of ensembles in direct mode are not known; ``uncounted`` lists these objects.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node([0.5])
           ensemble = nengo.Ensemble(50, 1, label="memory")
           nengo.Connection(stimulus, ensemble)
           nengo.Connection(ensemble, ensemble, synapse=0.1)

       report = nengo_dl.report(net, n_steps=100)
       (layer,) = report.layers
       print(layer.name, layer.neurons, layer.effective_acs == layer.spikes)

    .. testoutput::

       memory 50 True
    """
    nodes = [
        node
        for node in network.all_nodes
        if node.size_in == 0 and not isinstance(node, TensorNode)
    ]
    names = unique_names(nodes, network.all_probes)
    with arguments_of("nengo_dl.report"):
        arrays, n_steps, _ = read_inputs(x, {n: names[n] for n in nodes}, n_steps)
    size = positive("nengo_dl.report", "minibatch_size", minibatch_size)
    conversion = _conversion(network, tuple(arrays))
    inputs = tuple(steps_of(array, 0, n_steps) for array in arrays.values())
    n_items = len(inputs[0]) if inputs else 1
    return measured(Run(conversion, (), n_items, n_steps, dt), inputs, size, devices)


def _conversion(network: nengo.Network, inputs: tuple[nengo.Node, ...]) -> Conversion:
    """Return a network in the form of a converted one."""
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
    return Made((source(obj),), neurons, connections, reason, bool(reason))


def _is_direct(obj: Any) -> bool:
    return isinstance(obj, nengo.Ensemble) and isinstance(obj.neuron_type, nengo.Direct)


def _names(objs: Iterable[Any]) -> Iterator[str]:
    """Yield labels, or types, numbered where they are not unique."""
    counts: dict[str, int] = {}
    for obj in objs:
        name = obj.label or type(obj).__name__.lower()
        counts[name] = counts.get(name, -1) + 1
        yield f"{name}_{counts[name]}" if counts[name] else name
