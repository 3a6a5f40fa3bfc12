"""Resistive memory: devices whose conductances spread around what was programmed."""

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np

from nengo_dl.chips.checks import check_number
from nengo_dl.chips.devices import SMALLEST, Device
from nengo_dl.errors import InvalidValue, argument

Coefficients = tuple[tuple[float, tuple[float, ...]], ...]

DAY = 86400.0
# (seconds, polynomial in microsiemens) of aihwkit's ReRamWan2022NoiseModel
WAN_2022: Coefficients = (
    (1.0, (0.348, 16.030, -43.853, 45.393, -16.815)),
    (DAY, (0.701, 22.086, -50.773, 47.095, -16.458)),
    (2 * DAY, (0.782, 20.274, -43.507, 37.062, -11.934)),
)


class Relaxed(NamedTuple):
    """Devices after programming.

    Parameters
    ----------
    conductance : ndarray
        The conductances that were wanted, as parts of the largest one.
    deviation : ndarray
        How far they are off, in standard deviations, at all times.
    """

    conductance: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True)
class ReRAM(Device):
    r"""Resistive memory, which is programmed inexactly, and relaxes.

    A conductance :math:`g`, as a part of the largest one, is

    .. math::

       g(t) = \max(g + \sigma_t(g) \xi, 0), \qquad
       \sigma_t(g) = \max\left(\sum_{i=0}^4 c_i(t) g^i, 0\right) / g_{max},

    in :math:`\mu S`, after :math:`t` seconds. The polynomials were fitted to published
    measurements after 1 s, a day and two days, of devices with up to 40
    :math:`\mu S` (Wan et al. 2022, https://doi.org/10.1038/s41586-022-04992-8), by the
    authors of aihwkit, whose ``ReRamWan2022NoiseModel`` has them
    (https://github.com/IBM/aihwkit). Mean conductances do not drift.

    What was not measured is chosen here. Between these times, coefficients are linear
    in the logarithm of time; before and after, they stay. The deviation :math:`\xi` of
    a device is drawn once: what is off stays off in the same direction. Reading has no
    noise of its own.

    Parameters
    ----------
    g_max : float
        The largest conductance, in siemens.
    programming : float
        Factor on all deviations; 0 turns them off.
    coefficients : tuple of (float, tuple of float)
        Times in seconds, which increase, and :math:`c_0, c_1, \ldots` at each of them,
        in microsiemens. Equally many for all times.

    Raises
    ------
    ValidationError
        If a number is negative, the conductance is not positive, or the coefficients
        have another form.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import ReRAM

       device, rng = ReRAM(), np.random.default_rng(0)
       state = device.program(np.full(10000, 0.5), rng)
       for seconds in (1.0, 86400.0):
           print(device.read(state, seconds, rng).std().round(2))

    .. testoutput::

       0.05
       0.1
    """

    g_max: float = 40e-6
    programming: float = 1.0
    coefficients: Coefficients = WAN_2022

    def __post_init__(self):
        with argument("g_max", self):
            check_number(self.g_max, SMALLEST, inf, "a positive number")
        with argument("programming", self):
            check_number(self.programming, 0, inf, "a number of at least 0")
        with argument("coefficients", self):
            _check_coefficients(self.coefficients)

    def program(self, g: np.ndarray, rng: np.random.Generator) -> Relaxed:
        """Program devices, see `Device.program`."""
        g = np.asarray(g, dtype=float)
        return Relaxed(g, rng.standard_normal(g.shape))

    def read(self, state: Relaxed, t: float, rng: np.random.Generator) -> np.ndarray:
        """Read devices, see `Device.read`."""
        del rng
        times, curves = zip(*self.coefficients, strict=True)
        logarithm = np.log(max(t, SMALLEST))
        found = [
            np.interp(logarithm, np.log(times), column)
            for column in zip(*curves, strict=True)
        ]
        g, deviation = state
        return np.maximum(g + self._sd(g, found) * deviation, 0)

    def sd(self, g: Any) -> Any:
        """Return the standard deviation at the first time, see `Device.sd`."""
        return self._sd(g, self.coefficients[0][1])

    def _sd(self, g: Any, coefficients: Any) -> Any:
        found = 0.0 * g
        for c in reversed(coefficients):
            found = found * g + c
        # the larger one of it and 0, for arrays and tensors alike
        return (found + abs(found)) * (self.programming / (2 * self.g_max * 1e6))


def _check_coefficients(value: Any) -> None:
    try:
        times, curves = zip(*value, strict=True)
        n_different = len({len(curve) for curve in curves})
        is_good = n_different == 1 and bool(np.all(np.isfinite(curves)))
        is_good = is_good and times[0] > 0 and bool(np.all(np.diff(times) > 0))
        hash(value)
    except (TypeError, ValueError):
        is_good = False
    if not is_good:
        raise InvalidValue(
            "must be a tuple of increasing times and as many coefficients for each of "
            f"them (got {value!r}). Pass e.g. ((1.0, (0.3, 16.0)), (86400.0, (0.7, "
            "22.1)))."
        )
