"""One time step as a pure function of tensors.

A `Step` reads slots from memory, calls kernels, and writes their results back, in
order. Blocks of kind "state" are carried to the next step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import tensorflow as tf

from nengo_dl.engine.binding import Bound, bind
from nengo_dl.engine.cuts import Cuts
from nengo_dl.engine.execution import (
    Clock,
    Context,
    Tensors,
    argument_of,
    compute,
    run,
    run_compiled,
    write,
)
from nengo_dl.engine.joining import all_items, joined, one_by_one, side_by_side
from nengo_dl.engine.memory import Memory
from nengo_dl.graph.kernel import Kernel, view
from nengo_dl.graph.layout import Access, BlockPart, Layout
from nengo_dl.graph.program import Program


@dataclass(frozen=True, eq=False)
class FeedRanges:
    """The ranges of feed blocks that get values together.

    Parameters
    ----------
    varying : tuple of `BlockPart`
        Those with other values in each step.
    held : tuple of `BlockPart`
        Those whose values are the same in all steps.
    """

    varying: Access
    held: Access = ()


def whole_blocks(layout: Layout) -> FeedRanges:
    """Return all blocks of feeds, with other values in each step."""
    return FeedRanges(
        tuple(BlockPart(n, 0, layout.blocks[n].size) for n in layout.of_kind("feed"))
    )


class Prepared(NamedTuple):
    """Values that follow from parameters and held feeds alone.

    Parameters
    ----------
    memory : `Memory`
        The memory at the start of each step, without values that change from step to
        step.
    arguments : tuple of tuple
        The arguments of each kernel; None for those that are not known yet.
    """

    memory: Memory
    arguments: tuple[tuple[Any, ...], ...]


class Step:
    """One time step as pure functions, of kernels that are bound to a layout.

    All tensors have the shape (size, minibatch_size or 1), one per block of the kind.

    Parameters
    ----------
    program : `Program`
        The probes and resets are taken from it.
    kernels : tuple of `Kernel`
        In the order of execution.
    layout : `Layout`
        The places of all signals.
    dt : float
        Length of a step in seconds.
    dtype : dtype
        Type of all signals.
    training : bool
        Whether kernels run in their form for training.
    compile_segments : bool
        Whether the kernels between two host kernels are compiled with XLA, for a loop
        that cannot be compiled as a whole.
    feeds : `FeedRanges`, optional
        Which feeds are held; by default none, and there is one tensor for each block.

    Attributes
    ----------
    segments : tuple of tuple of `Bound`
        The kernels that run in every step, in order. Host kernels are segments of their
        own.
    joined : tuple of `Joined`
        The kernels that `join` computes.
    state : tuple of `Block`
        The blocks of the state.
    n_state : int
        Their number.
    probes : list of tuple of `BlockPart`
        The memory that outputs are read from.
    """

    def __init__(
        self,
        program: Program,
        kernels: tuple[Kernel, ...],
        layout: Layout,
        *,
        dt: float,
        dtype,
        training: bool = False,
        compile_segments: bool = False,
        feeds: FeedRanges | None = None,
    ):
        self._training = training
        if training:
            kernels = tuple(map(_for_training, kernels))
        self._layout, self._dt, self._dtype = layout, dt, dtype
        self._feeds = whole_blocks(layout) if feeds is None else feeds
        self._bound = bind(kernels, layout, self._feeds.held)
        self.segments = tuple(_segments(x for x in self._bound if not x.is_fixed))
        is_held = len(self._feeds.held) > 0
        self._run = run_compiled if compile_segments else run
        self._resets = {
            kind: _resets(program, layout, kind) for kind in ("transient", "state")
        }
        self.state = tuple(layout.blocks[n] for n in layout.of_kind("state"))
        self.n_state = len(self.state)
        self.probes = [layout.access((view(s),)) for s in program.probes.values()]
        reads = [x for item in self._bound for x in (*item.reads, *item.writes)]
        self._cuts = Cuts.of(layout, [*reads, *self.probes]) if training else None
        self.joined = joined(self._bound, layout, self.probes, is_held)
        self._time, _ = layout.places[program.time.base]
        self._number, _ = layout.places[program.step.base]

    def prepare(
        self, params: Tensors, held: Tensors = (), key: tf.Tensor | None = None
    ) -> Prepared:
        """Compute values that are the same in all steps, ahead of the time loop.

        Parameters
        ----------
        params : tuple of tensor
            Shape (size, 1) each.
        held : tuple of tensor
            Held feeds, of shape (size, minibatch_size or 1) each.
        key : int32 tensor of shape (3,), optional
            The random key of the first step, which training needs, and held feeds do.
        """
        memory = Memory(self._layout, {}, self._dtype, self._cuts)
        self._load(memory, "param", params)
        _put(memory, self._feeds.held, held)
        _fill(memory, self._resets["transient"])
        arguments = []
        for item in self._bound:
            found = [
                argument_of(memory, item, i) if is_fixed else None
                for i, is_fixed in enumerate(item.fixed)
            ]
            if item.is_fixed:
                draws = self._training and item.kernel.draws_once
                keys = (key,) if draws or item.kernel.keyed else ()
                write(item, memory, item.kernel.fn(*keys, *found))
            arguments.append(tuple(found))
        return Prepared(memory, tuple(arguments))

    def join(self, prepared: Prepared, feeds: Tensors, clock: Clock) -> Tensors:
        """Compute values that follow from feeds alone, for all steps together.

        This is optional, and cheaper than computing them in each step.

        Parameters
        ----------
        prepared : `Prepared`
            The result of `prepare`.
        feeds : tuple of tensor
            Varying feeds of all steps, of shape (n_steps, size, minibatch_size).
        clock : `Clock`
            That of the step before the first one.

        Returns
        -------
        feeds : tuple of tensor
            The same feeds, and the results that each step needs.
        """
        if any(item.kernel.keyed for item, _ in self.joined):
            feeds = all_items(feeds, clock.row)
        memory = prepared.memory.copy()
        columns = tuple(map(side_by_side, feeds))
        clock = Clock(clock.seed, clock.step + 1, tf.zeros_like(columns[0][:1]))
        _put(memory, self._feeds.varying, columns)
        for part in self._feeds.held:
            value = memory.read((part,))
            if value.shape[1] != 1:
                value = tf.repeat(value, tf.shape(feeds[0])[0], axis=1)
            memory.put(part, value)
        joined = []
        for item, is_used in self.joined:
            (result,) = compute(item, memory, prepared.arguments[item.number], clock)
            if item.kernel.writes[0].mode == "set":  # others may read it
                write(item, memory, (result,))
            if is_used:
                joined.append(one_by_one(result, feeds[0]))
        return (*feeds, *joined)

    def advance(
        self, prepared: Prepared, state: Tensors, feeds: Tensors, clock: Clock
    ) -> tuple[Tensors, Tensors]:
        """Run the step.

        Returns
        -------
        state : tuple of tensor
            The state after the step.
        outputs : tuple of tensor
            One for each probe.
        """
        memory, context = self.begin(prepared, state, feeds, clock)
        for segment in self.segments:
            is_host = segment[0].kernel.host is not None
            (run if is_host else self._run)(segment, memory, context)
        return self.end(memory)

    def begin(
        self, prepared: Prepared, state: Tensors, feeds: Tensors, clock: Clock
    ) -> tuple[Memory, Context]:
        """Return the memory before the first kernel, and what else kernels need."""
        n_feeds = len(self._feeds.varying)
        results = iter(feeds[n_feeds:])
        joined = {
            item.number: next(results) if is_used else None
            for item, is_used in (self.joined if len(feeds) > n_feeds else ())
        }
        context = Context(clock, prepared.arguments, joined)
        memory = prepared.memory.copy()
        number = tf.cast(clock.step, self._dtype)
        memory.load(self._number, tf.reshape(number, (1, 1)))
        memory.load(self._time, tf.reshape(number * self._dt, (1, 1)))
        self._load(memory, "state", state)
        _put(memory, self._feeds.varying, feeds[:n_feeds])
        _fill(memory, self._resets["state"])
        return memory, context

    def end(self, memory: Memory) -> tuple[Tensors, Tensors]:
        """Return the state and the outputs after the last kernel."""
        outputs = tuple(memory.read(access) for access in self.probes)
        state = tuple(memory.block(n) for n in self._layout.of_kind("state"))
        return state, outputs

    def _load(self, memory: Memory, kind: str, tensors: Iterable[tf.Tensor]) -> None:
        for number, tensor in zip(self._layout.of_kind(kind), tensors, strict=True):
            memory.load(number, tensor)


def _for_training(kernel: Kernel) -> Kernel:
    if kernel.training_fn is None:
        return kernel
    joins, repeats = kernel.training_joins_steps, kernel.training_repeats
    return replace(kernel, fn=kernel.training_fn, joins_steps=joins, repeats=repeats)


def _put(memory: Memory, ranges: Access, tensors: Iterable[tf.Tensor]) -> None:
    for part, tensor in zip(ranges, tensors, strict=True):
        memory.put(part, tensor)


def _resets(program: Program, layout: Layout, kind: str) -> list[tuple[Access, float]]:
    """Group the resets of one kind of blocks by value."""
    by_value: dict[float, list] = {}
    for signal, value in program.resets.items():
        block, _ = layout.places[signal.base]
        # what is transient is zero to begin with
        if layout.blocks[block].kind == kind and (value != 0 or kind != "transient"):
            by_value.setdefault(value, []).append(view(signal))
    return [(layout.access(tuple(views)), value) for value, views in by_value.items()]


def _fill(memory: Memory, resets: list[tuple[Access, float]]) -> None:
    for access, value in resets:
        memory.fill(access, value)


def _segments(bound: Iterable[Bound]):
    """Split at host kernels, each of which is a segment of its own."""
    segment: list[Bound] = []
    for item in bound:
        if item.kernel.host is not None:
            if segment:
                yield tuple(segment)
            yield (item,)
            segment = []
        else:
            segment.append(item)
    if segment:
        yield tuple(segment)
