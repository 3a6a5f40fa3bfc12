"""`from_nir`: from graphs to Nengo networks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nengo

from nengo_dl.config import configure_settings
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.names import suggestion
from nengo_dl.nir.build import ONE_STEP, Build, Made, build
from nengo_dl.nir.files import MAX_BYTES
from nengo_dl.nir.normal import Graph, normalize
from nengo_dl.nir.numerics import Numerics, chosen
from nengo_dl.nir.reading import check_dt, tree_from
from nengo_dl.nir.tree import Tree


@dataclass(frozen=True, eq=False)
class Origin:
    """The graph that a network was made of, and which objects it has become."""

    tree: Tree
    graph: Graph
    made: Mapping[str, Made]
    n_objects: int  # of the network, when it was made


def from_nir(
    graph: Any,
    dt: float,
    numerics: str | Numerics | None = None,
    reset: str | None = None,
    trainable: bool | Iterable[str] | None = None,
    *,
    max_bytes: int = MAX_BYTES,
) -> nengo.Network:
    """Make a network of a NIR graph, which has the spikes of the graph's source.

    Parameters
    ----------
    graph : nir.NIRGraph or str or Path
        The graph, or a file of it.
    dt : float
        Length of a step, in the unit of time of the graph: seconds, or whatever its
        source counts in. Simulators may have any dt; a step is a step.
    numerics : "nir" or "norse" or "snntorch" or "sinabs" or `Numerics`, optional
        How neurons are stepped: as NIR's equations by Euler's method, or as in the
        framework that the graph comes from. By default as "nir", but for what `to_nir`
        has noted in the graph.
    reset : "zero" or "subtract", optional
        What a spike does, if the graph's source was trained with another reset than
        that of its framework's reader.
    trainable : bool or iterable of str, optional
        Whether training may change weights, biases and scales, or the names of the
        nodes whose it may. By default, all.
    max_bytes : int
        Of the arrays of a file, together. No more is read.

    Returns
    -------
    net : Network
        With these attributes: ``inputs``, a dict from the names of the graph's inputs
        to nodes; ``outputs``, one from names to probes; ``nir_map``, from the names of
        nodes to the objects that hold their outputs, where names in nested graphs are
        joined by dots; and ``nir_weights``, from the names of nodes to dicts from
        ``"weight"``, ``"bias"`` and ``"scale"`` to the connections that hold them.

    Raises
    ------
    ImportError
        If the package ``nir`` is not installed.
    ValidationError
        If an argument is wrong, a file is damaged, or the graph cannot be simulated;
        the message lists all reasons.

    Notes
    -----
    Inputs and spikes are numbers per step: a spike is 1. Signals are flattened in the
    order of the graph's arrays, which have channels first.

    Examples
    --------
    .. testcode::

       import nir

       graph = nir.NIRGraph.from_list(
           nir.Affine(weight=np.array([[0.75, 0.5]]), bias=np.array([0.25])),
           nir.IF(r=np.ones(1), v_threshold=np.ones(1)),
       )
       net = nengo_dl.nir.from_nir(graph, dt=0.001)
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           spikes = sim.predict({net.inputs["input"]: np.ones((1, 4, 2))}, verbose=0)
       print(spikes[net.outputs["output"]].ravel())

    .. testoutput::

       [1. 1. 1. 1.]
    """
    with argument("from_nir"):
        how = chosen(numerics, reset)
        check_dt(dt)
        tree = tree_from(graph, max_bytes)
        found = normalize(tree, dt, how, with_notes=numerics is None)
        trained = _trained(found, trainable)
    net = nengo.Network(label="nir")
    with net:
        configure_settings(trainable=None)
        b = Build(found, net, dt, how)
        made = {name: build(part, b) for name, part in found.parts.items()}
        for start, end in found.edges:
            synapse = ONE_STEP if (start, end) in found.late else None
            b.link(made[start].output, made[end].target, None, synapse)
        net.inputs = {name: made[name].output for name in found.inputs}
        net.outputs = {
            name: nengo.Probe(made[name].output, label=name) for name in found.outputs
        }
    net.nir_map = {name: objects.output for name, objects in made.items()}
    net.nir_weights = {n: dict(m.weights) for n, m in made.items() if m.weights}
    for name in trained:
        for conn in net.nir_weights[name].values():
            net.config[conn].trainable = True
    net.nir_origin = Origin(tree, found, made, count(net))
    return net


def count(net: nengo.Network) -> int:
    """Return how many objects a network has."""
    return sum(len(found) for found in (net.all_objects, net.all_probes))


def _trained(graph: Graph, trainable: bool | Iterable[str] | None) -> list[str]:
    """Return the names of the nodes whose weights may change."""
    fields = ("weight", "scale")
    names = [n for n, p in graph.parts.items() if any(f in p.values for f in fields)]
    if trainable is None or isinstance(trainable, bool):
        return [] if trainable is False else names
    found = [trainable] if isinstance(trainable, str) else list(trainable)
    for name in found:
        if name not in names:
            cure = suggestion(str(name), names) or f" They are {', '.join(names)}."
            raise InvalidValue(
                f"expected trainable to name nodes with weights (got {name!r}).{cure}"
            )
    return found
