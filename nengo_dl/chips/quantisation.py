"""Weights of limited resolution.

The formulas are written for NumPy and TensorFlow alike. They use no operation that the
two round differently, so that frozen weights are those that were simulated, to the last
bit.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from nengo_dl.chips.weights import Weights

# Parts of the largest magnitude that "mse" tries as the scale, in this order
FRACTIONS = np.linspace(0.2, 1.0, 41)
# All powers of two that both precisions have. Compiled logarithms are not exact.
POWERS = np.ldexp(1.0, np.arange(-126, 128))


class Library(NamedTuple):
    """The operations that formulas are computed with.

    Parameters
    ----------
    ops : module
        `numpy`, or one with functions of the same names.
    cast : callable
        From values and a type to values of that type.
    fori_loop : callable
        ``fori_loop(start, stop, body, values)`` with ``body(i, values) -> values``.
    """

    ops: ModuleType
    cast: Callable[[Any, Any], Any]
    fori_loop: Callable[..., Any]


def _fori_loop(start: int, stop: int, body: Callable, values: Any) -> Any:
    for i in range(start, stop):
        values = body(i, values)
    return values


NUMPY = Library(np, np.asarray, _fori_loop)


def quantised(
    values: Any, n: Any, model: Weights, axes: tuple[int, ...], library: Library
) -> Any:
    """Round values to the levels that a model has.

    Parameters
    ----------
    values : ndarray or tensor
        The values.
    n : scalar ndarray or tensor
        Number of positive levels, in the precision of the values. XLA multiplies by the
        inverse of what it knows to be constant, which rounds otherwise than a division.
    model : `Weights`
        Has the scale and the exponent.
    axes : tuple of int
        The axes along which values share a scale.
    library : `Library`
        Computes it.

    Returns
    -------
    values : ndarray or tensor
        Of the same shape.
    """
    xp = library.ops
    largest = xp.max(xp.abs(values), axis=axes, keepdims=True)
    if model.scale == "max":
        return _rounded(values, largest, n, model, library)
    fractions = library.cast(FRACTIONS, values.dtype)

    def attempt(i, best):
        scale = largest * xp.take(fractions, i)
        difference = _rounded(values, scale, n, model, library) - values
        squares = xp.square(library.cast(difference, "float64"))
        error = xp.sum(squares, axis=axes, keepdims=True)
        return xp.where(error < best[1], scale, best[0]), xp.minimum(error, best[1])

    unknown = xp.full_like(library.cast(largest, "float64"), np.inf)
    start = (xp.zeros_like(largest), unknown)
    scale, _ = library.fori_loop(0, len(FRACTIONS), attempt, start)
    return _rounded(values, scale, n, model, library)


def _rounded(values: Any, scale: Any, n: Any, model: Weights, library: Library) -> Any:
    """Round to n steps, either way, up to a scale."""
    xp = library.ops
    if model.exponent is None:
        # what has no values but zeros gets no division by zero
        divisor = xp.where(scale > 0, scale, xp.ones_like(scale))
        return xp.clip(xp.round(values * n / divisor), -n, n) / n * scale
    step = _power_above(scale / n, library)
    return xp.clip(xp.round(values / step), -n, n) * step


def _power_above(values: Any, library: Library) -> Any:
    """Return the smallest powers of two that are not below some values."""
    xp = library.ops
    powers = library.cast(POWERS, values.dtype)
    reaches = powers >= xp.expand_dims(values, -1)
    return xp.min(xp.where(reaches, powers, powers[-1]), axis=-1)
