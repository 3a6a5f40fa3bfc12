"""Schedule a program's operators, and put equal ones together.

Grouping is what keeps tracing and compiling independent of a network's width: a
thousand equal ensembles become one group of operators, and so one kernel.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import NamedTuple

from nengo.builder.operator import Operator
from nengo.exceptions import BuildError
from nengo.utils.simulator import operator_dependency_graph

from nengo_dl.graph.program import Program


class Traits(NamedTuple):
    """What the planner needs to know of an operator.

    Parameters
    ----------
    key : hashable
        Operators with equal keys may be computed by one kernel.
    host : bool
        Whether it runs Python in every step; such operators split what is compiled.
    """

    key: Hashable
    host: bool = False


Group = tuple[Operator, ...]


def plan(program: Program, traits: Callable[[Operator], Traits]) -> tuple[Group, ...]:
    """Order the operators, merging greedily.

    Of the operators that can run next, a key is preferred whose operators are all
    ready (nothing is lost by running them now), then the one with most of them. Host
    operators wait until nothing else can run, so that as few as possible compiled
    segments lie between them.

    Parameters
    ----------
    program : `Program`
        What to schedule.
    traits : callable
        Gives the `Traits` of an operator.

    Returns
    -------
    groups : tuple of tuple of Operator
        Groups in the order of execution.

    Raises
    ------
    BuildError
        If operators depend on each other in a circle.
    """
    dependents = operator_dependency_graph(program.operators)
    missing = dict.fromkeys(program.operators, 0)
    for ops in dependents.values():
        for op in ops:
            missing[op] += 1

    traits_of = {op: traits(op) for op in program.operators}
    remaining: dict = defaultdict(int)
    for op in program.operators:
        remaining[traits_of[op]] += 1

    ready: dict[Traits, list[Operator]] = {}
    for op in program.operators:
        if missing[op] == 0:
            ready.setdefault(traits_of[op], []).append(op)

    groups = []
    while ready:
        best = min(
            ready,
            key=lambda t: (t.host, len(ready[t]) < remaining[t], -len(ready[t])),
        )
        group = tuple(ready.pop(best))
        remaining[best] -= len(group)
        groups.append(group)
        for op in group:
            for dependent in dependents[op]:
                missing[dependent] -= 1
                if missing[dependent] == 0:
                    ready.setdefault(traits_of[dependent], []).append(dependent)
    _check_complete([op for op, count in missing.items() if count > 0])
    return tuple(groups)


def _check_complete(left: list[Operator]) -> None:
    if left:
        raise BuildError(
            "Network: expected every loop of connections to contain a synapse (got one "
            f"without, through {left[0]}). Give one of its connections a synapse; "
            "synapse=0 delays by one step."
        )


def plan_unmerged(
    program: Program, traits: Callable[[Operator], Traits]
) -> tuple[Group, ...]:
    """Order the operators without merging any, to find out whether merging matters."""
    return plan(program, lambda op: Traits((traits(op).key, id(op)), traits(op).host))
