"""Modules of other libraries where a Keras layer is taken."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from nengo.exceptions import ValidationError

# By the library: its class of modules, and what makes a layer of one for a shape
LIBRARIES = {"torch": ("nn.Module", "nengo_dl.torch.calling", "layer_for")}


class ModuleLayer(keras.layers.Layer):
    """A layer that calls Python, and that simulations can call themselves."""

    def source_weights(self) -> dict[str, np.ndarray]:
        """Return the present weights by their names in the module."""
        raise NotImplementedError

    def keeps_items_apart(self, training: bool) -> bool:
        """Tell whether each item's output follows from its input alone."""
        raise NotImplementedError

    def repeats(self, training: bool) -> bool:
        """Tell whether the same input always has the same output."""
        raise NotImplementedError

    def begin(self) -> None:
        """Get ready for a run with the present weights."""
        raise NotImplementedError

    def infer(self, x: np.ndarray) -> np.ndarray:
        """Return the output for an input of shape (minibatch_size, \\*shape_in)."""
        raise NotImplementedError


def is_module(value: Any) -> bool:
    """Tell whether a value is a module of a library that is in use."""
    return _maker(value) is not None


def as_layer(value: Any, shape_in: Sequence[int] | None, pass_time: bool) -> Any:
    """Return a module as a Keras layer, and anything else as it is."""
    maker = _maker(value)
    if maker is None:
        return value
    if shape_in is None or pass_time:
        raise ValidationError(
            f"expected an input and no time for a {type(value).__name__} (got "
            f"shape_in={shape_in}, pass_time={pass_time}). Pass shape_in, and leave "
            "out pass_time.",
            attr="tensor_func",
        )
    module, name = maker
    return getattr(importlib.import_module(module), name)(value, shape_in)


def _maker(value: Any) -> tuple[str, str] | None:
    """Return which module and function of ours makes layers of such a value."""
    for library, (path, module, name) in LIBRARIES.items():
        found: Any = sys.modules.get(library)  # nobody has its objects otherwise
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is not None and isinstance(value, found):
            return module, name
    return None
