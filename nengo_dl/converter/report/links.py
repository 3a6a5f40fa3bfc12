"""Which elements a connection leads to, where each leads to one at most."""

import functools
import math

import nengo
import numpy as np
from nengo.transforms import NoTransform, Transform

from nengo_dl.converter.report.fan_out import windows
from nengo_dl.nodes.stencil import Stencil

Links = tuple[np.ndarray, np.ndarray]


@functools.singledispatch
def links(transform: Transform, weights: np.ndarray) -> Links | None:
    """List the pairs of elements that nonzero weights connect.

    Parameters
    ----------
    transform : `nengo.transforms.Transform`
        Its geometry counts.
    weights : ndarray, or coo_array for a sparse transform, or None
        Its weights.

    Returns
    -------
    pre, post : ndarray of int
        Where each pair starts and ends. None for transforms that have no such list.
    """
    del transform, weights
    return None


@links.register
def _no_transform(transform: NoTransform, weights) -> Links:
    del weights
    return np.arange(transform.size_in), np.arange(transform.size_in)


@links.register
def _dense(transform: nengo.Dense, weights) -> Links:
    if weights.ndim == 2:
        return np.nonzero(weights)[::-1]
    pre = np.flatnonzero(np.broadcast_to(weights, transform.size_in))
    return pre, pre


@links.register
def _sparse(transform: nengo.Sparse, weights) -> Links:
    is_there = weights.data != 0
    return weights.col[is_there], weights.row[is_there]


@links.register
def _convolution(transform: nengo.Convolution, weights) -> Links:
    n_positions = math.prod(transform.input_shape.spatial_shape)
    return _tap_by_tap(transform, windows(transform), n_positions, weights)


@links.register
def _stencil(transform: Stencil, weights) -> Links:
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
