"""Options of a conversion, as the user chose them, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import keras
import numpy as np
from nengo.synapses import Synapse

from nengo_dl.converter import keras_graph
from nengo_dl.converter.swaps import Swaps

FLAGS = (
    *("allow_fallback", "inference_only", "max_to_avg_pool", "split_shared_weights"),
    "temporal_model",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Options:
    """A model, and how it is to be converted.

    Fields are arguments of `nengo_dl.Converter`; ``swaps`` is the meaning of
    ``swap_activations``, and ``synapse`` is "auto" until it is chosen. ``model`` is the
    functional form of the one that the user passed.
    """

    model: keras.Model
    passed: keras.Model
    allow_fallback: bool = True
    inference_only: bool = False
    max_to_avg_pool: bool = False
    split_shared_weights: bool = False
    swap_activations: Mapping[Any, Any] = field(default_factory=dict)
    swaps: Swaps = Swaps()
    scale_firing_rates: float | Mapping[keras.Layer, float] | str | None = None
    synapse: Synapse | float | str | None = None
    temporal_model: bool = False
    output: str = "average"
    has_data: bool = False  # whether there are typical inputs

    def __post_init__(self) -> None:
        for name in FLAGS:
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise TypeError(
                    f"Converter.{name}: expected True or False (got {value!r}). Leave "
                    "it out for the default."
                )
        if self.output not in ("average", "each_step"):
            raise ValueError(
                'Converter.output: expected "average" or "each_step" (got '
                f"{self.output!r}). Leave it out for the default."
            )
        scale = self.scale_firing_rates
        if self.synapse == "auto" and scale != "auto" and not self.data_chooses:
            raise ValueError(
                'Converter.synapse: expected "auto" together with '
                f'scale_firing_rates="auto" (got {scale!r}). Set both, or a synapse.'
            )
        for value in scale.values() if isinstance(scale, Mapping) else [scale]:
            is_number = isinstance(value, Real) and 0 < value < np.inf
            if not is_number and (value is not scale or scale not in (None, "auto")):
                raise ValueError(
                    "Converter.scale_firing_rates: expected a positive number, or one "
                    f'for each layer in a dict, or "auto" (got {value!r}). 1 leaves '
                    "rates as they are."
                )

    @property
    def data_chooses(self) -> bool:
        """Whether firing rates, and all that goes with them, are left to the data."""
        scale = self.scale_firing_rates
        return self.has_data and self.swaps.have_spikes and scale is None

    def chosen(self) -> "Options":
        """Return the options with what is left to the data, as words for it."""
        if not self.data_chooses:
            return self
        synapse = "auto" if self.synapse is None else self.synapse
        return replace(self, scale_firing_rates="auto", synapse=synapse)

    @property
    def averages_output(self) -> bool:
        """Whether outputs are functions of the mean of what spikes bring."""
        return (
            self.output == "average"
            and not self.temporal_model
            and self.swaps.have_spikes
        )

    @property
    def n_outer_axes(self) -> int:
        """How many leading axes of the model's inputs are no part of a signal."""
        return 2 if self.temporal_model else 1

    def scale_of(self, layer: keras.Operation) -> float:
        """Return the factor on the firing rates of a layer, before calibration."""
        scale = self.scale_firing_rates
        if isinstance(scale, Mapping):
            return next((s for key, s in scale.items() if key is layer), 1.0)
        return 1.0 if scale is None or isinstance(scale, str) else scale


def functional(model: Any) -> keras.Model:
    """Return a model as a functional one."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"Converter: expected a Keras model (got {type(model).__name__}). Wrap "
            "layers in a keras.Model, from its inputs to its outputs."
        )
    if isinstance(model, keras.Sequential):
        if not model.built or not keras_graph.is_graph(model):
            raise ValueError(
                f"Converter: expected a model whose shapes are known (got Sequential "
                f"'{model.name}' without an input shape). Put keras.Input(shape) first."
            )
        return keras.Model(model.inputs, model.outputs[0], name=model.name)
    if not keras_graph.is_graph(model):
        raise TypeError(
            f"Converter: expected a functional or sequential model (got "
            f"{type(model).__name__}, a subclass whose graph is not known). Call it on "
            "a keras.Input, and wrap input and output in a keras.Model."
        )
    return model
