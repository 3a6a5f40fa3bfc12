"""Kernels that compute many steps at once, as columns of the minibatch."""

from collections.abc import Iterable
from typing import NamedTuple

import tensorflow as tf

from nengo_dl.engine.binding import Bound, Elements
from nengo_dl.graph.layout import Access, Layout


class Joined(NamedTuple):
    """A kernel that computes all steps at once.

    Parameters
    ----------
    item : `Bound`
        The kernel.
    is_used : bool
        Whether others read what it computes, step by step.
    """

    item: Bound
    is_used: bool


def joined(
    bound: Iterable[Bound], layout: Layout, probes: Iterable[Access], is_held: bool
) -> tuple[Joined, ...]:
    """Return the kernels that can compute all steps at once, in order.

    They read inputs of the network, or what others of them have set, and take no more
    memory than that, unless they call Python, which costs so much that memory does not
    matter. What only sets values, without a product, is a link between them: it is not
    worth it for itself.

    Parameters
    ----------
    bound : iterable of `Bound`
        All kernels in order.
    layout : `Layout`
        The places of signals.
    probes : iterable of tuple of `BlockPart`
        What is read at the end of steps.
    is_held : bool
        Whether there are held feeds. What follows from them has one value for each
        item, not for each item and step.
    """
    bound = tuple(bound)
    chain, needed = [], Elements(layout, ())
    for item in reversed(_candidates(bound, layout, is_held)):
        if not _is_link(item) or needed.any(item.writes[0]):
            chain.append(item)
            for access in item.reads:
                needed.add(access)
    numbers = {item.number for item in chain}
    read = Elements(layout, ("state",))
    for item in bound:
        if not item.is_fixed and item.number not in numbers:
            for access in item.reads:
                read.add(access)
    for access in probes:
        read.add(access)
    return tuple(
        Joined(item, not _is_link(item) or read.any(item.writes[0]))
        for item in reversed(chain)
    )


def _candidates(bound: tuple[Bound, ...], layout: Layout, is_held: bool) -> list[Bound]:
    # feeds, and what follows from them alone
    known, found = Elements(layout, ("param", "feed")), []
    for item in bound:
        joins = _joins_steps(item, layout, known, is_held)
        if joins:
            found.append(item)
        for access in () if item.is_fixed else item.writes:
            known.remove(access)
            if joins and item.kernel.writes[0].mode == "set":
                known.add(access)
    return found


def _joins_steps(item: Bound, layout: Layout, known: Elements, is_held: bool) -> bool:
    def sizes(access: Access, kind: str) -> int:
        return sum(p.size for p in access if layout.blocks[p.block].kind == kind)

    if item.is_fixed or not item.kernel.joins_steps or len(item.writes) != 1:
        return False
    n_fed = 0
    for access, is_fixed in zip(item.reads, item.fixed, strict=True):
        size = sum(part.size for part in access)
        n_params = sizes(access, "param")
        if is_fixed and is_held and n_params < size:
            return False
        if not is_fixed:
            if not known.all(access):
                return False
            n_fed += size - n_params
    n_written = sum(part.size for part in item.writes[0])
    return item.kernel.host is not None or n_written <= n_fed


def _is_link(item: Bound) -> bool:
    return item.kernel.host is None and item.kernel.writes[0].mode == "set"


def all_items(feeds: Iterable[tf.Tensor], row: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Repeat feeds that all items share, to the width of a row of zeros."""
    return tuple(feed + row if feed.shape[2] == 1 else feed for feed in feeds)


def side_by_side(feed: tf.Tensor) -> tf.Tensor:
    """Turn (n_steps, size, items) into (size, items * n_steps)."""
    # XLA undoes the first transposition of what came with the items in front, and makes
    # the second one part of a product
    rows = tf.reshape(tf.transpose(feed, (2, 0, 1)), (-1, feed.shape[1]))
    return tf.transpose(rows)


def one_by_one(result: tf.Tensor, feed: tf.Tensor) -> tf.Tensor:
    """Turn (size, items * n_steps) into (n_steps, size, items)."""
    n_steps, _, items = tf.unstack(tf.shape(feed))
    result = tf.reshape(result, (result.shape[0], items, n_steps))
    result = tf.transpose(result, (2, 0, 1))
    return tf.ensure_shape(result, (feed.shape[0], result.shape[1], feed.shape[2]))
