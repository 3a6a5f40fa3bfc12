"""The way from the inputs of a Keras layer to the blocks of an engine."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from nengo import Node
from nengo.builder import Signal
from nengo.exceptions import ValidationError

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.execution import Clock, Tensors
from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.engine.step import FeedRanges
from nengo_dl.graph.kernel import size_of
from nengo_dl.graph.layout import BlockPart, Layout
from nengo_dl.graph.program import Feed
from nengo_dl.keras_model.steps_to_run import Length
from nengo_dl.names import listing, suggestion, unused_name
from nengo_dl.ops import host

# The input that tells a layer without inputs of its own how many steps to run, unless a
# node has that name.
TIME = "time"

_OTHER_TENSORS = np.ndarray | keras.KerasTensor | keras.Variable


class InputsError(ValidationError):
    """An error in the inputs of a layer.

    It can be made from a message alone, as Keras does to extend the messages of errors
    in calls.
    """

    def __init__(self, msg: str, attr: str = "inputs", obj: object = None):
        super().__init__(msg, attr=attr, obj=obj)


class Feeds(NamedTuple):
    """The values of all inputs, for an engine.

    Parameters
    ----------
    varying : tuple of tensor
        Shape (n_steps, size, items) each.
    held : tuple of tensor
        Values that are the same in all steps, of shape (size, items or 1) each.
    """

    varying: Tensors
    held: Tensors


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
    nodes : dict of str to Node
        All input nodes by name.
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
        self.nodes: dict[str, Node] = {
            names[f.node]: f.node for f in feeds if f.node in names
        }
        self.time = unused_name(TIME, self.nodes)
        self._feed_runner: tuple[Any, FeedRunner] | None = None
        self._ranges: dict[frozenset[Signal], FeedRanges] = {}
        self._feeds = {f.signal.base: f for f in feeds if f.signal is not None}
        self.calls_python = any(
            not _is_constant(feed) for feed in feeds if feed.node not in nodes
        )

    def by_name(
        self, inputs: Any, n_steps: Length | None = None
    ) -> dict[str, tf.Tensor]:
        """Return inputs of any form as a dict; check names and shapes.

        If the number of steps is given, inputs may also have one step.
        """
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
        extents = {name: tuple(x.shape[:2]) for name, x in inputs.items()}
        self._check_agreement(extents, n_steps)
        return dict(inputs)

    def repeated(
        self, inputs: Mapping[str, tf.Tensor], n_steps: Length | None
    ) -> dict[str, tf.Tensor]:
        """Return inputs with all steps where it is not known whether they have one.

        What is traced for any number of steps would take an input that is held for one
        that varies. No input is held if there is no number of steps.
        """
        return {
            name: x
            if n_steps is None or x.shape[1] is not None
            else tf.broadcast_to(x, (tf.shape(x)[0], n_steps, x.shape[2]))
            for name, x in inputs.items()
        }

    def extent(
        self, inputs: Mapping[str, tf.Tensor], n_steps: Length | None = None
    ) -> tuple[Length, Length]:
        """Return the numbers of items and steps, as ints where they are known.

        The number of steps is that of the inputs, unless it is given.
        """
        first = next(iter(inputs.values()))
        items, length = first.shape[:2]
        if items is None:
            items = self._engine.minibatch_size
        if items is None:
            items = tf.shape(first)[0]
        if n_steps is None:
            n_steps = tf.shape(first)[1] if length is None else length
        return items, n_steps

    def ranges(self, inputs: Mapping[str, tf.Tensor], n_steps: Length) -> FeedRanges:
        """Return which inputs have the same values in all steps.

        These are constants, and inputs with a single step, if there are more to run.
        Where a number of steps is not known, it counts as more than one.
        """
        held: frozenset[Signal] = frozenset()
        if not isinstance(n_steps, int) or n_steps > 1:
            lengths = {self.nodes[k]: x.shape[1] for k, x in self._given(inputs)}
            held = frozenset(
                base
                for base, feed in self._feeds.items()
                if lengths.get(feed.node, 1 if _is_constant(feed) else None) == 1
            )
        if held not in self._ranges:
            self._ranges[held] = _ranges(self._engine.layout, held)
        return self._ranges[held]

    def blocks(
        self,
        inputs: Mapping[str, tf.Tensor],
        clock: Clock,
        items: Length,
        n_steps: Length,
    ) -> Feeds:
        """Return a tensor for each of the `ranges`.

        Parameters
        ----------
        inputs : mapping of str to tensor
            Shape (items, n_steps or 1, size_out) each. All others are generated.
        clock : `Clock`
            The time to start from.
        items, n_steps : int or int32 scalar tensor
            The result of `extent`.
        """
        dtype, ranges = self._engine.dtype, self.ranges(inputs, n_steps)
        given = {self.nodes[k]: x for k, x in self._given(inputs)}
        n_items = items if isinstance(items, int) else None
        values, missing = {}, []
        for feed in self._engine.program.feeds:
            if feed.node not in given:
                missing.append(feed)
            elif feed.signal is not None:
                x = given[feed.node]
                length = n_steps if isinstance(n_steps, int) else None
                length = 1 if x.shape[1] == 1 else length
                x = tf.ensure_shape(x, (n_items, length, feed.size))
                values[feed.signal.base] = tf.transpose(tf.cast(x, dtype), (1, 2, 0))
        values |= self._generate(missing, clock, items, n_steps)

        def read(part: BlockPart) -> tf.Tensor:
            bases = _bases(self._engine.layout, part)
            return tf.concat([values[base] for base in bases], 1)

        return Feeds(
            tuple(map(read, ranges.varying)),
            tuple(read(part)[0] for part in ranges.held),
        )

    def _given(self, inputs: Mapping[str, tf.Tensor]) -> list[tuple[str, tf.Tensor]]:
        """Return the inputs that are data of nodes."""
        return [(name, x) for name, x in inputs.items() if name in self.nodes]

    def _check_shape(self, name: str, shape: tuple[int | None, ...]) -> None:
        if name in self.nodes:
            size = self.nodes[name].size_out
        elif name in (TIME, self.time):
            size = 0
        else:
            raise InputsError(
                f"expected names of input nodes, {listing(self.nodes)} (got "
                f"{name!r}).{suggestion(name, self.nodes)}"
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

    def _check_agreement(
        self, extents: Mapping[str, tuple[int | None, ...]], n_steps: Length | None
    ) -> None:
        """Check that inputs exist, with equal numbers of items and steps."""
        if not extents:
            raise InputsError(
                f"expected at least one of {listing(self.nodes or [self.time])} (got "
                "none). It tells the number of items and of time steps."
            )
        axes = zip(*extents.values(), strict=True)
        n_items, lengths = ({n for n in axis if n is not None} for axis in axes)
        if n_steps is not None:
            lengths -= {1}
            if isinstance(n_steps, int) and lengths - {n_steps}:
                raise InputsError(
                    f"expected n_steps={n_steps} steps for all inputs, or 1 for those "
                    f"that stay the same (got {listing(sorted(lengths))}). Repeat or "
                    "cut what has other lengths."
                )
        if len(n_items) > 1 or len(lengths) > 1:
            shapes = ", ".join(f"{n} x {m} for '{k}'" for k, (n, m) in extents.items())
            raise InputsError(
                f"expected the same number of items and steps for all inputs (got "
                f"{shapes}). Repeat or cut what is shorter, or pass n_steps to hold "
                "what has one step."
            )

    def _generate(
        self, feeds: Iterable[Feed], clock: Clock, items: Length, n_steps: Length
    ) -> dict[Signal, tf.Tensor]:
        """Evaluate feeds, by signal. Python functions run on the host.

        Constants have a single step.
        """
        dtype = self._engine.dtype
        values = {
            feed.signal.base: tf.broadcast_to(
                tf.constant(np.reshape(feed.output, (1, -1, 1)), dtype),
                (1, feed.size, items),
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


def _ranges(layout: Layout, held: frozenset[Signal]) -> FeedRanges:
    """Cut the blocks of feeds where what is held begins or ends."""
    found: dict[bool, list[BlockPart]] = {True: [], False: []}
    for number in layout.of_kind("feed"):
        bases = sorted(layout.bases(number), key=_offset)
        for is_held, run in itertools.groupby(bases, lambda pair: pair[1] in held):
            members = list(run)
            last, base = members[-1]
            part = BlockPart(number, members[0][0], last + size_of(base))
            found[is_held].append(part)
    return FeedRanges(tuple(found[False]), tuple(found[True]))


def _bases(layout: Layout, part: BlockPart) -> list[Signal]:
    """Return the signals in a range of a block, in order."""
    bases = sorted(layout.bases(part.block), key=_offset)
    return [base for offset, base in bases if part.start <= offset < part.stop]
