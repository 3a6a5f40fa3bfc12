"""Logarithm near one, as a polynomial that fuses and vectorises.

A LIF neuron needs the logarithm of numbers that ``dt / tau_rc`` keeps close to 1. The
library function branches on its argument, which keeps XLA from vectorising what is
fused with it; on a short interval, a polynomial is exact to rounding
(benchmarks/kernels.py).
"""

import numpy as np
import tensorflow as tf

# Beyond this bound a polynomial would need too many terms.
MAX_BOUND = 0.2


def log1m(a, b, bound):
    r"""Compute :math:`\log(1 - a / b)` for :math:`0 \le a / b \le` ``bound``.

    Uses :math:`\log(1 - a / b) = -2\,\mathrm{artanh}(a / (2 b - a))`, which takes one
    division. The relative error is of the order of the dtype's rounding. Outside of the
    interval the result is finite or not, but meaningless.
    """
    if bound > MAX_BOUND:
        return tf.math.log1p(-a / b)
    s = a / (2 * b - a)
    square = s * s
    coefficients = [2 / (2 * k + 1) for k in range(_terms(s.dtype, bound))]
    y = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        y = y * square + coefficient
    return -s * y


def _terms(dtype, bound):
    """Count the terms of the series down to a quarter of the dtype's rounding."""
    smallest = float(np.finfo(dtype.as_numpy_dtype).eps) / 4
    s = bound / (2 - bound)
    terms = 1
    while s ** (2 * terms) / (2 * terms + 1) > smallest:
        terms += 1
    return terms
