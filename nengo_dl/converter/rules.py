"""Rules of conversion, by the type of a layer or the function that is called.

A rule is a function that makes Nengo objects for one call of a layer, and what it needs
of the layer. Keys and checks are those of the library that a model comes from.
"""

import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nengo_dl.simulator.stacklevel import user_level


@dataclass(frozen=True)
class Rule:
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
        ``check(call, options)`` returns why a call cannot be converted, or None. The
        options are attributes of the names that they have as arguments of
        `nengo_dl.Converter`.
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

    convert: Callable[..., Any]
    requires: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[..., str | None] | None = None
    temporal: bool = False
    trains: bool = False
    allow_fallback: bool = True
    native: str = ""
    restrictions: str = ""
    converter_type: type | None = None


Registry = dict[Hashable, Rule]


def add_rule(registry: Registry, key: Hashable, name: str, rule: Rule) -> None:
    """Register a rule, with a warning that has a name if it replaces another."""
    if key in registry:
        warnings.warn(
            f"Converter.register: {name} had a converter, which is replaced. "
            "Register each layer type and each operator once.",
            stacklevel=user_level(),
        )
    registry[key] = rule


def find_rule(registry: Registry, keys: Iterable[Hashable]) -> Rule | None:
    """Return the rule of the first key that has one, or None."""
    return next((registry[key] for key in keys if key in registry), None)
