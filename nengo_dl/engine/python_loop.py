"""The loop over time of a network whose steps call Python, driven from Python.

All that lies between two calls of Python is one compiled function, also across the end
of a step: what comes last in a step and what comes first in the next are one segment.
So a step with one call of Python has one call of a compiled function.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from nengo_dl.engine.ahead import Ahead
from nengo_dl.engine.binding import Bound
from nengo_dl.engine.execution import Tensors
from nengo_dl.engine.packing import LazilyUnpacked, Place
from nengo_dl.engine.raw_call import RawCall
from nengo_dl.engine.segments import Segments
from nengo_dl.engine.shapes import LoopShapes
from nengo_dl.engine.shared_array import as_tensor
from nengo_dl.engine.step import Step
from nengo_dl.graph.kept import Kept
from nengo_dl.graph.layout import Layout
from nengo_dl.ops.registry import Host, HostError

# A call of Python: the function, where its arguments are, and where its results go
Call = tuple[Callable[..., Any], list[Place], list[np.ndarray]]
# Rows of an output that is not packed, the steps that they are of, and where it is
Large = tuple[np.ndarray, Kept, int]


class PythonLoop:
    """Runs steps that call Python, and have no other effects.

    Parameters
    ----------
    step : `~.step.Step`
        The step.
    layout : `Layout`
        The blocks of the memory.
    shapes : `LoopShapes`
        Those of feeds and outputs.
    host : `Host`
        Gets to know which function runs, and how it fails.
    dt : float
        Length of a step in seconds.
    jit_compile : bool
        Whether segments are compiled with XLA.
    """

    def __init__(
        self,
        step: Step,
        layout: Layout,
        shapes: LoopShapes,
        host: Host,
        dt: float,
        jit_compile: bool,
    ):
        self._segments = Segments(step, layout, shapes, jit_compile)
        self._joined, self._layout = {item.number for item, _ in step.joined}, layout
        self._shapes, self._host, self._dt = shapes, host, dt
        self._params: Tensors | None = None
        self._prepare_call: RawCall
        self._prepared: list[tf.Tensor] = []
        self._traced: _Traced | None = None
        # what the last run has handed on: a run that goes on needs nothing else
        self._packed: list[tf.Tensor] = []

    def feeds(self, n_steps: int) -> list[np.ndarray]:
        """Return arrays to be filled with feeds, see `CompiledLoop.feeds`."""
        shapes = self._shapes
        return [
            np.empty((n_steps, size, shapes.n_items), shapes.dtype)
            for size in shapes.feeds
        ]

    def run(
        self,
        params: Tensors,
        state: Sequence[tf.Tensor],
        feeds: Sequence[np.ndarray],
        seed: int,
        first_step: int,
        n_steps: int,
    ) -> tuple[Sequence[tf.Tensor], list[np.ndarray]]:
        """Run steps, see `CompiledLoop.run`.

        Raises
        ------
        HostError
            If a function of the user fails.
        """
        row = self._segments.row
        row.start(seed)
        row.next(first_step + 1, feeds, 0)
        self._prepare(params)
        if self._traced is None:
            self._traced = self._trace(state)
        if isinstance(state, LazilyUnpacked) and state.packed is self._packed:
            start = self._packed
        else:
            start = self._traced.start(state)
        packed = self._traced.last([*self._traced.ahead, *start, *self._rest])
        row.started()
        with self._host.calling():
            self._begin(self._traced, feeds, n_steps)
            self._packed, outputs = self._loop(
                self._traced, packed, feeds, first_step, n_steps
            )
        return LazilyUnpacked(self._packed, self._traced.state), outputs

    def _begin(
        self, traced: "_Traced", feeds: Sequence[np.ndarray], n_steps: int
    ) -> None:
        """Call the functions whose inputs are known ahead of all steps."""
        for calls, _ in traced.stages:
            for function, _, results in calls:
                if isinstance(function, Ahead):
                    try:
                        function.begin(feeds, n_steps, results)
                    except BaseException as exc:
                        self._host.error = exc
                        raise HostError(self._host.where) from exc

    def _loop(
        self,
        traced: "_Traced",
        packed: list[tf.Tensor],
        feeds: Sequence[np.ndarray],
        first_step: int,
        n_steps: int,
    ) -> tuple[list[tf.Tensor], list[np.ndarray]]:
        # what this function does in every step takes longer than many a segment
        row, rest, dt = self._segments.row, self._rest, self._dt
        is_shared, last, n_small = row.is_shared, traced.last, traced.n_small
        small = np.empty((n_steps, n_small), self._shapes.dtype)
        large = self._buffers(traced, n_steps)
        vector = np.asarray(packed[0])
        for number in range(first_step + 1, first_step + n_steps + 1):
            i, start = number - first_step, packed if traced.ahead else []
            for calls, segment in traced.stages:
                for function, places, results in calls:
                    inputs = [
                        np.asarray(packed[n])
                        if part is None
                        else vector[part].reshape(s)
                        for n, part, s in places
                    ]
                    try:
                        function(number * dt, inputs, results)
                    except BaseException as exc:
                        self._host.error = exc
                        raise HostError(self._host.where) from exc
                if segment is last:
                    row.next(number + 1, feeds, i)
                    packed = packed + start
                packed = segment(packed + (rest if is_shared else self._rest))
                vector = np.asarray(packed[0])
            small[i - 1] = vector[:n_small]
            for buffer, kept, n in large:
                buffer[kept.row(i - 1)] = packed[n]
        return packed, self._rows(traced, small, large)

    def _buffers(self, traced: "_Traced", n_steps: int) -> list[Large]:
        """Return arrays for outputs that are not packed, and what goes into them."""
        shapes = self._shapes
        buffers = shapes.buffers(n_steps)
        return [
            (np.empty(shape, shapes.dtype), kept, place.number)
            for shape, kept, place in zip(
                buffers, shapes.kept, traced.outputs, strict=True
            )
            if place.part is None
        ]

    def _rows(
        self, traced: "_Traced", small: np.ndarray, large: list[Large]
    ) -> list[np.ndarray]:
        """Return the rows of all outputs, of shape (n_rows, size, n_items)."""
        buffers = (buffer for buffer, _, _ in large)
        return [
            next(buffers)
            if place.part is None
            else kept.rows(small)[:, place.part].reshape((-1, *place.shape))
            for place, kept in zip(traced.outputs, self._shapes.kept, strict=True)
        ]

    @property
    def _rest(self) -> list[tf.Tensor]:
        """The tensors that all segments take besides those that are handed on."""
        return [*self._prepared, self._segments.row.tensor]

    def _prepare(self, params: Tensors) -> None:
        if self._params is params:
            return
        if self._params is None:
            self._prepare_call = self._segments.prepare(params)
        self._prepared = self._prepare_call(list(params))
        self._params = params

    def _trace(self, state: Sequence[tf.Tensor]) -> "_Traced":
        segments = self._segments
        traced = segments.trace(state, self._rest)
        targets = iter(segments.row.results)
        stages: list[tuple[list[Call], RawCall]] = []
        for number, stage in enumerate(segments.stages):
            places = segments.reads(number)
            calls = [
                (
                    self._ahead(host, function),
                    reads,
                    [next(targets) for _ in host.writes],
                )
                for host, reads in zip(stage.hosts, places, strict=True)
                if (function := host.kernel.python) is not None
            ]
            stages.append((calls, traced[number]))
        outputs, blocks = segments.places()
        ahead = [tf.zeros(spec.shape, spec.dtype) for spec in segments.ahead]
        start = [tf.zeros(spec.shape, spec.dtype) for spec in segments.start]
        return _Traced(stages, traced[-1], ahead, start, outputs, blocks)

    def _ahead(self, host: Bound, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function, or what has its results if all are known ahead."""
        feeds = self._layout.of_kind("feed")
        is_fed = all(part.block in feeds for access in host.reads for part in access)
        if host.number not in self._joined or not is_fed:
            return function
        return Ahead(function, host.reads[0], self._layout)


class _Traced(NamedTuple):
    """Compiled segments, and where they hand things on.

    Parameters
    ----------
    stages : list of (list, callable)
        Calls of Python, and the segment after them.
    last : callable
        The last segment.
    ahead, before : list of tensor
        What the last segment is given when there has been no step before.
    outputs, state : list of `Place`
        In what the last segment returns. Small outputs come first in the vector.
    """

    stages: list[tuple[list[Call], RawCall]]
    last: RawCall
    ahead: list[tf.Tensor]
    before: list[tf.Tensor]
    outputs: list[Place]
    state: list[Place]

    @property
    def n_small(self) -> int:
        """Number of elements of small outputs."""
        return sum(math.prod(p.shape) for p in self.outputs if p.part is not None)

    def start(self, state: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return what the last segment is given to start from a state."""
        packed, vector = list(self.before), np.array(self.before[0])
        for place, block in zip(self.state, state, strict=True):
            if place.part is None:
                packed[place.number] = block
            else:
                vector[place.part] = np.ravel(block)
        return [as_tensor(vector), *packed[1:]]
