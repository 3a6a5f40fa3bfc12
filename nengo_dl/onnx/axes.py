"""Axes, slices and parts that nodes ask for, as NumPy has them."""

from collections.abc import Sequence

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx.dims import NotKnown, is_known

Array = np.ndarray


def axes_of(axes: Array | None, n_axes: int) -> tuple[int, ...] | None:
    """Return axes, counted from the front; None if none are given."""
    if axes is None:
        return None
    found = tuple(int(axis) + n_axes * (int(axis) < 0) for axis in np.ravel(axes))
    if any(not 0 <= axis < n_axes for axis in found):
        raise InvalidValue(f"expected axes of {n_axes} (got {tuple(np.ravel(axes))})")
    return found


def split_sizes(
    outputs: Sequence[str], length: int, sizes: Array | None
) -> tuple[int, ...]:
    """Return how long the parts are that a node Split makes of an axis."""
    if sizes is None:
        part = -(-length // len(outputs))
        sizes = np.minimum(part, length - part * np.arange(len(outputs)))
    found = tuple(int(n) for n in np.ravel(sizes))
    if sum(found) != length or min(found, default=0) < 0:
        raise InvalidValue(f"expected parts of {length} elements (got {found})")
    return found


def slices(
    n_axes: int, starts: Array, ends: Array, axes: Array | None, steps: Array | None
) -> tuple[slice, ...]:
    """Return the slices of all axes that a node Slice asks for."""
    if not (is_known(starts) and is_known(ends)):
        raise NotKnown("a slice up to the size of the minibatch")
    found = [slice(None)] * n_axes
    chosen = axes_of(axes, n_axes)
    chosen = tuple(range(len(starts))) if chosen is None else chosen
    steps = np.ones(len(starts), int) if steps is None else steps
    for axis, start, end, step in zip(chosen, starts, ends, steps, strict=True):
        found[axis] = slice(int(start), int(end), int(step))
    return tuple(found)
