"""A network as compiled functions: outputs of values, and products with derivatives.

Nothing is kept between calls. The values of all weights come with each call, and what a
call has changed is handed back.
"""

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.engine.execution import Clock
from nengo_dl.engine.memory import spread
from nengo_dl.keras_model.layer import EngineLayer

Tensors = Sequence[tf.Tensor]
Wanted = tuple[bool, ...]


@dataclass(frozen=True)
class Call:
    """All that a call depends on besides the tensors that have gradients.

    Parameters
    ----------
    names : tuple of str
        Names of the inputs, in their order.
    n_steps : int
        Number of steps to run.
    training : bool
        Whether neurons and layers behave as in training.
    buffers : tuple of tensor
        Values of the weights that have no gradients.
    state : tuple of tensor or None
        The state to start from, of shape (size, minibatch_size) each; None for that
        with which the network was built.
    seed, start : int
        Seed of random numbers, and number of steps that were run before.
    """

    names: tuple[str, ...]
    n_steps: int
    training: bool
    buffers: tuple[tf.Tensor, ...]
    state: tuple[tf.Tensor, ...] | None
    seed: int
    start: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The values that are arguments of what is compiled."""
        numbers = (np.int32(self.seed), np.int32(self.start))
        return self.buffers, self.state or (), *map(tf.constant, numbers)


class Results(NamedTuple):
    """The results of a call.

    Parameters
    ----------
    outputs : list of tensor
        Shape (minibatch_size or 1, n_steps or 1, size) each.
    buffers : list of tensor
        New values of the weights that have no gradients.
    state : list of tensor
        The state after the last step; empty if the layer is not stateful.
    """

    outputs: list[tf.Tensor]
    buffers: list[tf.Tensor]
    state: list[tf.Tensor]


class CompiledNetwork:
    """Runs the network of a Keras layer, for given values of its weights.

    Parameters
    ----------
    layer : `EngineLayer`
        The layer of the network. Only its form counts.

    Attributes
    ----------
    trained, buffers : list of `keras.Variable`
        The weights that may have gradients, and all others.
    draws_in_training : bool
        Whether every call for training draws new random numbers.
    fills_up : bool
        Whether minibatches may be filled up with items that are dropped.
    """

    def __init__(self, layer: EngineLayer):
        self.layer = layer
        own = layer.parameters.variables
        known = {id(variable) for variable in own}
        others = [v for v in layer.variables if id(v) not in known]
        self._inner = [v for v in others if v.trainable]
        self.trained = [*own, *self._inner]
        self.buffers = [v for v in others if not v.trainable]
        self._n_own = len(own)
        kernels = layer.engine.kernels
        is_keyed = any(kernel.keyed for kernel in kernels)
        self.draws_in_training = is_keyed or any(k.draws_once for k in kernels)
        # random numbers depend on the number of items, and Keras layers may mix items
        has_any_size = layer.engine.minibatch_size is None
        self.fills_up = has_any_size and layer.supports_jit and not is_keyed
        self._functions: dict[Any, Callable[..., Any]] = {}
        # the weights of Keras layers are assigned in a call
        self._lock = threading.RLock()

    def run(self, call: Call, values: Tensors) -> Results:
        """Return the results of a call that needs no gradients.

        Parameters
        ----------
        call : `Call`
            What to run.
        values : sequence of tensor
            The values of the trained weights, and then the inputs.
        """
        return self._forward(call, values, self.layer.supports_jit)

    def linearize(
        self, call: Call, values: Tensors, wanted: Wanted
    ) -> tuple[Results, Callable[[Tensors, Tensors], Tensors]]:
        """Return the results of a call, and a function for its gradients.

        Parameters
        ----------
        call, values
            As for `run`.
        wanted : tuple of bool
            Which values need gradients.

        Returns
        -------
        results : `Results`
            As for `run`.
        pull : callable
            From the values and the gradients of outputs to those of the values that
            need them.
        """
        if self.layer.supports_jit:
            # XLA cannot keep what gradients need: outputs are computed again for them
            results = self._forward(call, values, True)
            return results, functools.partial(self._pull, call, wanted)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            sources = self._sources(values, wanted)
            tape.watch(sources)
            results = self._forward(call, values, False)

        def pull(_: Tensors, gradients: Tensors) -> Tensors:
            return _gradient(tape, results.outputs, sources, gradients)

        return results, pull

    def _forward(self, call: Call, values: Tensors, jit_compile: bool) -> Results:
        function = self._function(call, values, jit_compile, self._run)
        with self._lock, self.layer.engine.python_errors():
            return Results(*function(list(values), *call.arguments))

    def _pull(
        self, call: Call, wanted: Wanted, values: Tensors, gradients: Tensors
    ) -> Tensors:
        function = self._function(call, values, True, self._gradients, wanted)
        with self._lock:
            return function(list(values), *call.arguments, list(gradients))

    def _function(
        self,
        call: Call,
        values: Tensors,
        jit_compile: bool,
        function: Callable[..., Any],
        wanted: Wanted = (),
    ) -> Callable[..., Any]:
        """Return a compiled function; XLA compiles one for each shape of inputs."""
        static = {"names": call.names, "n_steps": call.n_steps}
        static |= {"training": call.training, "from_start": call.state is None}
        static |= {"wanted": wanted} if wanted else {}
        shapes = tuple(x.shape for x in values[len(self.trained) :])
        key = (function.__name__, *static.values(), jit_compile)
        key += (shapes,) if jit_compile else ()
        if key not in self._functions:
            self._functions[key] = tf.function(
                functools.partial(function, **static),
                jit_compile=jit_compile,
                autograph=False,
                reduce_retracing=not jit_compile,
            )
        return self._functions[key]

    def _run(
        self,
        values,
        buffers,
        state,
        seed,
        start,
        *,
        names,
        n_steps,
        training,
        from_start,
    ):
        layer = self.layer
        inputs = dict(zip(names, values[len(self.trained) :], strict=True))
        self._assign(values, buffers)
        items, _ = layer.reader.extent(inputs, n_steps)
        clock = Clock(seed, start, tf.zeros((1, items), layer.engine.dtype))
        if from_start:
            initial = layer.engine.values.initial().state
            state = tuple(spread(block[:, :1], clock.row) for block in initial)
        before = tuple(layer.learned.into(state))
        params = tuple(values[: self._n_own])
        after, outputs = layer.loop(
            params,
            before,
            inputs,
            clock,
            n_steps,
            layer.engine.settings.is_training(training),
        )
        if layer.stateful:
            layer.learned.update(after)
        kept = [tf.convert_to_tensor(variable) for variable in self.buffers]
        return list(outputs), kept, list(after) if layer.stateful else []

    def _gradients(
        self, values, buffers, state, seed, start, gradients, *, wanted, **how
    ):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            sources = self._sources(values, wanted)
            tape.watch(sources)
            outputs, *_ = self._run(values, buffers, state, seed, start, **how)
        return _gradient(tape, outputs, sources, gradients)

    def _assign(self, values: Tensors, buffers: Tensors) -> None:
        """Give the Keras layers of the network their weights."""
        inner = values[self._n_own : len(self.trained)]
        variables: list[keras.Variable] = [*self._inner, *self.buffers]
        for variable, value in zip(variables, [*inner, *buffers], strict=True):
            variable.assign(tf.cast(value, variable.dtype))

    def _sources(self, values: Tensors, wanted: Wanted) -> list[Any]:
        """Return what gradients are taken by: values, or variables that hold them."""
        held = [variable.value for variable in self._inner]
        own, inputs = values[: self._n_own], values[len(self.trained) :]
        sources = zip([*own, *held, *inputs], wanted, strict=True)
        return [source for source, is_wanted in sources if is_wanted]


def _gradient(tape, outputs, sources, gradients) -> Tensors:
    found = tape.gradient(
        outputs,
        sources,
        output_gradients=list(gradients),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return [tf.convert_to_tensor(gradient) for gradient in found]
