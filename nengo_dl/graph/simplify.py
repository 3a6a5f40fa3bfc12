"""Passes that make a program cheaper without changing what it computes.

Each is a function ``Program -> Program`` named for what it does, and returns the same
object when there is nothing to do.
"""

import numpy as np
from nengo.builder import Signal
from nengo.builder.operator import (
    Copy,
    DotInc,
    ElementwiseInc,
    Operator,
    Reset,
)

from nengo_dl.graph.fed import read_feeds
from nengo_dl.graph.on_chip import OnChip
from nengo_dl.graph.outer_products import carry_factors
from nengo_dl.graph.program import Program


def fold_resets(program: Program) -> Program:
    """Turn every `Reset` into an entry of ``program.resets``.

    The memory of a step then starts out with these values; an increment of zeros costs
    nothing, and a signal that is only reset is a constant.
    """
    resets = [op for op in program.operators if type(op) is Reset]
    if not resets:
        return program
    return program.replace(
        operators=_without(program, resets),
        resets={**program.resets, **{op.dst: op.value for op in resets}},
    )


def remove_zero_increments(program: Program) -> Program:
    """Drop increments by a product with zeros.

    Zeros are constants, or signals that are reset to zero in every step and that
    nothing else writes, like the input of an ensemble whose neurons alone are used.
    Trainable factors stay in use, so that training finds all parameters.
    """
    trainable = program.trainable
    trainable |= {
        op.on_chip
        for op in program.operators
        if type(op) is OnChip and op.weights.base in trainable
    }
    while True:
        constant, silent = _constants(program), _silent(program)
        zero = [
            op
            for op in program.operators
            if type(op) in (DotInc, ElementwiseInc)
            and (
                any(
                    s.base in constant and not np.any(s.initial_value) for s in op.reads
                )
                or (
                    any(s.base in silent for s in op.reads)
                    and not any(s.base in trainable for s in op.reads)
                )
            )
        ]
        if not zero:
            return _without_unread_chips(program)
        program = program.replace(operators=_without(program, zero))


def remove_identity_multiplications(program: Program) -> Program:
    """Turn ``Y += 1 * X`` into a copy."""
    constant = _constants(program)
    changed = {}
    for op in program.operators:
        if type(op) is ElementwiseInc and op.X.shape == op.Y.shape:
            a = op.A
            if a.base in constant and np.all(a.initial_value == 1):
                changed[op] = Copy(op.X, op.Y, inc=True, tag=op.tag)
    if not changed:
        return program
    return program.replace(
        operators=tuple(changed.get(op, op) for op in program.operators)
    )


DEFAULT = (
    fold_resets,
    remove_zero_increments,
    remove_identity_multiplications,
    carry_factors,
    read_feeds,
)


def _without_unread_chips(program: Program) -> Program:
    """Drop weights on chips that nothing reads, like encoders that are not used.

    The network then has the parameters that it has without hardware.
    """
    read = {s.base for op in program.operators for s in op.reads}
    read |= {s.base for s in program.probes.values()}
    unread = [
        op for op in program.operators if type(op) is OnChip and op.on_chip not in read
    ]
    return program.replace(operators=_without(program, unread)) if unread else program


def _constants(program: Program) -> frozenset[Signal]:
    """Base signals that are read but that neither operators nor training change."""
    written = _written(program) | program.trainable | {s.base for s in program.resets}
    read = {s.base for op in program.operators for s in op.reads}
    return frozenset(base for base in read - written if not base.sparse)


def _silent(program: Program) -> frozenset[Signal]:
    """Base signals that are reset to zero, and that nothing else writes."""
    resets = {s for s, value in program.resets.items() if not np.any(value)}
    return frozenset(s for s in resets if s.base is s) - _written(program)


def _written(program: Program) -> set[Signal]:
    """Base signals that feeds and operators change."""
    written = {feed.signal.base for feed in program.feeds if feed.signal is not None}
    written |= {program.step.base, program.time.base}
    for op in program.operators:
        written |= {s.base for s in (*op.sets, *op.incs, *op.updates)}
    return written


def _without(program: Program, dropped: list[Operator]) -> tuple[Operator, ...]:
    gone = set(dropped)
    return tuple(op for op in program.operators if op not in gone)
