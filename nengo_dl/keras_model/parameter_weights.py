"""The parameters that no learning rule changes, as weights of a Keras layer."""

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from nengo.builder import Signal

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.values import Values, elements_of, stored_values
from nengo_dl.graph.kernel import view
from nengo_dl.keras_model.hardware_marks import mark
from nengo_dl.keras_model.variable_slice import VariableSlice
from nengo_dl.keras_model.weight_clipping import WeightClipping
from nengo_dl.keras_model.weights import Weight, WeightTable


class ParameterWeights:
    """The parameters of an engine, one by one or stacked.

    Parameters
    ----------
    engine : `Engine`
        The engine with the parameters.
    add_weight : callable
        ``keras.layers.Layer.add_weight`` of the layer that owns them.

    Attributes
    ----------
    variables : list of `keras.Variable`
        The weights, trainable ones first.
    blocks : callable
        Returns the parameters in the engine's form, a tuple of tensor.
    """

    def __init__(self, engine: Engine, add_weight: Callable[..., keras.Variable]):
        self._values = engine.values
        self._table = WeightTable(engine.layout, engine.values.constant, engine.dtype)
        self.variables = [
            add_weight(
                name=weight.name,
                shape=weight.shape,
                dtype=engine.dtype.name,
                initializer=functools.partial(_initializer, weight),
                trainable=weight.trainable,
                constraint=weight.clipping and WeightClipping(*weight.clipping),
            )
            for weight in self._table.weights
        ]
        for variable, weight in self._pairs():
            mark(variable, weight.names_on_hardware)
        # partial, for what TensorFlow counts traces of: see Engine
        self.blocks = tf.function(functools.partial(self._blocks), autograph=False)

    def blocks_of(self, values: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Return the result of `blocks` for other values of the weights."""
        return self._table.blocks(values)

    def slices(self) -> dict[str, VariableSlice]:
        """Return the slice of each parameter, by name."""
        return {
            parameter.name: VariableSlice(variable, weight.position(parameter))
            for variable, weight in self._pairs()
            for parameter in weight.parameters
        }

    def value(self, signal: Signal) -> np.ndarray | None:
        """Return the value of a parameter, of shape (1, \\*shape of the signal).

        None if the signal is not in a weight.
        """
        holder = self._table.holder(view(signal).base)
        if holder is None:
            return None
        number, row = holder
        value = VariableSlice(self.variables[number], row).numpy()
        return elements_of(signal, np.reshape(value, (1, -1)))

    def load(self, values: Values) -> None:
        """Take the parameters of a simulation."""
        for variable, weight in self._pairs():
            signals = [parameter.signal for parameter in weight.parameters]
            found = [np.asarray(self._values.get(values, s)) for s in signals]
            variable.assign(np.concatenate(found).reshape(weight.shape))

    def reset(self) -> None:
        """Put all parameters back to the values that the network was built with."""
        for variable, weight in self._pairs():
            variable.assign(_initial_value(weight))

    def _pairs(self) -> list[tuple[keras.Variable, Weight]]:
        return list(zip(self.variables, self._table.weights, strict=True))

    def _blocks(self) -> tuple[tf.Tensor, ...]:
        return self._table.blocks([tf.convert_to_tensor(w) for w in self.variables])


def _initial_value(weight: Weight) -> np.ndarray:
    values = [stored_values(parameter.signal) for parameter in weight.parameters]
    return np.concatenate(values).reshape(weight.shape)


def _initializer(weight: Weight, shape: tuple[int, ...], dtype: str) -> tf.Tensor:
    del shape
    return tf.constant(_initial_value(weight), dtype)
