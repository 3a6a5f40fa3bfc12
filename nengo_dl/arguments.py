"""Checks of the arguments that all simulations take: time step, seed, whole numbers.

Each check raises an error or gives a warning on behalf of its caller (``obj``, the
class that messages name); some return the argument in the form that is used.
"""

import warnings
from decimal import Decimal
from numbers import Integral, Real

import numpy as np
from nengo.exceptions import NengoWarning, ValidationError

DEFAULT_ADVICE = "Leave it out for the default."


# Steps are counted with 32 bits in the compiled loop
MAX_STEPS = 2**31 - 1
# Each of them is traced and compiled: more would take hours, and make nothing faster
MAX_UNROLL = 10_000


def whole(name, value, low, obj, advice=DEFAULT_ADVICE, high=None):
    """Return an argument that must be a whole number in a range, as an int."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    is_high = is_whole and high is not None and value > high
    if not is_whole or value < low or is_high:
        limits = f"at most {high}" if is_high else f"at least {low}"
        raise ValidationError(
            f"must be a whole number, {limits} (got {value!r}). {advice}",
            attr=name,
            obj=obj,
        )
    return int(value)


def check_unroll(value, obj):
    """Return the number of steps to spell out in an iteration of the loop."""
    return whole("unroll_simulation", value, 1, obj, high=MAX_UNROLL)


def is_number(value):
    """Tell whether a value is one real number, and neither a text nor a truth value."""
    if isinstance(value, Real | Decimal):
        return not isinstance(value, bool)
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"


def check_seed(seed, obj):
    """Return a seed as an int from 0 to 2**32 - 1."""
    limit = 2**32
    if (
        isinstance(seed, bool)
        or not isinstance(seed, Integral)
        or not 0 <= seed < limit
    ):
        raise ValidationError(
            f"must be a whole number from 0 to 2**32 - 1 (got {seed!r}). Leave it out "
            "to use that of the network.",
            attr="seed",
            obj=obj,
        )
    return int(seed)


def seed_after(seed):
    """Return the seed of a simulation of a network; the last one is followed by 0."""
    return (seed + 1) % 2**32


def choose_seed(seed, network, obj):
    """Return the given seed, one derived from the network's, or a random one."""
    if seed is not None:
        return check_seed(seed, obj)
    if network is not None and network.seed is not None:
        return seed_after(network.seed)
    return int(np.random.randint(np.iinfo(np.int32).max))


def check_dt(dt, model, obj):
    """Check a time step in seconds; warn if the model has another, which counts."""
    if model is None:
        seconds = float(dt) if is_number(dt) else np.nan
        if not 0 < seconds < np.inf:
            raise ValidationError(
                f"must be a positive number of seconds (got {dt!r}). Leave it out for "
                "steps of 0.001 s.",
                attr="dt",
                obj=obj,
            )
    elif model.dt != dt:
        warnings.warn(
            NengoWarning(
                f"The model was made with dt={model.dt}, which is used instead of "
                f"dt={dt}."
            ),
            stacklevel=3,
        )


def check_dt_in(dtype, dt, obj):
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
            obj=obj,
        )
