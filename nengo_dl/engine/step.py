"""One time step as a pure function of tensors.

`build_step` binds kernels to a layout. The step reads slots from memory, calls kernels,
and writes their results back, in order; what is carried to the next step are the blocks
of kind "state".
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import tensorflow as tf

from nengo_dl.engine.memory import Memory, Piece, spread
from nengo_dl.graph.kernel import Kernel, view
from nengo_dl.graph.layout import Access, Layout
from nengo_dl.graph.program import Program

Tensors = tuple[tf.Tensor, ...]


class Bound(NamedTuple):
    """A kernel together with the memory it reads and writes.

    Parameters
    ----------
    number : int
        Position among all kernels.
    kernel : `Kernel`
        What to compute.
    reads, writes : tuple of tuple of `Part`
        One access per argument and per result.
    constant : tuple of bool
        Which arguments are made of parameters alone.
    """

    number: int
    kernel: Kernel
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    constant: tuple[bool, ...]


class Clock(NamedTuple):
    """The time of a step.

    Parameters
    ----------
    seed : int32 scalar tensor
        Seed of all random numbers.
    step : int32 scalar tensor
        Number of this step; the first one is 1.
    row : tensor of shape (1, minibatch_size)
        Zeros, one for each minibatch item.
    """

    seed: tf.Tensor
    step: tf.Tensor
    row: tf.Tensor

    @property
    def key(self) -> tf.Tensor:
        """(int32 tensor of shape (3,)) What keyed kernels get."""
        items = self.row.shape[1] or tf.shape(self.row)[1]
        return tf.stack((self.seed, self.step, items))


class Context(NamedTuple):
    """What a kernel may depend on, beside memory."""

    clock: Clock
    prepared: tuple[tuple[Any, ...], ...]
    joined: Mapping[int, tf.Tensor]


class Step(NamedTuple):
    """One time step as pure functions.

    All tensors have the shape (size, minibatch_size or 1), one per block of the kind.

    Parameters
    ----------
    prepare : callable
        ``prepare(params) -> prepared``: everything that follows from parameters alone,
        to be computed once, ahead of the time loop.
    join : callable
        ``join(prepared, feeds) -> feeds``: adds to the feeds of all steps, of shape
        (n_steps, size, minibatch_size), what follows from them alone and is cheaper to
        compute for all steps together. Optional.
    advance : callable
        ``advance(prepared, state, feeds, clock) -> (state, outputs)``, with one output
        per probe.
    """

    prepare: Callable[[Tensors], Any]
    join: Callable[[Any, Tensors], Tensors]
    advance: Callable[[Any, Tensors, Tensors, Clock], tuple[Tensors, Tensors]]


def build_step(
    program: Program,
    kernels: tuple[Kernel, ...],
    layout: Layout,
    *,
    dt: float,
    dtype,
    training: bool = False,
    compile_segments: bool = False,
) -> Step:
    """Build the function that advances a simulation by one step.

    Parameters
    ----------
    program : `Program`
        Says what is probed and reset.
    kernels : tuple of `Kernel`
        In the order of execution.
    layout : `Layout`
        Where all signals are.
    dt : float
        Length of a step in seconds.
    dtype : dtype
        Of all signals.
    training : bool
        Whether kernels run in the form that they have for training.
    compile_segments : bool
        Whether the kernels between two host kernels are compiled with XLA, for a loop
        that cannot be compiled as a whole.

    Returns
    -------
    step : `Step`
    """
    if training:
        kernels = tuple(map(_for_training, kernels))
    bound = tuple(_bind(n, kernel, layout) for n, kernel in enumerate(kernels))
    segments = tuple(_segments(bound))
    joined = [item for item in bound if _joins_steps(item, layout)]
    run = _run_compiled if compile_segments else _run
    resets = _resets(program, layout)
    probes = [layout.access((view(signal),)) for signal in program.probes.values()]
    numbers = {kind: layout.of_kind(kind) for kind in ("param", "state", "feed")}
    clock_places = {
        name: layout.places[signal.base][0]
        for name, signal in (("step", program.step), ("time", program.time))
    }

    def prepare(params):
        values = dict(zip(numbers["param"], params, strict=True))
        memory = Memory(layout, values, dtype)
        return params, tuple(
            tuple(
                _argument(memory, item, i) if constant else None
                for i, constant in enumerate(item.constant)
            )
            for item in bound
        )

    def join(prepared, feeds):
        params, arguments = prepared
        values = dict(zip(numbers["param"], params, strict=True))
        fed = zip(numbers["feed"], feeds, strict=True)
        values |= {number: _side_by_side(feed) for number, feed in fed}
        memory = Memory(layout, values, dtype)
        results = [_compute(item, memory, arguments[item.number]) for item in joined]
        return (*feeds, *(_one_by_one(result, feeds[0]) for (result,) in results))

    def advance(prepared, state, feeds, clock):
        params, arguments = prepared
        n_feeds = len(numbers["feed"])
        feeds, results = feeds[:n_feeds], feeds[n_feeds:]
        early = {item.number: x for item, x in zip(joined, results, strict=False)}
        context = Context(clock, arguments, early)
        time = tf.cast(clock.step, dtype) * tf.constant(dt, dtype)
        values = {
            clock_places["time"]: tf.reshape(time, (1, 1)),
            clock_places["step"]: tf.reshape(tf.cast(clock.step, dtype), (1, 1)),
        }
        for kind, tensors in (("param", params), ("state", state), ("feed", feeds)):
            values |= dict(zip(numbers[kind], tensors, strict=True))
        memory = Memory(layout, values, dtype)
        for access, value in resets:
            memory.fill(access, value)
        for segment in segments:
            is_host = segment[0].kernel.host is not None
            (_run if is_host else run)(segment, memory, context)
        outputs = tuple(memory.read(access) for access in probes)
        return tuple(memory.block(n) for n in numbers["state"]), outputs

    return Step(prepare, join, advance)


def _for_training(kernel: Kernel) -> Kernel:
    if kernel.training_fn is None:
        return kernel
    return replace(kernel, fn=kernel.training_fn)


def _bind(number: int, kernel: Kernel, layout: Layout) -> Bound:
    reads = tuple(layout.access(slot) for slot in kernel.reads)
    return Bound(
        number,
        kernel,
        reads,
        tuple(layout.access(write.views) for write in kernel.writes),
        tuple(
            all(layout.blocks[part.block].kind == "param" for part in access)
            for access in reads
        ),
    )


def _joins_steps(item: Bound, layout: Layout) -> bool:
    """Tell whether all steps can be computed at once, in no more memory than is fed."""
    fed = sum(
        part.size
        for access in item.reads
        for part in access
        if layout.blocks[part.block].kind == "feed"
    )
    return (
        item.kernel.joins_steps
        and all(
            layout.blocks[part.block].kind in ("param", "feed")
            for access in item.reads
            for part in access
        )
        and len(item.writes) == 1
        and sum(part.size for part in item.writes[0]) <= fed
    )


def _side_by_side(feed: tf.Tensor) -> tf.Tensor:
    """Turn (n_steps, size, items) into (size, items * n_steps)."""
    # XLA undoes the first transposition of what came with the items in front, and makes
    # the second one part of a product
    rows = tf.reshape(tf.transpose(feed, (2, 0, 1)), (-1, feed.shape[1]))
    return tf.transpose(rows)


def _one_by_one(result: tf.Tensor, feed: tf.Tensor) -> tf.Tensor:
    """Turn (size, items * n_steps) into (n_steps, size, items)."""
    n_steps, _, items = tf.unstack(tf.shape(feed))
    result = tf.reshape(result, (result.shape[0], items, n_steps))
    result = tf.transpose(result, (2, 0, 1))
    return tf.ensure_shape(result, (feed.shape[0], result.shape[1], feed.shape[2]))


def _argument(memory: Memory, item: Bound, i: int):
    """Return what a kernel's function gets for one of its slots."""
    value = memory.read(item.reads[i])
    prepare = item.kernel.prepare.get(i)
    return value if prepare is None else prepare(value)


