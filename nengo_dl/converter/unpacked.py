"""Keras layers that call another layer on the parts of one flat tensor.

Signals are flat, and all of one type of numbers. What a layer takes has shapes and
types of its own, e.g. whole numbers, or booleans for masks: values pass as numbers, and
are cast back for the call.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.keras_graph import LayerCall, mask_of
from nengo_dl.nodes.recurrent_cell import RecurrentCell


class Unpacked(keras.layers.Layer):
    """Call a layer on the parts of one flat tensor, and pack what it returns.

    Where the call stands for one step of a call over time, the layer gets an axis of
    time of length 1.
    """

    def __init__(self, layer: Any, call: LayerCall, **kwargs):
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.inner = layer
        self._shapes = call.input_shapes
        self._types = tuple(x.dtype for x in call.inputs)
        self._replay = call.replay
        self._by_step = call.by_step
        self.supports_jit = getattr(layer, "supports_jit", True)

    def build(self, input_shape):
        """Do nothing: the layer inside has its weights."""
        del input_shape

    def call(self, x, training=None):
        """Call the layer."""
        values = self._values(x)
        if not self._by_step:
            return _packed(self._replay(self.inner, values, training), x.dtype)
        values = [keras.ops.expand_dims(value, 1) for value in values]
        outputs = keras.tree.flatten(self._replay(self.inner, values, training))
        return _packed([keras.ops.squeeze(y, 1) for y in outputs], x.dtype)

    def _values(self, x) -> list[Any]:
        """Return what the layer gets, of its shapes and types."""
        sizes = [math.prod(shape) for shape in self._shapes]
        starts = np.cumsum([0, *sizes])
        return [
            _cast(keras.ops.reshape(x[:, a:b], (-1, *shape)), dtype)
            for a, b, shape, dtype in zip(
                starts[:-1], starts[1:], self._shapes, self._types, strict=True
            )
        ]


class UnpackedCell(Unpacked):
    """Do one step of a recurrent layer, as a cell: what is kept is passed in."""

    def __init__(self, layer: Any, call: LayerCall, **kwargs):
        super().__init__(layer, call, **kwargs)
        self._step = RecurrentCell(layer.cell, call.input_shape)
        self._repeats = call.has_mask and not layer.zero_output_for_mask
        self._output_shape = call.output_shape

    @property
    def cells(self) -> list[Any]:
        """(list) The cell of the layer."""
        return [self.inner.cell]

    @property
    def state_size(self) -> Any:
        """(object) That of the layer."""
        return self.inner.state_size

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the states of the cell; if steps are masked, also the last output."""
        states = self._step.initial_states(batch_size)
        if self._repeats:
            states.append(keras.ops.zeros((batch_size, *self._output_shape)))
        return states

    def call(self, x, states, training=None):  # type: ignore[override]
        """Do one step.

        Tensors have shape (minibatch_size, size): the input, with a mask if the layer
        gets one, and the output, with its states if it returns them.
        """
        value, mask = self._replay(_sequence_and_mask, self._values(x))
        before, last = (states[:-1], states[-1]) if self._repeats else (states, None)
        before = [keras.ops.cast(s, _dtype(s, self.inner.cell)) for s in before]
        output, after = self._step(value, before, training)
        if mask is not None:
            if last is None:
                last = keras.ops.zeros_like(output)
            output = _where(mask, output, keras.ops.cast(last, output.dtype))
            after = [
                _where(mask, new, old) for new, old in zip(after, before, strict=True)
            ]
        self._regularize(output)
        shown = [output, *after] if self.inner.return_state else [output]
        after = [*after, output] if self._repeats else after
        return _packed(shown, x.dtype), list(after)

    def _regularize(self, output) -> None:
        """Add the loss that the layer would add, as Keras does for each item."""
        regularizer = self.inner.activity_regularizer
        if regularizer is not None:
            loss = regularizer(output)
            n_items = keras.ops.cast(keras.ops.shape(output)[0], loss.dtype)
            self.add_loss(loss / n_items)


class UnpackedStateful(Unpacked):
    """Call a recurrent layer on whole sequences, each of which goes on from the last.

    The layer itself, a copy which is changed, would keep its state in variables, for a
    fixed number of items; as a cell, it is passed the state, which is then one of the
    simulation.
    """

    def __init__(self, layer: Any, call: LayerCall, **kwargs):
        super().__init__(layer, call, **kwargs)
        self._shows = len(call.outputs)
        layer.stateful, layer.return_state = False, True

    @property
    def state_size(self) -> Any:
        """(object) That of the layer."""
        return self.inner.state_size

    def get_initial_state(self, batch_size: int) -> Any:
        """Return the states of the layer before the first sequence."""
        return self.inner.get_initial_state(batch_size)

    def call(self, x, states, training=None):  # type: ignore[override]
        """Run one sequence; tensors have shape (minibatch_size, size)."""
        value, mask = self._replay(_sequence_and_mask, self._values(x))
        output, *after = self.inner(
            value, initial_state=states, mask=mask, training=training
        )
        shown = [output, *keras.tree.flatten(after)][: self._shows]
        return _packed(shown, x.dtype), after


def _sequence_and_mask(sequences, initial_state=None, mask=None, training=None):
    """Take the arguments of a recurrent layer apart."""
    del initial_state, training
    return sequences, mask_of(sequences) if mask is None else mask


def _dtype(state, cell) -> str:
    """Return the type that a cell computes with; whole numbers stay what they are."""
    is_float = keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(state.dtype)
    )
    return cell.compute_dtype if is_float else state.dtype


def _where(mask, new, old):
    """Choose by item."""
    n_more = len(new.shape) - len(mask.shape)
    mask = keras.ops.reshape(mask, (-1, *[1] * n_more))
    return keras.ops.where(mask, new, old)


def _packed(outputs: Any, dtype: Any) -> Any:
    """Return tensors as one flat tensor of numbers."""
    flat = [
        keras.ops.cast(keras.ops.reshape(y, (-1, math.prod(y.shape[1:]))), dtype)
        for y in keras.tree.flatten(outputs)
    ]
    return flat[0] if len(flat) == 1 else keras.ops.concatenate(flat, axis=1)


def _cast(value: Any, dtype: str) -> Any:
    """Return numbers as what they stand for."""
    if dtype == "bool":
        return value > 0.5
    if not keras.backend.is_float_dtype(dtype):
        value = keras.ops.round(value)
    return keras.ops.cast(value, dtype)


def random_values(call: LayerCall, outer: Sequence[int], seed: int = 0) -> list[Any]:
    """Draw values that a call could get, to find out about its layer.

    Floats, or 0 and 1 for whole numbers and booleans, with outer axes before a
    signal's.
    """
    rng = np.random.RandomState(seed)
    values = []
    for tensor, shape in zip(call.inputs, call.input_shapes, strict=True):
        shape = (*outer, *shape)
        if keras.backend.is_float_dtype(tensor.dtype):
            values.append(rng.normal(size=shape).astype(np.float32))
        else:
            values.append(rng.randint(2, size=shape).astype(tensor.dtype))
    return [keras.ops.convert_to_tensor(x) for x in values]
