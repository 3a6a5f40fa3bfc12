"""Shapes of a model's inputs: those of the file, completed by users."""

from collections.abc import Mapping, Sequence
from typing import Any

from nengo_dl.errors import InvalidValue
from nengo_dl.names import suggestion
from nengo_dl.onnx.graph import Graph, Input, Shape


def shapes_of(graph: Graph, given: Any) -> tuple[Shape, ...]:
    """Return the shapes of all inputs, of which only the first length may be open.

    Parameters
    ----------
    graph : `Graph`
        As it is in the file.
    given : mapping or sequence or None
        From names of inputs to shapes; a single shape will do for a single input.

    Raises
    ------
    InvalidValue
        If a length is missing, or does not fit the file.
    """
    by_name = _by_name(graph, given)
    return tuple(_shape(each, by_name.get(each.name)) for each in graph.inputs)


def _by_name(graph: Graph, given: Any) -> Mapping[str, Any]:
    names = [each.name for each in graph.inputs]
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        is_single = all(n is None or isinstance(n, int) for n in given)
        given = [given] if is_single else list(given)
        if len(given) != len(names):
            raise InvalidValue(
                f"expected a shape for each of the inputs {names} (got {len(given)})"
            )
        return dict(zip(names, given, strict=True))
    for name in given:
        if name not in names:
            raise InvalidValue(
                f"expected names of inputs (got {name!r}). {suggestion(name, names)}"
            )
    return given


def _shape(each: Input, given: Sequence[int | None] | None) -> Shape:
    """Return the shape of an input."""
    declared = each.shape
    if given is not None:
        declared = _merged(each, tuple(given))
    if declared is None:
        raise InvalidValue(
            f"expected a shape for input {each.name!r}, as the file has none (got "
            f"none). Pass input_shapes={{{each.name!r}: (None, ...)}}."
        )
    if any(not isinstance(n, int) for n in declared[1:]):
        raise InvalidValue(
            f"expected a length for each axis of input {each.name!r} but the first "
            f"(got {_shown(declared)}). Pass "
            f"input_shapes={{{each.name!r}: {_shown(declared, '...')}}}."
        )
    return declared


def _merged(each: Input, given: tuple[int | None, ...]) -> Shape:
    """Return the shape that a user gives, if it fits that of the file."""
    declared = each.shape
    if declared is None:
        return given
    if len(given) == len(declared) - 1:  # without the minibatch, as in Keras
        given = (None, *given)
    if len(given) != len(declared):
        raise InvalidValue(
            f"expected {len(declared)} axes for input {each.name!r} (got {given}). "
            f"Pass a shape that fits {_shown(declared)}."
        )
    merged = []
    for i, (own, wanted) in enumerate(zip(declared, given, strict=True)):
        if isinstance(own, int) and wanted not in (None, own) and i > 0:
            raise InvalidValue(
                f"expected length {own} for axis {i} of input {each.name!r} (got "
                f"{wanted}). Pass a shape that fits {_shown(declared)}."
            )
        merged.append(own if wanted is None else wanted)
    return tuple(merged)


def _shown(shape: Shape, unknown: str = "None") -> str:
    parts = [str(n) if isinstance(n, int) else unknown for n in shape]
    if unknown != "None" and parts:
        parts[0] = "None"
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
