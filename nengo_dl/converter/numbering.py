"""Numbers of elements that pass through layers of every precision.

Where a layer puts its elements is learned by calling it on their numbers. Half
precision rounds numbers above 256, and single precision those above 2^24. Numbers are
therefore passed digit by digit.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

BASE = 128  # all floating-point types of Keras hold its digits exactly


def positions(function: Callable[[np.ndarray], Any], shape: tuple) -> np.ndarray:
    r"""Find which element each element of a function's result comes from.

    Parameters
    ----------
    function : callable
        From an array of shape (1, \*shape) to a tensor with as many items. It moves
        elements, and may leave some out or put in zeros.
    shape : tuple of int
        Of an item.

    Returns
    -------
    index : ndarray of int
        Of the shape of an item of the result: numbers of elements in row-major order;
        -1 for a zero.
    """
    size = math.prod(shape)
    numbers = np.arange(1, size + 1).reshape(1, *shape)  # 0 is for what is put in
    found, power = np.zeros(1, dtype=np.int64), 1
    while power <= size:
        digits = (numbers // power % BASE).astype(np.float32)
        moved = keras.ops.convert_to_numpy(function(digits))
        found = found + power * np.rint(moved.astype(np.float32)).astype(np.int64)
        power *= BASE
    return found[0] - 1
