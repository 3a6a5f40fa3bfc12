"""Padding: zeros, constants, reflections, edges, and what is cut off."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.values import Value

# How many elements are added in front of and behind each axis; negative: taken away
Pads: TypeAlias = tuple[tuple[int, int], ...]

ZERO_PADDING = {
    1: keras.layers.ZeroPadding1D,
    2: keras.layers.ZeroPadding2D,
    3: keras.layers.ZeroPadding3D,
}
CROPPING = {
    1: keras.layers.Cropping1D,
    2: keras.layers.Cropping2D,
    3: keras.layers.Cropping3D,
}


def pads_of(before: Sequence[int], after: Sequence[int] | None = None) -> Pads:
    """Return pads from those in front and those behind, which may be the same."""
    after = before if after is None else after
    return tuple((int(a), int(b)) for a, b in zip(before, after, strict=True))


def same_pads(
    lengths: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> Pads:
    """Return the pads of Keras' padding="same"."""
    found = []
    arguments = zip(lengths, window, strides, dilation, strict=True)
    for n, size, stride, rate in arguments:
        total = max(0, (-(-n // stride) - 1) * stride + (size - 1) * rate + 1 - n)
        found.append((total // 2, total - total // 2))
    return tuple(found)


def zero_pad(emit: Emitter, tensor: Any, pads: Pads, suffix: str = "pad") -> Any:
    """Add zeros around a tensor with its channels last, or cut off elements."""
    rank = len(pads)
    added = tuple((max(a, 0), max(b, 0)) for a, b in pads)
    taken = tuple((max(-a, 0), max(-b, 0)) for a, b in pads)
    if any(map(any, added)):
        layer = ZERO_PADDING[rank]
        tensor = emit.layer(layer, tensor, suffix, added if rank > 1 else added[0])
    if any(map(any, taken)):
        layer = CROPPING[rank]
        tensor = emit.layer(layer, tensor, "crop", taken if rank > 1 else taken[0])
    return tensor


def repeat_edges(tensor: Any, pads: Pads) -> Any:
    """Repeat the first and the last element of each spatial axis."""
    for axis, (before, after) in enumerate(pads, start=1):
        if before or after:
            n = tensor.shape[axis]
            index = np.clip(np.arange(-before, n + after), 0, n - 1)
            tensor = keras.ops.take(tensor, index, axis=axis)
    return tensor


def source_index(n: int, before: int, after: int, mode: str) -> np.ndarray:
    """Return which element stands at each place of a padded axis."""
    places = np.arange(-before, n + after)
    if mode in ("replicate", "edge"):
        return np.clip(places, 0, n - 1)
    if mode in ("circular", "wrap"):
        return places % n
    if mode == "reflect":
        if max(before, after) >= n:
            raise InvalidValue(
                f"expected to reflect fewer elements than there are (got {before} and "
                f"{after} of {n})"
            )
        return np.abs((n - 1) - np.abs((n - 1) - places))
    raise InvalidValue(f"expected a known mode of padding (got {mode!r})")


def pad(
    emit: Emitter,
    value: Value,
    pads: dict[int, tuple[int, int]],
    mode: str,
    fill: float,
) -> Value:
    """Pad a value, or crop it where pads are negative.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        What is padded.
    pads : dict of int to (int, int)
        By axes of the source.
    mode : str
        "constant", "reflect", "replicate" (or "edge"), "circular" (or "wrap").
    fill : float
        What is added with mode "constant".
    """
    by_axis = {value.axis(axis): pair for axis, pair in pads.items() if any(pair)}
    if mode != "constant":
        tensor = value.tensor
        for axis, (before, after) in by_axis.items():
            n = tensor.shape[axis]
            if min(before, after) < 0:
                raise InvalidValue(f"expected pads from 0 (got {before} and {after})")
            index = source_index(n, before, after, mode)
            tensor = keras.ops.take(tensor, index, axis=axis)
        return value.with_tensor(tensor, value.is_nonnegative)
    tensor, rank = value.tensor, len(value.tensor.shape)
    pairs = [by_axis.get(axis, (0, 0)) for axis in range(1, rank)]
    if fill == 0 and pairs[-1] == (0, 0) and 3 <= rank <= 5:
        tensor = zero_pad(emit, tensor, tuple(pairs[:-1]), "")
        return value.with_tensor(tensor, value.is_nonnegative)
    cut = [slice(max(-a, 0), b if b < 0 else None) for a, b in pairs]
    if any(part != slice(0, None) for part in cut):
        parts = (slice(None), *cut)
        tensor = tensor[parts]
    added = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if any(map(any, added)):
        options = {} if fill == 0 else {"constant_values": fill}
        tensor = keras.ops.pad(tensor, [(0, 0), *added], **options)
    return value.with_tensor(tensor, value.is_nonnegative and fill >= 0)
