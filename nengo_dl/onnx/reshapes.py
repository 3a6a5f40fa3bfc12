"""Which shapes nodes give to values, where a minibatch may have any number of items."""

import math
from collections.abc import Sequence

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx.dims import Length, NotKnown, is_items
from nengo_dl.onnx.shapes import Shape


def size_of(shape: Sequence[int | Length]) -> int | Length:
    """Return the number of elements."""
    return math.prod(shape)


def reshaped(
    shape: Shape, target: np.ndarray, keeps_zeros: bool, n_items: int | None
) -> Shape:
    """Return the shape that a node Reshape makes of another.

    Parameters
    ----------
    shape : tuple
        Of its input.
    target : ndarray
        As the node has it, of shape (number of axes,): with -1 for what follows from
        the others, and 0 for what stays.
    keeps_zeros : bool
        Whether 0 is a length.
    n_items : int or None
        Size of minibatches that the file was written for. A target that begins with it
        keeps the minibatch.
    """
    found = list(target)
    if not keeps_zeros:
        found = [shape[i] if n == 0 else n for i, n in enumerate(found)]
    has_items = any(isinstance(n, Length) for n in found)
    if shape and is_items(shape[0]) and not has_items and found[:1] == [n_items]:
        found[0] = shape[0]
    total = size_of(shape)
    if found.count(-1) == 1:
        rest = size_of([n for n in found if n != -1])
        found[found.index(-1)] = total // rest if rest != 0 else 0
    if size_of(found) != total:
        raise InvalidValue(f"expected as many elements as {shape} has (got {found})")
    return tuple(n if isinstance(n, Length) else int(n) for n in found)


def flattened(shape: Shape, axis: int) -> Shape:
    """Return the shape of two axes that a node Flatten makes of another."""
    axis += len(shape) * (axis < 0)
    return (size_of(shape[:axis]), size_of(shape[axis:]))


def squeezed(shape: Shape, n_items: int | None) -> tuple[int, ...]:
    """Return the axes that a node Squeeze takes away if it is not told which."""
    if n_items == 1 and any(isinstance(n, Length) for n in shape):
        raise NotKnown("an axis that is there or not, depending on the minibatch")
    return tuple(i for i, n in enumerate(shape) if not isinstance(n, Length) and n == 1)
