"""Checks of what users pass to `Converter.report`."""

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_dl.converter.arguments import as_array
from nengo_dl.converter.plan import check_series

DEFAULT_STEPS = 32


@dataclass(frozen=True, eq=False)
class Data:
    """What a network is run on.

    Parameters
    ----------
    inputs : tuple of ndarray
        One for each input of the model, of shape (n_items, ...).
    labels : tuple of (ndarray or None)
        One for each output: classes, of shape (n_items, ...).
    n_steps : int
        How long each item is presented.
    """

    inputs: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray | None, ...]
    n_steps: int

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.inputs[0])


def check(converter: Any, x: Any, y: Any, n_steps: int | None) -> Data:
    """Bring arguments into one form.

    Raises
    ------
    ValueError
        If data does not fit the model.
    """
    check_series(converter, "Converter.report")
    inputs = _inputs(converter, x)
    if converter.temporal_model:
        n_steps = _given_steps(inputs[0].shape[1], n_steps)
    elif n_steps is None:
        n_steps = DEFAULT_STEPS
    return Data(
        inputs,
        _labels(converter, y, len(inputs[0])),
        positive("n_steps", n_steps),
    )


def positive(name: str, value: Any) -> int:
    """Return a whole number that is at least 1."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(
            f"Converter.report: expected {name} to be a whole number of at least 1 "
            f"(got {value!r}). Leave it out for the default."
        )
    return number


def _given_steps(n_steps: int, wanted: int | None) -> int:
    if wanted not in (None, n_steps):
        raise ValueError(
            f"Converter.report: expected n_steps={n_steps}, the length of x along its "
            f"axis of time, because temporal_model=True (got {wanted}). Leave it out."
        )
    return n_steps


def _inputs(converter, x) -> tuple[np.ndarray, ...]:
    tensors = converter.model.inputs
    given = x if isinstance(x, list | tuple) else [x]
    if len(tensors) == 1 and np.ndim(given[0]) < len(tensors[0].shape):
        given = [x]  # an array in the form of lists
    if len(given) != len(tensors):
        names = ", ".join(tensor.name for tensor in tensors)
        raise ValueError(
            f"Converter.report: expected x to have an array for each of the "
            f"{len(tensors)} inputs of the model (got {len(given)}). Pass a list, in "
            f"the order {names}."
        )
    inputs = tuple(map(_input, tensors, given))
    first = inputs[0].shape[: 2 if converter.temporal_model else 1]
    for tensor, values in zip(tensors, inputs, strict=True):
        if values.shape[: len(first)] != first:
            raise ValueError(
                "Converter.report: expected as many items and time steps in all "
                f"inputs (got {first} and, for '{tensor.name}', "
                f"{values.shape[: len(first)]})."
            )
    return inputs


def _input(tensor, values) -> np.ndarray:
    values = as_array("Converter.report", values)
    shape = ("n_items", *tensor.shape[1:])
    fits = values.ndim == len(shape) and all(
        wanted in (None, n)
        for wanted, n in zip(shape[1:], values.shape[1:], strict=True)
    )
    if not fits or values.size == 0:
        expected = str(shape).replace("'", "").replace("None", "n_steps")
        raise ValueError(
            f"Converter.report: expected x of shape {expected} for input "
            f"'{tensor.name}', with at least one item (got {values.shape}). Pass data "
            "as for the Keras model; x[None] is a minibatch of one item."
        )
    n_bad = values.size - np.count_nonzero(np.isfinite(values))
    if n_bad:
        raise ValueError(
            f"Converter.report: expected finite values for input '{tensor.name}' (got "
            f"{n_bad} that are NaN or infinite). Leave those items out."
        )
    return values


def _labels(converter, y, n_items) -> tuple[np.ndarray | None, ...]:
    names, tensors = converter.model.output_names, converter.model.outputs
    if y is None:
        return (None,) * len(tensors)
    given = y if isinstance(y, list | tuple) and len(tensors) > 1 else [y]
    if len(given) != len(tensors):
        raise ValueError(
            f"Converter.report: expected y to have labels for each of the "
            f"{len(tensors)} outputs of the model (got {len(given)}). Pass a list, "
            f"with None for outputs without labels, in the order {', '.join(names)}."
        )
    outer = 2 if converter.temporal_model else 1
    shapes = [tuple(tensor.shape[outer:]) for tensor in tensors]
    return tuple(
        None if labels is None else _classes(name, shape, labels, n_items)
        for name, shape, labels in zip(names, shapes, given, strict=True)
    )


def _classes(name, shape, labels, n_items) -> np.ndarray:
    """Return labels as numbers of classes."""
    labels = np.asarray(labels)
    if labels.shape == (n_items, *shape) and shape[-1] > 1:
        return labels.argmax(axis=-1)
    if labels.shape == (n_items, *shape[:-1], 1):
        labels = labels[..., 0]
    if shape[-1] < 2 or labels.shape != (n_items, *shape[:-1]):
        raise ValueError(
            f"Converter.report: expected labels of output '{name}', which has "
            f"shape {shape}, to be numbers of classes of shape "
            f"{(n_items, *shape[:-1])}, or one-hot vectors of shape "
            f"{(n_items, *shape)}, for two classes or more (got {labels.shape}). Leave "
            "y out to compare the output with that of Keras alone."
        )
    is_class = (labels >= 0) & (labels < shape[-1]) & (labels == np.floor(labels))
    if not np.all(is_class):
        raise ValueError(
            f"Converter.report: expected labels of output '{name}' to be whole "
            f"numbers from 0 to {shape[-1] - 1} (got {labels[~is_class][0]})."
        )
    return labels.astype(np.int64)
