"""Connections as sparse matrices."""

from typing import Any

import numpy as np
import scipy.sparse

from nengo_dl.nir.export.links import Link, Matrix, Scaling, Windowed


def link_matrix(link: Link) -> Any:
    """Return what a connection does, from all of its start to all of its end."""
    if isinstance(link.map, Scaling):
        factors = np.broadcast_to(link.map.factor, link.pre.size_out)
        found = scipy.sparse.diags_array(factors)
    elif isinstance(link.map, Matrix):
        found = scipy.sparse.csr_array(link.map.weights)
    else:
        found = _windowed(link.map)
    gain = np.broadcast_to(link.gain, found.shape[0])
    found = scipy.sparse.diags_array(gain) @ found
    if link.into is None:
        return found
    n_rows = len(link.into)
    ones = (np.ones(n_rows), (link.into, np.arange(n_rows)))
    spread = scipy.sparse.csr_array(ones, shape=(link.post.size_in, n_rows))
    return spread @ found


def _windowed(conv: Windowed) -> Any:
    """Return the matrix of a convolution, tap by tap."""
    pads = [(0, 0), *((p, p) for p in conv.padding)]
    inputs = np.pad(_places(conv.shape_in), pads, constant_values=-1)
    outputs = _places(conv.shape_out)
    n_filters, n_in = conv.kernel.shape[:2]
    group = np.arange(n_filters) // (n_filters // conv.groups)
    channels = group[:, None] * n_in + np.arange(n_in)
    rows, columns, values = [], [], []
    for tap in np.ndindex(*conv.kernel.shape[2:]):
        steps = zip(tap, conv.stride, outputs.shape[1:], strict=True)
        at = [slice(t, t + s * (n - 1) + 1, s) for t, s, n in steps]
        column = inputs[tuple([slice(None), *at])].reshape(len(inputs), -1)[channels]
        row = np.broadcast_to(outputs.reshape(n_filters, 1, -1), column.shape)
        kernel = conv.kernel[tuple([slice(None), slice(None), *tap])]
        value = np.broadcast_to(kernel[..., None], column.shape)
        inside = column >= 0
        rows.append(row[inside])
        columns.append(column[inside])
        values.append(value[inside])
    places = (np.concatenate(rows), np.concatenate(columns))
    shape = (conv.shape_out.size, conv.shape_in.size)
    return scipy.sparse.csr_array((np.concatenate(values), places), shape=shape)


def _places(shape: Any) -> np.ndarray:
    """Return the number of each element of a tensor, with channels first."""
    index = np.arange(shape.size).reshape(shape.shape)
    return np.moveaxis(index, -1, 0) if shape.channels_last else index
