"""The Keras model that a graph becomes; it knows where its weights come from."""

from collections.abc import Sequence
from typing import Any

import keras

from nengo_dl.exchange.bindings import Binding, from_config, to_config


@keras.saving.register_keras_serializable("nengo_dl")
class TranslatedModel(keras.Model):
    """A functional model, and which variable holds which weight of the source."""

    # without a constructor of its own, so that Keras takes it for a functional model
    bindings: tuple[Binding, ...] = ()

    def bind(self, bindings: Sequence[Binding]) -> None:
        """Remember bindings, and leave those that are fixed out of training."""
        self.bindings = tuple(bindings)
        for binding in bindings:
            binding.variable(self).trainable = binding.trainable

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of a functional model, with the bindings."""
        return {**super().get_config(), "bindings": to_config(self.bindings)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the model that a configuration describes."""
        config = dict(config)
        bindings = from_config(config.pop("bindings", ()))
        model = super().from_config(config, custom_objects)
        model.bind(bindings)
        return model
