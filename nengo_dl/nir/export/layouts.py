"""In which order the elements of an object stand in a NIR graph.

Channels come first there. Where a convolution of a network has them last, whatever it
reads, and whatever has its output, is written in another order than Nengo's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.transforms import ChannelShape

from nengo_dl.nir.export.links import Link, Scaling, Windowed


@dataclass(frozen=True, eq=False)
class ArrayLayout:
    """A shape in a graph, and the index in Nengo of each of its elements."""

    shape: tuple[int, ...]
    order: np.ndarray  # of shape (size,)

    def equals(self, other: "ArrayLayout") -> bool:
        """Whether another layout is the same."""
        return self.shape == other.shape and np.array_equal(self.order, other.order)


def flat(size: int) -> ArrayLayout:
    """Return the layout of a vector."""
    return ArrayLayout((size,), np.arange(size))


def of_channels(shape: ChannelShape) -> ArrayLayout:
    """Return the layout of a tensor with channels."""
    index = np.arange(shape.size).reshape(shape.shape)
    if shape.channels_last:
        index = np.moveaxis(index, -1, 0)
    return ArrayLayout(index.shape, index.ravel())


def layouts(links: Iterable[Link]) -> dict[Any, ArrayLayout]:
    """Return the layouts of objects that convolutions ask for, by the objects.

    It is handed on by connections that change no order. Where two ask for different
    ones, the first has its way.
    """
    groups: dict[Any, Any] = {}

    def root(obj):
        while groups.setdefault(obj, obj) is not obj:
            obj = groups[obj]
        return obj

    links = list(links)
    for link in links:
        if isinstance(link.map, Scaling) and link.into is None:
            groups[root(link.pre)] = root(link.post)
    found: dict[Any, ArrayLayout] = {}
    for link in links:
        if isinstance(link.map, Windowed) and link.into is None:
            found.setdefault(root(link.pre), of_channels(link.map.shape_in))
            found.setdefault(root(link.post), of_channels(link.map.shape_out))
    return {obj: found[root(obj)] for obj in list(groups) if root(obj) in found}
