"""Arrays of other libraries, whose memory NumPy shares where it can."""

from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue


def is_array(value: Any) -> bool:
    """Tell whether a value says that it is an array, of whatever library."""
    return hasattr(value, "__array__") or hasattr(value, "__dlpack__")


def as_array(value: Any) -> np.ndarray:
    """Return a value as an array; it is not copied if its memory can be shared.

    Raises
    ------
    InvalidValue
        If it cannot become one, for example because it is on another device, or because
        gradients would be lost.
    """
    try:
        if is_array(value) and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except (TypeError, ValueError, NotImplementedError, RuntimeError, BufferError) as e:
        got = f"{type(value).__name__}, which is not a regular array"
        if is_array(value):
            got = f"{type(value).__name__}: {e}"
        raise InvalidValue(
            f"expected an array of real numbers (got {got}). Convert it with "
            "np.asarray(x, dtype=np.float32); all items must have the same shape."
        ) from e
