"""Drafts of graphs, tidied up: factors and constants go where other frameworks look."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.nir.cycles import late_edges
from nengo_dl.nir.export.writer import Draft, Sum, Term
from nengo_dl.nir.kinds import KINDS
from nengo_dl.nir.tree import nir_package

WEIGHTED = ("Affine", "Conv1d", "Conv2d")


def kind_of(node: Any) -> str:
    """Return the name of the type of a node."""
    return type(node).__name__


def _before(draft: Draft, name: str) -> list[str]:
    return [a for a, b in draft.edges if b == name]


def _after(draft: Draft, name: str) -> list[str]:
    return [b for a, b in draft.edges if a == name]


def absorbed(draft: Draft, signal: Sum, terms: list[Term]) -> Sum:
    """Return a signal whose constants are in the biases of a term, if one has such."""
    for term in terms:
        constant = signal.constant[term.layout.order]
        if np.any(constant) and np.all(term.factor == 1):
            rows = _by_row(constant, draft.nodes[term.node])
            if rows is not None:
                node = draft.nodes[term.node]
                node.bias = node.bias + rows
                return Sum(signal.terms, np.zeros_like(signal.constant))
    return signal


def fold_scales(draft: Draft) -> None:
    """Multiply weights by the factors behind them, if nothing else hears of these."""
    for name in [n for n, node in draft.nodes.items() if kind_of(node) == "Scale"]:
        before = _before(draft, name)
        if len(before) != 1 or len(_after(draft, before[0])) != 1:
            continue
        node = draft.nodes[before[0]]
        factor = _by_row(draft.nodes[name].scale, node)
        if factor is None:
            continue
        node.weight = node.weight * factor.reshape(-1, *[1] * (node.weight.ndim - 1))
        node.bias = node.bias * factor
        draft.edges[:] = [
            (before[0] if a == name else a, b) for a, b in draft.edges if b != name
        ]
        del draft.nodes[name]


def _by_row(values: np.ndarray, node: Any) -> np.ndarray | None:
    """Return values with one for each row of weights; None if there is no such one."""
    if kind_of(node) not in WEIGHTED:
        return None
    rows = values.reshape(len(node.weight), -1)
    return rows[:, 0] if np.all(rows == rows[:, :1]) else None


def add_constants(draft: Draft) -> None:
    """Bring constants to where they arrive: as biases, or as leak voltages."""
    nir = nir_package()
    for name, constant in draft.constants.items():
        for before in _before(draft, name):
            node = draft.nodes[before]
            rows = None
            if _after(draft, before) == [name]:
                rows = _by_row(constant, node)
            if rows is not None:
                node.bias = node.bias + rows
                break
        else:
            if len(_size_out(draft.nodes[name])) > 1:
                raise InvalidValue(
                    f"{name}: expected constants for each channel (got others). "
                    "Connect them through weights."
                )
            starts = [*_before(draft, name), _any_input(draft)]
            source = _as_vector(draft, starts[0])
            size = int(np.prod(_size_out(draft.nodes[source])))
            weight = np.zeros((len(constant), size))
            bias = nir.Affine(weight=weight, bias=np.array(constant))
            added = draft.add(f"{name}_bias", bias, (source,))
            draft.edges.append((added, name))


def _any_input(draft: Draft) -> str:
    return next(n for n, node in draft.nodes.items() if kind_of(node) == "Input")


def _size_out(node: Any) -> Any:
    return next(iter(node.output_type.values()))


def _as_vector(draft: Draft, name: str) -> str:
    """Return the name of a node with the output of another as a vector."""
    shape = _size_out(draft.nodes[name])
    if shape is None or len(shape) == 1:
        return name
    flattened = f"{name}_flatten"
    if flattened in draft.nodes:
        return flattened
    node = nir_package().Flatten(np.array(shape), -len(shape), -1)
    return draft.add(flattened, node, (name,))


def drop_delays(draft: Draft, delays: list[str]) -> None:
    """Take out delays of a step that cycles of the graph have in any case."""
    short = set(delays)
    start = {name: _before(draft, name) for name in short}
    edges: list[tuple[str, str]] = []
    wanted: dict[tuple[str, str], str] = {}
    for a, b in draft.edges:
        if a in short:
            for source in start[a]:
                edges.append((source, b))
                wanted[source, b] = a
        elif b not in short:
            edges.append((a, b))
    names = [n for n in draft.nodes if n not in short]
    names.sort(key=lambda n: kind_of(draft.nodes[n]) != "Input")
    stateful = {n for n in names if KINDS[kind_of(draft.nodes[n])].is_stateful}
    late = late_edges(tuple(names), edges, stateful, "spikes", [])
    if not late <= set(wanted):
        return
    for name in short:
        served = [edge for edge, delay in wanted.items() if delay == name]
        if served and all(edge in late for edge in served):
            draft.edges[:] = [e for e in draft.edges if name not in e] + served
            del draft.nodes[name]


STEPS: tuple[Callable[[Draft], None], ...] = (fold_scales, add_constants)
