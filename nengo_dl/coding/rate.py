"""Rate codes: the number of spikes in some time tells a number."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nengo_dl.coding import checks
from nengo_dl.errors import InvalidValue, argument, arguments_of


@dataclass(frozen=True)
class _Rate:
    """A code in which the number of spikes in some time tells a number."""

    n_steps: int
    dt: float = 0.001
    _most: ClassVar[float] = np.inf  # mean number of spikes in a step

    def __post_init__(self) -> None:
        checks.checked_fields(self, n_steps=checks.n_steps, dt=checks.positive)

    def encode(self, rates: Any) -> np.ndarray:
        """Return numbers of spikes.

        Parameters
        ----------
        rates : array of shape (n_items, ...)
            Firing rates in Hz, of at least 0; for `Bernoulli`, of at most ``1 / dt``.

        Returns
        -------
        spikes : ndarray of float32, of shape (n_items, n_steps, ...)

        Raises
        ------
        ValidationError
            If rates are out of range or not finite.
        """
        with arguments_of(type(self)), argument("rates"):
            array = checks.numbers(rates, 0, self._most / self.dt, " Hz")
        shape = (array.shape[0], self.n_steps, *array.shape[1:])
        return self._spikes(array[:, None] * self.dt, shape).astype(np.float32)

    def _spikes(self, per_step: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return spikes of a shape, for their mean numbers in each of the steps."""
        raise NotImplementedError

    def decode(self, spikes: Any) -> np.ndarray:
        """Return the mean firing rates.

        Parameters
        ----------
        spikes : array of shape (n_items, n_steps, ...)
            Numbers of spikes. There may be another number of steps than in `encode`.

        Returns
        -------
        rates : ndarray of shape (n_items, ...)
            In Hz.
        """
        return checks.trains(spikes, self).mean(axis=1, dtype=np.float64) / self.dt


@dataclass(frozen=True)
class Poisson(_Rate):
    r"""Spikes at random times, independent of each other: the rate code of cortex.

    The number of spikes in a step has a Poisson distribution, :math:`P(n) = (r\,dt)^n
    e^{-r\,dt} / n!` [1]_. At high rates there can be several in one step.

    Parameters
    ----------
    n_steps : int
        Number of steps of a presentation.
    dt : float
        Length of a step, in seconds.
    seed : int, optional
        Seed of the random numbers. Without one, each call draws others.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    References
    ----------
    .. [1] Gerstner, W. and Kistler, W. M. (2002). Spiking Neuron Models, chapter 5.
       https://doi.org/10.1017/CBO9780511815706

    Examples
    --------
    .. testcode::

       code = nengo_dl.coding.Poisson(n_steps=1000, seed=0)
       spikes = code.encode([[50.0], [200.0]])
       print(spikes.shape)
       print(np.round(code.decode(spikes), -1).ravel())

    .. testoutput::

       (2, 1000, 1)
       [ 50. 200.]
    """

    seed: int | None = None

    def _spikes(self, per_step: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(self.seed).poisson(per_step, shape)


@dataclass(frozen=True)
class Bernoulli(_Rate):
    r"""Spikes at random times, at most one in each step.

    A step has a spike with probability :math:`r\,dt`.

    Parameters
    ----------
    n_steps : int
        Number of steps of a presentation.
    dt : float
        Length of a step, in seconds. If it is 1, rates are probabilities, as in the
        rate codes of other libraries.
    seed : int, optional
        Seed of the random numbers. Without one, each call draws others.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    Examples
    --------
    .. testcode::

       code = nengo_dl.coding.Bernoulli(n_steps=1000, dt=1.0, seed=0)
       spikes = code.encode([[0.0, 0.25, 1.0]])
       print(np.round(code.decode(spikes), 1))

    .. testoutput::

       [[0.  0.2 1. ]]
    """

    seed: int | None = None
    _most: ClassVar[float] = 1

    def _spikes(self, per_step: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(self.seed).random(shape) < per_step


@dataclass(frozen=True)
class Regular(_Rate):
    r"""Spikes in equal intervals, with no noise.

    After :math:`t` steps there have been :math:`\lfloor \varphi + r\,dt\,t \rfloor`
    spikes, which is what integrate-and-fire neurons do with constant input.

    Parameters
    ----------
    n_steps : int
        Number of steps of a presentation.
    dt : float
        Length of a step, in seconds.
    phase : float
        :math:`\varphi`, from 0 up to but not including 1: the part of the first
        interval that has passed before the first step.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    Examples
    --------
    .. testcode::

       code = nengo_dl.coding.Regular(n_steps=8, dt=1.0)
       print(code.encode([[0.25, 0.5]])[0].T)

    .. testoutput::

       [[0. 0. 0. 1. 0. 0. 0. 1.]
        [0. 1. 0. 1. 0. 1. 0. 1.]]
    """

    phase: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.checked_fields(self, phase=_phase)

    def _spikes(self, per_step: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        steps = np.arange(self.n_steps + 1).reshape(1, -1, *[1] * (len(shape) - 2))
        # a billionth, so that 10 intervals of a tenth are one
        counts = np.floor(self.phase + per_step * steps + 1e-9)
        return np.diff(counts, axis=1)


def _phase(value: Any) -> float:
    if not 0 <= float(value) < 1:
        raise InvalidValue(f"must be at least 0 and less than 1 (got {value!r}).")
    return float(value)
