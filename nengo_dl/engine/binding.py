"""Kernels bound to memory, and those among them that are the same in all steps."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from nengo_dl.graph.kernel import Kernel
from nengo_dl.graph.layout import Access, Layout


class Bound(NamedTuple):
    """A kernel together with the memory it reads and writes.

    Parameters
    ----------
    number : int
        Position among all kernels.
    kernel : `Kernel`
        The kernel.
    reads, writes : tuple of tuple of `BlockPart`
        One access for each argument, and for each result.
    fixed : tuple of bool
        For each argument, whether it follows from parameters and held inputs alone.
    is_fixed : bool
        Whether all results do, so that they can be written ahead of all steps.
    """

    number: int
    kernel: Kernel
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    fixed: tuple[bool, ...]
    is_fixed: bool


def bind(
    kernels: Iterable[Kernel], layout: Layout, held: Access = ()
) -> tuple[Bound, ...]:
    """Bind kernels to a layout.

    Parameters
    ----------
    kernels : iterable of `Kernel`
        In the order of execution.
    layout : `Layout`
        The places of all signals.
    held : tuple of `BlockPart`
        Feeds whose values are the same in all steps.

    Returns
    -------
    bound : tuple of `Bound`
        In the same order.
    """
    fixed = Elements(layout, ("param", "transient"))
    fixed.add(held)
    # what a step has used cannot be written ahead of it any more
    writable = Elements(layout, ("transient",))
    return tuple(
        _bind(number, kernel, layout, fixed, writable, bool(held))
        for number, kernel in enumerate(kernels)
    )


def _bind(number, kernel, layout, fixed, writable, is_held):
    reads = tuple(layout.access(slot) for slot in kernel.reads)
    writes = tuple(layout.access(write.views) for write in kernel.writes)
    found = tuple(map(fixed.all, reads))
    repeats = kernel.host is None and not kernel.keyed or is_held and kernel.repeats
    is_fixed = repeats and all(found) and all(map(writable.all, writes))
    if not is_fixed:
        for access in writes:
            fixed.remove(access)
        for access in (*reads, *writes):
            writable.remove(access)
    return Bound(number, kernel, reads, writes, found, is_fixed)


class Elements:
    """A set of elements of memory.

    Parameters
    ----------
    layout : `Layout`
        The memory.
    kinds : tuple of str
        Kinds of blocks, of which all elements are members at first.
    """

    def __init__(self, layout: Layout, kinds: tuple[str, ...]):
        self._blocks = [
            np.full(block.size, block.kind in kinds) for block in layout.blocks
        ]

    def all(self, access: Access) -> bool:
        """Tell whether all elements of an access are members."""
        return all(self._blocks[part.block][_index(part)].all() for part in access)

    def any(self, access: Access) -> bool:
        """Tell whether some element of an access is a member."""
        return any(self._blocks[part.block][_index(part)].any() for part in access)

    def add(self, access: Access) -> None:
        """Make the elements of an access members."""
        for part in access:
            self._blocks[part.block][_index(part)] = True

    def remove(self, access: Access) -> None:
        """Take the elements of an access out."""
        for part in access:
            self._blocks[part.block][_index(part)] = False


def _index(part):
    return slice(part.start, part.stop) if part.index is None else part.index
