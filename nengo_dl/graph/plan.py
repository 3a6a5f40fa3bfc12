"""Schedule a program's operators, and put equal ones together.

Grouping is what keeps tracing and compiling independent of a network's width: a
thousand equal ensembles become one group of operators, and so one kernel.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple

from nengo.builder import Signal
from nengo.builder.operator import Operator
from nengo.exceptions import BuildError
from nengo.utils.simulator import operator_dependency_graph

from nengo_dl.graph.program import Program


class Traits(NamedTuple):
    """The properties of an operator that the planner needs.

    Parameters
    ----------
    key : hashable
        Operators with equal keys may be computed by one kernel.
    host : bool
        Whether it runs Python in every step; such operators split what is compiled.
    is_large : bool
        Whether bringing its inputs together with those of others, from where different
        kernels have left them, would cost more than a kernel for each.
    """

    key: Hashable
    host: bool = False
    is_large: bool = False


Group = tuple[Operator, ...]

# The time to compile grows with kernels, so that more operators of a key are merged
MAX_APART = 64


class _Kind(NamedTuple):
    """A kind of operators, which may be merged."""

    is_varying: bool
    traits: Traits


class _Place(NamedTuple):
    """Where operators wait that will be merged.

    ``sources`` are the numbers of the groups that they depend on, if it matters.
    """

    kind: _Kind
    sources: frozenset[int]


def plan(program: Program, traits: Callable[[Operator], Traits]) -> tuple[Group, ...]:
    """Order the operators, merging greedily.

    Operators that follow from parameters alone come first, and in groups of their own,
    so that their results can be computed once for all steps. Of the others that can run
    next, a key is preferred whose operators are all ready, since nothing is lost by
    running them now; then the one with an operator that the longest chain of others
    waits for, since all else may still grow meanwhile. Host operators wait until
    nothing else can run, so that as few as possible compiled segments lie between them.
    Large operators are merged only if they depend on the same groups, whose results lie
    side by side.

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
    missing = _count_dependencies(dependents)
    heights = _heights(dependents)
    traits_of = {op: traits(op) for op in program.operators}
    varying = _varying(program, traits_of)
    kinds = {op: _Kind(op in varying, traits_of[op]) for op in program.operators}
    remaining = Counter(kinds.values())
    apart = {k for k, n in remaining.items() if k.traits.is_large and n <= MAX_APART}
    sources: dict[Operator, frozenset[int]] = defaultdict(frozenset)
    ready: dict[_Place, list[Operator]] = defaultdict(list)
    tallest: dict[_Place, int] = defaultdict(int)

    def add(op):
        kind = kinds[op]
        place = _Place(kind, sources[op] if kind in apart else frozenset())
        ready[place].append(op)
        tallest[place] = max(tallest[place], heights[op])

    def priority(place):
        is_varying, (_, host, _) = place.kind
        may_grow = place.kind not in apart and len(ready[place]) < remaining[place.kind]
        return is_varying, host, may_grow, -tallest[place]

    for op in program.operators:
        if missing[op] == 0:
            add(op)
    groups: list[Group] = []
    while ready:
        best = min(ready, key=priority)
        group = tuple(ready.pop(best))
        del tallest[best]
        remaining[best.kind] -= len(group)
        for dependent in {d for op in group for d in dependents[op]}:
            sources[dependent] |= {len(groups)}
        groups.append(group)
        for op in _released(group, dependents, missing):
            add(op)
    return tuple(groups)


def _varying(program: Program, traits_of: Mapping[Operator, Traits]) -> set[Operator]:
    """Collect the operators whose results may differ from step to step."""
    readers = defaultdict(list)
    for op in program.operators:
        for signal in op.reads:
            readers[signal.base].append(op)
    varying = {op for op in program.operators if op.updates or traits_of[op].host}
    signals = [feed.signal.base for feed in program.feeds if feed.signal is not None]
    signals += [program.step.base, program.time.base]
    signals += [base for op in varying for base in _results(op)]
    seen = set(signals)
    for signal in signals:  # grows while it is walked
        for op in readers[signal]:
            if op not in varying:
                varying.add(op)
                signals.extend(base for base in _results(op) if base not in seen)
                seen.update(_results(op))
    return varying


def _results(op: Operator) -> set[Signal]:
    return {signal.base for signal in (*op.sets, *op.incs, *op.updates)}


Dependents = Mapping[Operator, Iterable[Operator]]


def _count_dependencies(dependents: Dependents) -> dict[Operator, int]:
    missing = dict.fromkeys(dependents, 0)
    for ops in dependents.values():
        for op in ops:
            missing[op] += 1
    return missing


def _released(
    group: Iterable[Operator], dependents: Dependents, missing: dict[Operator, int]
) -> Iterator[Operator]:
    """Yield the operators that waited for nothing but those of a group."""
    for op in group:
        for dependent in dependents[op]:
            missing[dependent] -= 1
            if missing[dependent] == 0:
                yield dependent


def _heights(dependents: Dependents) -> dict[Operator, int]:
    """Count the operators on the longest chain that waits for each operator."""
    missing = _count_dependencies(dependents)
    order = [op for op, count in missing.items() if count == 0]
    for op in order:  # grows while it is walked
        order.extend(_released([op], dependents, missing))
    _check_complete([op for op, count in missing.items() if count > 0])
    heights: dict[Operator, int] = {}
    for op in reversed(order):
        heights[op] = 1 + max((heights[d] for d in dependents[op]), default=0)
    return heights


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
    """Order the operators without merging any, to find out whether merging matters.

    Parameters
    ----------
    program, traits : `Program`, callable
        As for `plan`.

    Returns
    -------
    groups : tuple of tuple of Operator
        One operator each, in the order of execution.
    """
    return plan(program, lambda op: Traits((traits(op).key, id(op)), traits(op).host))
