"""The metrics that models inside of a model were compiled with, which are not reported.

Nothing updates these metrics in the outer model. Keras leaves them out for models that
are layers of a model, but not for models inside of a layer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras


def without_compiled(
    metrics: list[keras.Metric], layer: keras.Layer
) -> list[keras.Metric]:
    """Leave out the metrics that models inside of a layer were compiled with.

    Parameters
    ----------
    metrics : list of `keras.Metric`
        All metrics of the layer, and of the layers inside of it.
    layer : `keras.Layer`
        A layer or model. Its own metrics stay.
    """
    inner = [
        inside
        for inside in _layers(layer, {})
        if isinstance(inside, keras.Model) and inside is not layer
    ]
    dropped = {id(metric) for model in inner for metric in _own(model)}
    return [metric for metric in metrics if id(metric) not in dropped]


def _own(model: keras.Model) -> list[keras.Metric]:
    """List the metrics of a model, without those of its layers."""
    of_layers = {id(metric) for layer in model.layers for metric in layer.metrics}
    return [metric for metric in model.metrics if id(metric) not in of_layers]


def _layers(value: Any, seen: dict[int, Any]) -> Iterator[keras.Layer]:
    """Yield all layers that are among a layer's attributes, at any depth."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, keras.Layer):
        yield value
        parts = list(vars(value).values())
    elif isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple | set):
        parts = list(value)
    else:
        return
    for part in parts:
        yield from _layers(part, seen)
