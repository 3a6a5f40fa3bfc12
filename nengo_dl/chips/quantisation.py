"""Weights of limited resolution.

The formulas are written for NumPy and TensorFlow alike. They use no operation that the
two round differently, so that frozen weights are those that were simulated, to the last
bit.
"""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from nengo_dl.chips.weights import Weights

# Parts of the largest magnitude that "mse" tries as the scale, in this order
FRACTIONS = np.linspace(0.2, 1.0, 41)
# Squared errors are added up in blocks of so many terms, side by side in so many lanes:
# this is what compilers make vectors of, and a sum of few terms is exact enough.
TERMS, LANES = 32, 32
# All powers of two that both precisions have. Compiled logarithms are not exact.
POWERS = np.ldexp(1.0, np.arange(-126, 128))


class ArrayLibrary(NamedTuple):
    """The operations that formulas are computed with.

    Parameters
    ----------
    ops : module
        `numpy`, or one with functions of the same names.
    cast : callable
        From values and a type to values of that type.
    """

    ops: ModuleType
    cast: Callable[[Any, Any], Any]


NUMPY = ArrayLibrary(np, np.asarray)


def quantised(
    values: Any, n: Any, model: Weights, axes: tuple[int, ...], library: ArrayLibrary
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
    library : `ArrayLibrary`
        Computes it.

    Returns
    -------
    values : ndarray or tensor
        Of the same shape.
    """
    xp = library.ops
    largest = xp.max(xp.abs(values), axis=axes, keepdims=True)
    scale = largest
    if model.scale == "mse":
        magnitudes = xp.abs(values) / _divisor(largest, library)
        rows = xp.moveaxis(magnitudes, axes, tuple(range(-len(axes), 0)))
        rows = xp.reshape(rows, (-1, math.prod(values.shape[axis] for axis in axes)))
        best = _best_fractions(rows, xp.reshape(largest, (-1, 1)), n, model, library)
        scale = largest * xp.reshape(best, xp.shape(largest))
    if model.exponent is None:
        steps = values * n / _divisor(scale, library)
        return xp.clip(xp.round(steps), -n, n) / n * scale
    step = _power_above(scale / n, library)
    return xp.clip(xp.round(values / step), -n, n) * step


def _divisor(scale: Any, library: ArrayLibrary) -> Any:
    """Return a scale, or 1 where there are no values but zeros."""
    return library.ops.where(scale > 0, scale, library.ops.ones_like(scale))


def _best_fractions(
    rows: Any, largest: Any, n: Any, model: Weights, library: ArrayLibrary
) -> Any:
    """Find the scale with the smallest error, as a part of the largest magnitude.

    Which one that is must not depend on how a library adds up. So the two best ones,
    by errors in the precision of the values, are compared in double precision.

    Parameters
    ----------
    rows : ndarray or tensor of shape (n_rows, n_values)
        Magnitudes of values that share a scale, divided by the largest one.
    largest : ndarray or tensor of shape (n_rows, 1)
        The largest ones.
    n, model, library
        As for `quantised`.

    Returns
    -------
    fractions : ndarray or tensor of shape (n_rows,)
        In the precision of the values.
    """
    xp = library.ops
    scale = library.cast(_divisor(largest, library), "float64")
    fractions = library.cast(FRACTIONS, "float64")
    steps = scale * fractions / library.cast(n, "float64")
    if model.exponent is not None:
        steps = _power_above(steps, library)
    steps /= scale
    blocks = _blocks(rows, xp)
    errors = _squared_errors(blocks, library.cast(steps, rows.dtype), n, library)
    first = xp.argmin(errors, axis=1)
    is_first = xp.expand_dims(first, 1) == np.arange(len(FRACTIONS), dtype="int32")
    second = xp.argmin(xp.where(is_first, np.inf, errors), axis=1)
    two = xp.stack([first, second], axis=1)
    steps = xp.take_along_axis(steps, two, axis=1)
    errors = _squared_errors(blocks, steps, n, library)
    best = xp.where(errors[:, 0] <= errors[:, 1], first, second)
    return xp.take(library.cast(FRACTIONS, rows.dtype), best)


def _blocks(rows: Any, xp: ModuleType) -> Any:
    """Arrange rows as (n_rows, n_blocks, terms, 1, lanes), padded with zeros."""
    size = rows.shape[1]
    n_blocks = -(-size // (TERMS * LANES))
    n_lanes = min(8 * -(-size // (n_blocks * TERMS * 8)), size)
    n_terms = -(-size // (n_blocks * n_lanes))
    padding = n_blocks * n_terms * n_lanes - size
    rows = xp.pad(rows, ((0, 0), (0, padding)))
    return xp.reshape(rows, (-1, n_blocks, n_terms, 1, n_lanes))


def _squared_errors(blocks: Any, steps: Any, n: Any, library: ArrayLibrary) -> Any:
    """Add up the squared errors of rounding magnitudes, for each row and step size.

    There is no loop over steps: a block stays in the cache for all of them.

    Parameters
    ----------
    blocks : ndarray or tensor of shape (n_rows, n_blocks, terms, 1, lanes)
        The magnitudes.
    steps : ndarray or tensor of shape (n_rows, n_steps)
        The sizes of steps, in the precision to compute with.
    n : scalar ndarray or tensor
        Number of steps up to the largest level.
    library : `ArrayLibrary`
        Computes it.

    Returns
    -------
    errors : ndarray or tensor of shape (n_rows, n_steps)
        In double precision.
    """
    xp = library.ops
    steps = xp.expand_dims(xp.expand_dims(steps, 1), -1)
    inverses, n = 1 / steps, library.cast(n, steps.dtype)
    errors = 0
    for term in range(blocks.shape[2]):
        magnitudes = library.cast(blocks[:, :, term], steps.dtype)
        levels = xp.minimum(xp.round(magnitudes * inverses), n)
        errors += xp.square(levels * steps - magnitudes)
    return xp.sum(library.cast(xp.sum(errors, axis=-1), "float64"), axis=1)


def _power_above(values: Any, library: ArrayLibrary) -> Any:
    """Return the smallest powers of two that are not below some values."""
    xp = library.ops
    powers = library.cast(POWERS, values.dtype)
    reaches = powers >= xp.expand_dims(values, -1)
    return xp.min(xp.where(reaches, powers, powers[-1]), axis=-1)
