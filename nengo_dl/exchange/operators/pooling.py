"""Averages and maxima over windows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.conv import from_image, image
from nengo_dl.exchange.operators.padding import (
    Pads,
    pads_of,
    repeat_edges,
    same_pads,
    zero_pad,
)
from nengo_dl.exchange.operators.resizing import multiply_along, unequal_averages
from nengo_dl.exchange.values import Value

MAX = {
    1: keras.layers.MaxPooling1D,
    2: keras.layers.MaxPooling2D,
    3: keras.layers.MaxPooling3D,
}
AVERAGE = {
    1: keras.layers.AveragePooling1D,
    2: keras.layers.AveragePooling2D,
    3: keras.layers.AveragePooling3D,
}
GLOBAL_AVERAGE = {
    1: keras.layers.GlobalAveragePooling1D,
    2: keras.layers.GlobalAveragePooling2D,
    3: keras.layers.GlobalAveragePooling3D,
}
GLOBAL_MAX = {
    1: keras.layers.GlobalMaxPooling1D,
    2: keras.layers.GlobalMaxPooling2D,
    3: keras.layers.GlobalMaxPooling3D,
}


@dataclass(frozen=True)
class Pool:
    """Windows of a pooling, one number for each spatial axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    pads: Pads
    ceil_mode: bool = False  # whether windows may go over the end
    dilation: tuple[int, ...] = ()

    @property
    def n_axes(self) -> int:
        """Number of spatial axes."""
        return len(self.size)

    @property
    def rates(self) -> tuple[int, ...]:
        """Dilation of each axis."""
        return self.dilation or (1,) * self.n_axes

    def all_pads(self, lengths: Sequence[int]) -> Pads:
        """Return the pads with which all windows lie within; negative: is cut off."""
        found = []
        for i, n in enumerate(lengths):
            before, after = self.pads[i]
            n_windows = self.count(i, n)
            extent = (self.size[i] - 1) * self.rates[i] + 1
            end = (n_windows - 1) * self.strides[i] + extent
            # beyond the last window, what is left over hurts nobody
            found.append((before, max(end - n - before, min(after, 0))))
        return tuple(found)

    def n_windows(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the output."""
        return tuple(self.count(i, n) for i, n in enumerate(lengths))

    def count(self, i: int, n: int) -> int:
        """Return how many windows an axis of a certain length has."""
        before, after = self.pads[i]
        extent = (self.size[i] - 1) * self.rates[i] + 1
        free, stride = n + before + after - extent, self.strides[i]
        if free < 0:
            raise InvalidValue(f"expected windows of up to {n} elements (got {extent})")
        if not self.ceil_mode:
            return free // stride + 1
        count = -(-free // stride) + 1
        # no window begins in the padding at the end
        return count - ((count - 1) * stride >= n + before)


def max_pool(emit: Emitter, value: Value, pool: Pool) -> Value:
    """Take maxima over windows; padding is never the maximum."""
    tensor = image(emit, value, pool.n_axes)
    lengths = tuple(tensor.shape[1:-1])
    if set(pool.rates) != {1}:
        return _dilated_max(emit, tensor, pool)
    if _is_whole(pool, lengths):
        kind = GLOBAL_MAX[pool.n_axes]
        return from_image(emit.layer(kind, tensor, keepdims=True), value.is_nonnegative)
    pads, padding = pool.all_pads(lengths), "valid"
    if any(map(any, pads)):
        if same_pads(lengths, pool.size, pool.strides, pool.rates) == pads:
            padding = "same"
        elif value.is_nonnegative:
            tensor = zero_pad(emit, tensor, pads)
        elif pool.n_axes < 3:
            # the element at the edge is in each window that goes over it
            tensor = repeat_edges(tensor, pads)
        else:  # here, TensorFlow sends gradients to all elements that are equal
            lowest = float(np.finfo(emit.graph.dtype).min)
            tensor = keras.ops.pad(
                tensor, [(0, 0), *pads, (0, 0)], constant_values=lowest
            )
    made = _pooled(emit, MAX, tensor, pool, padding)
    return from_image(made, value.is_nonnegative)


def _pooled(emit: Emitter, kinds, tensor: Any, pool: Pool, padding: str) -> Any:
    """Call the layer of as many spatial axes as windows have."""
    return emit.layer(
        kinds[pool.n_axes],
        tensor,
        pool_size=pool.size,
        strides=pool.strides,
        padding=padding,
    )


def _is_whole(pool: Pool, lengths: tuple[int, ...]) -> bool:
    """Whether there is one window, of all elements."""
    return pool.size == lengths and not any(map(any, pool.pads))


def _dilated_max(emit: Emitter, tensor: Any, pool: Pool) -> Value:
    taps = []
    for i, n in enumerate(tensor.shape[1:-1]):
        starts = np.arange(pool.count(i, n)) * pool.strides[i] - pool.pads[i][0]
        places = starts[:, None] + np.arange(pool.size[i]) * pool.rates[i]
        taps.append(np.where((places >= 0) & (places < n), places, -1))
    return from_image(_max_of_taps(emit, tensor, taps))


def _max_of_taps(emit: Emitter, tensor: Any, taps: Sequence[np.ndarray]) -> Any:
    """Take elements along each axis, and their maximum.

    ``taps`` has the elements of each window of an axis, of shape (n_windows, n_taps);
    -1 for none.
    """
    for axis, places in enumerate(taps, start=1):
        if not (places >= 0).any(axis=1).all():
            raise InvalidValue("expected windows with elements (got one of padding)")
        some = places.max(axis=1, keepdims=True)
        index = np.where(places >= 0, places, some)
        taken = [keras.ops.take(tensor, column, axis=axis) for column in index.T]
        tensor = emit.layer(keras.layers.Maximum, taken) if len(taken) > 1 else taken[0]
    return tensor


def adaptive_average_pool(
    emit: Emitter, value: Value, shape: Sequence[int | None]
) -> Value:
    """Average over as many windows as the output has, which may be of unequal sizes."""
    windows = _equal_windows(value, shape)
    if windows is not None:
        return average_pool(emit, value, windows)
    pairs = zip(value.shape[2:], shape, strict=True)
    matrices = [unequal_averages(n, n if m is None else m) for n, m in pairs]
    return multiply_along(emit, value, matrices)


def adaptive_max_pool(
    emit: Emitter, value: Value, shape: Sequence[int | None]
) -> Value:
    """Take maxima over as many windows as the output has."""
    windows = _equal_windows(value, shape)
    if windows is not None:
        return max_pool(emit, value, windows)
    pairs = zip(value.shape[2:], shape, strict=True)
    taps = []
    for n, m in pairs:
        covered = unequal_averages(n, n if m is None else m).T > 0
        size = covered.sum(axis=1).max()
        begin = covered.argmax(axis=1)
        places = begin[:, None] + np.arange(size)
        taps.append(np.where(np.arange(size) < covered.sum(1)[:, None], places, -1))
    made = _max_of_taps(emit, image(emit, value, len(taps)), taps)
    return from_image(made, value.is_nonnegative)


def _equal_windows(value: Value, shape: Sequence[int | None]) -> Pool | None:
    """Return windows of equal sizes that lead to an output of a certain size."""
    lengths = value.shape[2:]
    sizes = [n if m is None else m for n, m in zip(lengths, shape, strict=True)]
    if any(n % m for n, m in zip(lengths, sizes, strict=True)):
        return None
    window = tuple(n // m for n, m in zip(lengths, sizes, strict=True))
    return Pool(window, window, pads_of((0,) * len(window)))


def average_pool(
    emit: Emitter,
    value: Value,
    pool: Pool,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Value:
    """Average over windows.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, channels, ...).
    pool : Pool
        The windows.
    count_include_pad : bool
        Whether padding counts; what a window has beyond it never does.
    divisor : int, optional
        By what sums are divided in place of the number of elements.
    """
    tensor = image(emit, value, pool.n_axes)
    lengths = tuple(tensor.shape[1:-1])
    if set(pool.rates) != {1}:
        raise InvalidValue(f"expected windows without dilation (got {pool.dilation})")
    if _is_whole(pool, lengths) and divisor is None:
        kind = GLOBAL_AVERAGE[pool.n_axes]
        return from_image(emit.layer(kind, tensor, keepdims=True), value.is_nonnegative)
    factors = _factors(pool, lengths, count_include_pad, divisor)
    pads, padding = pool.all_pads(lengths), "valid"
    same = same_pads(lengths, pool.size, pool.strides, pool.rates)
    if pads == same and any(map(any, pads)) and not count_include_pad and not divisor:
        padding, factors = "same", np.ones(())  # Keras does not count padding
    else:
        tensor = zero_pad(emit, tensor, pads)
    made = _pooled(emit, AVERAGE, tensor, pool, padding)
    if np.any(factors != 1):
        if np.all(factors == factors.flat[0]):
            made = emit.layer(keras.layers.Rescaling, made, "scale", factors.flat[0])
        else:
            made = made * factors.astype(emit.graph.dtype)[None, ..., None]
    return from_image(made, value.is_nonnegative)


def _factors(pool: Pool, lengths, count_include_pad: bool, divisor) -> np.ndarray:
    """Return by what averages over whole windows are to be multiplied."""
    if divisor:
        return np.full((1,) * pool.n_axes, math.prod(pool.size) / divisor)
    counts = np.ones(())
    for i, n in enumerate(lengths):
        before, after = pool.pads[i]
        begin = np.arange(pool.count(i, n)) * pool.strides[i] - before
        end = begin + pool.size[i]
        low, high = (-before, n + after) if count_include_pad else (0, n)
        count = np.minimum(end, high) - np.maximum(begin, low)
        counts = np.multiply.outer(counts, count)
    return math.prod(pool.size) / counts
