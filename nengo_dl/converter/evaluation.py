"""Losses and metrics of a Keras model, for outputs that are computed elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.build import array


def evaluate(
    model: keras.Model, y: Any, outputs: Sequence[np.ndarray], sample_weight: Any
) -> dict[str, float]:
    """Return what ``model.evaluate`` would return as a dict, if these were its outputs.

    Targets and weights are in any form that the model takes, outputs one array each.
    """
    if not model.compiled:
        raise ValueError(
            "Converter.evaluate: expected a model with a loss (got one that is not "
            "compiled). Call its compile method, as for Keras."
        )
    y_pred = keras.tree.pack_sequence_as(
        model.output, list(map(keras.ops.convert_to_tensor, outputs))
    )
    y = keras.tree.map_structure(keras.ops.convert_to_tensor, y)
    weights = sample_weight
    if weights is not None:
        weights = keras.tree.map_structure(keras.ops.convert_to_tensor, weights)
    model.reset_metrics()
    try:
        loss = model.compute_loss(None, y, y_pred, weights, training=False)
        for metric in model.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
        found = model.compute_metrics(None, y, y_pred, weights)
        return {name: float(array(value)) for name, value in found.items()}
    finally:
        model.reset_metrics()


def listed(model: keras.Model, found: Mapping[str, float]) -> float | list[float]:
    """Return values in the order of ``model.evaluate``; one alone without a list."""
    metrics = [m for each in model.metrics for m in getattr(each, "metrics", [each])]
    first = [metric.name for metric in metrics if metric.name in found]
    values = [found[name] for name in (*first, *sorted(set(found) - set(first)))]
    return values if len(values) > 1 else values[0]
