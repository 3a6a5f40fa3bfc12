"""A simulation as a Keras layer, which owns the network's weights.

A call reads the weights, runs all time steps as one differentiable function, and keeps
the state for the next call if asked to.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo import Node, Probe
from nengo.builder import Signal
from nengo.exceptions import ValidationError

from nengo_dl.engine.engine import Engine, Values
from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.engine.loop import History, unfold
from nengo_dl.engine.step import Clock
from nengo_dl.engine.weights import WeightTable, stored_values
from nengo_dl.graph.kernel import size_of
from nengo_dl.graph.program import Feed
from nengo_dl.names import listing, suggestion
from nengo_dl.ops import host

# The input that tells a network without input nodes how many steps to run.
TIME = "time"


class EngineLayer(keras.layers.Layer):
    """Runs an engine on tensors of shape (minibatch_size, n_steps, size).

    Parameters
    ----------
    engine : `Engine`
        What to run.
    names : mapping of Node or Probe to str
        Names of inputs and outputs.
    inputs : tuple of Node
        The nodes that are always given. What is given of others is used, too.
    seed : int
        Seed of all random numbers, from 0 to 2**32 - 1.
    stateful : bool
        Whether there are variables that carry the state from call to call, see `keep`;
        the engine's minibatch size must be known then.
    unwrap : bool
        Whether a single output comes as a tensor instead of a dict.
    **kwargs
        See `keras.layers.Layer`.

    Attributes
    ----------
    keep : tf.Variable
        Whether calls leave the state as it is after their last step (True), or put it
        back to what it was before (False). Learned weights stay in any case.
    blocks : callable
        Returns the parameters as the engine takes them.
    """

    def __init__(
        self,
        engine: Engine,
        names: Mapping[Any, str],
        inputs: tuple[Node, ...],
        *,
        seed: int = 0,
        stateful: bool = False,
        unwrap: bool = False,
        **kwargs,
    ):
        super().__init__(dtype=engine.dtype.name, autocast=False, **kwargs)
        self.engine = engine
        self.stateful = stateful
        self._unwraps = unwrap and len(engine.program.probes) == 1
        self.input_names = {node: names[node] for node in inputs}
        self.output_names = {probe: names[probe] for probe in engine.program.probes}
        self._nodes = {
            names[feed.node]: feed.node
            for feed in engine.program.feeds
            if feed.node in names
        }
        self.keras_layers = list(engine.layers)
        self.table = WeightTable(engine.layout, engine.program.parameters, engine.dtype)
        self.parameters = [self._add_parameters(w) for w in self.table.weights]
        initial = engine.initial()
        self._initial_state = initial.state
        self._seed = tf.Variable(np.uint32(seed).astype(np.int32), trainable=False)
        self._start = tf.Variable(0, trainable=False)
        self.keep = tf.Variable(False, trainable=False)
        self._state = []
        if stateful:
            self._state = [tf.Variable(x, trainable=False) for x in initial.state]
        self._learned = self._learned_masks()
        generated = [f for f in self._generated(inputs) if callable_feed(f)]
        self.supports_jit = engine.jit_compile and not generated
        self._feed_runner = None
        self.blocks = tf.function(self._blocks, autograph=False)
        self._traced_loops = {
            training: tf.function(
                functools.partial(self._loop, training), autograph=False
            )
            for training in (False, True)
        }
        self.built = True

    def call(self, inputs, training=None):
        """Run the network.

        Parameters
        ----------
        inputs : dict of str to tensor, or list of tensor, or tensor
            By name of the node, in the order of the nodes, or for the first node; of
            shape (minibatch_size, n_steps, size_out). Nodes that are not given put out
            what they were defined with. A network without input nodes takes an input
            "time" of size 0.
        training : bool, optional
            Whether neurons and layers behave as in training.

        Returns
        -------
        outputs : dict of str to tensor, or tensor
            By name of the probe, of shape (minibatch_size, n_steps or 1, size); the
            first axis has length 1 for what all items share.
        """
        inputs = self._named(inputs)
        items, n_steps = self._extent(inputs)
        given = {
            self._nodes[name]: tf.ensure_shape(
                tf.cast(x, self.engine.dtype), (*_static(items, n_steps), x.shape[-1])
            )
            for name, x in inputs.items()
            if name in self._nodes
        }
        start = tf.convert_to_tensor(self._start)
        feeds = self._feeds(given, start, items, n_steps)
        row = tf.zeros((1, items), self.engine.dtype)
        clock = Clock(tf.convert_to_tensor(self._seed), start, row)
        params = tuple(tf.convert_to_tensor(weight) for weight in self.parameters)
        before = self._state_before(items)
        run = self._choose_loop(self._is_training(training))
        after, outputs = run(params, before, feeds, clock, n_steps)
        self._keep_state(before, after, n_steps)
        return self._wrapped([tf.transpose(rows, (2, 0, 1)) for rows in outputs])

    def compute_output_spec(self, inputs, training=None):
        """Describe the outputs without running anything."""
        del training
        items, n_steps = next(iter(self._named(inputs).values())).shape[:2]
        shapes = [
            (
                1 if self._is_shared(probe) else items,
                1 if probe in self.engine.last_only else n_steps,
                signal.size,
            )
            for probe, signal in self.engine.program.probes.items()
        ]
        return self._wrapped(
            [keras.KerasTensor(shape, self.engine.dtype.name) for shape in shapes]
        )

    def named_variables(self) -> dict[str, "Part"]:
        """Return all parameters, and all weights of layers, by name.

        Names depend on the network alone, not on the names that Keras gives to layers.

        Returns
        -------
        parts : dict of str to `Part`
            In the order of ``weights``, trainable ones first.
        """
        found: dict[int, dict[str, Part]] = {}
        for variable, weight in zip(self.parameters, self.table.weights, strict=True):
            found[id(variable)] = {
                parameter.name: Part(variable, self.table.place(weight, parameter))
                for parameter in weight.parameters
            }
        for i, layer in enumerate(self.keras_layers):
            for k, variable in enumerate(layer.weights):
                name = f"{type(layer).__name__.lower()}_{i}/{k}/{variable.name}"
                found.setdefault(id(variable), {name: Part(variable)})
        return {
            name: part
            for variable in self.weights
            for name, part in found[id(variable)].items()
        }

    def _wrapped(self, outputs: list):
        if self._unwraps:
            return outputs[0]
        return dict(zip(self.output_names.values(), outputs, strict=True))

    def _named(self, inputs) -> dict[str, tf.Tensor]:
        """Bring all forms of inputs into that of a dict; check names and shapes."""
        names = list(self.input_names.values()) or [TIME]
        if not isinstance(inputs, Mapping):
            listed = inputs if isinstance(inputs, list | tuple) else [inputs]
            if len(listed) > len(names):
                raise ValidationError(
                    f"expected at most {len(names)} inputs ({listing(names)}), got "
                    f"{len(listed)}. Pass a dict by name for other nodes.",
                    attr="inputs",
                    obj=self,
                )
            inputs = dict(zip(names, listed, strict=False))
        sizes = {name: node.size_out for name, node in self._nodes.items()} | {TIME: 0}
        for name, x in inputs.items():
            if name not in sizes:
                raise ValidationError(
                    f"expected names of input nodes, {listing(self._nodes)} (got "
                    f"{name!r}).{suggestion(name, self._nodes)}",
                    attr="inputs",
                    obj=self,
                )
            self._check_shape(name, tuple(x.shape), sizes[name])
        return dict(inputs)

    def _check_shape(self, name: str, shape: tuple, size: int) -> None:
        items = self.engine.minibatch_size
        expected = ("minibatch_size" if items is None else items, "n_steps", size)
        if len(shape) != 3 or not all(
            length in (None, wanted) or isinstance(wanted, str)
            for length, wanted in zip(shape, expected, strict=True)
        ):
            raise ValidationError(
                f"expected shape ({', '.join(map(str, expected))}) for '{name}', got "
                f"{shape}. Add an axis for the time steps, x[:, None], if there is "
                "none.",
                attr="inputs",
                obj=self,
            )

    def _extent(self, inputs):
        """Return the numbers of items and steps, as ints where they are known."""
        first = next(iter(inputs.values()))
        dynamic = tf.shape(first)
        items, n_steps = first.shape[:2]
        if items is None:
            items = self.engine.minibatch_size
        return (
            dynamic[0] if items is None else items,
            dynamic[1] if n_steps is None else n_steps,
        )

    def _blocks(self) -> tuple[tf.Tensor, ...]:
        return self.table.blocks([tf.convert_to_tensor(w) for w in self.parameters])

    def load(self, values: Values) -> None:
        """Take over the state of a simulation, but not its parameters."""
        for variable, block in zip(self._state, values.state, strict=True):
            variable.assign(block)
        self._start.assign(values.n_steps)

    def values(self) -> Values:
        """Return parameters and state, for the engine to go on from there."""
        state = tuple(tf.identity(variable) for variable in self._state)
        return Values(self.blocks(), state, int(self._start))

    def reseed(self, seed: int) -> None:
        """Change the seed of all random numbers."""
        self._seed.assign(np.uint32(seed).astype(np.int32))

    def reset_parameters(self) -> None:
        """Put the parameters of the network back to what it was built with."""
        for variable, weight in zip(self.parameters, self.table.weights, strict=True):
            variable.assign(_initial_value(weight))

    def _add_parameters(self, weight):
        return self.add_weight(
            name=weight.name,
            shape=weight.shape,
            dtype=self.engine.dtype.name,
            initializer=lambda shape, dtype: tf.constant(_initial_value(weight), dtype),
            trainable=weight.trainable,
        )

    def _is_shared(self, probe: Probe) -> bool:
        return self.engine.is_shared(self.engine.program.probes[probe])

    def _is_training(self, training: bool | None) -> bool:
        settings = self.engine.settings
        if settings.learning_phase is not None:
            return settings.learning_phase
        return bool(training) and not settings.inference_only

    def _choose_loop(self, training: bool):
        """Return the loop over time, traced by itself where nothing else does it.

        Not within a function that is being traced: XLA would take all arguments of an
        inner function on which a shape depends for constants, and compile the outer one
        again whenever a weight changes.
        """
        if tf.executing_eagerly():
            return self._traced_loops[training]
        return functools.partial(self._loop, training)

    def _loop(self, training, params, state, feeds, clock, n_steps):
        """Run all steps; what is compiled with XLA."""
        engine = self.engine
        histories = tuple(
            History(
                signal.size,
                engine.is_shared(signal),
                engine.dtype,
                probe in engine.last_only,
            )
            for probe, signal in engine.program.probes.items()
        )
        return unfold(
            engine.step(training),
            self.table.blocks(params),
            state,
            feeds,
            clock,
            n_steps,
            histories=histories,
            unroll=engine.unroll,
            use_loop=engine.use_loop,
        )

    def _state_before(self, items):
        if self._state:
            return tuple(tf.convert_to_tensor(variable) for variable in self._state)
        return tuple(
            tf.broadcast_to(block[:, :1], (block.shape[0], items))
            for block in self._initial_state
        )

    def _keep_state(self, before, after, n_steps):
        if not self.stateful:
            return
        keep = tf.convert_to_tensor(self.keep)
        for variable, old, new, learned in zip(
            self._state, before, after, self._learned, strict=True
        ):
            variable.assign(tf.where(keep | learned, new, old))
        self._start.assign_add(tf.where(keep, n_steps, 0))

    def _learned_masks(self) -> tuple[np.ndarray, ...]:
        """Mark, in each block of state, what learning rules change."""
        layout = self.engine.layout
        masks = []
        learned = {parameter.signal for parameter in self.engine.program.parameters}
        for number in layout.of_kind("state"):
            mask = np.zeros((layout.blocks[number].size, 1), dtype=bool)
            for offset, base in layout.bases(number):
                mask[offset : offset + size_of(base)] = base in learned
            masks.append(mask)
        return tuple(masks)

    def _generated(self, given) -> list[Feed]:
        """List the feeds that are not given."""
        return [f for f in self.engine.program.feeds if f.node not in given]

    def _feeds(self, given, start, items, n_steps):
        """Put what is given and what is generated into one tensor per block."""
        values: dict[Signal, tf.Tensor] = {}
        for feed in self.engine.program.feeds:
            if feed.signal is not None and feed.node in given:
                values[feed.signal.base] = tf.transpose(given[feed.node], (1, 2, 0))
        generated = self._generated(given)
        values |= self._generate(generated, start, items, n_steps)
        layout = self.engine.layout
        return tuple(
            tf.concat(
                [values[base] for _, base in sorted(layout.bases(n), key=_first)], 1
            )
            for n in layout.of_kind("feed")
        )

    def _generate(self, feeds, start, items, n_steps):
        """Evaluate what depends on time alone, on the host where it is Python."""
        dtype = self.engine.dtype
        values = {
            feed.signal.base: tf.broadcast_to(
                tf.constant(np.reshape(feed.output, (1, -1, 1)), dtype),
                (n_steps, feed.size, items),
            )
            for feed in feeds
            if not callable_feed(feed)
        }
        calls = tuple(feed for feed in feeds if callable_feed(feed))
        if not calls:
            return values

        def run(start, items, n_steps):
            if self._feed_runner is None or self._feed_runner[0] != (calls, items):
                runner = FeedRunner(
                    calls,
                    self.engine.dt,
                    int(items),
                    int(np.uint32(self._seed.numpy())),
                    dtype.name,
                )
                self._feed_runner = ((calls, items), runner)
            arrays = self._feed_runner[1].run(int(start), int(n_steps))
            return [
                np.ascontiguousarray(
                    np.broadcast_to(
                        arrays[feed].transpose(0, 2, 1), (n_steps, feed.size, items)
                    )
                )
                for feed in calls
            ]

        specs = [tf.TensorSpec((None, feed.size, None), dtype) for feed in calls]
        arguments = [start, tf.identity(items), tf.identity(n_steps)]
        results = host.call_ahead(run, arguments, specs)
        return values | {
            feed.signal.base: result
            for feed, result in zip(calls, results, strict=True)
            if feed.signal is not None
        }


@dataclass(frozen=True, eq=False)
class Part:
    """A variable, or one element of its first axis.

    Parameters
    ----------
    variable : `keras.Variable`
        The variable.
    index : int or None
        Position on the first axis.
    """

    variable: keras.Variable
    index: int | None = None

    def numpy(self) -> np.ndarray:
        """Return the value."""
        value = keras.ops.convert_to_numpy(self.variable)
        return value if self.index is None else value[self.index]

    def assign(self, value: np.ndarray) -> None:
        """Replace the value."""
        if self.index is not None:
            whole = keras.ops.convert_to_numpy(self.variable).copy()
            whole[self.index] = value
            value = whole
        self.variable.assign(value)


def callable_feed(feed: Feed) -> bool:
    """Tell whether a feed is a function or process rather than a constant."""
    return not isinstance(feed.output, np.ndarray)


def _static(*sizes) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in sizes)


def _first(pair):
    return pair[0]


def _initial_value(weight) -> np.ndarray:
    values = [stored_values(parameter.signal) for parameter in weight.parameters]
    return np.concatenate(values).reshape(weight.shape)
