"""Kernels that run on memory: one after the other, or compiled together."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from nengo_dl.engine.binding import Bound
from nengo_dl.engine.memory import Memory, Piece, spread

Tensors = tuple[tf.Tensor, ...]


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
        """(int32 tensor of shape (3,)) The random key for keyed kernels."""
        items = self.row.shape[1] or tf.shape(self.row)[1]
        return tf.stack((self.seed, self.step, items))


class Context(NamedTuple):
    """All values that a kernel may depend on, besides memory.

    ``joined`` has results that are known ahead, by kernel; None if no step needs them.
    """

    clock: Clock
    arguments: tuple[tuple[Any, ...], ...]
    joined: Mapping[int, tf.Tensor | None]


def compute(item: Bound, memory: Memory, prepared: tuple, clock: Clock | None = None):
    """Return the results of a kernel. Only keyed kernels need a clock."""
    arguments = [
        prepared[i] if is_fixed else argument_of(memory, item, i)
        for i, is_fixed in enumerate(item.fixed)
    ]
    if clock is not None and item.kernel.keyed:
        prepare = item.kernel.prepare
        arguments = [
            x if i in prepare else spread(x, clock.row) for i, x in enumerate(arguments)
        ]
        arguments.insert(0, clock.key)
    return item.kernel.fn(*arguments)


def run(segment: tuple[Bound, ...], memory: Memory, context: Context) -> None:
    """Run kernels one after the other."""
    for item in segment:
        if item.number not in context.joined:
            arguments = context.arguments[item.number]
            results = compute(item, memory, arguments, context.clock)
            write(item, memory, results)
            continue
        result = context.joined[item.number]
        if result is not None:
            write(item, memory, (result,))


def write(item: Bound, memory: Memory, results: Tensors) -> None:
    """Write the results of a kernel."""
    for place, access, value in zip(
        item.kernel.writes, item.writes, results, strict=True
    ):
        memory.write(access, place.mode, value)


def run_compiled(segment: tuple[Bound, ...], memory: Memory, context: Context) -> None:
    """Run a segment as one XLA computation inside of a larger graph.

    Tensors of the inner graph must not leak into the outer one. New pieces are
    therefore results of the inner function, and are put into memory here.
    """
    before = {id(piece) for pieces in memory.pieces for piece in pieces}
    made: list[tuple[tuple[Piece, ...], ...]] = []

    def is_new(piece: Piece) -> bool:
        return id(piece) not in before and not isinstance(piece.value, float)

    def inner_fn():
        inner = memory.copy()
        run(segment, inner, context)
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


def argument_of(memory: Memory, item: Bound, i: int):
    """Return what a kernel's function gets for one of its slots."""
    value = memory.read(item.reads[i])
    prepare = item.kernel.prepare.get(i)
    return value if prepare is None else prepare(value)
