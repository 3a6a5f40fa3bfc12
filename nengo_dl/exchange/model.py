"""The Keras model that a graph becomes; it knows where its weights come from."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras.saving import register_keras_serializable

from nengo_dl.exchange import bindings as binding
from nengo_dl.exchange.bindings import Binding


@register_keras_serializable("nengo_dl")
class TranslatedModel(keras.Model):
    """A functional model that knows the weights of the source.

    Attributes
    ----------
    bindings : tuple of Binding
        Which variable holds which weight.
    fixed : mapping of str to ndarray
        Weights of the source that no variable holds: nothing can change them.
    """

    # without a constructor of its own, so that Keras takes it for a functional model
    bindings: tuple[Binding, ...] = ()
    fixed: Mapping[str, np.ndarray] = {}  # noqa: RUF012

    def bind(
        self, bindings: Sequence[Binding], fixed: Mapping[str, np.ndarray]
    ) -> None:
        """Remember bindings, and leave those that are fixed out of training."""
        self.bindings = tuple(bindings)
        self.fixed = dict(fixed)
        for found in bindings:
            variable = found.variable(self)
            variable.trainable = variable.trainable and found.trainable

    def source_weights(self) -> dict[str, np.ndarray]:
        """Return the present weights as the source has them, by their names."""
        return {**self.fixed, **binding.collect(self, self.bindings)}

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of a functional model, with the bindings."""
        return {
            **super().get_config(),
            "bindings": binding.to_config(self.bindings),
            "fixed": {name: _listed(array) for name, array in self.fixed.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the model that a configuration describes."""
        config = dict(config)
        bindings = binding.from_config(config.pop("bindings", ()))
        fixed = config.pop("fixed", {})
        model = super().from_config(config, custom_objects)
        model.bind(bindings, {name: _array(**entry) for name, entry in fixed.items()})
        return model


def _listed(array: np.ndarray) -> dict[str, Any]:
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "elements": array.ravel().tolist(),
    }


def _array(dtype: str, shape: Sequence[int], elements: Sequence) -> np.ndarray:
    return np.array(elements, dtype).reshape(shape)
