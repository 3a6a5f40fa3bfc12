"""A pass for operators that gain from inputs which are known ahead of all steps."""

from collections import Counter

import numpy as np
from nengo.builder import Signal
from nengo.builder.operator import Copy

from nengo_dl.graph.on_chip import reading
from nengo_dl.graph.program import Program


def read_feeds(program: Program) -> Program:
    """Let operators with ``joins_steps`` read feeds, and no copies of them."""
    joining = [op for op in program.operators if getattr(op, "joins_steps", False)]
    sources = _copied_feeds(program) if joining else {}
    found = {op: reading(op, sources) for op in joining}
    found = {op: other for op, other in found.items() if other is not op}
    if not found:
        return program
    operators = [found.get(op, op) for op in program.operators]
    read = {signal.base for op in operators for signal in op.reads}
    read |= {signal.base for signal in program.probes.values()}
    return program.replace(
        operators=tuple(
            op
            for op in operators
            if type(op) is not Copy or op.dst not in sources or op.dst in read
        )
    )


def _copied_feeds(program: Program) -> dict[Signal, Signal]:
    """Return the feeds that signals are copies of, by signal."""
    feeds = {feed.signal for feed in program.feeds if feed.signal is not None}
    writers = Counter(
        signal.base
        for op in program.operators
        for signal in (*op.sets, *op.incs, *op.updates)
    )
    return {
        op.dst: op.src
        for op in program.operators
        if type(op) is Copy
        and op.src in feeds
        and writers[op.dst] == 1
        and op.src_slice is None
        and op.dst_slice is None
        and op.src.shape == op.dst.shape
        and (not op.inc or not np.any(program.resets.get(op.dst, 1)))
    }
