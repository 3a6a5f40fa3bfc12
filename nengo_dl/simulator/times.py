"""Seconds as steps, and steps as seconds."""

import warnings
from numbers import Real
from typing import Any

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.arguments import MAX_STEPS, is_number
from nengo_dl.simulator.stacklevel import user_level


def steps_from_time(time_in_seconds: Any, dt: float) -> int:
    """Round a duration to time steps of `dt` seconds; warn if there are none.

    Raises
    ------
    ValidationError
        If the duration is negative or not a finite number.
    """
    seconds = float(time_in_seconds) if is_number(time_in_seconds) else np.nan
    if not 0 <= seconds < np.inf:
        raise ValidationError(
            f"must be a finite number of seconds, 0 or more (got {time_in_seconds!r}). "
            "A simulation runs forward only; use reset to start again.",
            attr="time_in_seconds",
        )
    n_steps = int(np.round(seconds / dt))
    if n_steps > MAX_STEPS:
        raise ValidationError(
            f"must be at most {MAX_STEPS} steps of dt={dt} s (got {time_in_seconds!r} "
            "s). Pass seconds; for a number of steps, there is run_steps.",
            attr="time_in_seconds",
        )
    if n_steps == 0:
        warnings.warn(
            f"time_in_seconds={time_in_seconds} is 0 time steps of dt={dt}: nothing is "
            "run.",
            stacklevel=user_level(),
        )
    return n_steps


def sampling_period(sample_every: float | None, dt: float | None) -> float | None:
    """Return an argument of ``trange`` in seconds, also under its old name `dt`.

    Raises
    ------
    ValidationError
        If both are given, or the period is not a positive number.
    """
    if dt is not None:
        if sample_every is not None:
            raise ValidationError(
                f"expected one of `dt` and `sample_every` (got {dt} and "
                f"{sample_every}). Use `sample_every`.",
                attr="dt",
            )
        warnings.warn(
            "`dt` is deprecated. Use `sample_every` instead.",
            DeprecationWarning,
            stacklevel=user_level(),
        )
        sample_every = dt
    if sample_every is None or (isinstance(sample_every, Real) and sample_every > 0):
        return sample_every
    raise ValidationError(
        f"must be a positive number of seconds (got {sample_every!r}). Pass the "
        "`sample_every` of the probe.",
        attr="sample_every",
    )


def sample_times(
    n_steps: int, dt: float, sample_every: float | None = None
) -> np.ndarray:
    """Return the times of recorded data, in seconds, of shape (n_samples,)."""
    steps = np.arange(1, n_steps + 1)
    period = 1 if sample_every is None else sample_every / dt
    return dt * steps[steps % period < 1]
