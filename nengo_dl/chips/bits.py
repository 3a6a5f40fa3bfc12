"""Numbers of bits, and the levels that they have."""

from numbers import Integral
from typing import Any

from nengo_dl.errors import InvalidValue

MAX_BITS = 16


def check_bits(value: Any) -> None:
    """Raise InvalidValue unless a value is a number of bits, or None."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and not (is_whole and 2 <= value <= MAX_BITS):
        raise InvalidValue(
            f"must be a whole number from 2 to {MAX_BITS}, or None (got {value!r}). "
            "None keeps the precision of the simulation."
        )


def n_levels(bits: int | None) -> int:
    """Return the number of positive levels; 0 for values that are not rounded."""
    return 0 if bits is None else 2 ** (int(bits) - 1) - 1
