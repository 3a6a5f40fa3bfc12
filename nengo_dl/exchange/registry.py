"""The table of operators: from an operator of a source to layers of Keras.

One function for each operator, whichever library it is from. Keys begin with the
source: "aten.relu.default" is PyTorch's, "onnx.Relu" is that of ONNX. The signature of
the function is the operator's: arguments by position, then attributes by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operator:
    """An entry of the table of operators.

    Parameters
    ----------
    convert : callable
        ``convert(emit, *arguments, **keywords)`` makes layers with an `Emitter`. It
        takes a `Value`, a `Weight`, or constants for each argument of the node, and
        returns a `Value`, or a tuple with one for each output; a constant result is an
        array. It raises `InvalidValue` for what it cannot convert.
    keras : str
        Which layers or functions of Keras it becomes, for the table of operators.
    restrictions : str
        What it does not convert, for the table.
    """

    convert: Callable[..., Any]
    keras: str = ""
    restrictions: str = ""


OPERATORS: dict[str, Operator] = {}


def register(*names: str, keras: str = "", restrictions: str = "") -> Callable:
    """Register the decorated function for operators, see `Operator`."""

    def decorate(convert: Callable) -> Callable:
        for name in names:
            if name in OPERATORS:
                raise ValueError(
                    f"register: expected an operator that has no function yet (got "
                    f"{name!r}). Register each operator once."
                )
            OPERATORS[name] = Operator(convert, keras, restrictions)
        return convert

    return decorate


def operators_of(source: str) -> dict[str, Operator]:
    """Return the operators of a source, such as "aten", sorted by their names."""
    names = sorted(name for name in OPERATORS if name.startswith(f"{source}."))
    return {name: OPERATORS[name] for name in names}
