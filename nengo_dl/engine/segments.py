"""A step that calls Python, as compiled functions of what lies between the calls."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from nengo_dl.engine.binding import Bound
from nengo_dl.engine.boundary import Boundary, PreparedForm, live_at_end, live_before
from nengo_dl.engine.execution import Clock, Context, run, write
from nengo_dl.engine.memory import Memory, spread
from nengo_dl.engine.packing import Place
from nengo_dl.engine.raw_call import RawCall, raw_call
from nengo_dl.engine.row import Row
from nengo_dl.engine.shapes import LoopShapes
from nengo_dl.engine.step import Prepared, Step
from nengo_dl.graph.layout import Layout

TensorList = list[tf.Tensor]
Specs = list[tf.TensorSpec]


class Stage(NamedTuple):
    """Calls of Python that do not depend on each other, and what runs after them.

    Parameters
    ----------
    hosts : tuple of `Bound`
        Kernels that call Python.
    after : tuple of `Bound`
        All kernels up to the next stage, or up to the end of the step.
    """

    hosts: tuple[Bound, ...]
    after: tuple[Bound, ...]


def stages(step: Step) -> tuple[tuple[Bound, ...], tuple[Stage, ...]]:
    """Return what runs before all Python, and the stages of a step."""
    first: tuple[Bound, ...] = ()
    found: list[Stage] = []
    for segment in step.segments:
        if segment[0].kernel.host is None:
            if found:
                found[-1] = Stage(found[-1].hosts, segment)
            else:
                first = segment
        elif found and not found[-1].after and _is_independent(found[-1], segment[0]):
            found[-1] = Stage((*found[-1].hosts, *segment), ())
        else:
            found.append(Stage(segment, ()))
    return first, tuple(found)


def _is_independent(stage: Stage, item: Bound) -> bool:
    """Tell whether a kernel reads nothing that a stage's kernels write."""
    written = {part.block for host in stage.hosts for x in host.writes for part in x}
    return not any(part.block in written for access in item.reads for part in access)


