"""To how many outputs each input of a transform contributes, through nonzero weights.

The number of operations that values or spikes cause is the number of them times this.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.transforms import SparseMatrix, Transform
from scipy.sparse import coo_array

from nengo_dl.converter.windows import Geometry, taps
from nengo_dl.nodes.stencil import Stencil


@dataclass(frozen=True, eq=False)
class Synapses:
    """What a connection does to the elements that it starts from.

    Parameters
    ----------
    fan_out, dense : ndarray of shape (size,)
        To how many others each element contributes, through nonzero weights, and
        through all.
    n_weights, n_zeros : int
        How many weights there are, and how many of them are zero.
    """

    fan_out: np.ndarray
    dense: np.ndarray
    n_weights: int
    n_zeros: int


def synapses(conn: nengo.Connection, weights: Any) -> Synapses:
    """Count what a connection does.

    Parameters
    ----------
    conn : Connection
        With a transform, or decoders.
    weights : ndarray or sparse matrix
        As they were built.
    """
    weights = plain(weights)
    if isinstance(weights, np.ndarray):
        values, ones = weights, np.ones_like(weights)
    else:
        values, ones = weights.data, coo_array(weights)
        ones.data = np.ones_like(values)
    count = fan_out.dispatch(type(conn.transform))
    if isinstance(conn.pre_obj, nengo.Ensemble):  # decoders are part of the weights
        count = _columns
    return Synapses(
        count(conn.transform, weights),
        count(conn.transform, ones),
        values.size,
        values.size - np.count_nonzero(values),
    )


def plain(weights: Any) -> np.ndarray | coo_array:
    """Return weights as an array; sparse ones in coordinates."""
    if isinstance(weights, SparseMatrix):
        weights = weights.allocate()
    return weights if isinstance(weights, np.ndarray) else coo_array(weights)


@functools.singledispatch
def fan_out(transform: Transform, weights: np.ndarray) -> np.ndarray:
    """Count, for each input of a transform, its nonzero weights.

    Parameters
    ----------
    transform : `nengo.transforms.Transform`
        Its geometry counts.
    weights : ndarray, or coo_array for a sparse transform
        Its weights, in the shape that the transform samples them in.

    Returns
    -------
    counts : ndarray of shape (size_in,)
        A weight that is shared between positions counts at each of them; one that falls
        on the padding does not.

    Raises
    ------
    TypeError
        If there is no function for such transforms.
    """
    raise TypeError(
        "Converter.report: expected a transform whose operations can be counted (got "
        f"{transform}). Register a function for it with "
        "nengo_dl.converter.report.fan_out.register."
    )


@fan_out.register
def _dense(transform: nengo.Dense, weights) -> np.ndarray:
    if weights.ndim == 2:
        return _columns(transform, weights)
    return np.broadcast_to(weights != 0, transform.size_in).astype(float)


def _columns(transform, weights) -> np.ndarray:
    del transform
    return np.count_nonzero(weights, axis=0).astype(float)


@fan_out.register
def _sparse(transform: nengo.Sparse, weights) -> np.ndarray:
    columns = weights.col[weights.data != 0]
    return np.bincount(columns, minlength=transform.size_in).astype(float)


@fan_out.register
def _convolution(transform: nengo.Convolution, weights) -> np.ndarray:
    n_positions = math.prod(transform.input_shape.spatial_shape)
    return _taps_by_channel(transform, windows(transform), n_positions, weights)


@fan_out.register
def _transposed(transform: nengo.ConvolutionTranspose, weights) -> np.ndarray:
    # the windows of the convolution that it is the transpose of lie on its output
    index = taps(_geometry(transform, transform.output_shape))
    nonzero = np.count_nonzero(weights, axis=-1).reshape(index.shape[1], -1)
    counts = (index >= 0).astype(float) @ nonzero
    return (counts if transform.channels_last else counts.T).ravel()


@fan_out.register
def _stencil(transform: Stencil, weights) -> np.ndarray:
    n_positions = transform.n_positions_in
    return _taps_by_channel(transform, transform.index, n_positions, weights)


def windows(transform: nengo.Convolution) -> np.ndarray:
    """Return which position each tap reads, see `nengo_dl.converter.windows.taps`."""
    return taps(_geometry(transform, transform.input_shape))


def _geometry(transform, shape) -> Geometry:
    ones = (1,) * transform.dimensions
    return Geometry(
        shape.spatial_shape,
        transform.kernel_size,
        transform.strides,
        transform.padding,
        ones,
        transform.channels_last,
    )


def _taps_by_channel(transform, index, n_positions, weights) -> np.ndarray:
    """Combine how often each position is read with the nonzero weights of its channels.

    The shape of the weights is (..., n_channels_in // groups, n_channels_out).
    """
    *_, channels, filters = weights.shape
    groups = transform.groups
    used = [np.bincount(tap[tap >= 0], minlength=n_positions) for tap in index.T]
    nonzero = np.reshape(weights, (-1, channels, groups, filters // groups)) != 0
    each = nonzero.sum(axis=-1)  # (n_taps, channels, groups)
    each = np.swapaxes(each, 1, 2).reshape(len(each), -1)
    counts = np.stack(used, axis=1).astype(float) @ each
    return (counts if transform.channels_last else counts.T).ravel()
