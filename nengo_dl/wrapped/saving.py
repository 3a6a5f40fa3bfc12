"""Sources of wrapped models for files of Keras, and the way back."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import nengo

from nengo_dl.converter import Converter
from nengo_dl.converter.activations import canonical
from nengo_dl.converter.build import array
from nengo_dl.descriptions import described, restored
from nengo_dl.keras_model.nengo_layer import registered_function

# Of a conversion; the others have been used, or are described by themselves
OPTIONS = (
    *("allow_fallback", "inference_only", "max_to_avg_pool", "split_shared_weights"),
    *("temporal_model", "output", "synapse"),
)


def described_source(
    source: keras.Model | nengo.Network | Callable, converter: Converter | None
) -> dict[str, Any]:
    """Describe what was wrapped: a Keras model with its weights, or a function."""
    if isinstance(source, nengo.Network):
        raise NotImplementedError(
            "wrap: expected a function that makes the network, which can be saved by "
            f"name (got {source!r}). Wrap a function that is registered with "
            "keras.saving.register_keras_serializable, or save the weights alone with "
            "save_weights."
        )
    found: dict[str, Any] = {"source": keras.saving.serialize_keras_object(source)}
    if converter is not None:
        model = (
            converter.conversion.plan.options.model
        )  # with the same weights, in the same order
        weights = [described(array(weight)) for weight in model.weights]
        found |= {"weights": weights, "options": _described_options(converter)}
    return found


def restored_source(config: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return what was wrapped, and the options of its conversion."""
    if "options" not in config:
        return registered_function(config["source"]), {}
    source = keras.saving.deserialize_keras_object(config["source"])
    source.set_weights([restored(weight) for weight in config["weights"]])
    options = restored(config["options"])
    swaps = options.pop("swaps")
    options["swap_activations"] = dict(swaps) if swaps else None
    scale = options["scale_firing_rates"]
    if isinstance(scale, dict):
        scale = {source.get_layer(name): factor for name, factor in scale.items()}
    return source, {**options, "scale_firing_rates": scale}


def _described_options(converter: Converter) -> dict[str, Any]:
    options = vars(converter.conversion.plan.options) | {"synapse": converter.synapse}
    scale = options["scale_firing_rates"]
    if isinstance(scale, Mapping):
        scale = {layer.name: float(factor) for layer, factor in scale.items()}
    if converter.tunings is not None:
        scale = None  # the tunings are what was chosen
    return {
        **{name: described(options[name]) for name in OPTIONS},
        "scale_firing_rates": scale,
        "swaps": [
            [described(_named(key)), described(_named(value))]
            for key, value in options["swap_activations"].items()
        ],
        "tunings": described(converter.tunings),
    }


def _named(activation: Any) -> Any:
    """Return the name of an activation function, where it has one."""
    name = getattr(activation, "__name__", "")
    is_known = hasattr(keras.activations, name)
    return name if is_known and canonical(name) == canonical(activation) else activation
