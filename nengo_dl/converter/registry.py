"""The registry of rules for Keras layers and operators.

Layers are registered by their type, and operators by the function of ``keras.ops`` that
makes them. Layers that Keras uses in its models, but does not export, are registered by
the name of their type.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from nengo_dl.converter.operators import (
    function_of,
    is_operator,
    public_function,
    written,
)
from nengo_dl.converter.rules import Registry, Rule, add_rule

Key = type | Callable | str | None
ANY_LAYER = None  # the key of the fallback

REGISTRY: Registry = {}


def keys_of(layer: keras.Operation) -> Iterator[Key]:
    """Yield the keys by which the rule of a layer or an operator is found."""
    kind = type(layer)
    yield kind
    if is_operator(layer):
        function = function_of(layer)
        if function is not None:
            yield function
    elif kind.__module__.split(".")[0] == "keras":
        yield kind.__name__


def checked_key(key: Any) -> Key:
    """Return what users register as a key; raise TypeError if it cannot be one."""
    if key is None or isinstance(key, type) and issubclass(key, keras.Operation):
        return key
    function = None if isinstance(key, type) else public_function(key)
    if function is None:
        raise TypeError(
            "Converter.register: expected a type of layers or a function of keras.ops "
            f"(got {key!r}). Pass e.g. keras.layers.Dense or keras.ops.add."
        )
    return function


def name_of(key: Key) -> str:
    """Name a key, for messages."""
    if key is None:
        return "all other layers"
    if isinstance(key, type):
        return key.__name__
    return key if isinstance(key, str) else written(key)


def register(*keys: Key, **fields: Any) -> Callable:
    """Register the decorated function for Keras layers or operators, see `Rule`."""

    def decorate(convert: Callable) -> Callable:
        for key in keys:
            add_rule(REGISTRY, key, name_of(key), Rule(convert, **fields))
        return convert

    return decorate
