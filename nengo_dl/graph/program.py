"""The frozen description of a simulation: what runs in every step, and on what.

`from_model` turns Nengo's built model into a `Program`. Whatever depends on time alone
(input nodes, noise processes) leaves the list of operators and becomes a `Feed`, to be
evaluated on the host ahead of the time loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from nengo import Network, Node, Probe
from nengo.builder import Builder, Model, Signal
from nengo.builder.node import SimPyFunc
from nengo.builder.operator import Copy, Operator, TimeUpdate
from nengo.builder.probe import SimProbe
from nengo.builder.processes import SimProcess

from nengo_dl.config import object_settings
from nengo_dl.graph.kept import ALL_STEPS, Every, Kept, Last
from nengo_dl.graph.on_chip import put_on_chips
from nengo_dl.graph.parameters import Parameter, parameters
from nengo_dl.graph.streams import Streams, find_streams


@dataclass(frozen=True, eq=False)
class Feed:
    """A value that is known before the step runs, because only time decides it.

    Parameters
    ----------
    output : ndarray or callable or `nengo.Process`
        A constant of shape (size,), a function of time (in seconds), or a process
        without input.
    signal : Signal or None
        What the value sets; None for a function called for its side effects alone.
    node : Node or None
        The input node it comes from; None for, e.g., an ensemble's noise.
    op : SimProcess or None
        The operator of a process; its ``state`` holds the initial state.
    """

    output: Any
    signal: Signal | None
    node: Node | None = None
    op: Operator | None = None

    @property
    def size(self) -> int:
        """Number of values per step."""
        return 0 if self.signal is None else self.signal.size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value of a step."""
        return (0,) if self.signal is None else self.signal.shape


@dataclass(frozen=True, eq=False)
class Program:
    """Everything a simulation computes, and nothing about how.

    Parameters
    ----------
    operators : tuple of Operator
        Nengo operators to run in every step, in no particular order.
    step, time : Signal
        The step counter and the time in seconds, set before anything else runs.
    feeds : tuple of `Feed`
        Values set before the operators run, input nodes first.
    probes : mapping of Probe to Signal
        Signals to be read at the end of every step.
    kept : mapping of Probe to `Kept`
        Which steps probes keep; all steps of those that are not in it.
    resets : mapping of Signal to float
        Signals that hold this value at the start of every step.
    parameters : tuple of `Parameter`
        Signals that hold the network's parameters.
    streams : ``Streams``
        Where random numbers come from.
    """

    operators: tuple[Operator, ...]
    step: Signal
    time: Signal
    feeds: tuple[Feed, ...] = ()
    probes: Mapping[Probe, Signal] = field(default_factory=dict)
    kept: Mapping[Probe, Kept] = field(default_factory=dict)
    resets: Mapping[Signal, float] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    streams: Streams = Streams()

    def __post_init__(self):
        for name in ("probes", "kept", "resets"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def replace(self, **changes) -> "Program":
        """Return a copy with some fields changed.

        Parameters
        ----------
        **changes
            Fields and their new values.

        Returns
        -------
        program : `Program`
            The copy.
        """
        return replace(self, **changes)

    def kept_of(self, probe: Probe) -> Kept:
        """Return which steps a probe keeps."""
        return self.kept.get(probe, ALL_STEPS)

    @property
    def trainable(self) -> frozenset[Signal]:
        """Base signals that no operator writes, but that training changes."""
        return frozenset(p.signal for p in self.parameters if p.trainable)


def input_nodes(network: Network | None) -> tuple[Node, ...]:
    """List the nodes without input, in the order of ``network.all_nodes``.

    Nodes of a type with a build function of its own, like a TensorNode, are left out:
    what they put out is computed in every step.
    """
    nodes = () if network is None else network.all_nodes
    return tuple(n for n in nodes if n.size_in == 0 and _built_as(type(n)) is Node)


def _built_as(node_type: type[Node]) -> type:
    """Return the type whose build function Nengo uses for a type of nodes."""
    return next(cls for cls in node_type.__mro__ if cls in Builder.builders)


def _kept(model: Model) -> dict[Probe, Kept]:
    """Return which steps probes keep: a setting, and their ``sample_every``."""
    net = model.toplevel
    keeps = {} if net is None else object_settings(net, "keep_history")

    def kept(probe: Probe) -> Kept:
        if not keeps.get(probe, True):
            return Last()
        every = probe.sample_every
        return ALL_STEPS if every is None else Every(every / model.dt)

    return {probe: kept(probe) for probe in model.probes}


def from_model(model: Model, inference_only: bool = False) -> Program:
    """Describe a built model.

    Parameters
    ----------
    model : `nengo.builder.Model`
        A model into which all networks have been built.
    inference_only : bool
        Whether all parameters are constants, whatever is set to be trainable.

    Returns
    -------
    program : `Program`
    """
    nodes = input_nodes(model.toplevel)
    fed = {}
    operators: list[Operator] = []
    for op in model.operators:
        if isinstance(op, TimeUpdate | SimProbe):
            continue
        feed, rest = _split_feed(op)
        if feed is not None:
            fed[op] = feed
        operators.extend(rest)
    feeds = _name_feeds(model, nodes, list(fed.values()))
    found = parameters(model, inference_only)
    chip_operators, probes = put_on_chips(
        operators,
        {probe: model.sig[probe]["in"] for probe in model.probes},
        {
            p.signal: (p.name, p.placement)
            for p in found
            if p.placement is not None and p.placement.model.acts
        },
    )
    return Program(
        operators=chip_operators,
        step=model.step,
        time=model.time,
        feeds=feeds,
        probes=probes,
        kept=_kept(model),
        parameters=found,
        streams=find_streams(model.operators),
    )


def _split_feed(op: Operator) -> tuple[Feed | None, tuple[Operator, ...]]:
    """Return what depends on time alone as a feed, and the operators that remain."""
    if type(op) is SimPyFunc and op.x is None and op.t is not None:
        return Feed(op.fn, op.output), ()
    if type(op) is SimProcess and op.input is None:
        if op.mode == "set":
            return Feed(op.process, op.output, op=op), ()
        signal = Signal(
            np.zeros_like(op.output.initial_value), name=f"{op.output.name}.{op.tag}"
        )
        return (
            Feed(op.process, signal, op=op),
            (Copy(signal, op.output, inc=op.mode == "inc", tag=op.tag),),
        )
    return None, (op,)


def _name_feeds(model: Model, nodes: tuple[Node, ...], feeds: list) -> tuple:
    """Attach the input nodes to their feeds; add the constant ones."""
    by_signal = {feed.signal: feed for feed in feeds if feed.signal is not None}
    silent = [feed for feed in feeds if feed.signal is None]
    named = {}
    for node in nodes:
        signal = model.sig[node]["out"]
        if signal is None:
            feed = next((f for f in silent if f.output is node.output), None)
            if feed is not None:
                silent.remove(feed)
                named[node] = replace(feed, node=node)
        elif signal in by_signal:
            named[node] = replace(by_signal.pop(signal), node=node)
        else:
            named[node] = Feed(np.array(signal.initial_value), signal, node)
    return (*named.values(), *by_signal.values(), *silent)
