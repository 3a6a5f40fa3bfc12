"""Give every signal a place in memory, so that kernels read and write ranges.

Memory is a few *blocks*: flat arrays in which each element has one value per item of
the minibatch. The kind of a signal's block follows from what the kernels declare:

- ``param``: never written; shared by all items of the minibatch.
- ``feed``: set from outside before each step.
- ``clock``: the step counter and the time.
- ``state``: read in a step before it is fully set, so carried from step to step.
- ``transient``: everything else; exists within a step only.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
from nengo.builder import Signal

from nengo_dl.graph.boxes import Box, boxes
from nengo_dl.graph.kernel import Kernel, Slot, View, size_of, view
from nengo_dl.graph.program import Program

# Up to this many ranges are sliced and concatenated, more are gathered element-wise.
MAX_RANGES = 8
# Shorter indices stay what they are.
MIN_BOXED = 512


@dataclass(frozen=True)
class Block:
    """A flat array that holds signals one after the other.

    Parameters
    ----------
    kind : str
        "param", "feed", "clock", "state" or "transient".
    size : int
        Number of elements.
    shape : tuple of int
        The shape in which loops carry it; () if it is flat.
    """

    kind: str
    size: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class BlockPart:
    """Elements of one block: a range, or an index where they are not one."""

    block: int
    start: int
    stop: int
    index: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.stop - self.start if self.index is None else self.index.size

    @cached_property
    def boxes(self) -> tuple[Box, ...] | None:
        """The index as boxes; None if there is none, or boxes are no simpler."""
        if self.index is None or self.index.size < MIN_BOXED:
            return None
        return boxes(self.index)


Access = tuple[BlockPart, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """The memory, and the place of every signal in it.

    Parameters
    ----------
    blocks : tuple of `Block`
        The memory.
    places : mapping of Signal to (int, int)
        Block and offset of every base signal that is used.
    """

    blocks: tuple[Block, ...]
    places: Mapping[Signal, tuple[int, int]]
    _accesses: dict[Slot, Access] = field(default_factory=dict, init=False, repr=False)

    def of_kind(self, kind: str) -> tuple[int, ...]:
        """Return the numbers of all blocks of a kind."""
        return tuple(i for i, block in enumerate(self.blocks) if block.kind == kind)

    def access(self, slot: Slot) -> Access:
        """Return where the elements of a slot are, in as few parts as possible."""
        if slot not in self._accesses:
            self._accesses[slot] = self._find(slot)
        return self._accesses[slot]

    def _find(self, slot: Slot) -> Access:
        parts: list[BlockPart] = []
        for piece in slot:
            if piece.size > 0:
                _append(parts, self._part(piece))
        if len(parts) <= MAX_RANGES:
            return tuple(parts)
        return tuple(_gathers(parts))

    def bases(self, block: int) -> tuple[tuple[int, Signal], ...]:
        """Return the signals of a block with their offsets."""
        return tuple(self._bases.get(block, ()))

    @cached_property
    def _bases(self) -> dict[int, list[tuple[int, Signal]]]:
        found: dict[int, list[tuple[int, Signal]]] = defaultdict(list)
        for base, (block, offset) in self.places.items():
            found[block].append((offset, base))
        return found

    def _part(self, piece: View) -> BlockPart:
        block, offset = self.places[piece.base]
        index = None if piece.index is None else piece.index + offset
        return BlockPart(block, piece.start + offset, piece.stop + offset, index)


def _append(parts: list[BlockPart], part: BlockPart) -> None:
    """Add a part, or prolong the last one where it goes on without a gap."""
    if parts and part.index is None:
        last = parts[-1]
        if last.index is None and (last.block, last.stop) == (part.block, part.start):
            parts[-1] = BlockPart(last.block, last.start, part.stop)
            return
    parts.append(part)


def _gathers(parts: list[BlockPart]) -> Iterable[BlockPart]:
    """Turn runs of parts in the same block into one index each."""
    for _, run in itertools.groupby(parts, lambda part: part.block):
        first, *others = run
        yield gather([first, *others]) if others else first


def gather(run: list[BlockPart]) -> BlockPart:
    """Make one index of parts of the same block."""
    index = [np.arange(p.start, p.stop) if p.index is None else p.index for p in run]
    return BlockPart(run[0].block, 0, 0, index=np.concatenate(index))


def kinds(program: Program, kernels: Iterable[Kernel]) -> dict[Signal, str]:
    """Decide for each base signal in use which kind of block it belongs to."""
    kernels = tuple(kernels)
    given = {f.signal.base: "feed" for f in program.feeds if f.signal is not None}
    given |= {program.step.base: "clock", program.time.base: "clock"}
    written = {piece.base for kernel in kernels for piece in _written(kernel)}
    written |= {signal.base for signal in program.resets}
    liveness = _Liveness(written - set(given))
    for signal in program.resets:
        liveness.set(view(signal))
    for kernel in kernels:
        for slot in kernel.reads:
            liveness.read(slot)
        for write in kernel.writes:
            if write.mode == "inc":
                liveness.read(write.views)
            else:
                for piece in write.views:
                    liveness.set(piece)
    liveness.read(view(signal) for signal in program.probes.values())
    return {**liveness.kinds(), **given}


def _written(kernel: Kernel) -> Iterable[View]:
    return (piece for write in kernel.writes for piece in write.views)


class _Liveness:
    """Follows a step to find out which signals are read before they are fully set."""

    def __init__(self, written: Iterable[Signal]):
        self._is_set = {base: np.zeros(size_of(base), dtype=bool) for base in written}
        self._params: dict[Signal, str] = {}
        self._state: dict[Signal, str] = {}

    def set(self, piece: View) -> None:
        """Note that elements get new values."""
        if piece.base in self._is_set:
            self._is_set[piece.base][piece.elements] = True

    def read(self, slot: Iterable[View]) -> None:
        """Note that elements are used."""
        for piece in slot:
            if piece.base not in self._is_set:
                self._params[piece.base] = "param"
            elif not self._is_set[piece.base][piece.elements].all():
                self._state[piece.base] = "state"

    def kinds(self) -> dict[Signal, str]:
        """Return the kind of every signal that was written or read."""
        transient = dict.fromkeys(self._is_set, "transient")
        return {**self._params, **transient, **self._state}


def place(program: Program, kernels: Iterable[Kernel]) -> Layout:
    """Lay out all signals of a program.

    The largest slots choose first: the signals of a slot that have no place yet get
    consecutive ones in a fresh block of their kind, so that the slot is one range.
    Slots with a shape come before all others, so that each has a block to itself.

    Parameters
    ----------
    program : `Program`
        Says what is fed, reset and probed.
    kernels : iterable of `Kernel`
        In the order of execution.

    Returns
    -------
    layout : `Layout`
    """
    kernels = tuple(kernels)
    kind_of = kinds(program, kernels)
    blocks: list[Block] = []
    places: dict[Signal, tuple[int, int]] = {}

    def put(bases: Iterable[Signal], shape: tuple[int, ...] = ()) -> None:
        fresh = defaultdict(list)
        for base in bases:
            if base not in places:
                places[base] = (-1, -1)
                fresh[_block_key(kind_of, program, base)].append(base)
        for (kind, *_), members in fresh.items():
            offset = 0
            for base in members:
                places[base] = (len(blocks), offset)
                offset += size_of(base)
            is_shaped = kind == "state" and offset == np.prod(shape, dtype=int)
            blocks.append(Block(kind, offset, shape if is_shaped else ()))

    put([feed.signal.base for feed in program.feeds if feed.signal is not None])
    for write in (
        write for kernel in kernels for write in kernel.writes if write.shape
    ):
        put([piece.base for piece in write.views], write.shape)
    slots = [slot for kernel in kernels for slot in kernel.reads]
    slots += [write.views for kernel in kernels for write in kernel.writes]
    for slot in sorted(slots, key=lambda slot: -sum(piece.size for piece in slot)):
        put([piece.base for piece in slot])
    put([signal.base for signal in program.probes.values()])
    put([program.step.base, program.time.base])
    put([signal.base for signal in program.resets])
    return Layout(tuple(blocks), MappingProxyType(places))


def _block_key(kind_of: Mapping, program: Program, base: Signal) -> tuple:
    """Signals share a block only if this is equal; step and time have their own."""
    kind = kind_of[base]
    return (kind, base) if kind == "clock" else (kind,)


Sorter = Callable[[Program, tuple[Kernel, ...]], Layout]
