"""Convolutions that stay convolutions on a chip, so that large networks stay small."""

import inspect
from functools import reduce

import nengo
import numpy as np
import scipy.sparse

from nengo_dl.hardware.paths import Path
from nengo_dl.nir.export.links import Windowed


def convolution_on_chip(
    paths: list[Path], weights: np.ndarray, gain: np.ndarray
) -> nengo.Convolution | None:
    """Return a convolution with weights as a chip holds them.

    It takes the place of the last connection of paths, to neurons without a gain. What
    comes before it must do nothing but copy values, or average them, so that each
    weight on the chip is one of the filter, times a factor that all of them share.

    Parameters
    ----------
    paths : list of `Path`
        All that go through one connection.
    weights : ndarray
        Of the connection, in Nengo's order.
    gain : ndarray of shape (n_neurons,)
        What it is multiplied by.

    Returns
    -------
    transform : Convolution or None
        None if there is no such one.
    """
    if not paths:
        return None
    link, is_spiking = paths[0].links[-1], paths[0].is_spiking
    is_plain = isinstance(link.map, Windowed) and link.into is None
    if not is_plain or np.any(gain != gain[0]):
        return None
    found = [_factor(path) for path in paths]
    factors = [factor for factor in found if factor is not None]
    is_one = len(factors) == len(paths) and np.allclose(factors, factors[0], 1e-9, 0)
    if not is_one or any(path.is_spiking != is_spiking for path in paths):
        return None
    transform = link.conn.transform
    arguments = {
        name: getattr(transform, name)
        for name in inspect.signature(nengo.Convolution).parameters
    }
    # what a spike, or a value of 1, adds to a current
    values = paths[0].rounded(weights * (gain[0] * factors[0])) / factors[0]
    return nengo.Convolution(**(arguments | {"init": values}))


def _factor(path: Path) -> float | None:
    """Return what arrives at the last connection for a spike, if it is one number."""
    filters = [link.synapse for link in path.links[:-1]]
    if path.constant is not None or any(f is not None for f in filters):
        return None
    if len(path.matrices) == 1:
        return path.height
    product = scipy.sparse.csr_array(reduce(lambda a, b: b @ a, path.matrices[:-1]))
    values = product.data[product.data != 0]
    if not values.size or not np.allclose(values, values[0], rtol=1e-9, atol=0):
        return None
    return float(values[0]) * path.height
