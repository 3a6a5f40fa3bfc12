"""Checks of what users pass to a `Converter`."""

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

import keras
import numpy as np

from nengo_dl.converter import keras_graph


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
        warnings.warn(
            f"Sequential model '{model.name}' is converted as a functional model, "
            "Converter.model. Look tensors up in that one.",
            stacklevel=3,
        )
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not keras_graph.is_graph(model):
        raise TypeError(
            f"Converter: expected a functional or sequential model (got "
            f"{type(model).__name__}, a subclass whose graph is not known). Call it on "
            "a keras.Input, and wrap input and output in a keras.Model."
        )
    return model


def input_layers(model: keras.Model) -> list[keras.Layer | None]:
    """Return the input layer of each input of a model."""
    layers = {
        id(layer.output): layer
        for layer in model.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    return [layers.get(id(tensor)) for tensor in model.inputs]


def check_flags(**flags: bool) -> None:
    """Raise TypeError if an argument that turns something on or off is no bool."""
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(
                f"Converter.{name}: expected True or False (got {value!r}). Leave it "
                "out for the default."
            )


def check_mapping(name: str, value: Any) -> None:
    """Raise TypeError if an argument is neither None nor a dict."""
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(
            f"Converter.{name}: expected a dict from activations to what takes their "
            f"place (got {value!r}). Use e.g. {{keras.activations.relu: nengo.LIF()}}."
        )


def as_array(where: str, values: Any) -> np.ndarray:
    """Return data for a Keras model as an array."""
    try:
        return np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as exc:
        raise ValueError(
            f"{where}: expected an array of numbers (got {type(values).__name__}: "
            f"{exc}). Pass data as for the Keras model."
        ) from exc


def scales(scale: Any) -> float | dict[int, float]:
    """Return a number, or a dict from ids of layers to numbers."""
    if scale is None or scale == "auto":
        return 1.0
    for value in scale.values() if isinstance(scale, dict) else [scale]:
        if not isinstance(value, Real) or not 0 < value < np.inf:
            raise ValueError(
                "Converter.scale_firing_rates: expected a positive number, or one for "
                f'each layer in a dict, or "auto" (got {value!r}). 1 leaves rates as '
                "they are."
            )
    if isinstance(scale, dict):
        return {id(layer): value for layer, value in scale.items()}
    return scale


def check_positive(name: str, value: Any, high: float | None = None) -> None:
    """Raise ValueError if an argument is no positive number, or too large."""
    is_number = isinstance(value, Real) and 0 < value < np.inf
    if not is_number or (high is not None and value > high):
        limit = "" if high is None else f" of at most {high}"
        raise ValueError(
            f"Converter.{name}: expected a positive number{limit} (got {value!r}). "
            "Leave it out for the default."
        )
