"""The way from a network to an engine, for all classes that run one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import nengo
from nengo import Node, Probe
from nengo.builder import Model
from nengo.utils.progress import ProgressBar

from nengo_dl.engine.engine import Engine
from nengo_dl.graph.nengo_model import build_model
from nengo_dl.graph.program import Program, from_model, input_nodes
from nengo_dl.names import unique_names
from nengo_dl.settings import Settings


@dataclass(frozen=True, eq=False)
class BuiltNetwork:
    """A network that Nengo has built, and its program.

    Parameters
    ----------
    model : `nengo.builder.Model`
        Built by Nengo.
    settings : `Settings`
        Of the network.
    program : `Program`
        The computations of every step.
    nodes : tuple of Node
        The input nodes.
    names : mapping of Node or Probe to str
        Unique names of input nodes and probes, in this order.
    """

    model: Model
    settings: Settings
    program: Program
    nodes: tuple[Node, ...]
    names: Mapping[Node | Probe, str]

    def with_probes(self, probes: Iterable[Probe]) -> "BuiltNetwork":
        """Return the same network with some of its probes, in another order."""
        signals = self.program.probes
        program = self.program.replace(probes={p: signals[p] for p in probes})
        return replace(self, program=program)

    def engine(self, minibatch_size: int | None, unroll: int) -> Engine:
        """Compile the program.

        Parameters
        ----------
        minibatch_size : int or None
            Number of items; None if it varies.
        unroll : int
            Steps per iteration of the loop.

        Raises
        ------
        BuildError
            If an operator has no kernel.
        """
        return Engine(
            self.program,
            self.settings,
            dt=self.model.dt,
            minibatch_size=minibatch_size,
            unroll=unroll,
            use_loop=self.settings.use_loop,
        )


def build_network(
    network: nengo.Network | None,
    settings: Settings,
    dt: float,
    model: Model | None = None,
    progress_bar: bool | ProgressBar | None = False,
) -> BuiltNetwork:
    """Build a network with Nengo, and make its program.

    Parameters
    ----------
    settings : `Settings`
        Of the top-level network.
    network, dt, model, progress_bar
        As for `nengo_dl.graph.nengo_model.build_model`.

    Raises
    ------
    BuildError
        If the network cannot be built.
    """
    model = build_model(network, dt, settings.dtype, model, progress_bar)
    nodes = input_nodes(model.toplevel)
    return BuiltNetwork(
        model=model,
        settings=settings,
        program=from_model(model, settings.inference_only),
        nodes=nodes,
        names=unique_names(nodes, model.probes),
    )
