"""The data of a call of ``fit``, in minibatches that do not wait between epochs."""

import contextlib
import inspect
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from nengo_dl.keras_model import minibatches
from nengo_dl.wrapped.inference import DEFAULT_SIZE, are_arrays

# What these ask for is left to Keras, with its datasets.
LEFT_TO_KERAS = ("sample_weight", "class_weight", "steps_per_epoch")


@contextlib.contextmanager
def for_fit(model: keras.Model, *args: Any, **kwargs: Any) -> Iterator[dict[str, Any]]:
    """Hand arrays to ``fit`` in datasets of our own, see `.minibatches`.

    Parameters
    ----------
    model : `keras.Model`
        The model that is trained.
    *args, **kwargs
        Arguments of ``keras.Model.fit``.

    Yields
    ------
    arguments : dict of str to object
        Those that have the same effect, also that of ``validation_split``.
    """
    signature = inspect.signature(keras.Model.fit)
    try:
        arguments = dict(signature.bind(model, *args, **kwargs).arguments)
    except TypeError as error:
        raise TypeError(f"fit() {error}") from None
    del arguments["self"]
    data = {key: arguments.get(key) for key in ("x", "y")}
    data = {key: keras.tree.lists_to_tuples(value) for key, value in data.items()}
    is_plain = all(arguments.get(key) is None for key in LEFT_TO_KERAS)
    is_alone = model.distribute_strategy.num_replicas_in_sync == 1
    if not (is_plain and is_alone and are_arrays(list(data.values()))):
        yield arguments
        return
    n_items, size = len(keras.tree.flatten(data)[0]), arguments.get("batch_size")
    size = size or DEFAULT_SIZE
    changed = dict(arguments)
    fraction = changed.pop("validation_split", 0.0)
    is_split = bool(fraction) and changed.get("validation_data") is None
    n_training = math.floor(n_items * (1 - fraction)) if is_split else n_items
    if not 0 < n_training <= n_items - is_split:
        yield arguments  # of which Keras tells what is wrong
        return
    if is_split:
        last = _part(data, n_training, n_items)
        changed["validation_data"] = (last["x"], last["y"])
    if changed.get("validation_batch_size") is None:
        changed["validation_batch_size"] = size
    shuffle = changed.pop("shuffle", True)
    first = _part(data, 0, n_training)
    with minibatches.minibatches(first, size, shuffle) as dataset:
        given = {"x": dataset, "y": None, "batch_size": None, "shuffle": False}
        yield changed | given


def _part(data: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    def cut(array: np.ndarray) -> np.ndarray:
        return array[start:stop]

    return keras.tree.map_structure(cut, data)
