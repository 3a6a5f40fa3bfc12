"""Distributions for initial weights, as Nengo distributions.

They go wherever Nengo takes a distribution, e.g. ``nengo.Connection(transform=...)``. A
sample of shape (n, d) is a matrix of weights from d inputs to n outputs.
"""

from typing import Any

import numpy as np
from nengo.dists import Distribution
from nengo.params import EnumParam, NumberParam

__all__ = [
    "Glorot",
    "He",
    "TruncatedNormal",
    "VarianceScaling",
]


class TruncatedNormal(Distribution):
    """Normal distribution without its tails.

    Values further than ``limit`` from the mean are drawn again.

    Parameters
    ----------
    mean : float
        Mean.
    stddev : float
        Standard deviation before the tails are cut; positive.
    limit : float or None
        Largest distance from the mean; None for two standard deviations.

    Examples
    --------
    .. testcode::

       dist = nengo_dl.dists.TruncatedNormal(mean=1.0, stddev=0.5)
       print(np.abs(dist.sample(1000) - 1).max() <= 1)

    .. testoutput::

       True
    """

    mean = NumberParam("mean")
    stddev = NumberParam("stddev", low=0, low_open=True)
    limit = NumberParam("limit", low=0, low_open=True)

    def __init__(self, mean: float = 0, stddev: float = 1, limit: float | None = None):
        super().__init__()
        self.mean = mean
        self.stddev = stddev
        self.limit = 2 * stddev if limit is None else limit

    def sample(self, n: int, d: int | None = None, rng: Any = np.random) -> np.ndarray:
        """Draw numbers.

        Parameters
        ----------
        n : int
            Number of samples.
        d : int or None
            Dimensions of each sample.
        rng : RandomState
            Where they come from.

        Returns
        -------
        samples : ndarray of shape (n,) or (n, d)
        """
        deviations = rng.normal(scale=self.stddev, size=_shape(n, d))
        while np.any(outside := np.abs(deviations) > self.limit):
            deviations[outside] = rng.normal(
                scale=self.stddev, size=np.count_nonzero(outside)
            )
        return self.mean + deviations


class VarianceScaling(Distribution):
    r"""Weights whose variance goes down with the number of connections.

    Uniform on :math:`\pm\sqrt{3 s / k}`, or `TruncatedNormal` with the standard
    deviation :math:`\sqrt{s / k}`. The number of connections :math:`k` is that into a
    neuron (``fan_in``), out of a neuron (``fan_out``), or their mean.

    Parameters
    ----------
    scale : float
        Factor :math:`s` on the variance; positive.
    mode : "fan_avg", "fan_in" or "fan_out"
        Which number of connections counts.
    distribution : "uniform" or "normal"
        Shape of the distribution.
    """

    scale = NumberParam("scale", low=0, low_open=True)
    mode = EnumParam("mode", values=("fan_in", "fan_out", "fan_avg"))
    distribution = EnumParam("distribution", values=("uniform", "normal"))

    def __init__(
        self, scale: float = 1, mode: str = "fan_avg", distribution: str = "uniform"
    ):
        super().__init__()
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def sample(self, n: int, d: int | None = None, rng: Any = np.random) -> np.ndarray:
        """Draw weights from d inputs to n outputs.

        Parameters
        ----------
        n : int
            Number of outputs (``fan_out``).
        d : int or None
            Number of inputs (``fan_in``); None for one, and a vector of weights.
        rng : RandomState
            Where they come from.

        Returns
        -------
        weights : ndarray of shape (n,) or (n, d)
        """
        return _sample(self.scale, self.mode, self.distribution, n, d, rng)


class Glorot(Distribution):
    """Weights that keep variances equal from layer to layer, forward and backward.

    `VarianceScaling` with ``mode="fan_avg"``. For saturating nonlinearities (Glorot &
    Bengio 2010, Understanding the difficulty of training deep feedforward neural
    networks, https://proceedings.mlr.press/v9/glorot10a.html).

    Parameters
    ----------
    scale : float
        Factor on the variance; positive.
    distribution : "uniform" or "normal"
        Shape of the distribution.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           a, b = nengo.Ensemble(20, 1), nengo.Ensemble(30, 1)
           dist = nengo_dl.dists.Glorot()
           nengo.Connection(a.neurons, b.neurons, transform=dist)
    """

    scale = NumberParam("scale", low=0, low_open=True)
    distribution = EnumParam("distribution", values=("uniform", "normal"))

    def __init__(self, scale: float = 1, distribution: str = "uniform"):
        super().__init__()
        self.scale = scale
        self.distribution = distribution

    def sample(self, n: int, d: int | None = None, rng: Any = np.random) -> np.ndarray:
        """Draw weights; see `VarianceScaling.sample`."""
        return _sample(self.scale, "fan_avg", self.distribution, n, d, rng)


class He(Distribution):
    """Weights that keep variances equal from layer to layer, forward.

    `VarianceScaling` with ``mode="fan_in"`` and ``scale ** 2``. With a scale of the
    square root of two, for rectified linear neurons (He et al. 2015,
    https://doi.org/10.1109/ICCV.2015.123).

    Parameters
    ----------
    scale : float
        Factor on the weights; positive.
    distribution : "uniform" or "normal"
        Shape of the distribution.
    """

    scale = NumberParam("scale", low=0, low_open=True)
    distribution = EnumParam("distribution", values=("uniform", "normal"))

    def __init__(self, scale: float = 1, distribution: str = "normal"):
        super().__init__()
        self.scale = scale
        self.distribution = distribution

    def sample(self, n: int, d: int | None = None, rng: Any = np.random) -> np.ndarray:
        """Draw weights; see `VarianceScaling.sample`."""
        return _sample(self.scale**2, "fan_in", self.distribution, n, d, rng)


def _sample(scale, mode, distribution, n, d, rng):
    """Draw weights whose variance is ``scale`` by the number of connections."""
    fan_in, fan_out = 1 if d is None else d, n
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    stddev = np.sqrt(scale / max(fan[mode], 1))
    if distribution == "normal":
        return TruncatedNormal(stddev=stddev).sample(n, d, rng)
    half_width = np.sqrt(3) * stddev
    return rng.uniform(-half_width, half_width, size=_shape(n, d))


def _shape(n, d):
    return (n,) if d is None else (n, d)
