"""Checks of the arguments of models."""

from numbers import Real
from typing import Any

from nengo_dl.errors import InvalidValue


def check_number(value: Any, low: float, high: float, expected: str) -> None:
    """Raise InvalidValue unless a value is a number from low to less than high."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and low <= float(value) < high):
        raise InvalidValue(
            f"must be {expected} (got {value!r}). Leave it out to keep the default."
        )
