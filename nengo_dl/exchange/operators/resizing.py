"""Images of other sizes: up-sampling, interpolation, windows of unequal sizes.

Interpolation is linear, and each axis is treated for itself. So it is a product with a
matrix for each axis, which has the weights of the neighbours.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.conv import from_image, image
from nengo_dl.exchange.values import Value

UPSAMPLING = {
    1: keras.layers.UpSampling1D,
    2: keras.layers.UpSampling2D,
    3: keras.layers.UpSampling3D,
}


def take_along(value: Value, indices: Sequence[np.ndarray], emit: Emitter) -> Value:
    """Take elements of each spatial axis by their numbers."""
    tensor = image(emit, value, len(indices))
    factors = [len(index) // tensor.shape[i + 1] for i, index in enumerate(indices)]
    repeated = [
        np.repeat(np.arange(tensor.shape[i + 1]), max(factor, 1))
        for i, factor in enumerate(factors)
    ]
    pairs = zip(indices, repeated, strict=True)
    if all(np.array_equal(a, b) for a, b in pairs):
        n = len(factors)
        size = factors[0] if n == 1 else tuple(factors)
        made = emit.layer(UPSAMPLING[n], tensor, "", size)
        return from_image(made, value.is_nonnegative)
    for axis, index in enumerate(indices, start=1):
        if not np.array_equal(index, np.arange(tensor.shape[axis])):
            tensor = keras.ops.take(tensor, index, axis=axis)
    return from_image(tensor, value.is_nonnegative)


def multiply_along(
    emit: Emitter, value: Value, matrices: Sequence[np.ndarray]
) -> Value:
    """Multiply each spatial axis by a matrix of shape (length, new length)."""
    tensor = image(emit, value, len(matrices))
    for axis, matrix in enumerate(matrices, start=1):
        if np.array_equal(matrix, np.eye(*matrix.shape)):
            continue
        tensor = _along(tensor, matrix.astype(emit.graph.dtype), axis)
    return from_image(tensor)


def _along(tensor: Any, matrix: np.ndarray, axis: int) -> Any:
    axes = "abcdefg"[: len(tensor.shape)]
    to = axes.replace(axes[axis], "z")
    return keras.ops.einsum(f"{axes},{axes[axis]}z->{to}", tensor, matrix)


def linear_kernel(distance: np.ndarray) -> np.ndarray:
    """Return the weights of linear interpolation."""
    return np.maximum(0, 1 - np.abs(distance))


def cubic_kernel(a: float = -0.75) -> Callable[[np.ndarray], np.ndarray]:
    """Return the weights of cubic interpolation.

    Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711.

    Parameters
    ----------
    a : float
        The slope at a distance of 1.
    """

    def kernel(distance: np.ndarray) -> np.ndarray:
        x = np.abs(distance)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0))

    return kernel


def interpolation(
    n: int, places: np.ndarray, kernel: Callable, reach: int
) -> np.ndarray:
    """Return the matrix of an interpolation.

    Parameters
    ----------
    n : int
        Number of elements.
    places : ndarray of shape (new length,)
        Where between the elements each new one is; beyond the ends, these are repeated.
    kernel : callable
        From distances to weights.
    reach : int
        How many neighbours count on each side.

    Returns
    -------
    matrix : ndarray of shape (n, new length)
    """
    matrix = np.zeros((n, len(places)))
    first = np.floor(places).astype(int)
    for step in range(1 - reach, reach + 1):
        neighbour = first + step
        weight = kernel(places - neighbour)
        at = np.clip(neighbour, 0, n - 1)
        np.add.at(matrix, (at, np.arange(len(places))), weight)
    return matrix


def unequal_averages(n: int, n_windows: int) -> np.ndarray:
    """Return the matrix of averages over windows of almost equal sizes."""
    matrix = np.zeros((n, n_windows))
    for i in range(n_windows):
        begin, end = i * n // n_windows, -(-(i + 1) * n // n_windows)
        matrix[begin:end, i] = 1 / (end - begin)
    return matrix
