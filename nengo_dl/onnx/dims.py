"""Lengths of axes that depend on the number of items in a minibatch.

Shapes are tensors in ONNX, and graphs compute with them. A `Length` is exact: what is
not known for all minibatches raises `NotKnown`, and is never guessed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np


class NotKnown(Exception):
    """A result that depends on the size of the minibatch, and not as `Length` does."""


@dataclass(frozen=True, eq=False)
class Length:
    """The number ``factor * n + offset`` for minibatches of any ``n`` items from 1 on.

    NumPy computes with arrays of these as with numbers.

    Parameters
    ----------
    factor : int
        How often the minibatch counts; not zero.
    offset : int
        Added to that.
    """

    factor: int = 1
    offset: int = 0

    def at(self, n: int) -> int:
        """Return the number for a minibatch of n items."""
        return self.factor * n + self.offset

    def __add__(self, other: Any) -> "Length | int":
        factor, offset = _parts(other)
        return _made(self.factor + factor, self.offset + offset)

    __radd__ = __add__

    def __neg__(self) -> "Length":
        return Length(-self.factor, -self.offset)

    def __sub__(self, other: Any) -> "Length | int":
        factor, offset = _parts(other)
        return _made(self.factor - factor, self.offset - offset)

    def __rsub__(self, other: Any) -> "Length | int":
        return -self + other

    def __mul__(self, other: Any) -> "Length | int":
        factor, offset = _parts(other)
        if factor:
            raise NotKnown("the product of two lengths")
        return _made(self.factor * offset, self.offset * offset)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> "Length | int":
        factor, offset = _parts(other)
        if factor and self.factor * offset == self.offset * factor:
            if self.factor % factor == 0:
                return self.factor // factor
        elif not factor and offset:
            if self.factor % offset == 0 and self.offset % offset == 0:
                return _made(self.factor // offset, self.offset // offset)
        raise NotKnown("a quotient that leaves a rest")

    __truediv__ = __floordiv__

    def __rtruediv__(self, other: Any) -> Any:
        raise NotKnown("a number divided by a length")

    __rfloordiv__ = __rtruediv__

    def _sign(self, other: Any) -> int:
        """Return the sign of the difference to a number, if it is always the same."""
        factor, offset = _parts(self - other)
        if factor == 0:
            return (offset > 0) - (offset < 0)
        if factor > 0 and factor + offset > 0:
            return 1
        if factor < 0 and factor + offset < 0:
            return -1
        raise NotKnown("a comparison with the size of the minibatch")

    def __eq__(self, other: Any) -> bool:
        return other is not None and self._sign(other) == 0

    def __ne__(self, other: Any) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return self._sign(other) < 0

    def __gt__(self, other: Any) -> bool:
        return self._sign(other) > 0

    def __le__(self, other: Any) -> bool:
        return self._sign(other) <= 0

    def __ge__(self, other: Any) -> bool:
        return self._sign(other) >= 0

    def __hash__(self) -> int:
        return hash((self.factor, self.offset))

    def __bool__(self) -> bool:
        return self._sign(0) != 0

    def __repr__(self) -> str:
        head = "n" if self.factor == 1 else f"{self.factor}n"
        return f"{head}{self.offset:+d}" if self.offset else head


def _parts(value: Any) -> tuple[int, int]:
    """Return factor and offset of a length or a whole number."""
    if isinstance(value, Length):
        return value.factor, value.offset
    if isinstance(value, Integral | np.floating | float) and value == int(value):
        return 0, int(value)
    raise NotKnown(f"a length combined with {value!r}")


def _made(factor: int, offset: int) -> "Length | int":
    return Length(factor, offset) if factor else offset


def is_items(n: Any) -> bool:
    """Return whether a length is that of the minibatch, whatever it has."""
    return isinstance(n, Length) and (n.factor, n.offset) == (1, 0)


def lengths(shape: Iterable[int | Length]) -> np.ndarray:
    """Return a shape as a tensor."""
    shape = list(shape)
    found = np.empty(len(shape), object)
    found[:] = shape
    return settled(found)


def is_known(array: np.ndarray) -> bool:
    """Return whether no element of an array depends on the minibatch."""
    if array.dtype != object:
        return True
    return not any(isinstance(x, Length) for x in array.ravel())


def settled(array: Any) -> np.ndarray:
    """Return an array as one of numbers, if all its elements are whole numbers."""
    array = np.asarray(array)
    if array.dtype == object and all(isinstance(x, Integral) for x in array.ravel()):
        return array.astype(np.int64)
    return array
