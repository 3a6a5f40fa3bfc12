"""Kernels that compute many steps at once, as columns of the minibatch."""

from collections.abc import Iterable

import tensorflow as tf

from nengo_dl.engine.binding import Bound
from nengo_dl.graph.layout import Layout


def joins_steps(item: Bound, layout: Layout, is_held: bool) -> bool:
    """Tell whether all steps can be computed at once, in no more memory than feeds.

    Calls of Python cost so much that memory does not matter. What follows from
    parameters is known by then. What follows from held feeds has one value for each
    item, not for each item and step.
    """
    read = [
        part
        for access, is_fixed in zip(item.reads, item.fixed, strict=True)
        for part in access
        if is_held or not is_fixed
    ]
    fed = sum(part.size for part in read if layout.blocks[part.block].kind == "feed")
    return (
        item.kernel.joins_steps
        and not item.is_fixed
        and all(layout.blocks[part.block].kind in ("param", "feed") for part in read)
        and len(item.writes) == 1
        and (
            item.kernel.host is not None
            or sum(part.size for part in item.writes[0]) <= fed
        )
    )


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
