"""Arrays that NumPy writes and TensorFlow reads, without a copy where that is possible.

Making a tensor of a small array takes longer than many a computation with it.
"""

import numpy as np
import tensorflow as tf

# TensorFlow's kernels need arrays that begin at a multiple of this many bytes
_ALIGNMENT = 64


class SharedArray:
    """An array, and a tensor of what it holds whenever a function is called with it.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array, which is zero at first.
    dtype : dtype
        Type of its elements.

    Attributes
    ----------
    array : ndarray
        To be written between calls. A call must have ended before the next change.
    is_shared : bool
        Whether one tensor sees all changes of the array.
    """

    def __init__(self, shape: tuple[int, ...], dtype):
        self.array = _aligned(shape, np.dtype(dtype))
        self._tensor = tf.experimental.dlpack.from_dlpack(self.array.__dlpack__())
        self.is_shared = self._shares()

    @property
    def tensor(self) -> tf.Tensor:
        """The array as it is now, to be used until it changes."""
        return self._tensor if self.is_shared else tf.constant(self.array)

    def _shares(self) -> bool:
        """Tell whether the tensor sees changes of the array."""
        # copies to other devices may still be going on when a call has returned
        if tf.config.list_logical_devices("GPU"):
            return False
        self.array[...] = 1
        seen = bool(np.all(self._tensor.numpy() == 1))
        self.array[...] = 0
        return seen


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """Return a tensor of a copy of an array."""
    copy = _aligned(array.shape, array.dtype)
    copy[...] = array
    return tf.experimental.dlpack.from_dlpack(copy.__dlpack__())


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
