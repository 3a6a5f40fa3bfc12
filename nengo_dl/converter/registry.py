"""Which function converts which Keras layer, and whether it can convert this one.

Operators are registered by the function of ``keras.ops`` that users call, layers by
their type, and layers that Keras has in its models, but does not export, by its name.
`Entry.problem` decides for one call without making anything, so that all that is wrong
with a model is found before any of it is converted.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operators import (
    function_of,
    is_operator,
    kind_of,
    public_function,
    written,
)

Key = type | Callable | str | None
ANY_LAYER = None  # the key of the fallback


@dataclass(frozen=True)
class Entry:
    """A registered converter of a layer type or an operator.

    Parameters
    ----------
    convert : callable
        ``convert(call, build)`` makes Nengo objects for a call of a layer, and returns
        the one that holds its output, or a list with one for each of its outputs.
    requires : mapping of str to object
        Attributes of the layer and the value that they must have; a tuple of several
        accepted values.
    check : callable or None
        ``check(call, converter)`` returns why a call cannot be converted, or None.
    temporal : bool
        Whether the layer treats each time step for itself, so that it can be part of a
        model with a time axis.
    trains : bool
        Whether training changes what the layer does in ways that only Keras knows.
    allow_fallback : bool
        Whether a `TensorNode` may do what this cannot.
    native : str
        What it converts to, for the table of layers.
    restrictions : str
        What it does not convert, for the table of layers.
    converter_type : type or None
        The `LayerConverter` subclass that was registered, if it was one.
    """

    convert: Callable[[LayerCall, Any], Any]
    requires: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[LayerCall, Any], str | None] | None = None
    temporal: bool = False
    trains: bool = False
    allow_fallback: bool = True
    native: str = ""
    restrictions: str = ""
    converter_type: type | None = None

    def problem(self, call: LayerCall, converter: Any) -> str | None:
        """Return why a call cannot be converted natively, or None."""
        for name, accepted in self.requires.items():
            value = getattr(call.layer, name)
            choices = accepted if isinstance(accepted, tuple) else (accepted,)
            if value not in choices:
                listed = " or ".join(f"{name}={choice!r}" for choice in choices)
                return f"expected {listed} (got {value!r})"
        if call.n_outer_axes > 1 and not self.temporal:
            return (
                "expected a layer that treats each time step for itself, because "
                f"temporal_model=True (got {kind_of(call.layer)}, which mixes "
                "them, or does so as far as is known)"
            )
        if not converter.inference_only:
            if self.trains:
                return (
                    "expected inference_only=True (got False), because training would "
                    "differ"
                )
            penalties = _penalties(call.layer)
            if penalties:
                return (
                    "expected no regularizers and no constraints unless inference_only "
                    f"is True (got {', '.join(penalties)})"
                )
        return None if self.check is None else self.check(call, converter)


def outer_axis(call: LayerCall, axis: Any) -> str | None:
    """Say that an axis is no part of the signal; None if all are."""
    if min(call.signal_axes(axis), default=0) >= 0:
        return None
    return (
        f"expected axes of the signal (got axis={axis}, which has the minibatch or "
        "the time)"
    )


def _penalties(layer: keras.Layer) -> list[str]:
    """List the regularizers and constraints of a layer."""
    # not from its config, which layers that cannot be saved do not have
    return [
        name
        for name in dir(layer)
        if name.endswith(("_regularizer", "_constraint"))
        and not name.startswith("_")
        and getattr(layer, name) is not None
    ]


class Registry(Mapping):
    """Maps layers and operators to their `Entry`; None stands for all that have none.

    Keys are types, functions of ``keras.ops``, and names of layers of Keras.
    """

    def __init__(self):
        self._entries: dict[Key, Entry] = {}

    def __getitem__(self, key: Key) -> Entry:
        return self._entries[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, layer: Any) -> Entry | None:
        """Return the entry of a layer or an operation, or None."""
        kind = type(layer)
        if kind in self._entries:
            return self._entries[kind]
        if is_operator(layer):
            function = function_of(layer)
            return None if function is None else self._entries.get(function)
        is_own = kind.__module__.split(".")[0] == "keras"
        return self._entries.get(kind.__name__) if is_own else None

    def add(self, key: Key, entry: Entry) -> None:
        """Register an entry, with a warning if it replaces another."""
        if key in self._entries:
            warnings.warn(
                f"Converter.register: {_name(key)} had a converter, which is replaced. "
                "Register each layer type and each operator once.",
                stacklevel=4,
            )
        self._entries[key] = entry


def checked(key: Any) -> Key:
    """Return what users register as a key; raise TypeError if it is none."""
    if key is None or isinstance(key, type) and issubclass(key, keras.Operation):
        return key
    function = None if isinstance(key, type) else public_function(key)
    if function is None:
        raise TypeError(
            "Converter.register: expected a type of layers or a function of keras.ops "
            f"(got {key!r}). Pass e.g. keras.layers.Dense or keras.ops.add."
        )
    return function


def _name(key: Key) -> str:
    if key is None:
        return "all other layers"
    if isinstance(key, type):
        return key.__name__
    return key if isinstance(key, str) else written(key)


REGISTRY = Registry()


def register(key: Key, **fields):
    """Register the decorated function for a Keras layer or operator, see `Entry`."""

    def decorate(convert):
        REGISTRY.add(key, Entry(convert, **fields))
        return convert

    return decorate
