"""Where ranges of memory begin and end, and tensors that are cut at these places."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.graph.layout import Access, BlockPart, Layout


@dataclass(frozen=True, eq=False)
class Parts:
    """A tensor that is cut into parts along its first axis.

    Parameters
    ----------
    whole : tensor of shape (size, minibatch_size or 1)
        The tensor.
    edges : list of int
        Where the parts begin in a block, and where the last one stops.
    tensors : list of tensor
        The parts.
    """

    whole: tf.Tensor
    edges: list[int]
    tensors: list[tf.Tensor]

    def within(self, start: int, stop: int) -> list[tuple[int, int, tf.Tensor]]:
        """Return the parts of a range, as starts, stops and tensors."""
        first, last = bisect_left(self.edges, start), bisect_left(self.edges, stop)
        if (self.edges[first], self.edges[last]) != (start, stop):
            low = self.edges[0]
            return [(start, stop, self.whole[start - low : stop - low])]
        edges = self.edges[first : last + 1]
        tensors = self.tensors[first:last]
        return list(zip(edges[:-1], edges[1:], tensors, strict=True))


@dataclass(frozen=True)
class Cuts:
    """The places at which tensors are cut, for gradients.

    The gradient of a range of a tensor is as large as the tensor, and mostly zero. For
    many ranges, as many of them are added up. The gradients of parts that were cut out
    together are only put side by side.

    Parameters
    ----------
    places : tuple of tuple of int
        Where ranges begin or end, in order, for each block.
    """

    places: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, layout: Layout, accesses: Iterable[Access]) -> "Cuts":
        """Return the places for all that is read and written."""
        found: list[set[int]] = [set() for _ in layout.blocks]
        for access in accesses:
            for part in access:
                for edges in _ranges(part):
                    found[part.block].update(edges)
        return cls(tuple(tuple(sorted(places)) for places in found))

    def parts(self, block: int, start: int, value: tf.Tensor) -> Parts:
        """Cut a tensor that holds a block from a start on."""
        stop = start + value.shape[0]
        places = self.places[block]
        inner = places[bisect_left(places, start + 1) : bisect_left(places, stop)]
        edges = [start, *inner, stop]
        return Parts(value, edges, tf.split(value, np.diff(edges).tolist()))


def split(value: tf.Tensor, ranges: Sequence[Any]) -> list[tf.Tensor]:
    """Cut a tensor into one part for each of several ranges, in order."""
    if len(ranges) < 2:
        return [value] * len(ranges)
    return tf.split(value, [x.size for x in ranges])


def _ranges(part: BlockPart) -> Iterable[tuple[int, int]]:
    if part.index is None:
        return [(part.start, part.stop)]
    if part.boxes is not None:
        return [(box.start, box.stop) for box in part.boxes]
    return [(int(part.index.min()), int(part.index.max()) + 1)]
