"""Where connections lead: to how many elements, and to which.

Operations that values or spikes cause are as many as there are of them, times the
number of elements that each contributes to, through nonzero weights.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.transforms import NoTransform, SparseMatrix, Transform
from scipy.sparse import coo_array

from nengo_dl.converter.windows import Geometry, taps
from nengo_dl.nodes.stencil import Stencil

Links = tuple[np.ndarray, np.ndarray]


def neurons_of(obj: Any) -> Any:
    """Return the neurons that make the values of an ensemble; others make their own."""
    return obj.neurons if isinstance(obj, nengo.Ensemble) else obj


def passes_on(conn: nengo.Connection) -> bool:
    """Whether a connection only passes values on."""
    is_decoded = isinstance(conn.pre_obj, nengo.Ensemble)
    return isinstance(conn.transform, NoTransform) and not is_decoded


@dataclass(frozen=True, eq=False)
class Synapses:
    """Numbers of weights that are applied to the elements of a connection."""

    # to how many others each element contributes, through nonzero weights
    fan_out: np.ndarray
    dense: np.ndarray  # the same through all weights
    n_weights: int
    n_zeros: int


def synapses(conn: nengo.Connection, weights: Any) -> Synapses:
    """Count what a connection with a transform, or decoders, does."""
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
        int(values.size - np.count_nonzero(values)),
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


@functools.singledispatch
def links(transform: Transform, weights: np.ndarray) -> Links | None:
    """List the pairs of elements that nonzero weights connect, by their numbers.

    None for transforms that have no such list.
    """
    del transform, weights
    return None


@links.register
def _no_transform_links(transform: NoTransform, weights) -> Links:
    del weights
    return np.arange(transform.size_in), np.arange(transform.size_in)


@links.register
def _dense_links(transform: nengo.Dense, weights) -> Links:
    if weights.ndim == 2:
        post, pre = np.nonzero(weights)
        return pre, post
    pre = np.flatnonzero(np.broadcast_to(weights, transform.size_in))
    return pre, pre


@links.register
def _sparse_links(transform: nengo.Sparse, weights) -> Links:
    is_there = weights.data != 0
    return weights.col[is_there], weights.row[is_there]


@links.register
def _convolution_links(transform: nengo.Convolution, weights) -> Links:
    n_positions = math.prod(transform.input_shape.spatial_shape)
    return _tap_by_tap(transform, windows(transform), n_positions, weights)


@links.register
def _stencil_links(transform: Stencil, weights) -> Links:
    return _tap_by_tap(transform, transform.index, transform.n_positions_in, weights)


def _tap_by_tap(transform, index, n_positions, weights) -> Links:
    *_, channels, filters = weights.shape
    weights = np.reshape(weights, (-1, channels, filters))
    found = []
    for tap, weight in zip(index.T, weights, strict=True):
        windows = np.flatnonzero(tap >= 0)[:, None]
        channel, channel_out = np.nonzero(weight)
        group = channel_out // (filters // transform.groups)
        channel_in = group * channels + channel
        if transform.channels_last:
            pre = tap[windows] * (channels * transform.groups) + channel_in
            post = windows * filters + channel_out
        else:
            pre = channel_in * n_positions + tap[windows]
            post = channel_out * len(index) + windows
        found.append((pre.ravel(), post.ravel()))
    pre, post = (np.concatenate(part) for part in zip(*found, strict=True))
    return pre, post
