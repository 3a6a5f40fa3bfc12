"""Keras' recurrent cells, which are called with a state and return the next one.

A cell does one step of a sequence. The caller keeps the state: a Keras layer for the
length of a sequence, a simulation from step to step.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from nengo.exceptions import ValidationError

Shape = tuple[int, ...]
_CONVOLUTIONS = (
    keras.layers.ConvLSTM1D,
    keras.layers.ConvLSTM2D,
    keras.layers.ConvLSTM3D,
)


class RecurrentCell:
    """A recurrent cell, with its state as a flat list of tensors.

    Parameters
    ----------
    cell : keras.Layer
        A layer with a ``state_size``, which is called with ``(x, states)``, and returns
        the output and the next states.
    shape_in : tuple of int or None
        Shape of the input without the minibatch axis.
    """

    def __init__(self, cell: Any, shape_in: Shape | None):
        self._cell = cell
        self._shape_in = shape_in
        self._structure: Any = None

    def initial_states(self, minibatch_size: int = 1) -> list[tf.Tensor]:
        """Return the first states of a sequence.

        Parameters
        ----------
        minibatch_size : int
            Number of items.

        Returns
        -------
        states : list of tensor
            Shape (minibatch_size, \\*shape of the state) each.
        """
        try:
            states = _initial(self._cell, minibatch_size)
        except Exception:
            if self._cell.built:
                raise
            # states of convolutions have the shape of images, known after building
            self._cell.build((minibatch_size, *(self._shape_in or ())))
            self._cell.built = True
            states = _initial(self._cell, minibatch_size)
        self._structure = states
        return list(map(tf.convert_to_tensor, keras.tree.flatten(states)))

    def __call__(
        self, x: Any, states: Sequence[tf.Tensor], training: bool
    ) -> tuple[Any, list[tf.Tensor]]:
        """Do one step.

        Parameters
        ----------
        x : tensor or list of tensor
            The input, of shape (minibatch_size, \\*shape_in).
        states : sequence of tensor
            The states, in the order of `initial_states`.
        training : bool
            Passed to cells that are Keras layers.

        Returns
        -------
        output : tensor
            The output of the cell.
        states : list of tensor
            The states after the step.
        """
        if self._structure is None:
            with tf.init_scope():
                self.initial_states()
        for part in self._with_masks():
            _reset_masks(part)
        nested = keras.tree.pack_sequence_as(self._structure, list(states))
        output, after = self._call(x, nested, training)
        for part in self._with_masks():
            _reset_masks(part)
        return output, keras.tree.flatten(after)

    def mask_seeds(self, seed: tf.Tensor) -> list[tuple[keras.Variable, tf.Tensor]]:
        """Return the states of the random generators of dropout masks.

        Keras draws a mask once for all steps of a sequence. Masks that are drawn from
        the same state in each step are equal, too.

        Parameters
        ----------
        seed : int32 scalar tensor
            The seed of a sequence.

        Returns
        -------
        states : list of (keras.Variable, tensor)
            Variables, and their values at the start of each step.
        """
        states = [part.seed_generator.state for part in self._with_masks()]
        seed = tf.cast(seed, tf.int64)
        return [
            (state, tf.cast(tf.stack([seed, seed * 0 + i]), state.dtype))
            for i, state in enumerate(states)
        ]

    def _call(self, x, states, training):
        if isinstance(self._cell, keras.Layer):
            return self._cell(x, states, training=training)
        return self._cell.call(x, states)

    def _with_masks(self) -> list[Any]:
        """Return the cells that drop out parts of their input or state."""
        return [part for part in _parts(self._cell) if _drops_out(part)]


def find_cell(layer: Any, shape_in: Shape | None, name: str) -> RecurrentCell | None:
    """Return the cell of a layer that does one step at a time; None for other layers.

    Parameters
    ----------
    layer : object
        A cell, or a recurrent layer. A recurrent layer does one step at a time if its
        input has no time axis.
    shape_in : tuple of int or None
        Shape of the input without the minibatch axis.
    name : str
        The owner of the layer, for messages.

    Raises
    ------
    ValidationError
        If a recurrent layer needs later steps, too.
    """
    n_axes = 0 if shape_in is None else len(shape_in)
    if isinstance(layer, keras.layers.Bidirectional):
        if n_axes == _step_axes(layer.forward_layer):
            raise _needs_sequence(name, "Bidirectional", "runs backwards, too")
    if isinstance(layer, keras.layers.RNN):
        if n_axes != _step_axes(layer):
            return None
        if layer.go_backwards:
            raise _needs_sequence(name, type(layer).__name__, "has go_backwards=True")
        if layer.return_state:
            raise ValidationError(
                f"expected return_state=False of the layer of {name}, whose output is "
                "one tensor (got True). The state stays in the node.",
                attr="tensor_func",
            )
        return RecurrentCell(layer.cell, shape_in)
    if isinstance(layer, keras.Layer) and "state_size" in dir(layer):
        if "states" in inspect.signature(layer.call).parameters:
            return RecurrentCell(layer, shape_in)
    return None


def _step_axes(layer: Any) -> int:
    """Return the number of axes of one step of a recurrent layer's input."""
    if isinstance(layer, _CONVOLUTIONS):
        return len(layer.cell.kernel_size) + 1
    return 1


def _needs_sequence(name: str, kind: str, why: str) -> ValidationError:
    return ValidationError(
        f"expected the layer of {name} to need no more than the steps so far (got "
        f"{kind}, which {why}). Pass whole sequences: shape_in=(n_steps, n_features).",
        attr="tensor_func",
    )


def _initial(cell: Any, minibatch_size: int) -> Any:
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=minibatch_size)
    sizes = cell.state_size
    sizes = [sizes] if isinstance(sizes, int) else list(sizes)
    shapes = [(size,) if isinstance(size, int) else tuple(size) for size in sizes]
    return [keras.ops.zeros((minibatch_size, *shape)) for shape in shapes]


def _parts(cell: Any) -> Iterator[Any]:
    """Yield a cell, and the cells that it is made of."""
    yield cell
    for part in getattr(cell, "cells", ()):
        yield from _parts(part)


def _drops_out(cell: Any) -> bool:
    return hasattr(cell, "reset_dropout_mask") and hasattr(cell, "seed_generator")


def _reset_masks(cell: Any) -> None:
    cell.reset_dropout_mask()
    cell.reset_recurrent_dropout_mask()
