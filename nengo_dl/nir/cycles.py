"""Which edges of a graph are a step late, so that its cycles can be computed."""

from collections.abc import Iterable
from typing import TypeAlias

Edge: TypeAlias = tuple[str, str]


def late_edges(
    names: tuple[str, ...],
    edges: Iterable[Edge],
    stateful: set[str],
    late: str,
    problems: list[str],
) -> frozenset[Edge]:
    """Return edges whose end gets what their start had a step before.

    Each cycle has one. With ``late="spikes"`` it leaves the last node with a state, on
    the way from where the cycle is entered first: neurons hear spikes of the step
    before, and biases behind these spikes arrive from the first step on. With "sums" it
    is the edge that closes the cycle.
    """
    edges = list(edges)
    found: set[Edge] = set()
    while True:
        after: dict[str, list[str]] = {name: [] for name in names}
        for a, b in edges:
            if (a, b) not in found:
                after[a].append(b)
        cycles = _cycles(names, after)
        if not cycles:
            return frozenset(found)
        for cycle in cycles:
            steps = zip(cycle, (*cycle[1:], cycle[0]), strict=True)
            if not found.isdisjoint(steps):
                continue
            states = [i for i, name in enumerate(cycle) if name in stateful]
            if not states:
                told = " -> ".join((*cycle, cycle[0]))
                problems.append(
                    f"cycle {told}: expected neurons, or a Delay, in it (got none)"
                )
                return frozenset(found)
            i = states[-1] if late == "spikes" else len(cycle) - 1
            edge = (cycle[i], cycle[(i + 1) % len(cycle)])
            found.add(edge)


def _cycles(names: tuple[str, ...], after: dict[str, list[str]]) -> list[list[str]]:
    """Return cycles, each as the nodes from where it is entered, depth first.

    At least one is found if the graph has any.
    """
    done: set[str] = set()
    found: list[list[str]] = []
    for root in names:
        if root in done:
            continue
        path, on_path = [root], {root: 0}
        todo = [iter(after[root])]
        while todo:
            following = next(todo[-1], None)
            if following is None:
                todo.pop()
                name = path.pop()
                del on_path[name]
                done.add(name)
            elif following in on_path:
                found.append(path[on_path[following] :])
            elif following not in done:
                on_path[following] = len(path)
                path.append(following)
                todo.append(iter(after[following]))
    return found
