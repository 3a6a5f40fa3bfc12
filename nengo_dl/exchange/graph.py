"""Graphs as readers make them: operators of a source, on values that have names.

Readers of a format (``nengo_dl.torch``, ``nengo_dl.onnx``) turn their graph into a
`Graph`. All that follows from shapes and constants alone is computed by then, and
nothing is changed in place. Axes are in the order of the source, e.g. channels first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

# Length of an axis that depends on the number of items, but is not that number
OTHER = -1
# Length of each axis, an int; None for the minibatch, which most functions refuse first
Shape: TypeAlias = tuple[Any, ...]


class NumberOfItems:
    """The number of items of a minibatch as an argument of an operator."""

    def __repr__(self) -> str:
        return "the number of items"


@dataclass(frozen=True)
class Ref:
    """A value by its name: an input, an output of a node, or a weight."""

    name: str


@dataclass(frozen=True)
class Input:
    """An input of the graph.

    Parameters
    ----------
    name : str
        By which nodes call it.
    shape : tuple
        The first axis is the minibatch, and has length None.
    dtype : str
        Of its elements.
    has_items : bool
        Whether there is a minibatch. If not, all axes have a length.
    """

    name: str
    shape: Shape
    dtype: str = "float32"
    has_items: bool = True


@dataclass(frozen=True, eq=False)
class Weight:
    """A parameter or buffer of the source.

    Parameters
    ----------
    name : str
        As the source calls it, such as "layer1.0.conv1.weight".
    array : ndarray
        Its value, of the shape that it has in the source.
    trainable : bool
        Whether training changes it.
    aliases : tuple of str
        Other names of the same weight.
    """

    name: str
    array: np.ndarray
    trainable: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Node:
    """A call of an operator.

    Parameters
    ----------
    operator : str
        Key of the table of operators, such as "aten.conv2d.default" or "onnx.Conv".
    name : str
        What layers are called that come from it, such as "layer1_0_conv1".
    path : str
        Where it is, for messages: the path of a module, the name of a node.
    arguments : tuple
        Arguments by position: a `Ref` for each value or weight, also within tuples;
        None for what is left out; numbers, strings and arrays.
    keywords : mapping of str to object
        Arguments by name, such as the attributes of an ONNX node.
    outputs : tuple of str
        Names of what it computes.
    shapes : tuple of (tuple of int) or None
        Shapes of the outputs, as far as the reader knows them.
    dtypes : tuple of str or None
        Types of the outputs, likewise.
    problem : str or None
        Why it cannot be translated, if the reader has found that out.
    """

    operator: str
    name: str
    path: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    shapes: tuple[Any, ...] = ()
    dtypes: tuple[Any, ...] = ()
    problem: str | None = None

    @property
    def refs(self) -> tuple[str, ...]:
        """Names of all values and weights that it takes."""
        return tuple(refs((self.arguments, tuple(self.keywords.values()))))


@dataclass(frozen=True, eq=False)
class Graph:
    """A network of another library.

    Parameters
    ----------
    name : str
        Of the model that is made of it.
    inputs : tuple of `Input`
        What goes in.
    nodes : tuple of `Node`
        Each after those whose outputs it takes.
    outputs : tuple of str
        Names of the values that come out.
    weights : mapping of str to `Weight`
        By the names that nodes call them by.
    dtype : str
        In which precision floats are computed.
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, Weight]
    dtype: str = "float32"


def refs(value: Any) -> Iterator[str]:
    """Yield the names of all values in an argument."""
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, tuple | list):
        for part in value:
            yield from refs(part)


def needed(nodes: Iterable[Node], outputs: Iterable[str]) -> tuple[Node, ...]:
    """Return the nodes that outputs follow from."""
    wanted, kept = set(outputs), []
    for node in reversed(tuple(nodes)):
        if wanted.intersection(node.outputs):
            wanted.update(node.refs)
            kept.append(node)
    return tuple(reversed(kept))
