"""The arguments of ``compile`` by name, whichever of Keras' orders they come in.

Keras 2 had metrics in the third place, Keras 3 has loss weights there. They can be told
apart: weights are numbers, and no metric is one.
"""

from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from nengo.exceptions import ValidationError

_ADVICE = (
    "The order is optimizer, loss, then metrics and loss_weights, of which either may "
    "be first. Pass all else by name."
)


def by_argument(positional: tuple, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of ``compile`` by name, without those that are None.

    Raises
    ------
    ValidationError
        If there are too many, or two of one name.
    """
    if len(positional) > 4:
        raise ValidationError(
            f"expected at most 4 positional arguments (got {len(positional)}). "
            f"{_ADVICE}",
            attr="Simulator.compile",
        )
    arguments = {name: value for name, value in named.items() if value is not None}
    names = ["optimizer", "loss", *map(_kind, positional[2:])]
    for name, value in zip(names, positional, strict=False):
        if value is None:
            continue
        if name in arguments:
            raise ValidationError(
                f"expected {name} once (got {arguments[name]!r} and {value!r}). "
                f"{_ADVICE}",
                attr="Simulator.compile",
            )
        arguments[name] = value
    return arguments


def _kind(value: Any) -> str:
    leaves = list(_leaves(value))
    are_numbers = all(isinstance(leaf, Real) for leaf in leaves)
    return "loss_weights" if leaves and are_numbers else "metrics"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield value
