"""The way from the inputs of a Keras layer to the blocks of an engine."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from nengo import Node
from nengo.builder import Signal
from nengo.exceptions import ValidationError

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.engine.step import Clock
from nengo_dl.graph.program import Feed
from nengo_dl.names import listing, suggestion, unused_name
from nengo_dl.ops import host

# The input that tells a layer without inputs of its own how many steps to run, unless a
# node has that name.
TIME = "time"

_OTHER_TENSORS = np.ndarray | keras.KerasTensor | keras.Variable

# A number that may not be known before the graph runs
Length: TypeAlias = int | tf.Tensor


class InputsError(ValidationError):
    """An error in the inputs of a layer.

    It can be made from a message alone, as Keras does to extend the messages of errors
    in calls.
    """

    def __init__(self, msg: str, attr: str = "inputs", obj: object = None):
        super().__init__(msg, attr=attr, obj=obj)


class LayerInputs:
    """Reads the inputs of a layer; generates missing ones.

    Parameters
    ----------
    engine : `Engine`
        The engine that gets the inputs.
    names : mapping of Node or Probe to str
        Names of all input nodes, among others.
    nodes : tuple of Node
        The nodes of inputs without a name, in order.

    Attributes
    ----------
    names : dict of Node to str
        Names of these nodes.
    calls_python : bool
        Whether every call generates values that are not constant.
    time : str
        Name of the input of size 0, which has only a number of steps.
    """

    def __init__(
        self, engine: Engine, names: Mapping[Any, str], nodes: tuple[Node, ...]
    ):
        self._engine = engine
        self.names = {node: names[node] for node in nodes}
        feeds = engine.program.feeds
        self._nodes: dict[str, Node] = {
            names[f.node]: f.node for f in feeds if f.node in names
        }
        self.time = unused_name(TIME, self._nodes)
        self._feed_runner: tuple[Any, FeedRunner] | None = None
        self.calls_python = any(
            not _is_constant(feed) for feed in feeds if feed.node not in nodes
        )

    def by_name(self, inputs: Any) -> dict[str, tf.Tensor]:
        """Return inputs of any form as a dict; check names and shapes."""
        if not isinstance(inputs, Mapping):
            names = list(self.names.values()) or [self.time]
            listed = inputs if isinstance(inputs, list | tuple) else [inputs]
            if len(listed) > len(names):
                raise InputsError(
                    f"expected at most {len(names)} inputs ({listing(names)}), got "
                    f"{len(listed)}. Pass a dict by name for other nodes."
                )
            inputs = dict(zip(names, listed, strict=False))
        for name, x in inputs.items():
            if not (keras.ops.is_tensor(x) or isinstance(x, _OTHER_TENSORS)):
                raise InputsError(
                    f"expected a tensor or an array for '{name}' (got {x!r}). Convert "
                    "it with np.asarray."
                )
        for name, x in inputs.items():
            self._check_shape(name, tuple(x.shape))
        self._check_agreement({name: tuple(x.shape[:2]) for name, x in inputs.items()})
        return dict(inputs)

    def extent(self, inputs: Mapping[str, tf.Tensor]) -> tuple[Length, Length]:
        """Return the numbers of items and steps, as ints where they are known."""
        first = next(iter(inputs.values()))
        dynamic = tf.shape(first)
        items, n_steps = first.shape[:2]
        if items is None:
            items = self._engine.minibatch_size
        return (
            dynamic[0] if items is None else items,
            dynamic[1] if n_steps is None else n_steps,
        )

    def blocks(
        self,
        inputs: Mapping[str, tf.Tensor],
        clock: Clock,
        items: Length,
        n_steps: Length,
    ) -> tuple[tf.Tensor, ...]:
        """Return a tensor of shape (n_steps, size, items) for each block.

        Parameters
        ----------
        inputs : mapping of str to tensor
            Shape (items, n_steps, size_out) each. All others are generated.
        clock : `Clock`
            The time to start from.
        items, n_steps : int or int32 scalar tensor
            The result of `extent`.
        """
        dtype, layout = self._engine.dtype, self._engine.layout
        given = {self._nodes[k]: x for k, x in inputs.items() if k in self._nodes}
        shape = tuple(n if isinstance(n, int) else None for n in (items, n_steps))
        values, missing = {}, []
        for feed in self._engine.program.feeds:
            if feed.node not in given:
                missing.append(feed)
            elif feed.signal is not None:
                x = tf.ensure_shape(given[feed.node], (*shape, feed.size))
                values[feed.signal.base] = tf.transpose(tf.cast(x, dtype), (1, 2, 0))
        values |= self._generate(missing, clock, items, n_steps)
        blocks = (sorted(layout.bases(n), key=_offset) for n in layout.of_kind("feed"))
        return tuple(
            tf.concat([values[base] for _, base in block], 1) for block in blocks
        )

    def _check_shape(self, name: str, shape: tuple[int | None, ...]) -> None:
        if name in self._nodes:
            size = self._nodes[name].size_out
        elif name in (TIME, self.time):
            size = 0
        else:
            raise InputsError(
                f"expected names of input nodes, {listing(self._nodes)} (got "
                f"{name!r}).{suggestion(name, self._nodes)}"
            )
        items = self._engine.minibatch_size
        expected = ("minibatch_size" if items is None else items, "n_steps", size)
        if len(shape) != 3 or not all(
            length in (None, wanted) or isinstance(wanted, str)
            for length, wanted in zip(shape, expected, strict=True)
        ):
            raise InputsError(
                f"expected shape ({', '.join(map(str, expected))}) for '{name}', got "
                f"{shape}. Add an axis for the time steps, x[:, None], if there is "
                "none."
            )

    def _check_agreement(self, extents: Mapping[str, tuple[int | None, ...]]) -> None:
        """Check that inputs exist, with equal numbers of items and steps."""
        if not extents:
            raise InputsError(
                f"expected at least one of {listing(self._nodes or [self.time])} (got "
                "none). It tells the number of items and of time steps."
            )
        axes = zip(*extents.values(), strict=True)
        known = [{n for n in axis if n is not None} for axis in axes]
        if any(len(lengths) > 1 for lengths in known):
            shapes = ", ".join(f"{n} x {m} for '{k}'" for k, (n, m) in extents.items())
            raise InputsError(
                f"expected the same number of items and steps for all inputs (got "
                f"{shapes}). Repeat or cut what is shorter."
            )

    def _generate(
        self, feeds: Iterable[Feed], clock: Clock, items: Length, n_steps: Length
    ) -> dict[Signal, tf.Tensor]:
        """Evaluate feeds, by signal. Python functions run on the host."""
        dtype = self._engine.dtype
        values = {
            feed.signal.base: tf.broadcast_to(
                tf.constant(np.reshape(feed.output, (1, -1, 1)), dtype),
                (n_steps, feed.size, items),
            )
            for feed in feeds
            if _is_constant(feed) and feed.signal is not None
        }
        calls = tuple(feed for feed in feeds if not _is_constant(feed))
        if not calls:
            return values

        def run(seed: Any, start: Any, items: Any, n_steps: Any) -> list[np.ndarray]:
            runner = self._runner(calls, int(seed), int(items))
            rows = runner.run(int(start), int(n_steps))
            shapes = [(n_steps, feed.size, items) for feed in calls]
            return [
                np.array(np.broadcast_to(np.moveaxis(rows[feed], 1, 2), shape))
                for feed, shape in zip(calls, shapes, strict=True)
            ]

        arguments = [clock.seed, clock.step, tf.identity(items), tf.identity(n_steps)]
        specs = [tf.TensorSpec((None, feed.size, None), dtype) for feed in calls]
        results = host.call_ahead(run, arguments, specs)
        return values | {
            feed.signal.base: result
            for feed, result in zip(calls, results, strict=True)
            if feed.signal is not None
        }

    def _runner(self, feeds: tuple[Feed, ...], seed: int, items: int) -> FeedRunner:
        """Return a runner of feeds; the last one, if it has the same arguments."""
        key = (feeds, seed, items)
        if self._feed_runner is None or self._feed_runner[0] != key:
            engine = self._engine
            streams = engine.program.streams.with_seed(int(np.uint32(seed)))
            runner = FeedRunner(feeds, engine.dt, items, streams, engine.dtype.name)
            self._feed_runner = (key, runner)
        return self._feed_runner[1]


def _is_constant(feed: Feed) -> bool:
    return isinstance(feed.output, np.ndarray)


def _offset(pair: tuple[int, Signal]) -> int:
    return pair[0]
