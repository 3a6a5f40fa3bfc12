"""Layers between a network and its data: flat signals over time, and arrays."""

from collections.abc import Sequence
from typing import Any

import keras
from keras.saving import register_keras_serializable

from nengo_dl.over_time import reduce_steps, relative, weights_of_steps


@register_keras_serializable(package="nengo_dl")
class ToSignal(keras.layers.Layer):
    """Flatten arrays to signals of shape (items, n_steps, size).

    Parameters
    ----------
    has_time : bool
        Whether the axis after that of the items is time. Otherwise, there is one step.
    **kwargs
        See `keras.layers.Layer`.
    """

    def __init__(self, has_time: bool, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.has_time = has_time
        self.supports_masking = has_time

    def call(self, inputs: Any) -> Any:
        """Return signals in the layer's precision."""
        items, *shape = keras.ops.shape(inputs)
        n_steps = shape.pop(0) if self.has_time else 1
        size = 1
        for n in shape:
            size *= n
        x = keras.ops.reshape(inputs, (items, n_steps, size))
        return keras.ops.cast(x, self.compute_dtype)

    def get_config(self):
        """Return the arguments to make the same layer with."""
        return {**super().get_config(), "has_time": self.has_time}


@register_keras_serializable(package="nengo_dl")
class WithMask(keras.layers.Layer):
    """Attach a mask to signals, which says what steps of each item count.

    Parameters
    ----------
    **kwargs
        See `keras.layers.Layer`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return the signals, of inputs that are these and the mask."""
        return inputs[0]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask."""
        del previous_mask
        return inputs[1]


@register_keras_serializable(package="nengo_dl")
class FromSignal(keras.layers.Layer):
    """Reduce signals of shape (items, n_steps, size) over time, and shape them.

    Parameters
    ----------
    shape : sequence of int
        Shape of the output, without the axes of items and time.
    reduce : str or None
        How steps are reduced: "mean", "sum", "last", "max", or None to keep all.
    **kwargs
        See `keras.layers.Layer`.
    """

    def __init__(self, shape: Sequence[int], reduce: str | None, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.shape, self.reduce = tuple(shape), reduce
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return what is left of the signals. Steps of which a mask says so count."""
        items, n_steps, _ = keras.ops.shape(inputs)
        if self.reduce is None:
            return keras.ops.reshape(inputs, (items, n_steps, *self.shape))
        weights = relative(weights_of_steps(inputs, None, self.compute_dtype))
        outputs = reduce_steps(inputs, weights, self.reduce, 1.0)
        return keras.ops.reshape(outputs, (items, *self.shape))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of steps, if there are still steps."""
        del inputs
        return previous_mask if self.reduce is None else None

    def get_config(self):
        """Return the arguments to make the same layer with."""
        own = {"shape": self.shape, "reduce": self.reduce}
        return {**super().get_config(), **own}
