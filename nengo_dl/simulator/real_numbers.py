"""User data as arrays of real numbers."""

from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.foreign import as_array


def as_numbers(value: Any) -> np.ndarray:
    """Return user data as an array of real numbers, or raise `InvalidValue`.

    It is not copied if it is one already, and TensorFlow reads its type as NumPy does.
    """
    array = as_array(value)
    if np.can_cast(array.dtype, np.float64, "same_kind"):
        return _readable(array)
    raise InvalidValue(
        f"expected an array of real numbers (got dtype {array.dtype}). Convert it with "
        "np.asarray(x, dtype=np.float32); all items must have the same shape."
    )


def first_not_finite(array: np.ndarray) -> str | None:
    """Describe the first number of an array of three axes that is not finite."""
    with np.errstate(all="ignore"):  # a finite sum has finite terms
        if np.isfinite(array.sum(dtype=np.float64)):
            return None
    places = np.argwhere(~np.isfinite(array.astype(np.float64)))
    if not len(places):
        return None
    item, step, dim = (int(i) for i in places[0])
    value = array[item, step, dim]
    return f"{value} at item {item}, step {step}, dimension {dim}"


def _readable(array: np.ndarray) -> np.ndarray:
    """Return an array in the machine's order of bytes, of a type of at most 64 bits.

    TensorFlow takes the bytes of an array that comes from Python for those of the
    machine, and has no type for wider floats. Small types of other packages become
    floats as well: not all that reads them knows what they are.
    """
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
