"""Values that depend on time only, computed on the host for a chunk of steps.

A `FeedRunner` turns a program's feeds (constants, functions of time, processes without
input) into arrays for the simulation loop. Every Python function is called once for
each step that is run, in order, whatever the lengths of the chunks. Values that were
computed but not used are kept for the next chunk that starts at the same step.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from nengo import Node
from nengo.builder.operator import Operator
from nengo.processes import (
    BrownNoise,
    FilteredNoise,
    Piecewise,
    PresentInput,
    Process,
    WhiteNoise,
    WhiteSignal,
)

from nengo_dl.engine.time_functions import TimeFunction, TimeProcess, stacked
from nengo_dl.graph.program import Feed
from nengo_dl.graph.streams import Streams

# Processes whose streams are all alike, always or if they have a seed.
_ALWAYS_SHARED = (PresentInput, Piecewise)
_SHARED_WITH_SEED = (WhiteNoise, FilteredNoise, BrownNoise, WhiteSignal)


class FeedRunner:
    """Evaluate feeds chunk by chunk.

    Parameters
    ----------
    feeds : iterable of `~nengo_dl.graph.program.Feed`
        The feeds, in the order of their evaluation.
    dt : float
        Length of a time step in seconds.
    minibatch_size : int
        Number of items.
    streams : `~nengo_dl.graph.streams.Streams`
        The random streams of processes.
    dtype : str
        "float32" or "float64": precision of the arrays.

    Notes
    -----
    Each item has its own random streams, except for processes that have a seed: all
    items get their stream.

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
        """Restart all streams.

        Parameters
        ----------
        seed : int, optional
            A new seed for the processes; None to keep the current one.
        """
        if seed is not None:
            self._random = self._random.with_seed(seed)
        self._first_step = self._next_step = 0
        self._delivered: list[tuple[TimeFunction, np.ndarray]] = []
        self._constants = {}
        self._streams: dict[Feed, Sequence[TimeFunction]] = {}
        self._processes: dict[Feed, list[TimeProcess]] = {}
        for feed in self._feeds:
            if isinstance(feed.output, np.ndarray):
                constant = np.asarray(feed.output, dtype=self._dtype)
                self._constants[feed] = constant.reshape(1, 1, feed.size)
            elif isinstance(feed.output, Process):
                self._streams[feed] = self._processes[feed] = []
            else:
                self._streams[feed] = [TimeFunction(feed.output, feed)]
        self._start_processes()

    def _start_processes(self) -> None:
        for item in range(self._minibatch_size if self._processes else 0):
            own = [f for f in self._processes if not (item and _is_shared(f.output))]
            rngs = self._random.of_processes(item, [feed.op for feed in own])
            for feed, rng in zip(own, rngs, strict=True):
                self._processes[feed].append(TimeProcess(feed, self._dt, rng))

    @property
    def seed(self) -> int:
        """The seed of the streams."""
        return self._random.seed

    def processes(self) -> dict[tuple[Operator, str], np.ndarray]:
        """Return the state of all processes.

        Returns
        -------
        arrays : dict
            Arrays by operator and name: "random" for the random streams, "state/..."
            for the state of the process, and "ahead" for values that were computed but
            not used. The first axis has one stream for each item of the minibatch, or
            one for all items.
        """
        return {
            (feed.op, name): array
            for feed, streams in self._processes.items()
            if feed.op is not None
            for name, array in stacked([stream.get() for stream in streams]).items()
        }

    def go_on(
        self, arrays: Mapping[tuple[Operator, str], np.ndarray], first_step: int
    ) -> None:
        """Restore the state of all processes.

        Functions of time have no state. They are called for all following steps.

        Parameters
        ----------
        arrays : mapping
            The result of `processes`.
        first_step : int
            Number of steps that had been run.
        """
        self._delivered = []
        self._first_step = self._next_step = first_step
        self._drop_ahead()
        for feed, streams in self._processes.items():
            if feed.op is not None:
                for item, stream in enumerate(streams):
                    stream.put({k: arrays[feed.op, k][item] for k in stream.get()})

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
            Number of steps run before. The first of the times is
            ``(first_step + 1) * dt`` seconds.
        n_steps : int
            Number of steps.
        data : mapping of Node to ndarray, optional
            Values that replace those of a node, of shape (minibatch_size, n_steps,
            size_out). The node's function or process is not called.

        Returns
        -------
        values : dict
            Array of shape (n_steps, minibatch_size or 1, size) for each feed, with 1 if
            all items have the same values. Constants are read-only views.

        Raises
        ------
        SimulationError
            If a function raises an exception, or its value is not an array of finite
            numbers of the right size.

        Notes
        -----
        If the call ends early (by an error or Ctrl-C), the values computed so far are
        kept. Another call with the same `first_step` goes on from there, and one with
        another `first_step` drops them.
        """
        data = {} if data is None else data
        self._delivered = []
        if first_step != self._next_step:
            self._drop_ahead()
        self._first_step = first_step
        times = [self._dt * i for i in range(first_step + 1, first_step + n_steps + 1)]
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
        """Undo the last call of `run`, because its steps were not simulated.

        The next call that starts at the same step gets the same values. So functions
        are not called twice for a step, and no part of a random stream is lost.
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


def _is_shared(process: Process) -> bool:
    """Tell whether a process is known to have equal streams for all items."""
    return type(process) in _ALWAYS_SHARED or (
        type(process) in _SHARED_WITH_SEED and process.seed is not None
    )
