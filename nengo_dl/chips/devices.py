"""Devices that hold weights as conductances, which are noisy and drift.

Conductances are parts of the largest one, from 0 to 1, and times are in seconds since
programming.
"""

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np

from nengo_dl.chips.checks import check_number
from nengo_dl.errors import argument

# Of logarithms, and of roots of what may be zero
SMALLEST = 1e-12


class Programmed(NamedTuple):
    """Devices after programming.

    Parameters
    ----------
    conductance : ndarray
        The conductances that were reached, as parts of the largest one.
    exponent : ndarray
        The exponents with which they drift.
    """

    conductance: np.ndarray
    exponent: np.ndarray


class Device:
    """Base class of models of devices.

    A weight is the difference of two devices. Derive a frozen dataclass, whose
    instances can be compared, and give it these three methods.

    Examples
    --------
    Devices that lose a tenth of their conductance when they are read:

    .. testcode::

       from dataclasses import dataclass

       from nengo_dl.hardware import Device, Weights

       @dataclass(frozen=True)
       class Leaky(Device):
           def program(self, g, rng):
               return g

           def read(self, state, t, rng):
               return 0.9 * state

           def sd(self, g):
               return 0 * g

       model = Weights(device=Leaky())
    """

    def program(self, g: np.ndarray, rng: np.random.Generator) -> Any:
        """Program devices.

        Parameters
        ----------
        g : ndarray
            The wanted conductances, from 0 to 1, of any shape.
        rng : numpy.random.Generator
            For all random numbers.

        Returns
        -------
        state : object
            For `read`.
        """
        raise NotImplementedError

    def read(self, state: Any, t: float, rng: np.random.Generator) -> np.ndarray:
        """Read devices.

        Parameters
        ----------
        state : object
            The result of `program`.
        t : float
            Seconds since programming.
        rng : numpy.random.Generator
            For all random numbers.

        Returns
        -------
        g : ndarray
            The conductances, as parts of the largest one, of the same shape.
        """
        raise NotImplementedError

    def sd(self, g: Any) -> Any:
        """Return the standard deviation of programmed conductances.

        Parameters
        ----------
        g : ndarray or tensor
            The wanted conductances, from 0 to 1, of any shape. Training calls it with
            tensors, so it is made of operators and `abs`.

        Returns
        -------
        sd : ndarray or tensor
            As parts of the largest conductance, of the same shape.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class PCM(Device):
    r"""Phase-change memory, with noise in programming and reading, and drift.

    A conductance :math:`g`, as a part of the largest one, is programmed with

    .. math::

       \sigma_p = \max(c_2 g^2 + c_1 g + c_0, 0) / g_{max}, \qquad
       g_p = \max(g + \sigma_p \xi, 0),

    in :math:`\mu S`, and drifts with an exponent of its own:

    .. math::

       \mu_\nu &= \mathrm{clip}(-0.0155 \ln g + 0.0244, 0.049, 0.1) \\
       \sigma_\nu &= \mathrm{clip}(-0.0125 \ln g - 0.0059, 0.008, 0.045) \\
       g_d &= g_p \left(\frac{t + t_0}{t_0}\right)^{-\nu}, \qquad
       \nu = \lvert \mu_\nu + \sigma_\nu \xi \rvert.

    Reading has 1/f noise with the standard deviation

    .. math::

       \sigma_r = g_d \min(0.0088 / g_p^{0.65}, 0.2)
           \sqrt{\ln \frac{t + t_0 + t_r}{2 t_r}}.

    Measured on a million devices: Nandakumar et al. 2019,
    https://doi.org/10.1109/ICECS46596.2019.8964852; Joshi et al. 2020,
    https://doi.org/10.1038/s41467-020-16108-9.

    Parameters
    ----------
    g_max : float
        The largest conductance, in siemens.
    t_0 : float
        Time between programming and the reading that checks it, in seconds.
    t_read : float
        Duration :math:`t_r` of a reading, in seconds.
    programming, reading, drift : float
        Factors on the noise of programming, that of reading, and the exponents; 0 turns
        them off.
    coefficients : tuple of float
        :math:`c_0, c_1, c_2` of the noise of programming, in microsiemens.

    Raises
    ------
    ValidationError
        If a number is negative, or a duration or conductance is not positive.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import PCM

       device, rng = PCM(), np.random.default_rng(0)
       state = device.program(np.full(10000, 0.5), rng)
       print(device.read(state, 86400.0, rng).mean().round(2))  # after a day

    .. testoutput::

       0.33
    """

    g_max: float = 25e-6
    t_0: float = 20.0
    t_read: float = 250e-9
    programming: float = 1.0
    reading: float = 1.0
    drift: float = 1.0
    coefficients: tuple[float, float, float] = (0.26348, 1.9650, -1.1731)

    def __post_init__(self):
        for name in ("g_max", "t_0", "t_read"):
            with argument(name, self):
                check_number(getattr(self, name), SMALLEST, inf, "a positive number")
        for name in ("programming", "reading", "drift"):
            with argument(name, self):
                check_number(getattr(self, name), 0, inf, "a number of at least 0")

    def program(self, g: np.ndarray, rng: np.random.Generator) -> Programmed:
        """Program devices, see `Device.program`."""
        g = np.asarray(g, dtype=float)
        reached = g + self.sd(g) * rng.standard_normal(g.shape)
        logarithm = np.log(np.maximum(g, SMALLEST))
        mean = np.clip(-0.0155 * logarithm + 0.0244, 0.049, 0.1)
        sd = np.clip(-0.0125 * logarithm - 0.0059, 0.008, 0.045)
        exponent = np.abs(mean + sd * rng.standard_normal(g.shape))
        return Programmed(np.maximum(reached, 0), self.drift * exponent)

    def read(self, state: Programmed, t: float, rng: np.random.Generator) -> np.ndarray:
        """Read devices, see `Device.read`."""
        g, exponent = state
        drifted = g * ((t + self.t_0) / self.t_0) ** -exponent
        share = np.minimum(0.0088 / np.maximum(g, SMALLEST) ** 0.65, 0.2)
        readings = (t + self.t_0 + self.t_read) / (2 * self.t_read)
        sd = self.reading * drifted * share * np.sqrt(np.log(readings))
        return drifted + sd * rng.standard_normal(g.shape)

    def sd(self, g: Any) -> Any:
        """Return the standard deviation of programming, see `Device.sd`."""
        c_0, c_1, c_2 = self.coefficients
        sd = (c_2 * g + c_1) * g + c_0
        # the larger one of sd and 0, for arrays and tensors alike
        return (sd + abs(sd)) * (self.programming / (2 * self.g_max * 1e6))


@dataclass(frozen=True)
class PowerLaw(Device):
    r"""Devices that are programmed exactly, and drift.

    .. math:: g(t) = g \left(\frac{t + t_0}{t_0}\right)^{-\nu}

    Parameters
    ----------
    nu : float
        Mean of the exponents.
    nu_sd : float
        Their standard deviation between devices.
    t_0 : float
        Time at which drift begins to show, in seconds.

    Raises
    ------
    ValidationError
        If a number is negative, or ``t_0`` is not positive.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import PowerLaw, Weights

       model = Weights(device=PowerLaw(nu=0.1))
    """

    nu: float = 0.05
    nu_sd: float = 0.0
    t_0: float = 1.0

    def __post_init__(self):
        for name in ("nu", "nu_sd"):
            with argument(name, self):
                check_number(getattr(self, name), 0, inf, "a number of at least 0")
        with argument("t_0", self):
            check_number(self.t_0, SMALLEST, inf, "a positive number")

    def program(self, g: np.ndarray, rng: np.random.Generator) -> Programmed:
        """Program devices, see `Device.program`."""
        g = np.asarray(g, dtype=float)
        return Programmed(g, self.nu + self.nu_sd * rng.standard_normal(g.shape))

    def read(self, state: Programmed, t: float, rng: np.random.Generator) -> np.ndarray:
        """Read devices, see `Device.read`."""
        del rng
        return state.conductance * ((t + self.t_0) / self.t_0) ** -state.exponent

    def sd(self, g: Any) -> Any:
        """Return zeros, see `Device.sd`."""
        return 0.0 * g
