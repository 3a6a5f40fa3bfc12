"""The loop over time as one compiled function, with buffers of a fixed length.

It knows neither Keras nor the user's Python: parameters, state and feeds go in as
tensors, and the state and the buffers of outputs come out. One compilation serves all
numbers of steps up to the length.
"""

import functools
from typing import Any

import tensorflow as tf

from nengo_dl.engine.loop import simulate
from nengo_dl.engine.shared_functions import SHARED
from nengo_dl.engine.step import Clock, Step, Tensors


class CompiledLoop:
    """Runs up to a fixed number of steps in one call of a compiled function.

    Parameters
    ----------
    step : `~.step.Step`
        The step.
    length : int
        The largest number of steps of a call.
    histories : tuple of TensorSpec
        Shape (length or 1, size, minibatch_size or 1) of the buffer of each output.
    jit_compile : bool
        Whether the whole loop is compiled with XLA.
    unroll : int
        Number of steps in one iteration of the loop.
    use_loop : bool
        False runs exactly ``unroll`` steps without a loop.

    Attributes
    ----------
    function : tf.function
        Takes and returns what a call of the object does. Other functions may call it
        while they are being traced.
    """

    def __init__(
        self,
        step: Step,
        length: int,
        histories: tuple[tf.TensorSpec, ...],
        *,
        jit_compile: bool,
        unroll: int = 1,
        use_loop: bool = True,
    ):
        self.length = length
        unroll = 1 if use_loop and jit_compile else unroll
        self._content = (step, length, histories, jit_compile, unroll, use_loop)

        def run(params, state, feeds, clock, n_steps):
            return simulate(
                step,
                params,
                state,
                feeds,
                clock,
                n_steps,
                histories=histories,
                unroll=unroll,
                use_loop=use_loop,
            )

        # TensorFlow counts the traces of a function by its code, and would warn of the
        # fifth engine that retracing is expensive; partial objects it tells apart
        self.function = tf.function(
            functools.partial(run), jit_compile=jit_compile or None, autograph=False
        )
        # shapes never change, so calls can go past the search for a matching trace
        self._traced: Any = None

    def __call__(
        self,
        params: Tensors,
        state: Tensors,
        feeds: Tensors,
        clock: Clock,
        n_steps: tf.Tensor,
    ) -> tuple[Tensors, Tensors]:
        """Run steps.

        Parameters
        ----------
        params, state : tuple of tensor
            One of shape (size, minibatch_size or 1) per block of the kind.
        feeds : tuple of tensor
            One of shape (length, size, minibatch_size or 1) per block of feeds.
        clock : `Clock`
            The seed, and the number of steps that were run before.
        n_steps : int32 scalar tensor
            Number of steps to run.

        Returns
        -------
        state : tuple of tensor
            The state after the last step.
        outputs : tuple of tensor
            The buffers, of which the first ``n_steps`` rows (or the only one) are
            valid.
        """
        arguments = (params, state, feeds, clock, n_steps)
        if self._traced is None:
            self._traced = SHARED.get(
                self._content,
                arguments,
                lambda: self.function.get_concrete_function(*arguments),
            )
        return self._traced(*arguments)
