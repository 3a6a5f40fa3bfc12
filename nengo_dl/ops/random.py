"""Random numbers that depend on the seed and the step in a kernel's key alone.

They are the same in every process, compiled or not; TensorFlow's stateless generators
give other numbers under XLA than without.
"""

import numpy as np
import tensorflow as tf

from nengo_dl.ops.erfinv import erfinv

_MULTIPLIER = np.uint32(1664525)
_INCREMENT = np.uint32(1013904223)


def uniform(key, shape, dtype, rows=None, columns=None):
    """Draw numbers, uniform on [0, 1).

    Parameters
    ----------
    key : int32 tensor of shape (3,)
        Seed, step, and number of items, which does not count.
    shape : tuple of int or int32 scalar tensor
        Of the numbers to draw; the first axis is at most 2**32 long, and so is the
        product of the others.
    dtype : dtype
        float32 or float64, with 24 or 53 random bits.
    rows : uint32 tensor of shape (shape[0],), optional
        Which rows to draw, out of 2**32; by default the first ones.
    columns : int32 tensor of shape shape[1:], optional
        Which numbers of rows to draw; by default the first ones.

    Returns
    -------
    numbers : tensor
        Of the given shape.

    Notes
    -----
    The hash function pcg4d of (position, seed, step), a permutation of 128-bit numbers
    (Jarzynski & Olano 2020, Hash functions for GPU rendering, Journal of Computer
    Graphics Techniques 9(3), https://jcgt.org/published/0009/03/02/).
    """
    rows = tf.range(shape[0]) if rows is None else rows
    row = tf.reshape(rows, (-1, *([1] * (len(shape) - 1))))
    columns = tf.range(tf.reduce_prod(shape[1:])) if columns is None else columns
    column = tf.reshape(columns, (1, *shape[1:]))
    seed, step, _ = tf.unstack(tf.bitcast(key, tf.uint32))
    zero = tf.zeros(shape, tf.uint32)
    row, column = (tf.cast(position, tf.uint32) + zero for position in (row, column))
    x, y = _pcg4d(column, row, seed + zero, step + zero)
    if tf.as_dtype(dtype) == tf.float32:
        return tf.cast(_shifted(x, 8), dtype) * 2.0**-24
    high = tf.cast(_shifted(x, 5), dtype)
    low = tf.cast(_shifted(y, 6), dtype)
    return (high * 2.0**26 + low) * 2.0**-53


def gaussian(key, shape, dtype, rows=None, columns=None):
    """Draw numbers from a Gaussian distribution with mean 0 and standard deviation 1.

    Parameters
    ----------
    key, shape, dtype, rows, columns
        As for `uniform`.

    Returns
    -------
    numbers : tensor
        Of the given shape.
    """
    dtype = tf.as_dtype(dtype)
    half = 2.0 ** (-24 if dtype == tf.float32 else -53)
    # the middles of intervals, which are exact, lie symmetrically between -1 and 1
    middles = uniform(key, shape, dtype, rows, columns) * 2.0 + (half - 1.0)
    inverse = erfinv if dtype == tf.float32 else tf.math.erfinv
    return inverse(middles) * np.sqrt(2.0)


def _shifted(x, n_bits):
    return tf.bitwise.right_shift(x, tf.constant(n_bits, tf.uint32))


def _pcg4d(x, y, z, w):
    """Hash four words; return two of the four results."""
    x, y, z, w = (v * _MULTIPLIER + _INCREMENT for v in (x, y, z, w))
    for last in (False, True):
        x = x + y * w
        y = y + z * x
        z = z + x * y
        w = w + y * z
        if not last:
            x, y, z, w = (
                tf.bitwise.bitwise_xor(v, _shifted(v, 16)) for v in (x, y, z, w)
            )
    return x, y
