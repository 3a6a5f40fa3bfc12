"""Inference with a few compiled loops, which serve all numbers of steps.

What Keras compiles with XLA has the number of steps of its data. A loop here has a
fixed length, and gets the number of steps to run as an argument. Plain TensorFlow calls
it, as often as it takes, and hands the state on.
"""

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.graph.kept import Kept

Blocks = tuple[tf.Tensor, ...]

# Longer runs are cut into chunks, so that buffers do not grow with the number of steps.
MAX_LENGTH = 1000
# A better length is compiled after so many calls of loops that do not fit.
MAX_MISFITS = 500

_scope = threading.local()


@contextlib.contextmanager
def without_gradients() -> Iterator[None]:
    """Say that nobody will ask for gradients of what is computed in this context."""
    before = is_without_gradients()
    _scope.active = True
    try:
        yield
    finally:
        _scope.active = before


def is_without_gradients() -> bool:
    """Tell whether this is called in the context of `without_gradients`."""
    return getattr(_scope, "active", False)


def trace_for_all_lengths(function: Any, data: Any) -> None:
    """Trace a function once for data of any number of steps.

    Parameters
    ----------
    function : callable or ``tf.types.experimental.PolymorphicFunction``
        Takes data. Nothing is done if it is not traced.
    data : structure of array
        One minibatch. Inputs have the shape (minibatch_size, n_steps, size); those with
        a single step will have one in all calls.
    """
    is_traced = isinstance(function, tf.types.experimental.PolymorphicFunction)
    arrays = np.ndarray | tf.Tensor | tf.TensorSpec
    if is_traced and all(isinstance(x, arrays) for x in tf.nest.flatten(data)):
        function.get_concrete_function(tf.nest.map_structure(_any_length, data))


def _any_length(x: Any) -> Any:
    if len(x.shape) < 3 or x.shape[1] == 1:
        return x
    return tf.TensorSpec((x.shape[0], None, *x.shape[2:]), x.dtype)


