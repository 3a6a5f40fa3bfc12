"""From trees to graphs that can be stepped: flat, checked, with all shapes known.

All that is wrong with a graph is found before anything is made of it, and told at once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.names import suggestion
from nengo_dl.nir.cycles import late_edges
from nengo_dl.nir.files import told
from nengo_dl.nir.kinds import (
    KINDS,
    MAX_SIZE,
    MISSING,
    Shape,
    Values,
    elementwise,
)
from nengo_dl.nir.numerics import NOTES, Numerics, checked_notes, noted
from nengo_dl.nir.tree import Tree

Edge: TypeAlias = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Part:
    """A node of a graph."""

    name: str  # with those of the graphs that it is in before it
    kind: str
    values: Mapping[str, Any]
    shape_in: Shape
    shape_out: Shape
    notes: Mapping[str, Any] = field(default_factory=dict)  # see `numerics.NOTES`

    @property
    def size_in(self) -> int:
        """(int) How many elements arrive."""
        return math.prod(self.shape_in)

    @property
    def size_out(self) -> int:
        """(int) How many elements leave."""
        return math.prod(self.shape_out)

    def full(self, values: Any) -> np.ndarray:
        """Return values of the elements, of shape (size_in,)."""
        return np.broadcast_to(np.ravel(values), self.size_in)


@dataclass(frozen=True, eq=False)
class Graph:
    """A flat graph."""

    parts: Mapping[str, Part]
    edges: tuple[Edge, ...]  # each of them once
    late: frozenset[Edge]  # whose end gets what their start had a step before
    delaying: frozenset[str]  # parts whose output depends on steps before alone
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def before(self, name: str) -> list[str]:
        """List the parts that edges to a part come from."""
        return [a for a, b in self.edges if b == name]


def normalize(tree: Tree, dt: float, how: Numerics, with_notes: bool = False) -> Graph:
    """Return the flat graph of a tree, with notes of its nodes if they are wanted.

    Raises
    ------
    InvalidValue
        If anything is wrong with it; the message has all of it.
    """
    if tree.get("type") != "NIRGraph":
        raise InvalidValue(
            f"expected a graph (got {tree.get('type', 'something else')}). Pass a "
            "nir.NIRGraph, or the path of one."
        )
    problems: list[str] = []
    nodes, edges = _flat(tree, problems)
    checked = {name: _values(name, node, problems) for name, node in nodes.items()}
    values = {name: found for name, found in checked.items() if found is not None}
    notes = {n: _notes(n, nodes[n], problems) if with_notes else {} for n in values}
    for name, found in values.items():
        how_here = noted(how, notes[name])
        _check_times(name, nodes[name]["type"], found, dt, how_here, problems)
    kinds = {name: nodes[name]["type"] for name in values}
    _check_ends(tree, nodes, edges, problems)
    shapes = _shapes(kinds, values, edges, problems)
    delaying = {n for n in kinds if kinds[n] == "Delay" and _delays(values[n], dt)}
    late = late_edges(
        tuple(sorted(kinds, key=lambda name: kinds[name] != "Input")),
        # what leaves a Delay does not need what arrives in the same step
        [(a, b) for a, b in edges if a in kinds and b in kinds and b not in delaying],
        {name for name in kinds if KINDS[kinds[name]].is_stateful},
        how.late,
        problems,
    )
    if problems:
        raise InvalidValue(
            told("expected a graph that can be simulated (got one", problems)
        )
    parts = {
        name: Part(name, kinds[name], values[name], *shapes[name], notes[name])
        for name in kinds
    }
    ends = {kind: _named(tree, kind) for kind in ("Input", "Output")}
    return Graph(
        parts, tuple(edges), late, frozenset(delaying), ends["Input"], ends["Output"]
    )


def _notes(name: str, node: Tree, problems: list[str]) -> dict[str, Any]:
    metadata = node.get("metadata")
    try:
        return checked_notes(
            metadata.get(NOTES) if isinstance(metadata, dict) else None
        )
    except (InvalidValue, TypeError, ValueError) as error:
        problems.append(f"{name}.metadata: {error}")
        return {}


def _delays(values: Values, dt: float) -> bool:
    """Whether all elements are delayed by a step or more."""
    return bool(np.all(np.round(values["delay"] / dt) >= 1))


def _named(tree: Tree, kind: str) -> tuple[str, ...]:
    nodes = tree.get("nodes", {})
    return tuple(name for name, node in nodes.items() if node.get("type") == kind)


# --- one level --------------------------------------------------------------------


def _flat(tree: Tree, problems: list[str], prefix: str = "") -> tuple[dict, list[Edge]]:
    """Return all nodes that are no graphs, by full names, and edges between them."""
    nodes: dict[str, Tree] = {}
    edges: dict[Edge, None] = {}
    inner = tree.get("nodes")
    if not isinstance(inner, dict) or not isinstance(tree.get("edges"), list):
        problems.append(f"{prefix or 'graph'}: expected nodes and edges (got neither)")
        return nodes, []
    for name, node in inner.items():
        full = f"{prefix}{name}"
        if isinstance(node, dict) and node.get("type") == "NIRGraph":
            found, within = _flat(node, problems, f"{full}.")
            nodes |= found
            edges |= dict.fromkeys(within)
        elif full in nodes:
            problems.append(f"{full}: expected names that differ (got this one twice)")
        else:
            nodes[full] = node
    for a, b in tree["edges"]:
        start, end = _end(inner, a, "Output"), _end(inner, b, "Input")
        problems += [
            f"{prefix or 'graph.'}edges: {p}" for p in (start, end) if " " in p
        ]
        if " " not in start + end:
            edges[f"{prefix}{start}", f"{prefix}{end}"] = None
    return nodes, list(edges)


def _end(nodes: Mapping[str, Any], name: str, kind: str) -> str:
    """Return which node an edge ends at; a sentence if that cannot be said."""
    if name not in nodes:
        graph, _, rest = name.partition(".")
        if rest and isinstance(nodes.get(graph), dict) and "nodes" in nodes[graph]:
            found = _end(nodes[graph]["nodes"], rest, kind)
            return found if " " in found else f"{graph}.{found}"
        return f"expected the name of a node (got {name!r}).{suggestion(name, nodes)}"
    node = nodes[name]
    if not isinstance(node, dict) or node.get("type") != "NIRGraph":
        return name
    ends = _named(node, kind)
    if len(ends) != 1:
        return (
            f"expected graph {name!r} to have one {kind} (got {len(ends)}), or an edge "
            f"that says which: '{name}.NAME'"
        )
    return f"{name}.{ends[0]}"


def _values(name: str, node: Any, problems: list[str]) -> Values | None:
    """Return the checked fields of a node; None if its kind is not known."""
    kind = str(node.get("type")) if isinstance(node, dict) else ""
    if kind not in KINDS:
        problems.append(
            f"{name}: expected one of {', '.join(KINDS)} (got "
            f"{kind or type(node).__name__})"
        )
        return None
    found: Values = {}
    for key, spec in KINDS[kind].fields.items():
        value = node.get(key, spec.default)
        try:
            if value is MISSING:
                raise InvalidValue("expected a value (got none)")
            found[key] = spec.check(value)
        except InvalidValue as error:
            problems.append(f"{name}.{key}: {error}")
            return None
    if "v_reset" in found and found["v_reset"] is None:
        found["v_reset"] = np.zeros_like(found["v_threshold"])
    return found


def _check_times(name, kind, values, dt, how, problems) -> None:
    """Note times that steps of this length cannot show."""
    is_euler = how.discretization == "euler"
    for key in ("tau", "tau_syn", "tau_mem"):
        if key in values and is_euler and np.any(values[key] < dt * (1 - 1e-5)):
            problems.append(
                f"{name}.{key}: expected time constants of at least dt = {dt:g} (got "
                f"{np.min(values[key]):g}); pass a smaller dt"
            )
    if "v_reset" in values and how.reset == "zero":
        if np.any(values["v_reset"] >= values["v_threshold"]):
            problems.append(f"{name}.v_reset: expected values below v_threshold")
    if kind == "Delay":
        steps = np.asarray(values["delay"] / dt, dtype=float)
        if np.any(steps < 0) or np.any(np.abs(steps - np.round(steps)) > 1e-3):
            problems.append(
                f"{name}.delay: expected multiples of dt = {dt:g} (got "
                f"{np.unique(values['delay'])[:5]})"
            )
        elif np.any(steps * steps.size > MAX_SIZE):
            problems.append(f"{name}.delay: too long to be stored")


def _check_ends(tree, nodes, edges, problems) -> None:
    """Note inputs that something arrives at, and outputs that nothing does."""
    starts, ends = {a for a, _ in edges}, {b for _, b in edges}
    for kind in ("Input", "Output"):
        if not _named(tree, kind):
            problems.append(f"graph: expected a node of type {kind} (got none)")
    for name in _named(tree, "Input"):
        if name in ends:
            problems.append(f"{name}: expected an Input at which nothing arrives")
    for name in _named(tree, "Output"):
        if name not in ends:
            problems.append(f"{name}: expected something to arrive (got no edge)")
        if name in starts:
            problems.append(f"{name}: expected an Output that nothing follows")


# --- shapes -----------------------------------------------------------------------


def _shapes(kinds, values, edges, problems) -> dict[str, tuple[Shape, Shape]]:
    """Return the shapes of inputs and outputs; nodes tell theirs to others."""
    before: dict[str, list[str]] = {name: [] for name in kinds}
    after: dict[str, list[str]] = {name: [] for name in kinds}
    for a, b in edges:
        if a in kinds and b in kinds:
            before[b].append(a)
            after[a].append(b)
    found: dict[str, tuple[Shape, Shape]] = {}
    wrong: set[str] = set()

    def solve(name, arriving):
        try:
            shapes = KINDS[kinds[name]].shapes(values[name], arriving)
        except InvalidValue as error:
            problems.append(f"{name}: {error}")
            wrong.add(name)
            return False
        if shapes is not None:
            found[name] = shapes
        return shapes is not None

    todo = list(kinds)
    while todo:
        known = [n for n in todo if any(p in found for p in before[n])]
        known = known or [n for n in todo if not before[n] or n in wrong]
        for name in known or todo:
            arriving = next((found[p][1] for p in before[name] if p in found), None)
            known_behind = (found[n][0] for n in after[name] if n in found)
            if name not in wrong and not solve(name, arriving) and arriving is None:
                solve(name, next(known_behind, None))
        rest = [n for n in todo if n not in found and n not in wrong]
        if len(rest) == len(todo):
            problems += [
                f"{n}: expected a shape that edges tell (got none)" for n in rest
            ]
            break
        todo = rest
    _check_edges(kinds, values, edges, found, problems)
    return found


def _check_edges(kinds, values, edges, found, problems) -> None:
    for a, b in edges:
        if a not in found or b not in found:
            continue
        left, right = found[a][1], found[b][0]
        # axes of a Flatten are counted in two ways
        is_flat = kinds[a] == "Flatten" and math.prod(left) == math.prod(right)
        if _compact(left) != _compact(right) and not is_flat:
            problems.append(
                f"edge {a} -> {b}: expected equal shapes (got {left} and {right})"
            )
    for name, (own, _) in found.items():
        if KINDS[kinds[name]].shapes is not elementwise:
            continue
        for key, value in values[name].items():
            if value.size > 1 and value.shape != own:
                problems.append(
                    f"{name}.{key}: expected shape {own} (got {value.shape})"
                )


def _compact(shape: Shape) -> Shape:
    """Return a shape without axes of length 1."""
    return tuple(n for n in shape if n != 1)
