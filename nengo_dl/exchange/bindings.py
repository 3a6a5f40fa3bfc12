"""Which variable of a Keras model holds which weight of the source, and in which form.

A `Binding` is data, so that a model keeps its bindings when it is saved. It leads both
ways: from the source's array to the variable, and back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True)
class ArrayForm:
    """How an array of the source becomes that of a variable.

    The rows ``start:stop`` of the first axis are taken, reshaped to ``split``, their
    axes put in the order ``axes``, and the result is reshaped to the variable's shape.
    None leaves out a step.
    """

    axes: tuple[int, ...] | None = None
    split: tuple[int, ...] | None = None
    rows: tuple[int, int] | None = None

    def to_variable(self, array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Return the array of a variable with a certain shape."""
        if self.rows is not None:
            array = array[slice(*self.rows)]
        if self.split is not None:
            array = array.reshape(self.split)
        if self.axes is not None:
            array = array.transpose(self.axes)
        return array.reshape(shape)

    def to_source(self, array: np.ndarray, into: np.ndarray) -> None:
        """Write the array of a variable into that of the source."""
        target = into if self.rows is None else into[slice(*self.rows)]
        split = target.shape if self.split is None else self.split
        if self.axes is not None:
            array = array.reshape([split[axis] for axis in self.axes])
            array = array.transpose(np.argsort(self.axes))
        target[...] = array.reshape(target.shape)


AS_IT_IS = ArrayForm()


@dataclass(frozen=True)
class Binding:
    """A weight of the source, or rows of it, in a variable of a layer."""

    weight: str
    shape: tuple[int, ...]  # of the weight in the source
    layer: str
    attribute: str
    form: ArrayForm = AS_IT_IS
    trainable: bool = True

    def variable(self, model: keras.Model) -> keras.Variable:
        """Return the variable of a model that this is about."""
        return getattr(model.get_layer(self.layer), self.attribute)


def to_config(bindings: Sequence[Binding]) -> list[dict[str, Any]]:
    """Return bindings as lists, numbers and strings."""
    return [asdict(binding) for binding in bindings]


def from_config(config: Sequence[Mapping[str, Any]]) -> tuple[Binding, ...]:
    """Return the bindings that ``to_config`` made lists of."""
    return tuple(_binding(**entry) for entry in config)


def _binding(shape, form, **fields: Any) -> Binding:
    parts = {k: None if v is None else tuple(v) for k, v in form.items()}
    return Binding(shape=tuple(shape), form=ArrayForm(**parts), **fields)


def collect(model: keras.Model, bindings: Sequence[Binding]) -> dict[str, np.ndarray]:
    """Return the weights of the source, by their names, from a model."""
    found: dict[str, np.ndarray] = {}
    for binding in bindings:
        array = keras.ops.convert_to_numpy(binding.variable(model))
        empty = np.zeros(binding.shape, array.dtype)
        binding.form.to_source(array, found.setdefault(binding.weight, empty))
    return found


def assign(
    model: keras.Model, bindings: Sequence[Binding], arrays: Mapping[str, np.ndarray]
) -> None:
    """Give the variables of a model the values of the source's weights."""
    for binding in bindings:
        variable = binding.variable(model)
        array = np.asarray(arrays[binding.weight]).reshape(binding.shape)
        variable.assign(binding.form.to_variable(array, variable.shape))