class InferenceLoops:
    """Loops over time of a few lengths, each compiled with XLA.

    Parameters
    ----------
    run : callable
        Traced for each loop, with its length (an int), parameters, state, inputs
        (mapping of str to tensor), the seed, the number of steps that were run before,
        and the number of steps to run. Returns the state and the outputs. The second
        axis of inputs has the length of the loop, or 1 for those that are held. That of
        outputs has the rows that are kept of so many steps.
    kept : tuple of `Kept`
        For each output, the steps that it keeps.
    default : int
        Length of the first loop, if its first call has an unknown number of steps.

    Attributes
    ----------
    lengths : tuple of int
        The lengths of the loops so far, in ascending order.
    """

    def __init__(self, run: Callable[..., Any], kept: tuple[Kept, ...], default: int):
        self._run, self._kept, self._default = run, kept, default
        self._functions: dict[int, Any] = {}
        self._misfits: dict[int, int] = {}

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the loops so far, in ascending order."""
        return tuple(sorted(self._functions))

    def expect(self, n_steps: int, n_calls: int) -> bool:
        """Get ready for calls with a number of steps; tell whether that adds a loop.

        What was traced before does not use the new loop. The first loop has the length
        that is best for the first number of steps.
        """
        best = _best_length(n_steps)
        if not self._functions:
            self._add(best)
            return False
        length = self._choose(n_steps)
        n_chunks = math.ceil(n_steps / length)
        if length == best or (n_chunks == 1 and length < 2 * n_steps):
            return False
        self._misfits[n_steps] = self._misfits.get(n_steps, 0) + n_calls * n_chunks
        if self._misfits[n_steps] <= MAX_MISFITS:
            return False
        self._add(best)
        return True

    def __call__(
        self,
        params: Blocks,
        state: Blocks,
        inputs: Mapping[str, tf.Tensor],
        seed: tf.Tensor,
        start: tf.Tensor,
        n_steps: int | tf.Tensor,
    ) -> tuple[Blocks, Blocks]:
        """Run steps; return the state and the outputs.

        Inputs have the shape (minibatch_size, n_steps, size), and outputs
        (minibatch_size, n_rows, size).
        """
        is_known = isinstance(n_steps, int)
        if not self._functions:
            self._add(_best_length(n_steps) if is_known else self._default)
        run = functools.partial(
            self._in_chunks, params, state, inputs, seed, start, n_steps
        )
        if is_known:
            return run(self._choose(n_steps))
        lengths = self.lengths
        if len(lengths) == 1:
            return run(lengths[0])
        # the smallest that is long enough, or else the last
        longer = tf.cast(n_steps > tf.constant(lengths[:-1]), tf.int32)
        branches = [functools.partial(run, length) for length in lengths]
        return tf.switch_case(tf.reduce_sum(longer), branches)

    def _choose(self, n_steps: int) -> int:
        """Return the smallest length that is enough, or else the largest."""
        enough = [length for length in self.lengths if length >= n_steps]
        return enough[0] if enough else self.lengths[-1]

    def _add(self, length: int) -> None:
        self._functions[length] = tf.function(
            functools.partial(self._run, length), jit_compile=True, autograph=False
        )

    def _in_chunks(self, params, state, inputs, seed, start, n_steps, length):
        """Call one loop, as often as it takes."""

        is_one = isinstance(n_steps, int) and n_steps == 1

        def call(done, state):
            fed = {
                # what has a single step of several is held
                k: x if x.shape[1] == 1 and not is_one else _chunk(x, done, length)
                for k, x in inputs.items()
            }
            n = tf.minimum(n_steps - done, length)
            return self._functions[length](params, state, fed, seed, start + done, n)

        state, first = call(0, state)
        if isinstance(n_steps, int) and n_steps <= length:
            return state, self._trimmed(first, n_steps)

        def others():
            return self._others(call, state, first, n_steps, length)

        if isinstance(n_steps, int):
            return others()
        # nothing is copied where it fits
        return tf.cond(n_steps == length, lambda: (state, first), others)

    def _others(self, call, state, first, n_steps, length):
        """Run the chunks after the first one; return the state and all outputs."""
        n_chunks = -(-n_steps // length)

        def body(i, state, chunks):
            state, outputs = call(i * length, state)
            return i + 1, state, self._extended(chunks, i, outputs)

        arrays = tuple(tf.TensorArray(output.dtype, n_chunks) for output in first)
        carried = (tf.constant(1), state, self._extended(arrays, 0, first))
        _, state, chunks = tf.while_loop(
            lambda i, *_: i < n_chunks, body, carried, parallel_iterations=1
        )
        outputs = tuple(
            _joined(rows) if kept.keeps_time else rows
            for kept, rows in zip(self._kept, chunks, strict=True)
        )
        return state, self._trimmed(outputs, n_steps)

    def _extended(self, chunks, i, outputs):
        """Return the outputs of all chunks, or of the newest alone."""
        return tuple(
            rows.write(i, output) if kept.keeps_time else output
            for kept, rows, output in zip(self._kept, chunks, outputs, strict=True)
        )

    def _trimmed(self, outputs, n_steps):
        """Leave out the rows of steps that were not asked for."""
        wanted = [kept.n_rows(n_steps) for kept in self._kept]
        return tuple(
            output if output.shape[1] == n else output[:, :n]
            for output, n in zip(outputs, wanted, strict=True)
        )


def _best_length(n_steps: int) -> int:
    """Return the length of chunks that are equal, and as few as possible."""
    return math.ceil(n_steps / math.ceil(n_steps / MAX_LENGTH))


def _chunk(x: tf.Tensor, start: int | tf.Tensor, length: int) -> tf.Tensor:
    """Return the steps of a chunk, with zeros where there are no more."""
    if x.shape[1] == length:
        return x
    x = x[:, start : start + length]
    x = tf.pad(x, ((0, 0), (0, length - tf.shape(x)[1]), (0, 0)))
    return tf.ensure_shape(x, (x.shape[0], length, x.shape[2]))


def _joined(rows: tf.TensorArray) -> tf.Tensor:
    """Put chunks of shape (items, length, ...) one after the other."""
    chunks = rows.stack()
    _, items, _, *shape = chunks.shape
    order = (1, 0, *range(2, chunks.shape.rank))
    return tf.reshape(tf.transpose(chunks, order), (items, -1, *shape))
