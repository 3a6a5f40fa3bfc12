"""The inverse of the error function, in single precision.

TensorFlow's is infinite next to 1 where it is not compiled, and makes for most of the
cost of Gaussian random numbers where it is.
"""

import numpy as np
import tensorflow as tf

# Of polynomials: erfinv(x) / x by powers of s in [-1, 1], which is linear in
# sqrt(SHIFT - log(1 - x^2)), and log(1 + m) / m by powers of m, for 1 + m in
# [sqrt(0.5), sqrt(2)]. The first has the smallest largest relative error; the second
# interpolates at Chebyshev's nodes.
POWERS = np.array(
    [
        2.2890441,
        1.6962152,
        0.016758503,
        -0.12301864,
        0.16937833,
        -0.10676681,
        -0.03017272,
        0.11883717,
        -0.0627474,
        -0.060876474,
        0.070568874,
        0.016099751,
        -0.034850284,
        -0.0015656031,
        0.007172034,
    ],
    dtype=np.float32,
)
LOGARITHM = np.array(
    [
        0.99999994,
        -0.50000364,
        0.33335114,
        -0.24970071,
        0.19898565,
        -0.17247014,
        0.1623419,
        -0.10134057,
    ],
    dtype=np.float32,
)
SHIFT, LARGEST = 1.25, 17.0  # the second is -log(1 - x^2) next to 1, and a little more
LOW, HIGH = np.sqrt(SHIFT), np.sqrt(SHIFT + LARGEST)
BITS_OF_ROOT = 0x3F3504F3  # sqrt(0.5) as a float32
BITS_OF_MANTISSA = 23


def erfinv(x):
    """Compute the inverse of the error function, to a relative error of 4e-7.

    Parameters
    ----------
    x : float32 tensor
        Between -1 and 1, both excluded. There are no checks.

    Returns
    -------
    values : float32 tensor
        Of the same shape.
    """
    root = tf.sqrt(SHIFT - _log((1.0 - x) * (1.0 + x)))
    s = root * np.float32(2 / (HIGH - LOW)) - np.float32((HIGH + LOW) / (HIGH - LOW))
    return _polynomial(POWERS, s) * x


def _log(x):
    """Compute logarithms of positive numbers that are not subnormal."""
    bits = tf.bitcast(x, tf.int32)
    exponent = tf.bitwise.right_shift(bits - BITS_OF_ROOT, BITS_OF_MANTISSA)
    bits -= tf.bitwise.left_shift(exponent, BITS_OF_MANTISSA)
    m = tf.bitcast(bits, tf.float32) - 1.0
    return tf.cast(exponent, tf.float32) * np.float32(np.log(2)) + m * _polynomial(
        LOGARITHM, m
    )


def _polynomial(powers, x):
    value = powers[-1]
    for power in powers[-2::-1]:
        value = value * x + power
    return value
