"""Variables, or parts of them, that hold one parameter each."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True, eq=False)
class VariableSlice:
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
        value = np.asarray(self.variable)
        return value if self.index is None else value[self.index]

    def assign(self, value: np.ndarray) -> None:
        """Replace the value."""
        if self.index is not None:
            whole = np.asarray(self.variable).copy()
            whole[self.index] = value
            value = whole
        self.variable.assign(value)


def layer_weights(layers: Iterable[keras.Layer]) -> dict[str, VariableSlice]:
    """Name the weights of the layers that a network calls.

    The names depend only on the network, not on Keras' names of layers.
    """
    found: dict[int, tuple[str, keras.Variable]] = {}
    for i, layer in enumerate(layers):
        for k, variable in enumerate(layer.weights):
            name = f"{type(layer).__name__.lower()}_{i}/{k}/{variable.name}"
            found.setdefault(id(variable), (name, variable))
    return {name: VariableSlice(variable) for name, variable in found.values()}
