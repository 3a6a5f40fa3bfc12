"""A whole network on its way into a graph."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons
from nengo.exceptions import NengoException

from nengo_dl.errors import InvalidValue
from nengo_dl.nir.export.layouts import ArrayLayout, flat, layouts
from nengo_dl.nir.export.links import (
    Filter,
    Link,
    Matrix,
    Obj,
    Scaling,
    chosen_elements,
    filter_of,
    identity,
    link_of,
)
from nengo_dl.nir.export.neurons import Written, written
from nengo_dl.nir.export.tidy import STEPS, absorbed, drop_delays
from nengo_dl.nir.export.writer import Draft, Sum, Term
from nengo_dl.nir.numerics import NOTES
from nengo_dl.nir.tree import nir_package
from nengo_dl.nodes.array_node import ArrayNode, Constant, Scale

T = TypeVar("T")


@dataclass(eq=False)
class Export:
    """A network on its way into a draft."""

    network: nengo.Network
    dt: float
    spike_unit: str
    draft: Draft
    names: dict[Any, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    inexact: list[str] = field(default_factory=list)
    delays: list[str] = field(default_factory=list)
    known: dict[Any, Sum] = field(default_factory=dict)
    into: dict[Any, list[Link]] = field(default_factory=dict)
    layouts: dict[Any, ArrayLayout] = field(default_factory=dict)
    with_channels: bool = True

    def write(self) -> None:
        """Write all of the network, and note what cannot be written."""
        self._check_nodes()
        try:
            self.model = Model(dt=self.dt)
            self.model.build(self.network)
        except NengoException as error:
            self.problems.append(f"{self.network}: expected to be built (got: {error})")
            return
        links = self._links()
        self.layouts = layouts(links) if self.with_channels else {}
        for link in links:
            self.into.setdefault(link.post, []).append(link)
        self._inputs()
        populations = [self._population(ens) for ens in self.network.all_ensembles]
        filtered = [self._filter(x, x.synapse) for x in links if x.synapse is not None]
        for finish in (*populations, *filtered):
            if finish is not None:
                self._try(*finish)
        for probe in self.network.all_probes:
            self._try(probe, self._output, probe)
        if not self.problems:
            for step in STEPS:
                self._try("network", step, self.draft)
            drop_delays(self.draft, self.delays)

    def _try(self, obj: Any, function: Callable[..., T], *args: Any) -> T | None:
        try:
            return function(*args)
        except InvalidValue as error:
            self.problems.append(f"{obj}: {error}")
            return None

    # --- what there is ------------------------------------------------------------

    def _check_nodes(self) -> None:
        for node in self.network.all_nodes:
            is_known = isinstance(node, ArrayNode) and isinstance(
                node.function, Constant | Scale
            )
            if node.size_in and node.output is not None and not is_known:
                self.problems.append(
                    f"{node}: expected a Node without a function of its input (got one)"
                )
        if not self.network.all_probes:
            self.problems.append("network: expected a Probe, for an Output (got none)")

    def _links(self) -> list[Link]:
        found = []
        for conn in self.network.all_connections:
            link = self._try(conn, link_of, conn, self.model)
            if link is not None:
                found.append(link)
        for ens in self.network.all_ensembles:
            encoders = np.asarray(self.model.params[ens].scaled_encoders)
            one, none = np.ones(()), None
            if any(link.post is ens for link in found):
                map_ = Matrix(encoders)
                found.append(Link(ens, ens.neurons, map_, none, one, none, ens))
        return found

    def _layout(self, obj: Any, size: int) -> ArrayLayout:
        return self.layouts.get(obj, flat(size))

    def _inputs(self) -> None:
        nir = nir_package()
        for node in self.network.all_nodes:
            if node.size_in or not node.size_out or isinstance(node, ArrayNode):
                continue
            layout = self._layout(node, node.size_out)
            name = self.draft.add(node.label or "input", nir.Input(list(layout.shape)))
            self.names[node] = name
            term = Term(name, layout, np.ones(()))
            self.known[node] = Sum((term,), np.zeros(node.size_out))

    def _population(self, ens: nengo.Ensemble) -> tuple | None:
        """Make room for the node of neurons; return how to connect it."""
        label = ens.label or "neurons"
        found = self._try(ens, written, ens.neuron_type, self.dt)
        name = self.draft.name(label)
        if found is None:
            self.known[ens.neurons] = Sum((), np.zeros(ens.n_neurons))
            return None
        layout = self._layout(ens.neurons, ens.n_neurons)
        self.names[ens] = name
        term = Term(name, layout, np.asarray(found.height))
        self.known[ens.neurons] = Sum((term,), np.zeros(ens.n_neurons))
        self.draft.nodes[name] = self._neurons(ens, found, layout, name)
        return ens, self._connect, ens, found, name, layout

    def _neurons(self, ens, found: Written, layout: ArrayLayout, name: str) -> Any:
        def shaped(value):
            full = np.broadcast_to(np.asarray(value, dtype=float), ens.n_neurons)
            return full[layout.order].reshape(layout.shape)

        node = found.node(shaped)
        notes = {key: value for key, value in found.numerics.items()}
        self.inexact += [f"{ens}: {text}" for text in found.inexact]
        for state in ("voltage", "current"):
            if state in self.model.sig[ens.neurons]:
                initial = self.model.sig[ens.neurons][state].initial_value
                if np.any(initial):
                    notes[f"initial_{state}"] = shaped(initial)
                    self.inexact.append(f"{ens}: the initial {state} is metadata")
        if notes:
            node.metadata = {NOTES: notes}
        return node

    def _connect(self, ens, found: Written, name: str, layout: ArrayLayout) -> None:
        bias = np.asarray(self.model.params[ens].bias)
        arriving = self._arriving(ens.neurons, ens.n_neurons)
        arriving = Sum(arriving.terms, arriving.constant + bias)
        gain = Scaling(np.asarray(found.gain))
        arriving = self.draft.through(arriving, gain, ens.n_neurons, name)
        self.draft.arrive(arriving, name, layout)

    # --- signals ------------------------------------------------------------------

    def _signal(self, obj: Obj) -> Sum:
        """Return what an object puts out."""
        if obj in self.known:
            return self.known[obj]
        if isinstance(obj, ArrayNode) and isinstance(obj.function, Constant):
            found = Sum((), np.ones(obj.size_out))
        else:
            found = self._arriving(obj, obj.size_in)
            if isinstance(obj, ArrayNode) and isinstance(obj.function, Scale):
                factor = Scaling(np.ravel(obj.function.factors))
                found = self.draft.through(found, factor, obj.size_out, obj.label or "")
        self.known[obj] = found
        return found

    def _arriving(self, obj: Obj, size: int) -> Sum:
        """Return the sum of what arrives at an object."""
        before = set(self.draft.nodes)
        total = Sum((), np.zeros(size))
        for link in self.into.get(obj, ()):
            total = total.plus(self._through(link, size))
        # nodes that nothing else has heard of yet
        fresh = [term for term in total.terms if term.node not in before]
        return absorbed(self.draft, total, fresh)

    def _through(self, link: Link, size: int) -> Sum:
        n = size if link.into is None else len(link.into)
        label = f"{_label(link.pre)}_to_{_label(link.post)}"
        if link.synapse is None:
            found = self.draft.through(self._signal(link.pre), link.map, n, label)
        else:
            found = self.known[link]
        found = self.draft.through(found, Scaling(link.gain), n, label)
        if link.into is None:
            return found
        spread = np.zeros((size, n))
        spread[link.into, np.arange(n)] = 1
        return self.draft.through(found, Matrix(spread), size, label)

    def _filter(self, link: Link, synapse: Filter) -> tuple:
        """Make room for a synapse: an integrator that leaks, and a delay of a step."""
        nir = nir_package()
        size = link.post.size_in if link.into is None else len(link.into)
        layout = flat(size) if link.into is not None else self._layout(link.post, size)
        label = f"{_label(link.pre)}_to_{_label(link.post)}"
        full = np.ones(layout.shape)
        delay = self.draft.add(
            f"{label}_delay", nir.Delay(full * (synapse.steps * self.dt))
        )
        if synapse.steps == 1:
            self.delays.append(delay)
        name = delay
        # Nengo takes shorter ones for a step, too
        if synapse.tau > 0.03 * self.dt:
            tau = full * (self.dt / -math.expm1(-self.dt / synapse.tau))
            name = self.draft.add(f"{label}_synapse", nir.LI(tau, 1.0 * full, 0 * full))
            self.draft.edges.append((name, delay))
        self.known[link] = Sum((Term(delay, layout, np.ones(())),), np.zeros(size))
        return link.conn, self._enter, link, name, layout, size

    def _enter(self, link: Link, name: str, layout: ArrayLayout, size: int) -> None:
        label = f"{_label(link.pre)}_to_{_label(link.post)}"
        found = self.draft.through(self._signal(link.pre), link.map, size, label)
        self.draft.arrive(found, name, layout)

    # --- outputs ------------------------------------------------------------------

    def _output(self, probe: nengo.Probe) -> None:
        if probe.attr not in ("output", "decoded_output"):
            return
        nir = nir_package()
        link = self._probed(probe)
        if link.synapse is not None:
            found = self._filter(link, link.synapse)
            self._enter(*found[2:])
        self.into.setdefault(probe, []).append(link)
        size = link_size(link)
        signal = self._arriving(probe, size)
        if isinstance(link.pre, Neurons) and isinstance(link.map, Scaling):
            if self.spike_unit == "step":
                terms = tuple(Term(t.node, t.layout, np.ones(())) for t in signal.terms)
                signal = Sum(terms, signal.constant)
        layouts_ = {t.layout.shape: t.layout for t in signal.terms}
        layout = next(iter(layouts_.values())) if len(layouts_) == 1 else flat(size)
        node = nir.Output(list(layout.shape))
        name = self.draft.add(probe.label or f"{_label(probe.obj)}_output", node)
        self.names[probe] = name
        self.draft.arrive(signal, name, layout)

    def _probed(self, probe: nengo.Probe) -> Link:
        """Return the connection that a probe stands for."""
        obj, map_ = probe.obj, identity()
        if isinstance(obj, nengo.Ensemble):
            conns = [c for c in self.model.params if isinstance(c, nengo.Connection)]
            conn = next(c for c in conns if c.post_obj is probe)
            map_ = Matrix(np.asarray(self.model.params[conn].weights))
            obj, index = obj.neurons, None
        else:
            index = chosen_elements(obj.size_out, probe.slice)
        if index is not None:
            map_ = Matrix(np.eye(obj.size_out)[index])
        return Link(
            obj, probe, map_, filter_of(probe.synapse), np.ones(()), None, probe
        )


def link_size(link: Link) -> int:
    """Return the number of elements at the end of a probe's connection."""
    return len(link.map.weights) if isinstance(link.map, Matrix) else link.pre.size_out


def _label(obj: Any) -> str:
    """Return a name for an object, for those of nodes."""
    obj = obj.ensemble if isinstance(obj, Neurons) else obj
    return getattr(obj, "label", None) or type(obj).__name__.lower()
