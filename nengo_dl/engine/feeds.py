"""Values that depend on time only, computed on the host, a chunk of steps at a time.

A `FeedRunner` turns a program's feeds (constants, functions of time, processes without
input) into arrays for the simulation loop. Every Python function is called once for
each step that is run, in order, whatever the lengths of the chunks; values that were
computed but not used are kept for the next chunk that starts at the same step.
"""

from collections.abc import Callable, Iterable, Mapping
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from nengo import Node
from nengo.exceptions import SimulationError
from nengo.processes import (
    BrownNoise,
    FilteredNoise,
    Piecewise,
    PresentInput,
    Process,
    WhiteNoise,
    WhiteSignal,
)
from nengo.utils.functions import function_name

from nengo_dl.graph.program import Feed
from nengo_dl.graph.streams import Streams

# Numbers that need no further checks, which would cost more than the usual function.
_SCALARS = frozenset((bool, int, float, np.float32, np.float64, np.int64))
# Processes whose streams are all alike, always or if they have a seed.
_ALWAYS_SHARED = (PresentInput, Piecewise)
_SHARED_WITH_SEED = (WhiteNoise, FilteredNoise, BrownNoise, WhiteSignal)


class FeedRunner:
    """Evaluate feeds chunk by chunk.

    Parameters
    ----------
    feeds : iterable of `~nengo_dl.graph.program.Feed`
        What to evaluate, in this order.
    dt : float
        Length of a time step in seconds.
    minibatch_size : int
        Number of items; each has its own stream of every random process.
    streams : `~nengo_dl.graph.streams.Streams`
        The random streams of processes.
    dtype : str
        "float32" or "float64": precision of the arrays.

    Notes
    -----
    Each item has random streams of its own, but of processes with a seed of their own,
    which give the same stream to all items.

    Examples
    --------
    .. testcode::

       from nengo_dl.graph.program import from_model

       with nengo.Network() as net:
           nengo.Node(lambda t: 2 * t)
       model = nengo.builder.Model()
       model.build(net)
       program = from_model(model)
       runner = FeedRunner(program.feeds, 0.5, 1, program.streams, dtype="float32")
       (feed,) = program.feeds
       print(runner.run(0, 3)[feed].ravel())

    .. testoutput::

       [1. 2. 3.]
    """

    def __init__(
        self,
        feeds: Iterable[Feed],
        dt: float,
        minibatch_size: int,
        streams: Streams,
        dtype: str,
    ):
        self._feeds = tuple(feeds)
        self._dt = dt
        self._minibatch_size = minibatch_size
        self._random = streams
        self._dtype = np.dtype(dtype)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Start all streams anew.

        Parameters
        ----------
        seed : int, optional
            A new seed for the processes; None to keep the current one.
        """
        if seed is not None:
            self._random = self._random.with_seed(seed)
        self._first_step = self._next_step = 0
        self._delivered = []
        self._constants = {}
        self._streams = {}
        for feed in self._feeds:
            if isinstance(feed.output, np.ndarray):
                constant = np.asarray(feed.output, dtype=self._dtype)
                self._constants[feed] = constant.reshape(1, 1, feed.size)
            elif isinstance(feed.output, Process):
                self._streams[feed] = []
            else:
                self._streams[feed] = [_Stream(feed.output, feed)]
        self._start_processes()

    def _start_processes(self) -> None:
        processes = [f for f in self._streams if isinstance(f.output, Process)]
        for item in range(self._minibatch_size if processes else 0):
            own = [feed for feed in processes if not (item and _is_shared(feed.output))]
            rngs = self._random.of_processes(item, [feed.op for feed in own])
            for feed, rng in zip(own, rngs, strict=True):
                step = _process_step(feed, self._dt, rng)
                self._streams[feed].append(_Stream(step, feed))

    def run(
        self,
        first_step: int,
        n_steps: int,
        data: Mapping[Node, np.ndarray] | None = None,
    ) -> dict[Feed, np.ndarray]:
        """Compute the values for the next steps.

        Parameters
        ----------
        first_step : int
            Number of steps run before; the times are ``(first_step + 1) * dt``,
            ``(first_step + 2) * dt`` and so on, in seconds.
        n_steps : int
            Number of steps.
        data : mapping of Node to ndarray, optional
            Values that replace those of a node, of shape (minibatch_size, n_steps,
            size_out). The node's function or process is not called.

        Returns
        -------
        values : dict
            Maps each feed to an array of shape (n_steps, minibatch_size or 1, size),
            with 1 if all items have the same values. Constants are read-only views.

        Raises
        ------
        SimulationError
            If a function raises an exception, or its value is no array of finite
            numbers of the right size.

        Notes
        -----
        If anything ends the call early (an error or Ctrl-C), the values computed so far
        are kept: calling it again with the same `first_step` goes on from there. With
        another `first_step` they are dropped.
        """
        data = {} if data is None else data
        self._delivered = []
        if first_step != self._next_step:
            self._drop_ahead()
        self._first_step = first_step
        times = (self._dt * (first_step + np.arange(1, n_steps + 1))).tolist()
        try:
            values = {
                feed: self._time_major(data[feed.node])
                if feed.node in data
                else self._generate(feed, times)
                for feed in self._feeds
            }
        except BaseException:
            self.rewind()
            raise
        self._next_step = first_step + n_steps
        return values

    def rewind(self) -> None:
        """Take back the last call of `run`, because its steps were not simulated.

        The next call that starts at the same step gets the same values: functions are
        not called twice for a step, and no part of a random stream is lost.
        """
        for stream, rows in self._delivered:
            stream.give_back(rows)
        self._delivered = []
        self._next_step = self._first_step

    def _drop_ahead(self) -> None:
        for streams in self._streams.values():
            for stream in streams:
                stream.drop_ahead()

    def _generate(self, feed: Feed, times: list[float]) -> np.ndarray:
        """Return the values of one feed, of shape (n_steps, 1 or items, size)."""
        if feed in self._constants:
            return np.broadcast_to(self._constants[feed], (len(times), 1, feed.size))
        streams = self._streams[feed]
        out = np.empty((len(times), len(streams), feed.size), dtype=self._dtype)
        for item, stream in enumerate(streams):
            self._delivered.append((stream, out[:, item]))
            stream.read(times, out[:, item])
        return out

    def _time_major(self, array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array.swapaxes(0, 1), dtype=self._dtype)


class _Stream:
    """The values of one function of time, each computed once.

    Parameters
    ----------
    call : callable
        Takes a time in seconds, a float; gives a number or an array of shape (size,).
    feed : `Feed`
        The feed it belongs to.
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
        """Take back the values of the last `read`, as far as it came."""
        self._ahead = np.concatenate([out[: self._n_read], self._ahead])

    def drop_ahead(self) -> None:
        """Forget the values that were computed but not used."""
        self._ahead = self._ahead[:0]

    def _compute(self, times: list[float], out: np.ndarray) -> None:
        """Call the function for the rest of the steps; count the good values."""
        call, start, size = self._call, self._n_read, self._feed.size
        rows = np.empty((len(out) - start, size))  # float64: no cast in every step
        column = rows[:, 0] if size == 1 else None
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
        if isinstance(feed.output, Process):
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


def _is_shared(process: Process) -> bool:
    """Tell whether the streams of a process are sure to be equal."""
    return type(process) in _ALWAYS_SHARED or (
        type(process) in _SHARED_WITH_SEED and process.seed is not None
    )


def _process_step(
    feed: Feed, dt: float, rng: np.random.RandomState
) -> Callable[[float], Any]:
    """Make the step function of one stream of a process, with a state of its own."""
    state = {
        name: np.array(signal.initial_value) for name, signal in feed.op.state.items()
    }
    return feed.output.make_step((0,), feed.signal.shape, dt, rng, state)
