"""Checks of the arguments that all simulations take: time step, seed, whole numbers.

Errors name the argument; the class that has it is added by `.errors.arguments_of`.
"""

import warnings
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import NengoWarning, ValidationError

from nengo_dl.errors import InvalidValue, argument

DEFAULT_ADVICE = "Leave it out for the default."


# Steps are counted with 32 bits in the compiled loop
MAX_STEPS = 2**31 - 1
# Each of them is traced and compiled: more would take hours, and make nothing faster
MAX_UNROLL = 10_000


def whole(
    value: Any, low: int, high: int | None = None, advice: str = DEFAULT_ADVICE
) -> int:
    """Return a whole number in a range as an int, or raise `InvalidValue`."""
    is_whole = type(value) is int or (
        isinstance(value, Integral) and not isinstance(value, bool)
    )
    is_high = is_whole and high is not None and value > high
    if not is_whole or value < low or is_high:
        limits = f"at most {high}" if is_high else f"at least {low}"
        raise InvalidValue(
            f"must be a whole number, {limits} (got {value!r}). {advice}"
        )
    return int(value)


def check_unroll(value: Any) -> int:
    """Return the number of steps to spell out in an iteration of the loop."""
    with argument("unroll_simulation"):
        return whole(value, 1, MAX_UNROLL)


def is_number(value: Any) -> bool:
    """Tell whether a value is one real number, and neither a text nor a truth value."""
    if isinstance(value, Real | Decimal):
        return not isinstance(value, bool)
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"


def check_seed(seed: Any) -> int:
    """Return a seed as an int from 0 to 2**32 - 1."""
    is_whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not is_whole or not 0 <= seed < 2**32:
        raise ValidationError(
            f"must be a whole number from 0 to 2**32 - 1 (got {seed!r}). Leave it out "
            "to use that of the network.",
            attr="seed",
        )
    return int(seed)


def seed_after(seed: int) -> int:
    """Return the seed of a simulation of a network; the last one is followed by 0."""
    return (seed + 1) % 2**32


def choose_seed(seed: Any, network: nengo.Network | None) -> int:
    """Return the given seed, one derived from the network's, or a random one."""
    if seed is not None:
        return check_seed(seed)
    if network is not None and network.seed is not None:
        return seed_after(network.seed)
    return int(np.random.randint(np.iinfo(np.int32).max))


def check_dt(dt: Any, model: Model | None = None) -> None:
    """Check a time step in seconds; warn if the model has another, which counts."""
    if model is None:
        seconds = float(dt) if is_number(dt) else np.nan
        if not 0 < seconds < np.inf:
            raise ValidationError(
                f"must be a positive number of seconds (got {dt!r}). Leave it out for "
                "steps of 0.001 s.",
                attr="dt",
            )
    elif model.dt != dt:
        warnings.warn(
            NengoWarning(
                f"The model was made with dt={model.dt}, which is used instead of "
                f"dt={dt}."
            ),
            stacklevel=3,
        )


def check_dt_in(dtype: str, dt: float) -> None:
    """Check that times in the simulation's precision are neither 0 nor infinite."""
    with np.errstate(all="ignore"):
        rounded = np.dtype(dtype).type(dt)
    limits = np.finfo(dtype)
    if not limits.tiny <= rounded <= limits.max / MAX_STEPS:
        raise ValidationError(
            f"must be a number of seconds that {dtype} can count with (got {dt!r}). "
            "Choose steps of about a millisecond (0.001), or "
            "configure_settings(dtype='float64').",
            attr="dt",
        )
