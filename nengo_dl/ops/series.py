"""Exponential and logarithm near zero, as polynomials that fuse and vectorise.

A LIF neuron needs ``expm1`` and ``log1p`` of numbers that ``dt / tau_rc`` bounds in
every step. The library functions branch on their argument, which keeps XLA from
vectorising what is fused with them; a short polynomial is exact to rounding on such an
interval, and makes the whole step about three times faster (benchmarks/series.py).
"""

import math

import numpy as np
import tensorflow as tf

# Beyond this bound a polynomial would need too many terms.
MAX_BOUND = 0.2


def expm1(x, bound):
    r"""Compute :math:`e^x - 1` for :math:`|x| \le` ``bound``.

    Parameters
    ----------
    x : tensor
        Any shape.
    bound : float
        Largest magnitude of ``x``.

    Returns
    -------
    y : tensor
        With a relative error of the order of the dtype's rounding.
    """
    if bound > MAX_BOUND:
        return tf.math.expm1(x)
    terms = _terms(x.dtype, lambda k: bound**k / math.factorial(k + 1))
    return x * _horner(x, [1 / math.factorial(k + 1) for k in range(terms)])


def log1m(x, bound):
    r"""Compute :math:`\log(1 - x)` for :math:`0 \le x \le` ``bound``.

    Uses :math:`\log(1 - x) = -2\,\mathrm{artanh}(x / (2 - x))`. Outside of the interval
    the result is finite or not, but meaningless.

    Parameters
    ----------
    x : tensor
        Any shape.
    bound : float
        Largest value of ``x``.

    Returns
    -------
    y : tensor
        With a relative error of the order of the dtype's rounding.
    """
    if bound > MAX_BOUND:
        return tf.math.log1p(-x)
    s_bound = bound / (2 - bound)
    s = x / (2 - x)
    terms = _terms(x.dtype, lambda k: s_bound ** (2 * k) / (2 * k + 1))
    return -2 * s * _horner(s * s, [1 / (2 * k + 1) for k in range(terms)])


def _terms(dtype, relative_size):
    """Count the terms down to a quarter of the dtype's rounding."""
    smallest = float(np.finfo(dtype.as_numpy_dtype).eps) / 4
    terms = 1
    while relative_size(terms) > smallest:
        terms += 1
    return terms


def _horner(x, coefficients):
    y = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        y = y * x + c
    return y if len(coefficients) > 1 else tf.ones_like(x)
