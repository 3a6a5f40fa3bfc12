"""Functions of time, which are called once for each step, in order."""

from collections.abc import Callable, Mapping
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from nengo.exceptions import SimulationError
from nengo.processes import Process
from nengo.utils.functions import function_name

from nengo_dl.graph.program import Feed
from nengo_dl.graph.streams import packed, unpack

# Numbers that need no further checks, which would cost more than the usual function.
_SCALARS = frozenset((bool, int, float, np.float32, np.float64, np.int64))


class TimeFunction:
    """A function of time, each of whose values is computed once.

    Parameters
    ----------
    call : callable
        Takes a time in seconds, a float, and returns a number or an array of shape
        (size,).
    feed : `Feed`
        The feed that it computes.
    """

    def __init__(self, call: Callable[[float], Any], feed: Feed):
        self._call = call
        self._feed = feed
        self._ahead = np.empty((0, feed.size))
        self._n_read = 0

    def read(self, times: list[float], out: np.ndarray) -> None:
        """Put the values at `times` into `out`, of shape (n_steps, size)."""
        n_kept = self._n_read = min(len(self._ahead), len(out))
        if n_kept:
            out[:n_kept] = self._ahead[:n_kept]
            self._ahead = self._ahead[n_kept:].copy()
        if n_kept < len(out):
            self._compute(times, out)

    def give_back(self, out: np.ndarray) -> None:
        """Keep the values of the last `read` for the next one, as far as it came."""
        self._ahead = np.concatenate([out[: self._n_read], self._ahead])

    def drop_ahead(self) -> None:
        """Forget the values that were computed but not used."""
        self._ahead = self._ahead[:0]

    def _compute(self, times: list[float], out: np.ndarray) -> None:
        """Call the function for the rest of the steps; count the good values."""
        call, start, size = self._call, self._n_read, self._feed.size
        rows = np.empty((len(out) - start, size))  # float64: no cast in every step
        column = rows[:, 0] if size == 1 else rows[:0]
        scalars = _SCALARS if size == 1 else ()
        array, shape, double = np.ndarray, (size,), rows.dtype
        i = 0
        try:
            for i, t in enumerate(times[start:]):
                try:
                    y = call(t)
                except Exception as error:
                    raise self._failure(error, t) from error
                if type(y) in scalars:
                    column[i] = y
                elif type(y) is array and y.shape == shape and y.dtype is double:
                    rows[i] = y
                elif size:
                    self._store(rows, i, y, t)
            i = len(rows)
        except OverflowError:
            got = f"a number of type {type(y).__name__} beyond the range of floats"
            raise self._bad_value(got, t, "Return smaller numbers.") from None
        finally:
            with np.errstate(over="ignore"):
                out[start : start + i] = rows[:i]
            self._n_read = start + i
        self._check_finite(times, out, start)

    def _store(self, out: np.ndarray, i: int, y: Any, t: float) -> None:
        """Copy any value that is not a plain number into row `i`."""
        try:
            value = np.asarray(y)
            if value.dtype.kind in "fiub":
                out[i] = value
                return
            advice = "Return numbers for every time t."
        except ValueError:
            advice = f"Return an array of shape ({self._feed.size},)."
        raise self._bad_value(f"{short_repr(y)} of type {type(y).__name__}", t, advice)

    def _check_finite(self, times: list[float], out: np.ndarray, start: int) -> None:
        """Raise for the first step with a value that is not finite."""
        finite = np.isfinite(out[start:])
        if not finite.all():
            self._n_read = start + int(np.argmin(finite.all(axis=1)))
            raise self._bad_value(
                f"{out[self._n_read].tolist()} in {out.dtype}",
                times[self._n_read],
                "Look for divisions by zero, overflows and missing data.",
            )

    def _where(self) -> str:
        """Name the feed in a message."""
        feed = self._feed
        if feed.node is not None:
            return f"Node '{feed.node.label}'" if feed.node.label else str(feed.node)
        if isinstance(feed.output, Process) and feed.signal is not None:
            return f"{feed.output} for {feed.signal.name}"
        return f"Function '{function_name(feed.output)}'"

    def _bad_value(self, got: str, t: float, advice: str) -> SimulationError:
        size = self._feed.size
        expected = "one finite number" if size == 1 else f"{size} finite numbers"
        return SimulationError(
            f"{self._where()}: output must be {expected} in every step (got {got} at "
            f"t={t:.6g}). {advice}"
        )

    def _failure(self, error: Exception, t: float) -> SimulationError:
        return SimulationError(
            f"{self._where()}: output must be computed without an error (got "
            f"{type(error).__name__}: {error} at t={t:.6g}). Correct the function; the "
            "error it raised is shown above."
        )


class TimeProcess(TimeFunction):
    """One stream of a process without input.

    Parameters
    ----------
    feed : `Feed`
        The feed that it computes.
    dt : float
        Length of a time step in seconds.
    rng : RandomState
        The source of its random numbers.
    """

    def __init__(self, feed: Feed, dt: float, rng: np.random.RandomState):
        signals = {} if feed.op is None else feed.op.state
        self._rng = rng
        self._state = {k: np.array(s.initial_value) for k, s in signals.items()}
        step = feed.output.make_step((0,), feed.shape, dt, rng, self._state)
        super().__init__(step, feed)

    def get(self) -> dict[str, np.ndarray]:
        """Return a copy of its state."""
        state = {f"state/{k}": np.array(x) for k, x in self._state.items()}
        return {"random": packed(self._rng), **state, "ahead": np.array(self._ahead)}

    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restore its state."""
        unpack(self._rng, arrays["random"])
        for name, array in self._state.items():
            array[...] = arrays[f"state/{name}"]
        ahead = arrays["ahead"]
        self._ahead = np.array(ahead[np.isfinite(ahead).all(axis=1)])


def stacked(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Stack the arrays of several streams; shorter ones are filled up with NaN."""
    longest = max(len(part["ahead"]) for part in parts)
    for part in parts:
        missing = longest - len(part["ahead"])
        part["ahead"] = np.pad(
            part["ahead"], ((0, missing), (0, 0)), constant_values=np.nan
        )
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
