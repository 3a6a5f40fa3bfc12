"""The loop over time as one compiled function, with buffers of a fixed length.

It knows neither Keras nor the user's Python: parameters, state and feeds go in as
tensors, and the state and the buffers of outputs come out. One compilation serves all
numbers of steps up to the length.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.engine.execution import Clock, Tensors
from nengo_dl.engine.loop import simulate
from nengo_dl.engine.raw_call import RawCall, public_call, raw_call
from nengo_dl.engine.shapes import LoopShapes
from nengo_dl.engine.shared_array import SharedArray
from nengo_dl.engine.shared_functions import SHARED
from nengo_dl.engine.step import Step


class CompiledLoop:
    """Runs up to a fixed number of steps in one call of a compiled function.

    Parameters
    ----------
    step : `~.step.Step`
        The step.
    shapes : `LoopShapes`
        Those of feeds and outputs.
    length : int
        The largest number of steps of a call.
    jit_compile : bool
        Whether the whole loop is compiled with XLA.
    calls_python : bool
        Whether steps call Python.
    unroll : int
        Number of steps in one iteration of the loop.
    use_loop : bool
        False runs exactly ``unroll`` steps without a loop.

    Attributes
    ----------
    function : tf.function
        From ``(params, state, feeds, clock, n_steps)`` to ``(state, outputs)``, tensors
        all of them: feeds and outputs of shape (length, size, n_items or 1), of which
        the first ``n_steps`` rows are valid; outputs have as many rows as are kept.
        Other functions may call it while they are being traced.
    """

    def __init__(
        self,
        step: Step,
        shapes: LoopShapes,
        length: int,
        *,
        jit_compile: bool,
        calls_python: bool,
        unroll: int = 1,
        use_loop: bool = True,
    ):
        self.length = length
        self._n_state, self._kept = step.n_state, shapes.kept
        self._feeds = [
            SharedArray((length, size, shapes.n_items), shapes.dtype)
            for size in shapes.feeds
        ]
        self._numbers = [SharedArray((), np.int32) for _ in range(3)]
        self._row = tf.zeros((1, shapes.n_items), shapes.dtype)
        self._make_call = public_call if calls_python else raw_call
        self._call: RawCall | None = None
        unroll = 1 if use_loop and jit_compile else unroll
        # all that the function depends on
        self._content = (step, shapes, length, jit_compile, unroll, use_loop)
        self.function = _function(*self._content)

    def feeds(self, n_steps: int) -> list[np.ndarray]:
        """Return arrays to be filled with feeds, for the next call of `run`.

        Of shape (n_steps, size, n_items), one for each block.
        """
        return [shared.array[:n_steps] for shared in self._feeds]

    def run(
        self,
        params: Tensors,
        state: Sequence[tf.Tensor],
        feeds: Sequence[np.ndarray],
        seed: int,
        first_step: int,
        n_steps: int,
    ) -> tuple[Tensors, list[np.ndarray]]:
        """Run steps.

        Parameters
        ----------
        params, state : tuple of tensor
            One of shape (size, n_items or 1) per block of the kind.
        feeds : sequence of ndarray
            What `feeds` has returned.
        seed : int
            Seed of all random numbers, a 32-bit number with a sign.
        first_step : int
            Number of steps that were run before.
        n_steps : int
            Number of steps to run.

        Returns
        -------
        state : tuple of tensor
            The state after the last step.
        outputs : list of ndarray
            Shape (n_rows, size, n_items or 1) each.
        """
        del feeds
        for shared, number in zip(
            self._numbers, (seed, first_step, n_steps), strict=True
        ):
            shared.array[...] = number
        seed_tensor, first, count = (shared.tensor for shared in self._numbers)
        blocks = tuple(shared.tensor for shared in self._feeds)
        clock = Clock(seed_tensor, first, self._row)
        if self._call is None:
            # shapes never change: no call has to search for a matching trace
            arguments = (params, tuple(state), blocks, clock, count)
            traced = SHARED.get(
                self._content,
                arguments,
                lambda: self.function.get_concrete_function(*arguments),
            )
            self._call = self._make_call(traced)
        results = self._call([*params, *state, *blocks, *clock, count])
        rows = [
            np.asarray(buffer)[: kept.n_rows(n_steps)]
            for kept, buffer in zip(self._kept, results[self._n_state :], strict=True)
        ]
        return tuple(results[: self._n_state]), rows


def _function(
    step: Step,
    shapes: LoopShapes,
    length: int,
    jit_compile: bool,
    unroll: int,
    use_loop: bool,
) -> Any:
    """Return the function of a loop, which is traced when it is first called."""

    def run(params, state, feeds, clock, n_steps):
        return simulate(
            step,
            params,
            state,
            feeds,
            clock,
            n_steps,
            shapes=shapes,
            length=length,
            unroll=unroll,
            use_loop=use_loop,
        )

    # TensorFlow counts the traces of a function by its code, and would warn of the
    # fifth engine that retracing is expensive; partial objects it tells apart
    return tf.function(
        functools.partial(run), jit_compile=jit_compile or None, autograph=False
    )
