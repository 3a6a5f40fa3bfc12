"""`to_nir`: from Nengo networks to graphs."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nengo

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.nir.export.network import Export
from nengo_dl.nir.export.same import graph_again, origin_of
from nengo_dl.nir.export.writer import POOLINGS, Draft
from nengo_dl.nir.files import told
from nengo_dl.nir.reading import check_dt
from nengo_dl.nir.tree import nir_package

UNITS = ("step", "second")


@dataclass(frozen=True, eq=False)
class ExportReport:
    """Which parts of a network a graph has, and how exactly.

    Parameters
    ----------
    names : mapping of object to str
        From ensembles, input nodes and probes to the names of their nodes.
    inexact : tuple of str
        What NIR has no words for, with what stands in its place.
    left_out : tuple of str
        What is not in the graph at all; only without ``strict``.
    """

    names: Mapping[Any, str]
    inexact: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __str__(self):
        lines = [f"{len(self.names)} objects of the network have nodes of their own"]
        lines += [f"not exact: {text}" for text in self.inexact]
        lines += [f"left out: {text}" for text in self.left_out]
        return "\n".join(lines)


def to_nir(
    network: nengo.Network,
    dt: float,
    *,
    spike_unit: str = "step",
    pooling: str = "average",
    strict: bool = True,
) -> tuple[Any, ExportReport]:
    """Make a NIR graph of a network.

    What a simulator has learned is written after ``sim.freeze_params(network)``. A
    network that `from_nir` has made, and that has not been added to, becomes the graph
    that it was made of, with its present weights. In others, nodes without an output
    function, neurons that NIR knows, connections (also decoded ones), and synapses that
    are None or a Lowpass can be expressed; probes become outputs.

    Parameters
    ----------
    network : Network
        The network.
    dt : float
        Length of a step, in seconds.
    spike_unit : "step" or "second"
        Whether spikes at an Output are numbers per step, so that one is 1, or have the
        height that they have in Nengo. Decoded values are the same in both.
    pooling : "average" or "sum"
        How averages over windows are written; with "sum", weights behind them are
        divided instead.
    strict : bool
        Whether what cannot be expressed is an error. Otherwise it is left out.

    Returns
    -------
    graph : nir.NIRGraph
        The graph.
    report : `ExportReport`
        What is not in it, or not exactly.

    Raises
    ------
    ImportError
        If the package ``nir`` is not installed.
    ValidationError
        If an argument is wrong, or the network has parts that NIR cannot express; the
        message lists all of them.

    Warns
    -----
    UserWarning
        Once, if something is not expressed exactly. Where it can be, it is written as
        metadata, which `from_nir` heeds.

    Examples
    --------
    .. testcode::

       import nir

       with nengo.Network() as net:
           stimulus = nengo.Node([0, 0], label="in")
           kind = nengo_dl.SteppedLIF(tau_rc=0.02)
           ens = nengo.Ensemble(
               1, 1, neuron_type=kind, gain=[50], bias=[0], label="lif"
           )
           nengo.Connection(stimulus, ens.neurons, transform=[[1, 2]], synapse=None)
           nengo.Probe(ens.neurons, label="out")
       graph, report = nengo_dl.nir.to_nir(net, dt=0.001)
       print(sorted(graph.nodes))

    .. testoutput::

       ['in', 'in_to_lif', 'lif', 'out']
    """
    with argument("to_nir"):
        nir = nir_package()
        _check(network, dt, spike_unit=(spike_unit, UNITS), pooling=(pooling, POOLINGS))
        origin = origin_of(network)
        if origin is not None:
            names = {made.output: name for name, made in origin.made.items()}
            return graph_again(origin), ExportReport(names)
        export = Export(network, dt, spike_unit, Draft(pooling))
        export.write()
        if export.problems:
            # vectors cannot become channels: perhaps as vectors throughout
            flat = Export(network, dt, spike_unit, Draft(pooling), with_channels=False)
            flat.write()
            export = export if flat.problems else flat
        if export.problems and strict:
            raise InvalidValue(
                told("expected what NIR can express (got", export.problems)
            )
    if export.inexact:
        listed = "".join(f"\n- {text}" for text in export.inexact)
        warnings.warn(
            f"to_nir: not all of {network} is exact in NIR:{listed}", stacklevel=2
        )
    nodes = {n: node for n, node in export.draft.nodes.items() if node is not None}
    edges = dict.fromkeys(export.draft.edges)
    graph = nir.NIRGraph(
        nodes,
        [(a, b) for a, b in edges if a in nodes and b in nodes],
        metadata={"dt": float(dt)},
    )
    return graph, ExportReport(
        export.names, tuple(export.inexact), tuple(export.problems)
    )


def _check(network: Any, dt: Any, **choices: tuple[Any, tuple[str, ...]]) -> None:
    """Raise InvalidValue if an argument is wrong."""
    check_dt(dt)
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise InvalidValue(
                f"expected {name} to be one of {', '.join(allowed)} (got {value!r}). "
                f"Leave it out for {allowed[0]!r}."
            )
    if not isinstance(network, nengo.Network):
        raise InvalidValue(
            f"expected a Network (got {network!r}). Pass converter.net for what a "
            "Converter has made."
        )
