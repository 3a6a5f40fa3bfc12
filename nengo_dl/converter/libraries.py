"""Models of other libraries that a converter takes, and who makes Keras models of them.

The readers of these libraries stand above the converter. They register themselves here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class ModelLibrary:
    """A kind of models.

    Parameters
    ----------
    owns : callable
        ``owns(model)`` returns whether a model is of this kind; imports nothing.
    to_keras : callable
        ``to_keras(model, example_inputs, where)`` returns a Keras model; ``where`` is
        the public name that errors begin with.
    """

    owns: Callable[[Any], bool]
    to_keras: Callable[[Any, Any, str], keras.Model]


LIBRARIES: dict[str, ModelLibrary] = {}


def register_library(name: str, owns: Callable[[Any], bool]) -> Callable:
    """Register the decorated function as ``to_keras`` of a `ModelLibrary`."""

    def decorate(to_keras: Callable) -> Callable:
        LIBRARIES[name] = ModelLibrary(owns, to_keras)
        return to_keras

    return decorate


def as_keras(where: str, model: Any, example_inputs: Any) -> Any:
    """Return the Keras model that a model of another library becomes.

    All else is returned as it is.
    """
    for library in LIBRARIES.values():
        if library.owns(model):
            return library.to_keras(model, example_inputs, where)
    if example_inputs is not None:
        raise TypeError(
            f"{where}.example_inputs: expected none for a Keras model, which knows its "
            "shapes (got some). Leave it out."
        )
    return model
