"""Variables, or parts of them, that hold one parameter each."""

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