def _resets(program: Program, layout: Layout) -> list[tuple[Access, float]]:
    """Group the resets by value; memory is zero to begin with."""
    by_value: dict[float, list] = {}
    for signal, value in program.resets.items():
        block, _ = layout.places[signal.base]
        if value != 0 or layout.blocks[block].kind != "transient":
            by_value.setdefault(value, []).append(view(signal))
    return [(layout.access(tuple(views)), value) for value, views in by_value.items()]


def _segments(bound: tuple[Bound, ...]):
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


def _compute(item: Bound, memory: Memory, prepared: tuple, clock: Clock | None = None):
    """Return the results of a kernel; only keyed ones need a clock."""
    arguments = [
        prepared[i] if constant else _argument(memory, item, i)
        for i, constant in enumerate(item.constant)
    ]
    if item.kernel.keyed:
        arguments = [clock.key, *(spread(x, clock.row) for x in arguments)]
    return item.kernel.fn(*arguments)


def _run(segment: tuple[Bound, ...], memory: Memory, context: Context) -> None:
    for item in segment:
        if item.number in context.joined:
            results = (context.joined[item.number],)
        else:
            prepared = context.prepared[item.number]
            results = _compute(item, memory, prepared, context.clock)
        for write, access, value in zip(
            item.kernel.writes, item.writes, results, strict=True
        ):
            memory.write(access, write.mode, value)


def _run_compiled(segment: tuple[Bound, ...], memory: Memory, context: Context) -> None:
    """Run a segment as one XLA computation inside of a larger graph.

    Tensors of the inner graph must not leak into the outer one, so the pieces that were
    made there leave as results, and take their places in memory here.
    """
    before = {id(piece) for pieces in memory.pieces for piece in pieces}
    made: list[tuple[tuple[Piece, ...], ...]] = []

    def is_new(piece: Piece) -> bool:
        return id(piece) not in before and not isinstance(piece.value, float)

    def inner_fn():
        inner = memory.copy()
        _run(segment, inner, context)
        made.append(inner.pieces)
        return [p.value for pieces in inner.pieces for p in pieces if is_new(p)]

    results = iter(tf.function(inner_fn, jit_compile=True, autograph=False)())

    def outer(piece: Piece) -> Piece:
        if not is_new(piece):
            return piece
        return Piece(piece.start, piece.stop, next(results))

    memory.pieces = tuple(
        tuple(outer(piece) for piece in pieces) for pieces in made[-1]
    )
