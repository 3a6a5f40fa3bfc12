"""The values of all blocks while a step is being traced.

A block is held as *pieces*: consecutive ranges, each with its own value. A write
replaces only the pieces that it covers. A read of exactly the elements that a kernel
wrote returns the kernel's tensor, without a copy. Only this file gathers and scatters
blocks, and slices them, in training with `Cuts`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.engine.boxed import read_box, write_box
from nengo_dl.engine.cuts import Cuts, Parts, split
from nengo_dl.graph.boxes import Box
from nengo_dl.graph.layout import MAX_RANGES, Access, BlockPart, Layout, gather

MAX_JOINED = 8  # parts of a tensor; a range of more is cut out of it again


@dataclass(frozen=True, eq=False)
class Piece:
    """A range of a block.

    The value is a tensor of shape (stop - start, minibatch_size or 1), or a number if
    all elements are equal.
    """

    start: int
    stop: int
    value: tf.Tensor | float


class Memory:
    """Blocks by number, as pieces.

    Parameters
    ----------
    layout : `Layout`
        Sizes of the blocks.
    values : dict of int to tensor
        Initial values of blocks, of shape (size, minibatch_size or 1). All other
        blocks are zero.
    dtype : dtype
        Type of all blocks that have no tensor yet.
    cuts : `Cuts`, optional
        Where tensors are cut, which makes gradients cheaper. By default, each range is
        cut out for itself.
    """

    def __init__(
        self,
        layout: Layout,
        values: dict[int, tf.Tensor],
        dtype,
        cuts: Cuts | None = None,
    ):
        self._dtype, self._cuts = dtype, cuts
        # by block, start, and id of the tensor, which the parts keep alive
        self._parts: dict[tuple[int, int, int], Parts] = {}
        self._pieces: list[tuple[Piece, ...]] = [
            (Piece(0, block.size, values.get(i, 0.0)),)
            for i, block in enumerate(layout.blocks)
        ]

    def copy(self) -> "Memory":
        """Return a memory with the same values, to be written independently."""
        other = object.__new__(Memory)
        other._dtype, other._cuts = self._dtype, self._cuts
        other._parts, other._pieces = dict(self._parts), list(self._pieces)
        return other

    def load(self, number: int, values: tf.Tensor) -> None:
        """Replace a whole block."""
        self._pieces[number] = (Piece(0, self._pieces[number][-1].stop, values),)

    def put(self, part: BlockPart, values: tf.Tensor) -> None:
        """Replace a range of a block."""
        self._set(part.block, part.start, part.stop, values)

    @property
    def pieces(self) -> tuple[tuple[Piece, ...], ...]:
        """The pieces of all blocks."""
        return tuple(self._pieces)

    @pieces.setter
    def pieces(self, pieces: tuple[tuple[Piece, ...], ...]):
        self._pieces = list(pieces)

    def block(self, number: int) -> tf.Tensor:
        """Return the whole of a block."""
        return self._range(number, 0, self._pieces[number][-1].stop)

    def read(self, access: Access) -> tf.Tensor:
        """Return elements, in the order of the access.

        Returns
        -------
        values : tensor of shape (number of elements, minibatch_size or 1)
        """
        parts, order = _by_block(access)
        values = self._join([self._read(part) for part in parts])
        return values if order is None else tf.gather(values, np.argsort(order))

    def write(self, access: Access, mode: str, value: tf.Tensor) -> None:
        """Replace elements, or add to them.

        Parameters
        ----------
        access : tuple of `BlockPart`
            The elements.
        mode : "set" or "inc"
            An increment may name an element more than once.
        value : tensor of shape (number of elements, minibatch_size or 1)
            In the order of the access.
        """
        parts, order = _by_block(access)
        value = value if order is None else tf.gather(value, order)
        for part, values in zip(parts, split(value, parts), strict=True):
            if part.boxes is not None:
                self._write_boxes(part, mode, values)
            elif part.index is not None:
                self._scatter(part.block, part.index, mode, values)
            elif mode == "set":
                self._set(part.block, part.start, part.stop, values)
            else:
                self._increment(part.block, part.start, part.stop, values)

    def fill(self, access: Access, value: float) -> None:
        """Set all elements to a number."""
        for part in access:
            if part.index is None:
                self._set(part.block, part.start, part.stop, value)
            else:
                values = tf.fill((part.size, 1), tf.cast(value, self._dtype))
                self._scatter(part.block, part.index, "set", values)

    def _read(self, part: BlockPart) -> tf.Tensor:
        if part.index is None:
            return self._range(part.block, part.start, part.stop)
        if part.boxes is not None:
            return self._join([self._read_box(part.block, box) for box in part.boxes])
        low, high = int(part.index.min()), int(part.index.max()) + 1
        source = self._range(part.block, low, high)
        return tf.gather(source, np.asarray(part.index - low, dtype=np.int32))

    def _read_box(self, block: int, box: Box) -> tf.Tensor:
        return read_box(self._range(block, box.start, box.stop), box)

    def _overlaps(self, block: int, start: int, stop: int):
        """Return the pieces that share elements with a range."""
        return [p for p in self._pieces[block] if p.start < stop and p.stop > start]

    def _range(self, block: int, start: int, stop: int) -> tf.Tensor:
        return self._join(
            [
                self._cut(block, piece, start, stop)
                for piece in self._overlaps(block, start, stop)
            ]
        )

    def _cut(self, block: int, piece: Piece, start: int, stop: int) -> tf.Tensor:
        """Return the part of a piece that lies in a range, as a tensor."""
        start, stop = max(start, piece.start), min(stop, piece.stop)
        if isinstance(piece.value, float):
            return tf.fill((stop - start, 1), tf.cast(piece.value, self._dtype))
        if (start, stop) == (piece.start, piece.stop):
            return piece.value
        found = self._within(block, piece, start, stop)
        if len(found) > MAX_JOINED:
            return piece.value[start - piece.start : stop - piece.start]
        return self._join([part.value for part in found])

    def _within(self, block: int, piece: Piece, start: int, stop: int) -> list[Piece]:
        """Return pieces for a range of a tensor."""
        tensor: Any = piece.value
        if self._cuts is None:
            value = tensor[start - piece.start : stop - piece.start]
            return [Piece(start, stop, value)]
        key = (block, piece.start, id(tensor))
        if key not in self._parts:
            self._parts[key] = self._cuts.parts(block, piece.start, tensor)
        return [Piece(*found) for found in self._parts[key].within(start, stop)]

    def _join(self, values: list[tf.Tensor]) -> tf.Tensor:
        if not values:
            return tf.zeros((0, 1), self._dtype)
        if len(values) == 1:
            return values[0]
        return tf.concat(_with_all_items(values), axis=0)

    def _set(self, block: int, start: int, stop: int, value) -> None:
        """Replace a range; the rests of pieces that it cuts are sliced when read."""
        pieces = []
        for piece in self._pieces[block]:
            if piece.stop <= start or piece.start >= stop:
                pieces.append(piece)
                continue
            for low, high in ((piece.start, start), (stop, piece.stop)):
                if low < high and isinstance(piece.value, float):
                    pieces.append(Piece(low, high, piece.value))
                elif low < high:
                    pieces += self._within(block, piece, low, high)
        pieces.append(Piece(start, stop, value))
        self._pieces[block] = tuple(sorted(pieces, key=lambda piece: piece.start))

    def _increment(self, block: int, start: int, stop: int, value: tf.Tensor) -> None:
        overlaps = self._overlaps(block, start, stop)
        if not all(isinstance(p.value, float) and p.value == 0 for p in overlaps):
            value = self._range(block, start, stop) + value
        self._set(block, start, stop, value)

    def _write_boxes(self, part: BlockPart, mode: str, value: tf.Tensor) -> None:
        boxes = part.boxes or ()
        for box, values in zip(boxes, split(value, boxes), strict=True):
            self._write_box(part.block, box, mode, values)

    def _write_box(self, block: int, box: Box, mode: str, value: tf.Tensor) -> None:
        """Write a box as the whole range from its first element to its last."""
        overlaps = {
            piece.value if isinstance(piece.value, float) else None
            for piece in self._overlaps(block, box.start, box.stop)
        }
        fill = overlaps.pop() if len(overlaps) == 1 else None
        if box.repeats or (fill is None and mode == "set"):
            self._scatter(block, box.elements, mode, value)
            return
        if fill is None:
            old = self._range(block, box.start, box.stop)
            new = old + write_box(value, box, 0.0)
        else:
            new = write_box(value if mode == "set" else value + fill, box, fill)
        self._set(block, box.start, box.stop, new)

    def _scatter(
        self, block: int, index: np.ndarray, mode: str, value: tf.Tensor
    ) -> None:
        """Write single elements, by rewriting the range that contains them."""
        low, high = int(index.min()), int(index.max()) + 1
        old = self._range(block, low, high)
        old, value = _with_all_items([old, value])
        scatter = (
            tf.tensor_scatter_nd_update if mode == "set" else tf.tensor_scatter_nd_add
        )
        rows = np.asarray(index[:, None] - low, dtype=np.int32)
        self._set(block, low, high, scatter(old, rows, value))


def _by_block(access: Access) -> tuple[Access, np.ndarray | None]:
    """Put parts of the same block together, if there are many.

    Returns
    -------
    parts : tuple of `BlockPart`
        The same elements, with one part for each block.
    order : ndarray of int, or None
        Which element of the access each element of the parts is; None if the parts are
        those of the access.
    """
    if len(access) <= MAX_RANGES:
        return access, None
    stops = np.cumsum([part.size for part in access])
    found: dict[int, list[tuple[BlockPart, np.ndarray]]] = {}
    for part, stop in zip(access, stops, strict=True):
        positions = np.arange(stop - part.size, stop, dtype=np.int32)
        found.setdefault(part.block, []).append((part, positions))
    parts = tuple(gather([part for part, _ in run]) for run in found.values())
    order = np.concatenate([x for run in found.values() for _, x in run])
    return parts, order


def spread(value: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Repeat a value that all minibatch items share, to the width of a row of zeros.

    The zeros are added. For ``tf.broadcast_to``, XLA would have to know the shape when
    it compiles the gradient of a loop.
    """
    if value.shape[1] is None and row.shape[1] is not None:
        return tf.ensure_shape(value, (None, row.shape[1]))
    if value.shape[1] != 1 or row.shape[1] == 1:
        return value
    if row.shape[1] is None:
        return value + row
    return tf.broadcast_to(value, (value.shape[0], row.shape[1]))


def _with_all_items(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Repeat values that all minibatch items share, unless all values are shared."""
    for value in values:
        if value.shape[1] != 1:
            row = tf.zeros_like(value[:1])
            return [spread(value, row) for value in values]
    return values
