"""Checks of the arguments of spike codes."""

from typing import Any

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.arguments import whole
from nengo_dl.errors import InvalidValue, argument, arguments_of


def numbers(value: Any, low: float, high: float, unit: str = "") -> np.ndarray:
    """Return finite numbers in a range as an array of at least one axis."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim < 1:
        raise InvalidValue(
            f"expected an array of shape (n_items, ...) (got the number {value!r}). "
            "Put the items of the minibatch on the first axis."
        )
    if not np.all((array >= low) & (array <= high) & np.isfinite(array)):
        limits = f"of at least {low:g}" if high == np.inf else f"{low:g} to {high:g}"
        limits = "that are finite" if low == -np.inf else limits
        raise InvalidValue(
            f"expected numbers {limits}{unit} (got {array.min():g} to "
            f"{array.max():g}). Scale the data first."
        )
    return array


def positive(value: Any) -> float:
    number = float(value)
    if not 0 < number < np.inf:
        raise InvalidValue(f"must be positive and finite (got {value!r}).")
    return number


def checked_fields(obj: Any, **checks: Any) -> None:
    """Replace fields of a frozen object by what a check of each returns."""
    for name, check in checks.items():
        with arguments_of(type(obj)), argument(name):
            object.__setattr__(obj, name, check(getattr(obj, name)))


def n_steps(value: Any) -> int:
    return whole(value, 1, advice="Pass the number of time steps of a presentation.")


def trains(spikes: Any, obj: Any) -> np.ndarray:
    """Return spike trains as an array with items and steps."""
    array = np.asarray(spikes)
    if array.ndim < 2 or not array.shape[1]:
        raise ValidationError(
            f"expected an array of shape (n_items, n_steps, ...) (got {array.shape}).",
            attr="spikes",
            obj=type(obj),
        )
    return array
