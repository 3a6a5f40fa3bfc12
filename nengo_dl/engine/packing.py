"""Many small tensors as one, because each that a call takes or returns costs time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nengo_dl.engine.shared_array import as_tensor

# A copy of this many elements takes about as long as one more tensor in a call
MAX_PACKED = 2048


class Place(NamedTuple):
    """The place of a tensor among those that it is packed into.

    Parameters
    ----------
    number : int
        Which of them it is in; the first one is the vector of all small ones.
    part : slice or None
        Its elements in the vector; None for a tensor that is not in it.
    shape : tuple of int
        Its shape.
    """

    number: int
    part: slice | None
    shape: tuple[int, ...]

    def read(self, packed: Sequence[tf.Tensor], vector: np.ndarray) -> np.ndarray:
        """Return the values, given those of the vector."""
        if self.part is None:
            return np.asarray(packed[self.number])
        return vector[self.part].reshape(self.shape)


class Packing:
    """Puts small tensors one after the other, and hands large ones on.

    Parameters
    ----------
    tensors : sequence of tensor
        Tensors of the shapes and the types that are to be packed.
    dtype : dtype
        The type of those that can be packed.

    Attributes
    ----------
    places : list of `Place`
        Of each tensor.
    """

    def __init__(self, tensors: Sequence[tf.Tensor], dtype):
        self._dtype = dtype
        self.places: list[Place] = []
        stop, n_packed = 0, 1
        for x in tensors:
            size = x.shape.num_elements()
            if x.dtype == dtype and size is not None and size <= MAX_PACKED:
                start, stop = stop, stop + size
                place = Place(0, slice(start, stop), tuple(x.shape))
            else:
                place = Place(n_packed, None, ())
                n_packed += 1
            self.places.append(place)

    def pack(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return one vector, and all tensors that are not in it."""
        vectors, large = [tf.zeros((0,), self._dtype)], []
        for x, place in zip(tensors, self.places, strict=True):
            if place.part is None:
                large.append(x)
            else:
                vectors.append(tf.reshape(x, (-1,)))
        return [tf.concat(vectors, 0), *large]

    def unpack(self, packed: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return all tensors again."""
        return [
            packed[place.number]
            if place.part is None
            else tf.reshape(packed[0][place.part], place.shape)
            for place in self.places
        ]


class LazilyUnpacked(Sequence[tf.Tensor]):
    """Tensors that are made of what they are packed into when one is first read.

    Parameters
    ----------
    packed : sequence of tensor
        What they are packed into.
    places : sequence of `Place`
        Their places in it.
    """

    def __init__(self, packed: Sequence[tf.Tensor], places: Sequence[Place]):
        self.packed, self._places = packed, places
        self._tensors: tuple[tf.Tensor, ...] | None = None

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index):
        if self._tensors is None:
            vector = np.asarray(self.packed[0])
            self._tensors = tuple(
                self.packed[place.number]
                if place.part is None
                else as_tensor(place.read(self.packed, vector))
                for place in self._places
            )
        return self._tensors[index]
