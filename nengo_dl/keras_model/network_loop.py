"""The loop over time of a network in a Keras layer, from tensors to tensors.

There are three forms of it: with gradients, in a function that Keras traces; the same,
traced by itself; and compiled, without gradients, for any number of steps.
"""

import functools
from collections.abc import Mapping

import tensorflow as tf
from nengo import Probe

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.execution import Clock
from nengo_dl.engine.loop import History, unfold
from nengo_dl.keras_model.inference import InferenceLoops, is_without_gradients
from nengo_dl.keras_model.layer_inputs import LayerInputs
from nengo_dl.keras_model.parameter_weights import ParameterWeights
from nengo_dl.keras_model.steps_to_run import Length

Tensors = tuple[tf.Tensor, ...]


class NetworkLoop:
    """Runs a network, as a function of its weights, its state and its inputs.

    Parameters
    ----------
    engine : `Engine`
        The engine of the network.
    inputs : `LayerInputs`
        Makes blocks of inputs.
    parameters : `ParameterWeights`
        Makes blocks of weights.
    """

    def __init__(
        self, engine: Engine, inputs: LayerInputs, parameters: ParameterWeights
    ):
        self._engine, self._inputs, self._parameters = engine, inputs, parameters
        self._histories = tuple(_history(engine, p) for p in engine.program.probes)
        self._shapes = [s.shape or (1,) for s in engine.program.probes.values()]
        # partial, for what TensorFlow counts traces of: see CompiledLoop
        self._traced = {
            training: tf.function(
                functools.partial(self._unfold, training), autograph=False
            )
            for training in (False, True)
        }
        compiles = engine.jit_compile and not inputs.calls_python
        self._compiled = {
            training: InferenceLoops(
                functools.partial(self._run_compiled, training),
                tuple(history.kept for history in self._histories),
                engine.chunk,
            )
            for training in (False, True)
            if compiles and engine.minibatch_size is not None
        }

    def __call__(
        self,
        params: Tensors,
        state: Tensors,
        inputs: Mapping[str, tf.Tensor],
        clock: Clock,
        n_steps: Length,
        training: bool,
    ) -> tuple[Tensors, Tensors]:
        """Run all steps.

        Parameters
        ----------
        params : tuple of tensor
            The values of all weights.
        state : tuple of tensor
            One of shape (size, minibatch_size) per block.
        inputs : mapping of str to tensor
            By name, of shape (minibatch_size, n_steps or 1, size_out).
        clock : `Clock`
            The time to start from.
        n_steps : int or int32 scalar tensor
            Number of steps to run.
        training : bool
            Whether neurons and layers behave as in training.

        Returns
        -------
        state : tuple of tensor
            The state after the last step.
        outputs : tuple of tensor
            Shape (minibatch_size or 1, n_rows, \\*shape of the signal) each.
        """
        if self._compiled and is_without_gradients():
            run = self._compiled[training]
            return run(params, state, inputs, clock.seed, clock.step, n_steps)
        items, _ = self._inputs.extent(inputs)
        ranges = self._inputs.ranges(inputs, n_steps)
        feeds = self._inputs.blocks(inputs, clock, items, n_steps)
        # If a shape depends on an inner function, XLA treats all its arguments as
        # constants, and compiles the outer function again whenever a weight changes. A
        # function that is being traced therefore gets no inner one.
        if tf.executing_eagerly():
            return self._traced[training](ranges, params, state, feeds, clock, n_steps)
        return self._unfold(training, ranges, params, state, feeds, clock, n_steps)

    def expect(self, n_steps: int, n_calls: int, training: bool) -> bool:
        """Get ready for inference; tell whether it needs to be traced again."""
        loops = self._compiled.get(training)
        return loops is not None and loops.expect(n_steps, n_calls)

    def _run_compiled(
        self, training, length, params, state, inputs, seed, start, n_steps
    ):
        """Run at most `length` steps of inputs of that length, for `InferenceLoops`."""
        engine = self._engine
        items = engine.minibatch_size
        clock = Clock(seed, start, tf.zeros((1, items), engine.dtype))
        ranges = self._inputs.ranges(inputs, length)
        feeds = self._inputs.blocks(inputs, clock, items, length)
        if length == 1 or not engine.use_loop:
            n_steps = length
        return self._unfold(
            training, ranges, params, state, feeds, clock, n_steps, length
        )

    def _unfold(
        self, training, ranges, params, state, feeds, clock, n_steps, length=None
    ):
        engine = self._engine
        state, outputs = unfold(
            engine.step(training, ranges),
            self._parameters.blocks_of(params),
            state,
            feeds.varying,
            clock,
            n_steps,
            held=feeds.held,
            histories=self._histories,
            unroll=engine.unroll if length is None else 1,
            use_loop=engine.use_loop,
            length=length,
        )
        return state, tuple(map(_items_first, outputs, self._shapes))


def _items_first(rows: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Turn (n_rows, size, items) into (items, n_rows, *shape)."""
    output = tf.transpose(rows, (2, 0, 1))
    if len(shape) == 1:
        return output
    items, n_rows = tf.unstack(tf.shape(output)[:2])
    output = tf.reshape(output, (items, n_rows, *shape))
    return tf.ensure_shape(output, (rows.shape[2], rows.shape[0], *shape))


def _history(engine: Engine, probe: Probe) -> History:
    program = engine.program
    signal, kept = program.probes[probe], program.kept_of(probe)
    shared = engine.values.is_shared(signal)
    return History(signal.size, shared, engine.dtype, kept)
