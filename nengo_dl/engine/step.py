"""One time step as a pure function of tensors.

`build_step` binds kernels to a layout. The step reads slots from memory, calls kernels,
and writes their results back, in order; what is carried to the next step are the blocks
of kind "state".
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from nengo_dl.engine.memory import Memory, Piece
from nengo_dl.graph.kernel import Kernel, view
from nengo_dl.graph.layout import Access, Layout
from nengo_dl.graph.program import Program

Tensors = tuple[tf.Tensor, ...]


class Bound(NamedTuple):
    """A kernel together with the memory it reads and writes."""

    kernel: Kernel
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]


class Clock(NamedTuple):
    """The time of a step.

    Parameters
    ----------
    seed : int32 scalar tensor
        Seed of all random numbers.
    step : int32 scalar tensor
        Number of this step; the first one is 1.
    """

    seed: tf.Tensor
    step: tf.Tensor


Step = Callable[[Tensors, Tensors, Tensors, Clock], tuple[Tensors, Tensors]]


def build_step(
    program: Program,
    kernels: tuple[Kernel, ...],
    layout: Layout,
    *,
    dt: float,
    dtype,
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
    compile_segments : bool
        Whether the kernels between two host kernels are compiled with XLA.

    Returns
    -------
    step : callable
        ``step(params, state, feeds, clock) -> (state, outputs)``, where each argument
        holds one tensor of shape (minibatch_size or 1, size) per block of its kind, and
        the outputs one per probe.
    """
    bound = tuple(_bind(kernel, layout) for kernel in kernels)
    segments = tuple(_segments(bound))
    resets = _resets(program, layout)
    probes = [layout.access((view(signal),)) for signal in program.probes.values()]
    numbers = {kind: layout.of_kind(kind) for kind in ("param", "state", "feed")}
    clock_places = {
        name: layout.places[signal.base][0]
        for name, signal in (("step", program.step), ("time", program.time))
    }

    def step(params, state, feeds, clock):
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
            if compile_segments and segment[0].kernel.host is None:
                _run_compiled(segment, memory, clock)
            else:
                _run(segment, memory, clock)
        outputs = tuple(memory.read(access) for access in probes)
        return tuple(memory.block(n) for n in numbers["state"]), outputs

    return step


def _bind(kernel: Kernel, layout: Layout) -> Bound:
    return Bound(
        kernel,
        tuple(layout.access(slot) for slot in kernel.reads),
        tuple(layout.access(write.views) for write in kernel.writes),
    )


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


def _run(segment: tuple[Bound, ...], memory: Memory, clock: Clock) -> None:
    key = tf.stack(clock)
    for kernel, reads, writes in segment:
        arguments = [memory.read(access) for access in reads]
        results = kernel.fn(*([key] if kernel.random else []), *arguments)
        for write, access, value in zip(kernel.writes, writes, results, strict=True):
            memory.write(access, write.mode, value)


def _run_compiled(segment: tuple[Bound, ...], memory: Memory, clock: Clock) -> None:
    """Run a segment as one XLA computation inside of a larger graph.

    Tensors of the inner graph must not leak into the outer one, so the pieces that the
    segment made leave as results and take their places in memory here.
    """
    before = {id(piece) for pieces in memory.pieces for piece in pieces}
    made: list[tuple[tuple[Piece, ...], ...]] = []

    def segment_fn():
        inner = memory.copy()
        _run(segment, inner, clock)
        made.append(inner.pieces)
        return [
            piece.value
            for pieces in inner.pieces
            for piece in pieces
            if id(piece) not in before and not isinstance(piece.value, float)
        ]

    results = iter(tf.function(segment_fn, jit_compile=True, autograph=False)())

    def outer(piece: Piece) -> Piece:
        if id(piece) in before or isinstance(piece.value, float):
            return piece
        return Piece(piece.start, piece.stop, next(results))

    memory.pieces = tuple(
        tuple(outer(piece) for piece in pieces) for pieces in made[-1]
    )
