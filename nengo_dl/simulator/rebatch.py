"""Batches of any sizes, as batches of one size."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError


def rebatched(
    batches: Iterable[Any], size: int, drop: Callable[[int], None]
) -> Iterator[Any]:
    """Yield batches of `size` items; tell `drop` how many items are left at the end.

    Batches are nested structures of arrays, with the items on the first axes. They are
    not copied if they have the size already.

    Raises
    ------
    ValidationError
        If the arrays of a batch differ in length, or all items are too few.
    """
    waiting: list[Any] = []
    has_yielded = False
    for batch in batches:
        waiting.append(batch)
        if sum(map(_n_items, waiting)) < size:
            continue
        whole = waiting[0] if len(waiting) == 1 else _joined(waiting)
        n_items = _n_items(whole)
        for start in range(0, n_items - size + 1, size):
            yield whole if n_items == size else _part(whole, start, start + size)
            has_yielded = True
        rest = n_items % size
        waiting = [_part(whole, n_items - rest, n_items)] if rest else []
    left = sum(map(_n_items, waiting))
    if left and not has_yielded:
        raise ValidationError(
            f"expected at least {size} items, the simulator's minibatch_size (got "
            f"{left} in all). Pass other data, or make the Simulator with another "
            "minibatch_size.",
            attr="Data",
        )
    if left:
        drop(left)


def _n_items(batch: Any) -> int:
    lengths = {len(array) for array in tf.nest.flatten(batch)}
    if len(lengths) > 1:
        raise ValidationError(
            f"expected the same number of items everywhere (got {sorted(lengths)}). "
            "All arrays of an element have the items on their first axis.",
            attr="Data",
        )
    return lengths.pop()


def _joined(batches: list[Any]) -> Any:
    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *batches)


def _part(batch: Any, start: int, stop: int) -> Any:
    return tf.nest.map_structure(lambda array: array[start:stop], batch)
