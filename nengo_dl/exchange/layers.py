"""Layers that Keras does not have."""

from typing import Any

import keras

PACKAGE = "nengo_dl"


@keras.saving.register_keras_serializable(PACKAGE)
class Parameter(keras.layers.Layer):
    """A weight as a tensor, whatever the input is.

    Parameters
    ----------
    shape : tuple of int
        Of the weight; the output has one more axis, of length 1, in front.
    **kwargs
        Arguments of all layers.
    """

    def __init__(self, shape: tuple[int, ...], **kwargs: Any):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape=None):
        """Make the weight."""
        del input_shape
        self.value = self.add_weight(
            shape=self.shape, initializer="zeros", name="value"
        )

    def call(self, inputs):
        """Return the weight."""
        del inputs
        return keras.ops.expand_dims(keras.ops.convert_to_tensor(self.value), 0)

    def compute_output_shape(self, input_shape):
        """Return the shape of the output."""
        del input_shape
        return (1, *self.shape)

    def get_config(self):
        """Return what the layer can be made of."""
        return {**super().get_config(), "shape": self.shape}
