"""Values while layers are made: tensors of Keras, and where the source has their axes.

The first axis of a tensor has the items of the minibatch; for what all items share, it
has length 1. The others may stand in any order: images have their channels last, and
transposing a value moves no elements.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.graph import OTHER, Shape, Weight


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the source as a tensor of Keras.

    Parameters
    ----------
    tensor : KerasTensor
        Of shape (minibatch or 1, ...).
    order : tuple of int
        Which axis of the source each axis of the tensor is, from the second one on.
    batch : int or None
        Which axis of the source is the minibatch; None for a value without one.
    is_nonnegative : bool
        Whether no element can be below zero.
    """

    tensor: Any
    order: tuple[int, ...]
    batch: int | None = 0
    is_nonnegative: bool = False

    @property
    def rank(self) -> int:
        """Number of axes that the source has."""
        return len(self.order) + (self.batch is not None)

    @property
    def shape(self) -> Shape:
        """Lengths of the axes of the source; None for the minibatch."""
        lengths = dict(zip(self.order, self.tensor.shape[1:], strict=True))
        return tuple(lengths.get(axis) for axis in range(self.rank))

    @property
    def plain(self) -> tuple[int, ...]:
        """The order in which the source has the axes."""
        return tuple(sorted(self.order))

    @property
    def channels_last(self) -> tuple[int, ...]:
        """The order of images: (height, width, channels), for any number of axes."""
        plain = self.plain
        return (*plain[1:], *plain[:1])

    def axis(self, axis: int) -> int:
        """Return which axis of the tensor an axis of the source is."""
        axis = int(axis)
        if not -self.rank <= axis < self.rank:
            raise InvalidValue(
                f"expected an axis of {self.rank} (got {axis}). Check the model"
            )
        if axis % self.rank == self.batch:
            raise InvalidValue(
                f"expected an axis other than the minibatch (got axis {axis}). Leave "
                "the items of a minibatch apart"
            )
        return 1 + self.order.index(axis % self.rank)

    def axes(self, axes: int | Sequence[int] | None) -> tuple[int, ...]:
        """Return which axes of the tensor these are; all those of the source, if None.

        All may be given only where none of them is the minibatch.
        """
        if axes is None:
            axes = range(self.rank)
        axes = axes if isinstance(axes, Iterable) else (axes,)
        return tuple(sorted(self.axis(axis) for axis in axes))

    def with_tensor(self, tensor: Any, is_nonnegative: bool = False) -> "Value":
        """Return another tensor with the same axes."""
        return replace(self, tensor=tensor, is_nonnegative=is_nonnegative)

    def transposed(self, axes: Sequence[int]) -> "Value":
        """Return the value with its axes in another order; no element is moved."""
        to = {int(axis) % self.rank: i for i, axis in enumerate(axes)}
        if sorted(to) != list(range(self.rank)):
            raise InvalidValue(
                f"expected each of {self.rank} axes once (got {tuple(axes)})"
            )
        order = tuple(to[axis] for axis in self.order)
        batch = None if self.batch is None else to[self.batch]
        return replace(self, order=order, batch=batch)


# What operators compute with: constants are arrays and numbers
Operand: TypeAlias = Value | Weight | np.ndarray | float


def plain_value(tensor: Any, batch: int | None = 0, **fields: Any) -> Value:
    """Return a value whose tensor has the axes as the source has them."""
    n_axes = len(tensor.shape) - 1
    rank = n_axes + (batch is not None)
    order = tuple(axis for axis in range(rank) if axis != batch)
    return Value(tensor, order, batch, **fields)


def item_shape(shape: Sequence[int | None]) -> tuple[int, ...]:
    """Return a shape of the source without its minibatch, which has to come first."""
    lengths = [OTHER if n is None else n for n in shape[1:]]
    if not shape or shape[0] is not None or OTHER in lengths:
        shown = tuple("items" if n is None else n for n in shape)
        raise InvalidValue(
            f"expected the minibatch as the first axis (got the shape {shown}). Leave "
            "the items of a minibatch apart"
        )
    return tuple(map(int, lengths))


def broadcast_array(array: np.ndarray, value: Value) -> np.ndarray:
    """Return a constant of the source so that it broadcasts to a value's tensor.

    Parameters
    ----------
    array : ndarray
        Broadcasts to the value from behind, as in NumPy.
    value : `Value`
        The other operand; has at least as many axes.

    Returns
    -------
    array : ndarray
        As many axes as the tensor, or none.
    """
    if array.ndim == 0:
        return array
    if array.ndim > value.rank:
        raise InvalidValue(
            f"expected a constant of up to {value.rank} axes (got {array.shape}). Leave"
            " the number of axes as it is"
        )
    array = array.reshape((1,) * (value.rank - array.ndim) + array.shape)
    if value.batch is None:
        return array.transpose(value.order)[None]
    if array.shape[value.batch] != 1:
        raise InvalidValue(
            f"expected a constant that all items share (got shape {array.shape}). "
            "Leave the minibatch out"
        )
    return array.transpose((value.batch, *value.order))
