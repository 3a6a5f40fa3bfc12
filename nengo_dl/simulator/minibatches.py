"""Arrays that go to Keras minibatch by minibatch."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@contextlib.contextmanager
def minibatches(data: dict[str, Any], size: int) -> Iterator[tf.data.Dataset]:
    """Cut arrays into minibatches, each when it is needed.

    Of arrays, Keras makes tensors before it begins: for a network that computes little
    from much data, this second copy takes a good part of the time, and of the memory.

    Parameters
    ----------
    data : dict of str to ndarray, or to dict of ndarray
        Arguments of a Keras method: "x", "y" and "sample_weight", as far as they are
        given. The first axes have the same length, a multiple of `size`.
    size : int
        Of a minibatch.

    Yields
    ------
    dataset : tf.data.Dataset
        As Keras takes it in place of all of `data`, in the same order. Floating-point
        numbers have Keras' default type. It is of no use outside of the context.
    """
    arrays = tf.nest.flatten(data)
    dtypes = [_dtype(array) for array in arrays]

    def cut(start):
        # copies, since TensorFlow holds on to the last ones that it got
        return [
            np.array(array[start : start + size], dtype)
            for array, dtype in zip(arrays, dtypes, strict=True)
        ]

    def minibatch(start):
        parts = tf.numpy_function(cut, [start], dtypes)
        for part, array in zip(parts, arrays, strict=True):
            part.set_shape((size, *array.shape[1:]))
        return keras.utils.pack_x_y_sample_weight(
            **tf.nest.pack_sequence_as(data, parts)
        )

    with tf.device("/cpu:0"):
        starts = tf.data.Dataset.range(0, len(arrays[0]), size)
        dataset = starts.map(minibatch).prefetch(1)
    try:
        yield dataset
    finally:
        # TensorFlow keeps functions of Python for as long as it runs
        arrays.clear()


def _dtype(array):
    if np.issubdtype(array.dtype, np.floating):
        return keras.backend.floatx()
    return array.dtype
