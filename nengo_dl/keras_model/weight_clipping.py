"""Weights that training clips after each update."""

import keras


class WeightClipping(keras.constraints.Constraint):
    """Clips weights at a multiple of their root mean square.

    Optimizers call it after each update.

    Parameters
    ----------
    bound : float
        The multiple.
    axes : tuple of int
        The axes along which weights share a bound.
    """

    def __init__(self, bound: float, axes: tuple[int, ...]):
        self.bound, self.axes = bound, axes

    def __call__(self, w: keras.KerasTensor) -> keras.KerasTensor:
        """Return weights within their bounds, of the same shape."""
        squares = keras.ops.mean(keras.ops.square(w), axis=self.axes, keepdims=True)
        largest = self.bound * keras.ops.sqrt(squares)
        return keras.ops.clip(w, -largest, largest)

    def get_config(self) -> dict:
        """Return the arguments that make it."""
        return {"bound": self.bound, "axes": self.axes}
