"""The memory between two compiled segments, and what goes from one to the next.

At a boundary, Python runs. Memory is then a list of tensors that the segment before
returns and the one after takes; what is the same in every step is no part of it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.engine.binding import Bound
from nengo_dl.engine.memory import Memory, Piece
from nengo_dl.engine.packing import Packing
from nengo_dl.engine.step import Prepared, Step
from nengo_dl.graph.layout import Access, Layout

Live = list[np.ndarray]


class Boundary:
    """The form of the memory at one point of the step, as it was traced there.

    Parameters
    ----------
    memory : `Memory`
        The memory.
    prepared : sequence of tensor
        What all segments are given, and need not be handed on.
    tensors : sequence of tensor
        What is handed on besides.
    live : list of ndarray of bool
        For each block, which elements are read later.
    dtype : dtype
        Type of all signals.

    Attributes
    ----------
    packing : `Packing`
        Of all that is handed on: `tensors`, and then pieces of the memory.
    """

    def __init__(
        self,
        memory: Memory,
        prepared: Sequence[tf.Tensor],
        tensors: Sequence[tf.Tensor],
        live: Live,
        dtype,
    ):
        # where the segment after finds a value: among these lists
        known = {id(x): (1, i) for i, x in enumerate(tensors)}
        known |= {id(x): (0, i) for i, x in enumerate(prepared)}
        handed = list(tensors)
        self._handed: list[tuple[int, int]] = []
        self._pieces: list[list[tuple[int, int, Any]]] = []
        for number, pieces in enumerate(memory.pieces):
            self._pieces.append([])
            for i, piece in enumerate(pieces):
                source: Any = piece.value
                if not isinstance(source, float):
                    if not live[number][piece.start : piece.stop].any():
                        source = 0.0
                    elif id(source) not in known:
                        known[id(source)] = (1, len(handed))
                        self._handed.append((number, i))
                        handed.append(source)
                    source = known.get(id(source), source)
                self._pieces[-1].append((piece.start, piece.stop, source))
        self.packing = Packing(handed, dtype)

    def leave(self, memory: Memory, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return what is handed on, of a memory of the same form."""
        pieces = [memory.pieces[number][i].value for number, i in self._handed]
        return self.packing.pack([*tensors, *pieces])

    def enter(
        self, memory: Memory, prepared: Sequence[tf.Tensor], packed: Sequence[tf.Tensor]
    ) -> Memory:
        """Put what was handed on into a memory, and return it."""
        sources = (prepared, self.packing.unpack(packed))
        memory.pieces = tuple(
            tuple(
                Piece(start, stop, x if isinstance(x, float) else sources[x[0]][x[1]])
                for start, stop, x in pieces
            )
            for pieces in self._pieces
        )
        return memory


class PreparedForm:
    """The form of what follows from parameters alone, to hand it on as few tensors.

    Parameters
    ----------
    prepared : `Prepared`
        As it was traced.
    dtype : dtype
        Type of all signals.

    Attributes
    ----------
    packed : list of tensor
        What is handed on.
    """

    def __init__(self, prepared: Prepared, dtype):
        self._pieces = prepared.memory.pieces
        self._arguments = prepared.arguments
        self._values = [piece.value for pieces in self._pieces for piece in pieces]
        self._values += tf.nest.flatten(self._arguments, expand_composites=True)
        numbers: dict[int, int] = {}
        for value in filter(tf.is_tensor, self._values):
            numbers.setdefault(id(value), len(numbers))
        self._numbers = [numbers.get(id(value)) for value in self._values]
        tensors = list({id(x): x for x in self._values if tf.is_tensor(x)}.values())
        self._packing = Packing(tensors, dtype)
        self.packed = self._packing.pack(tensors)

    def enter(
        self, memory: Memory, packed: Sequence[tf.Tensor]
    ) -> tuple[Prepared, list[tf.Tensor]]:
        """Return what was handed on, with ``memory``, and all of its tensors."""
        tensors = self._packing.unpack(packed)
        values = [
            x if i is None else tensors[i]
            for x, i in zip(self._values, self._numbers, strict=True)
        ]
        rest = iter(values)
        memory.pieces = tuple(
            tuple(Piece(piece.start, piece.stop, next(rest)) for piece in pieces)
            for pieces in self._pieces
        )
        arguments = tf.nest.pack_sequence_as(
            self._arguments, list(rest), expand_composites=True
        )
        return Prepared(memory, arguments), tensors


def live_at_end(step: Step, layout: Layout) -> Live:
    """Return which elements are read when a step ends: the state, and outputs."""
    live = [np.full(block.size, block.kind == "state") for block in layout.blocks]
    for access in step.probes:
        _mark(live, access, True)
    return live


def live_before(items: Iterable[Bound], live: Live) -> Live:
    """Return which elements kernels, or what comes after them, read before a write."""
    live = [block.copy() for block in live]
    for item in reversed(tuple(items)):
        for place, access in zip(item.kernel.writes, item.writes, strict=True):
            _mark(live, access, place.mode == "inc")
        for access in item.reads:
            _mark(live, access, True)
    return live


def _mark(live: Live, access: Access, value: bool) -> None:
    for part in access:
        index = slice(part.start, part.stop) if part.index is None else part.index
        live[part.block][index] = value
