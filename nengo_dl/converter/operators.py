"""Operators of ``keras.ops`` in a model: which public function made an operation.

In Keras' graph, ``x + y`` is a node of the type ``Add``, which is not exported. The
function is: Keras names each of these types as the function that makes it, in another
spelling. Converters are registered by functions, messages show what users write.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

import keras

# Where the spellings differ by more than upper case and underscores.
_SHORT = {
    "abs": "absolute",
    "batchnorm": "batchnormalization",
    "conj": "conjugate",
    "layernorm": "layernormalization",
    "rmsnorm": "rmsnormalization",
}

# What has a sign in Python.
SIGNS = {
    "absolute": "abs(x)",
    "add": "x + y",
    "divide": "x / y",
    "true_divide": "x / y",
    "equal": "x == y",
    "floor_divide": "x // y",
    "get_item": "x[...]",
    "greater": "x > y",
    "greater_equal": "x >= y",
    "less": "x < y",
    "less_equal": "x <= y",
    "matmul": "x @ y",
    "mod": "x % y",
    "multiply": "x * y",
    "negative": "-x",
    "not_equal": "x != y",
    "power": "x ** y",
    "subtract": "x - y",
}


@cache
def _functions() -> Mapping[str, Callable]:
    """Map spellings to the functions of ``keras.ops``."""
    return MappingProxyType(
        {
            _spelling(value.__name__): value
            for name, value in sorted(vars(keras.ops).items())
            if callable(value) and not name.startswith("_")
        }
    )


def _spelling(name: str) -> str:
    spelled = name.replace("_", "").lower()
    return _SHORT.get(spelled, spelled)


def existing(module: ModuleType, *names: str) -> tuple[Any, ...]:
    """Return those functions or classes that the installed Keras has."""
    return tuple(vars(module)[name] for name in names if name in vars(module))


def is_operator(layer: Any) -> bool:
    """Whether what is called is an operation, and no layer."""
    return not isinstance(layer, keras.layers.Layer)


def function_of(operation: Any) -> Callable | None:
    """Return the function of ``keras.ops`` that an operation comes from, or None."""
    kind = type(operation)
    if kind.__module__.split(".")[0] != "keras":
        return None
    return _functions().get(_spelling(kind.__name__))


def function_name(operation: keras.Operation) -> str:
    """Return the name of the function of ``keras.ops`` that an operation comes from."""
    function = function_of(operation)
    return "" if function is None else function.__name__


def public_function(function: Callable) -> Callable | None:
    """Return the function of ``keras.ops`` that makes the same operations as another.

    None if that is no function of Keras.
    """
    name = getattr(function, "__name__", "")
    module = getattr(function, "__module__", None) or ""
    if module.split(".")[0] != "keras":
        return None
    return _functions().get(_spelling(name))


def written(function: Callable) -> str:
    """Say how users write an operator, such as "x + y (keras.ops.add)"."""
    name = f"keras.ops.{function.__name__}"
    sign = SIGNS.get(function.__name__)
    return name if sign is None else f"{sign} ({name})"


def kind_of(layer: Any) -> str:
    """Say what kind of layer or operator is called."""
    function = function_of(layer) if is_operator(layer) else None
    return type(layer).__name__ if function is None else written(function)


def title(layer: Any) -> str:
    """Name a layer or an operator, for the beginning of a message."""
    if not is_operator(layer):
        return f"Layer '{layer.name}'"
    return f"Operator {kind_of(layer)} '{layer.name}'"
