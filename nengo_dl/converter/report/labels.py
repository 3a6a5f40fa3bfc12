"""Labels of the outputs of a model, as numbers of classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nengo_dl.converter.conversion import Source, TensorSpec


def classes(
    where: str, source: Source, given: Any, n_items: int
) -> tuple[np.ndarray | None, ...]:
    """Return labels as numbers of classes, of shape (n_items, ...), for each output.

    They are given as numbers or one-hot vectors, by order or by name; None for outputs
    without labels.
    Errors begin with ``where``.
    """
    specs = source.outputs
    if given is None:
        return (None,) * len(specs)
    names = [spec.name for spec in specs]
    if isinstance(given, Mapping):
        unknown = [str(name) for name in given if name not in names]
        if unknown:
            raise ValueError(
                f"{where}: expected y to have outputs of the model as keys, "
                f"{', '.join(names)} (got {', '.join(unknown)}). Correct the names, or "
                "pass a list."
            )
        given = [given.get(name) for name in names]
        given = given if len(specs) > 1 else given[0]
    each = given if isinstance(given, list | tuple) and len(specs) > 1 else [given]
    if len(each) != len(specs):
        raise ValueError(
            f"{where}: expected y to have labels for each of the "
            f"{len(specs)} outputs of the model (got {len(each)}). Pass a list, "
            "with None for outputs without labels, in the order "
            f"{', '.join(names)}, or a dict by name."
        )
    return tuple(
        None if labels is None else _classes(where, spec, np.asarray(labels), n_items)
        for spec, labels in zip(specs, each, strict=True)
    )


def _classes(
    where: str, spec: TensorSpec, labels: np.ndarray, n_items: int
) -> np.ndarray:
    shape = spec.signal_shape
    if labels.shape == (n_items, *shape) and shape[-1] > 1:
        return labels.argmax(axis=-1)
    if labels.shape == (n_items, *shape[:-1], 1):
        labels = labels[..., 0]
    if shape[-1] < 2 or labels.shape != (n_items, *shape[:-1]):
        raise ValueError(
            f"{where}: expected labels of output '{spec.name}', which has "
            f"shape {shape}, to be numbers of classes of shape "
            f"{(n_items, *shape[:-1])}, or one-hot vectors of shape "
            f"{(n_items, *shape)}, for two classes or more (got {labels.shape}). Leave "
            "y out to compare the output with that of Keras alone."
        )
    is_class = (labels >= 0) & (labels < shape[-1]) & (labels == np.floor(labels))
    if not np.all(is_class):
        raise ValueError(
            f"{where}: expected labels of output '{spec.name}' to be whole "
            f"numbers from 0 to {shape[-1] - 1} (got {labels[~is_class][0]})."
        )
    return labels.astype(np.int64)
