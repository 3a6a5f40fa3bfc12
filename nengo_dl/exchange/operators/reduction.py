"""Functions along axes: sums, averages, maxima."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.values import Value


def without_axes(value: Value, axes: Sequence[int], tensor: Any) -> Value:
    """Return a tensor that lacks axes (of the source) of a value."""
    gone = {int(axis) % value.rank for axis in axes}

    def to(axis: int) -> int:
        return axis - sum(other < axis for other in gone)

    order = tuple(to(axis) for axis in value.order if axis not in gone)
    batch = None if value.batch is None else to(value.batch)
    return replace(value, tensor=tensor, order=order, batch=batch, is_nonnegative=False)


def all_axes(value: Value, axes: int | Sequence[int] | None) -> tuple[int, ...]:
    """Return axes of the source, counted from 0; all of them for none."""
    if axes is None or (not isinstance(axes, int) and len(axes) == 0):
        return tuple(range(value.rank))
    axes = (axes,) if isinstance(axes, int) else axes
    return tuple(int(axis) % value.rank for axis in axes)


def reduce(
    emit: Emitter,
    value: Value,
    function: Callable,
    axes: int | Sequence[int] | None,
    keepdims: bool,
    **options: Any,
) -> Value:
    """Call a function of ``keras.ops`` along axes of the source.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        The argument.
    function : callable
        Takes a tensor, ``axis`` and ``keepdims``.
    axes : int or sequence of int or None
        None for all, which only what all items share can do.
    keepdims : bool
        Whether the axes stay, with length 1.
    **options
        More arguments of the function.
    """
    del emit
    axes = all_axes(value, axes)
    along = value.axes(axes)
    axis = along[0] if len(along) == 1 else along
    made = function(value.tensor, axis=axis, keepdims=keepdims, **options)
    if keepdims:
        return value.with_tensor(made)
    return without_axes(value, axes, made)


def variance(
    emit: Emitter, value: Value, axes: Any, keepdims: bool, correction: float
) -> Value:
    """Return the variance along axes, divided by their length less a correction."""
    axes = all_axes(value, axes)
    n = int(np.prod([value.tensor.shape[value.axis(axis)] for axis in axes]))
    if n <= correction:
        raise InvalidValue(f"expected more than {correction} elements (got {n})")
    found = reduce(emit, value, keras.ops.var, axes, keepdims)
    factor = n / (n - correction)
    tensor = found.tensor if factor == 1 else found.tensor * factor
    return found.with_tensor(tensor, True)


def norm(emit: Emitter, value: Value, p: float, axes: Any, keepdims: bool) -> Value:
    r"""Return :math:`(\sum |x|^p)^{1/p}` along axes."""
    ops = keras.ops
    if p == 2:
        squares = value.with_tensor(ops.square(value.tensor))
        total = reduce(emit, squares, ops.sum, axes, keepdims)
        return total.with_tensor(ops.sqrt(total.tensor), True)
    sizes = value.with_tensor(ops.absolute(value.tensor))
    if p == 1:
        return reduce(emit, sizes, ops.sum, axes, keepdims)
    if np.isinf(p) and p > 0:
        return reduce(emit, sizes, ops.max, axes, keepdims)
    if p <= 0 or np.isinf(p):
        raise InvalidValue(f"expected a norm of a positive order (got {p})")
    powers = value.with_tensor(ops.power(sizes.tensor, p))
    total = reduce(emit, powers, ops.sum, axes, keepdims)
    return total.with_tensor(ops.power(total.tensor, 1 / p), True)
