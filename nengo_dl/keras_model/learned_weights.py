"""The parameters that learning rules change, as weights of a Keras layer.

In the engine, they are state, with a value for each minibatch item. For users and for
Keras, they are parameters. Between two calls, their values are in the weights, so that
files and callbacks of Keras include them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.values import stored_values
from nengo_dl.graph.kernel import size_of
from nengo_dl.graph.parameters import Parameter
from nengo_dl.keras_model.weights import stored_shape

Blocks = Sequence[tf.Tensor]


@dataclass(frozen=True, eq=False)
class Learned:
    """One parameter that a learning rule changes.

    Parameters
    ----------
    parameter : `Parameter`
        The parameter.
    variable : `keras.Variable`
        Its values, of shape (n_items, \\*shape of the parameter).
    block, start, stop : int
        Its place: the position of its block among the blocks of state, and its
        elements.
    """

    parameter: Parameter
    variable: keras.Variable
    block: int
    start: int
    stop: int


class LearnedWeights:
    """The parameters that learning rules change, as weights.

    Parameters
    ----------
    engine : `Engine`
        The engine with the parameters. Weights have one value for each of its minibatch
        items, or one for all items if their number varies.
    add_weight : callable
        ``keras.layers.Layer.add_weight`` of the layer that owns them.

    Attributes
    ----------
    n_items : int
        The length of the first axis of each weight.
    variables : list of `keras.Variable`
        The weights.
    unsaved : tuple of str
        Names of parameters whose learned values do not fit into the weights, because
        the items have different values and the weights have one for all items.
    """

    def __init__(self, engine: Engine, add_weight: Callable[..., keras.Variable]):
        self.n_items = engine.minibatch_size or 1
        self.unsaved: tuple[str, ...] = ()
        layout = engine.layout
        numbers = layout.of_kind("state")
        self._learned = []
        for parameter in engine.values.learned:
            block, start = layout.places[parameter.signal]
            stop = start + size_of(parameter.signal)
            variable = self._add(add_weight, parameter, engine.dtype.name)
            self._learned.append(
                Learned(parameter, variable, numbers.index(block), start, stop)
            )

    @property
    def variables(self) -> list[keras.Variable]:
        """The weights, in the order of the parameters."""
        return [item.variable for item in self._learned]

    def into(self, blocks: Blocks) -> Blocks:
        """Return blocks of state with the values of the weights in their places.

        Parameters
        ----------
        blocks : tuple of tensor
            One of shape (size, minibatch_size) per block of state.
        """
        return tuple(
            self._filled(block, self._within(number))
            for number, block in enumerate(blocks)
        )

    def update(self, blocks: Blocks) -> None:
        """Take the values from blocks of state with the weights' number of items."""
        for item in self._learned:
            rows = tf.transpose(blocks[item.block][item.start : item.stop])
            item.variable.assign(tf.reshape(rows, item.variable.shape))

    def load(self, blocks: Blocks) -> None:
        """Take the values from blocks with any number of items, as far as they fit."""
        values = {
            item: np.asarray(blocks[item.block])[item.start : item.stop].T
            for item in self._learned
        }
        fitting = {item: self._fitting(rows) for item, rows in values.items()}
        for item, rows in fitting.items():
            if rows is not None:
                item.variable.assign(np.reshape(rows, item.variable.shape))
        self.unsaved = tuple(
            item.parameter.name for item, rows in fitting.items() if rows is None
        )

    def copy_from(self, other: "LearnedWeights") -> None:
        """Take the values of other weights, of an equal network and minibatch size."""
        for mine, theirs in zip(self.variables, other.variables, strict=True):
            mine.assign(theirs)

    def adapted(
        self, stored: Mapping[str, np.ndarray], keys: Iterable[str]
    ) -> dict[str, np.ndarray]:
        """Return stored values in the shape of the weights.

        Parameters
        ----------
        stored : mapping of str to ndarray
            Values by key, with any number of items.
        keys : iterable of str
            The keys of the weights, in their order.

        Raises
        ------
        ValidationError
            If items differ, and the number of items does, too.
        """
        found = {}
        for key, item in zip(keys, self._learned, strict=True):
            rows = np.asarray(stored[key])
            if rows.shape[1:] != tuple(item.variable.shape[1:]):
                continue  # another network: for Keras to say
            fitting = self._fitting(rows)
            if fitting is None:
                raise ValidationError(
                    f"expected '{item.parameter.name}', which a learning rule changes, "
                    f"to be the same for all items, or of {self.n_items} (got "
                    f"{len(rows)} that differ). Load them with minibatch_size="
                    f"{len(rows)}.",
                    attr="load_weights",
                )
            found[key] = fitting
        return found

    def _add(self, add_weight, parameter: Parameter, dtype: str) -> keras.Variable:
        shape = (self.n_items, *stored_shape(parameter.signal))
        value = np.reshape(stored_values(parameter.signal), (1, *shape[1:]))
        return add_weight(
            name=parameter.name,
            shape=shape,
            dtype=dtype,
            initializer=lambda shape, dtype: tf.cast(
                tf.broadcast_to(value, shape), dtype
            ),
            trainable=False,
        )

    def _within(self, number: int) -> list[Learned]:
        """List the parameters in a block, by position."""
        found = [item for item in self._learned if item.block == number]
        return sorted(found, key=lambda item: item.start)

    def _filled(self, block: tf.Tensor, items: list[Learned]) -> tf.Tensor:
        if not items:
            return block
        pieces, position = [], 0
        for item in items:
            flat = tf.reshape(tf.convert_to_tensor(item.variable), (self.n_items, -1))
            rows = tf.cast(tf.transpose(flat), block.dtype)
            # a row of zeros spreads what all items share
            rows += tf.zeros_like(block[:1])
            pieces += [block[position : item.start], rows]
            position = item.stop
        return tf.concat([*pieces, block[position:]], axis=0)

    def _fitting(self, rows: np.ndarray) -> np.ndarray | None:
        """Return values with the weights' number of items; None if they do not fit."""
        if len(rows) == self.n_items:
            return rows
        if len(rows) == 0 or np.any(rows != rows[:1]):
            return None
        return np.broadcast_to(rows[:1], (self.n_items, *rows.shape[1:]))
