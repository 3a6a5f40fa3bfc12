"""Maxima over windows equal TensorFlow's, and so do their gradients, ties included."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.nodes.array_node_kernel import max_pool

CASES = itertools.product(
    [(7, 8), (6, 6)],
    [(2, 2), (3, 2), (1, 3)],
    [(1, 1), (2, 1), (2, 2), (3, 3)],
    ["valid", "same"],
    [True, False],
)


@pytest.mark.parametrize("shape, window, strides, padding, channels_last", CASES)
def test_equals_tensorflow(shape, window, strides, padding, channels_last):
    rng = np.random.RandomState(0)
    items_first = tf.constant(rng.randint(0, 3, size=(4, *shape, 3)), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(items_first)
        y = tf.nn.max_pool(items_first, window, strides, padding.upper())
    upstream = tf.constant(rng.normal(size=y.shape))
    expected = tape.gradient(y, items_first, upstream)

    def items_last(x):
        return tf.transpose(x, [1, 2, 3, 0] if channels_last else [3, 1, 2, 0])

    function = SimpleNamespace(
        window=window, strides=strides, padding=padding, channels_last=channels_last
    )
    x = items_last(items_first)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = max_pool(function, x)
    np.testing.assert_array_equal(found, items_last(y))
    gradient = tape.gradient(found, x, items_last(upstream))
    np.testing.assert_allclose(gradient, items_last(expected), atol=1e-12)
