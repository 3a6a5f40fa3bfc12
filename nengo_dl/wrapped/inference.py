"""Functions of minibatches, compiled with XLA for few sizes of them.

XLA compiles for each shape. The last minibatch of data is mostly smaller than the
others; it is filled up, and what comes out for the filling is cut off.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

DEFAULT_SIZE = 32  # of a minibatch, in Keras


def size_of_minibatches(x: Any, batch_size: int | None) -> int | None:
    """Return the size that minibatches are filled up to.

    Parameters
    ----------
    x : array_like or structure of array_like, or anything that Keras takes
        Data, with the items along the first axis.
    batch_size : int or None
        As for Keras' methods.

    Returns
    -------
    size : int or None
        The next power of two for data that is smaller than a minibatch, so that there
        are few sizes. None for what is not an array, such as datasets.
    """
    shapes: list[tuple] = [getattr(leaf, "shape", ()) for leaf in keras.tree.flatten(x)]
    if not shapes or not all(shapes):
        return None
    n_items, size = shapes[0][0], batch_size or DEFAULT_SIZE
    if not isinstance(n_items, int) or n_items == 0:
        return None
    return size if n_items >= size else min(size, 1 << (n_items - 1).bit_length())


def are_arrays(x: Any) -> bool:
    """Tell whether data is arrays, with as many items in each."""
    leaves = keras.tree.flatten(x)
    if not all(isinstance(leaf, np.ndarray) for leaf in leaves):
        return False
    return len(set(map(len, leaves))) == 1


class FilledUp:
    """A function of minibatches, compiled with XLA for those of one size.

    Parameters
    ----------
    function : callable
        From tensors to tensors, with the items along the first axis of each.
    """

    def __init__(self, function: Callable[[Any], Any]):
        self._compiled = tf.function(function, jit_compile=True, autograph=False)

    def __call__(self, inputs: Any, size: int | None) -> Any:
        """Call the function with as many items as `size`, if it is given."""
        first = keras.tree.flatten(inputs)[0]
        if size is None or first.shape[0] == size:
            return self._compiled(inputs)
        n_items = tf.shape(first)[0]

        def fill(x):
            filled = tf.pad(x, [(0, size - n_items), *[(0, 0)] * (x.shape.rank - 1)])
            return tf.ensure_shape(filled, (size, *x.shape[1:]))

        outputs = self._compiled(keras.tree.map_structure(fill, inputs))
        return keras.tree.map_structure(lambda y: y[:n_items], outputs)
