"""Which function converts which Keras layer, and whether it can convert this one.

`Registry.find` decides for one call of a layer, without making anything, so that all
that is wrong with a model is found before any of it is converted.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from nengo_dl.converter.keras_graph import LayerCall

ANY_LAYER = None  # the key of the fallback


@dataclass(frozen=True)
class Entry:
    """A registered converter of a layer type.

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
                f"temporal_model=True (got {type(call.layer).__name__}, which mixes "
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
    if min(call.signal_axes(axis)) >= 0:
        return None
    return (
        f"expected an axis of the signal (got axis={axis}, the minibatch or the time)"
    )


def _penalties(layer: keras.Layer) -> list[str]:
    """List the regularizers and constraints of a layer."""
    return [
        name
        for name, value in layer.get_config().items()
        if name.endswith(("_regularizer", "_constraint")) and value is not None
    ]


class Registry(Mapping):
    """Maps layer types to their `Entry`; None stands for all that have none."""

    def __init__(self):
        self._entries: dict[type | None, Entry] = {}

    def __getitem__(self, layer_type: type | None) -> Entry:
        return self._entries[layer_type]

    def __iter__(self) -> Iterator[type | None]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, layer_type: type | None, entry: Entry) -> None:
        """Register an entry, with a warning if it replaces another."""
        if layer_type in self._entries:
            name = "all other layers" if layer_type is None else layer_type.__name__
            warnings.warn(
                f"Converter.register: {name} had a converter, which is replaced. "
                "Register each layer type once.",
                stacklevel=4,
            )
        self._entries[layer_type] = entry


REGISTRY = Registry()


def register(layer_type: type | None, **fields):
    """Register the decorated function for a Keras layer type, see `Entry`."""

    def decorate(convert):
        REGISTRY.add(layer_type, Entry(convert, **fields))
        return convert

    return decorate