class Segments:
    """Traces the segments of a step, each as a function from tensors to tensors.

    Segments hand a list of tensors on to each other. What follows from parameters
    alone, and the row, are further arguments of all of them (``rest``).

    Parameters
    ----------
    step : `~.step.Step`
        The step.
    layout : `Layout`
        The blocks of the memory.
    shapes : `LoopShapes`
        Those of feeds and outputs.
    jit_compile : bool
        Whether segments are compiled with XLA.

    Attributes
    ----------
    stages : tuple of `Stage`
        The stages of the step.
    row : `Row`
        What Python gives to segments.
    ahead, start : tuple of TensorSpec
        What the last segment takes from the one before it, if there are several, and
        what is handed on to the first stage.
    """

    def __init__(
        self,
        step: Step,
        layout: Layout,
        shapes: LoopShapes,
        jit_compile: bool,
    ):
        self._step, self._layout = step, layout
        self._probes, self._dtype = shapes.outputs, shapes.dtype
        self._jit_compile = jit_compile
        self._first, self.stages = stages(step)
        hosts = [host for stage in self.stages for host in stage.hosts]
        results = [sum(x.size for x in access) for h in hosts for access in h.writes]
        self.row = Row(shapes.feeds, results, shapes.n_items, shapes.dtype)
        self._form: PreparedForm
        self._n_rest = 0
        self.ahead: tuple[tf.TensorSpec, ...] = ()
        self.start: tuple[tf.TensorSpec, ...] = ()
        self._boundaries: dict[int, Boundary] = {}

    def prepare(self, params: Sequence[tf.Tensor]) -> RawCall:
        """Trace what follows from parameters alone."""

        def prepare(tensors: TensorList) -> TensorList:
            prepared = self._step.prepare(tuple(tensors))
            self._form = PreparedForm(prepared, self._dtype)
            return self._form.packed

        return _trace(prepare, _specs(params), False)[0]

    def trace(self, state: Sequence[tf.Tensor], rest: TensorList) -> list[RawCall]:
        """Trace all segments.

        Returns
        -------
        calls : list of callable
            One after each stage. The last one takes ``ahead``, ``start`` of the same
            step, and ``rest``.
        """
        specs = _specs(rest)
        self._n_rest = len(specs)
        handed = self._find_form(_specs(state), specs)
        self.start, calls = tuple(handed), []
        for number in range(len(self.stages) - 1):
            call, handed = _trace(
                functools.partial(self._between, number, len(handed)),
                [*handed, *specs],
                self._jit_compile,
            )
            calls.append(call)
        self.ahead = tuple(handed) if calls else ()
        call, _ = _trace(
            functools.partial(self._last, len(handed), len(self.ahead)),
            [*self.ahead, *self.start, *specs],
            self._jit_compile,
        )
        return [*calls, call]

    def places(self) -> tuple[list[Place], list[Place]]:
        """Return where outputs are handed on to the first stage, and the state."""
        places, n = self._boundaries[0].packing.places, len(self._probes)
        return places[:n], places[n : n + self._step.n_state]

    def _find_form(self, state: Specs, rest: Specs) -> Specs:
        """Return what is handed on to the first stage, without compiling anything."""

        def begin(tensors: TensorList) -> TensorList:
            zeros = [tf.zeros(shape, self._dtype) for shape in self._probes]
            return self._begin(tensors[: len(state)], zeros, tensors[len(state) :])

        return _trace(begin, [*state, *rest], False)[1]

    def _between(self, number: int, n_handed: int, tensors: TensorList) -> TensorList:
        """Run what lies between a stage and the next one."""
        packed, rest = tensors[:n_handed], tensors[n_handed:]
        memory, clock, known = self._after(number, packed, rest)
        reads = self._reads(number + 1, memory, clock)
        return self._leave(number + 1, memory, known, reads)

    def _last(self, n_handed: int, n_ahead: int, tensors: TensorList) -> TensorList:
        """Run what comes after the last stage, and ahead of all Python in a next step.

        The row is that of the next step. If it is the first one of a run, nothing comes
        before it: the state is the one at the start, and all else is of no use. Nothing
        but this function computes it, because another one might round otherwise.
        """
        packed, rest = tensors[:n_handed], tensors[-self._n_rest :]
        memory, clock, _ = self._after(len(self.stages) - 1, packed, rest, -1)
        blocks, outputs = self._step.end(memory)
        start = self._boundaries[0].packing.unpack(tensors[n_ahead : -self._n_rest])
        is_first = self.row.is_first(rest[-1])
        state = [
            tf.where(is_first, before, spread(block, clock.row))
            for before, block in zip(start[len(self._probes) :], blocks, strict=False)
        ]
        probes = [
            tf.broadcast_to(x, shape)
            for x, shape in zip(outputs, self._probes, strict=True)
        ]
        return self._begin(state, probes, rest)

    def reads(self, number: int) -> list[list[Place]]:
        """Return where the arguments of each kernel of a stage are handed on.

        Their shape is (n_items, size).
        """
        n_before = 0 if number else len(self._probes) + self._step.n_state
        places = iter(self._boundaries[number].packing.places[n_before:])
        return [
            [next(places) for _ in host.reads] for host in self.stages[number].hosts
        ]

    def _begin(self, state: TensorList, outputs: TensorList, rest: TensorList):
        """Run what is ahead of all Python; hand outputs and the state on first."""
        prepared, known = self._prepared(rest)
        clock, feeds = self.row.clock(rest[-1]), self.row.feeds_of(rest[-1])
        memory, context = self._step.begin(prepared, tuple(state), feeds, clock)
        run(self._first, memory, context)
        handed = [*outputs, *state, *self._reads(0, memory, clock)]
        return self._leave(0, memory, known, handed)

    def _after(
        self, number: int, packed: TensorList, rest: TensorList, offset: int = 0
    ) -> tuple[Memory, Clock, TensorList]:
        """Run what follows on the Python of a stage."""
        prepared, known = self._prepared(rest)
        memory = self._boundaries[number].enter(prepared.memory, known, packed)
        clock = self.row.clock(rest[-1], offset)
        before = [host for stage in self.stages[:number] for host in stage.hosts]
        skipped = sum(len(host.writes) for host in before)
        results = iter(self.row.results_of(rest[-1])[skipped:])
        for host in self.stages[number].hosts:
            write(host, memory, tuple(next(results) for _ in host.writes))
        run(self.stages[number].after, memory, Context(clock, prepared.arguments, {}))
        return memory, clock, known

    def _prepared(self, rest: TensorList) -> tuple[Prepared, TensorList]:
        memory = Memory(self._layout, {}, self._dtype)
        return self._form.enter(memory, rest[:-1])

    def _reads(self, number: int, memory: Memory, clock: Clock) -> TensorList:
        """Return what the kernels of a stage read, of shape (n_items, size)."""
        return [
            tf.transpose(spread(memory.read(access), clock.row))
            for host in self.stages[number].hosts
            for access in host.reads
        ]

    def _leave(
        self, number: int, memory: Memory, known: TensorList, handed: TensorList
    ) -> TensorList:
        """Hand the memory on to the stage."""
        if number not in self._boundaries:
            later = [item for s in self.stages[number:] for part in s for item in part]
            live = live_before(later, live_at_end(self._step, self._layout))
            self._boundaries[number] = Boundary(
                memory, known, handed, live, self._dtype
            )
        return self._boundaries[number].leave(memory, handed)


def _specs(tensors: Sequence[tf.Tensor]) -> Specs:
    return [tf.TensorSpec(x.shape, x.dtype) for x in tensors]


def _trace(
    function: Callable[[TensorList], TensorList], specs: Specs, jit_compile: bool
) -> tuple[RawCall, Specs]:
    """Trace a function; return it, and what it returns.

    Arguments that it returns do not pass through it.
    """
    sources: list[int | None] = []
    returned: Specs = []

    def traced(*tensors):
        results = function(list(tensors))
        numbers = {id(x): i for i, x in enumerate(tensors)}
        sources[:] = [numbers.get(id(x)) for x in results]
        returned[:] = _specs(results)
        return tuple(x for x in results if id(x) not in numbers)

    made = tf.function(
        functools.partial(traced), jit_compile=jit_compile or None, autograph=False
    )
    call = raw_call(made.get_concrete_function(*specs))
    if all(source is None for source in sources):
        return call, returned

    def call_around(tensors: TensorList) -> TensorList:
        results = iter(call(tensors))
        return [next(results) if i is None else tensors[i] for i in sources]

    return call_around, returned
