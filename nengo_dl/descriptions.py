"""Descriptions of values in a form for JSON, for files of Keras, and the way back.

A description names classes. Only those of the modules below are made from a file, and
those that are registered with `keras.saving.register_keras_serializable`.
"""

import base64
import importlib
import inspect
import zlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from nengo.params import FrozenObject

MODULES = (
    *("nengo.dists", "nengo.neurons", "nengo.synapses"),
    *("nengo_dl.dists", "nengo_dl.neurons", "nengo_dl.stepped", "nengo_dl.loihi"),
    "nengo_dl.surrogates",
    *("nengo_dl.converter.tuning", "nengo_dl.chips.pulses"),
)


def described(value: Any) -> Any:
    """Describe a value in a form for JSON; `restored` makes an equal one.

    Values are numbers, texts, arrays, lists, dicts, and objects of Nengo and of this
    package that are made of such arguments.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        data = base64.b64encode(zlib.compress(np.ascontiguousarray(value).tobytes()))
        return {
            "array": data.decode("ascii"),
            "dtype": value.dtype.str,
            "shape": value.shape,
        }
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    if isinstance(value, Mapping):
        return {"items": [[described(k), described(v)] for k, v in value.items()]}
    return _described_object(value)


def _described_object(value: Any) -> dict[str, Any]:
    cls = type(value)
    if cls.__module__ in MODULES or isinstance(value, FrozenObject):
        names = inspect.signature(cls).parameters
        return {
            "class": _name_of(cls),
            "arguments": {name: described(getattr(value, name)) for name in names},
        }
    raise NotImplementedError(
        f"expected numbers, texts, arrays, or objects of nengo and nengo_dl (got "
        f"{value!r}), which can be saved. Save the weights alone with save_weights."
    )


def _name_of(cls: type) -> str:
    if cls.__module__ in MODULES:
        return f"{cls.__module__}:{cls.__name__}"
    name = keras.saving.get_registered_name(cls)
    if keras.saving.get_registered_object(name) is cls:
        return name
    raise NotImplementedError(
        f"expected classes of nengo or nengo_dl, or registered ones (got "
        f"{cls.__name__}). Decorate it with "
        "keras.saving.register_keras_serializable."
    )


def restored(description: Any) -> Any:
    """Return what was `described`; tuples are lists."""
    if isinstance(description, list):
        return [restored(item) for item in description]
    if not isinstance(description, Mapping):
        return description
    if "array" in description:
        data = zlib.decompress(base64.b64decode(description["array"]))
        dtype, shape = np.dtype(description["dtype"]), description["shape"]
        return np.frombuffer(data, dtype).reshape(shape).copy()
    if "class" in description:
        arguments = description["arguments"]
        cls = _class_of(description["class"])
        return cls(**{name: restored(value) for name, value in arguments.items()})
    if "items" in description:
        return {restored(key): restored(value) for key, value in description["items"]}
    return {key: restored(value) for key, value in description.items()}


def _class_of(name: str) -> type:
    module, _, attribute = name.partition(":")
    found = keras.saving.get_registered_object(name)
    if module in MODULES and attribute:
        found = vars(importlib.import_module(module)).get(attribute)
    if not isinstance(found, type):
        raise ValueError(
            f"expected a class of nengo or nengo_dl, or a registered one "
            f"(got {name!r} in a file). Decorate the class with "
            "keras.saving.register_keras_serializable before loading."
        )
    return found
