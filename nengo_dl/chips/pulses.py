"""Devices that training changes by pulses, each of which is a small step of a weight.

Steps and bounds differ between devices, and are drawn once. The formulas are written
for NumPy and TensorFlow alike.
"""

import zlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from nengo_dl.chips.checks import check_number
from nengo_dl.errors import argument

# Steps and bounds are drawn no smaller than this part of their means.
SMALLEST_PART = 0.01
# The largest part of the way to its bound that one step of a soft device goes
LARGEST_PART = 0.99

_TINY, _HUGE = (float(x) for x in (np.finfo("float32").tiny, np.finfo("float32").max))
_POSITIVE = (_TINY, _HUGE, "a positive number")
_SPREAD = (0, _HUGE, "a number of at least 0")
_LIMITS = {
    "dw_min": _POSITIVE,
    "w_max": _POSITIVE,
    "w_min": (-_HUGE, 0, "a negative number"),
    "up_down": (-1, 1, "a number from -1 to less than 1"),
    **dict.fromkeys(("dw_min_dtod", "dw_min_std", "up_down_dtod"), _SPREAD),
    **dict.fromkeys(("w_max_dtod", "w_min_dtod"), _SPREAD),
}


class Drawn(NamedTuple):
    """The steps and bounds of devices, each of the shape of the weights.

    Parameters
    ----------
    step_up, step_down : array
        Mean sizes of a step; both are positive.
    bound_up, bound_down : array
        The largest and the smallest weight.
    """

    step_up: Any
    step_down: Any
    bound_up: Any
    bound_down: Any


@dataclass(frozen=True)
class _Pulsed:
    """Base class: how devices differ, and by how much weights may move at once."""

    dw_min: float = 0.001
    dw_min_dtod: float = 0.3
    dw_min_std: float = 0.3
    up_down: float = 0.0
    up_down_dtod: float = 0.01
    w_max: float = 0.6
    w_max_dtod: float = 0.3
    w_min: float = -0.6
    w_min_dtod: float = 0.3

    def __post_init__(self):
        for name, (low, high, expected) in _LIMITS.items():
            with argument(name, self):
                check_number(getattr(self, name), low, high, expected)

    def draw(self, shape: tuple[int, ...], seed: int, name: str) -> Drawn:
        """Draw the devices of a parameter.

        Parameters
        ----------
        shape : tuple of int
            Shape of the weights.
        seed : int
            Seed of all devices.
        name : str
            Name of the parameter, on which they depend, too.

        Returns
        -------
        devices : ``Drawn``
            Arrays of this shape.
        """
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        size, bias, up, down = rng.standard_normal((4, *shape))
        bias = self.up_down + self.up_down_dtod * bias
        step = 1 + self.dw_min_dtod * size
        return Drawn(
            self.dw_min * np.maximum(step + bias, SMALLEST_PART),
            self.dw_min * np.maximum(step - bias, SMALLEST_PART),
            self.w_max * np.maximum(1 + self.w_max_dtod * up, SMALLEST_PART),
            self.w_min * np.maximum(1 + self.w_min_dtod * down, SMALLEST_PART),
        )

    def pulsed(
        self, weights: Any, change: Any, devices: Drawn, u: Any, xi: Any, xp: ModuleType
    ) -> Any:
        """Return weights after the pulses of one update.

        Parameters
        ----------
        weights, change : array
            The weights, and by how much they should change.
        devices : ``Drawn``
            Their devices.
        u, xi : array
            Random numbers, uniform on [0, 1), and Gaussian, of the same shape.
        xp : module
            `numpy`, or one with functions of the same names.

        Returns
        -------
        weights : array
            Of the same shape.
        """
        is_up = change > 0
        n = xp.floor(xp.abs(change) / self.dw_min + u)
        steps = n + self.dw_min_std * xp.sqrt(n) * xi
        step = xp.where(is_up, devices.step_up, -devices.step_down)
        bound = xp.where(is_up, devices.bound_up, devices.bound_down)
        moved = self.moved(weights, steps, step, bound, xp)
        return xp.minimum(xp.maximum(moved, devices.bound_down), devices.bound_up)

    def moved(
        self, weights: Any, steps: Any, step: Any, bound: Any, xp: ModuleType
    ) -> Any:
        """Return weights after a number of steps towards bounds.

        Parameters
        ----------
        weights : array
            The weights.
        steps : array
            How many steps, as a sum of their noisy sizes.
        step, bound : array
            The size of a step, and the bound in its direction, both with its sign.
        xp : module
            `numpy`, or one with functions of the same names.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class ConstantStep(_Pulsed):
    r"""Devices whose steps have the same size at any weight, up to hard bounds.

    A pulse in the direction :math:`d = \pm 1` makes a weight

    .. math::

       w \leftarrow \mathrm{clip}\left(
           w + d \, \Delta w^d (1 + \sigma_c \xi), \; b^-, b^+ \right), \qquad
       \Delta w^d = \Delta w_{min} (1 + d \beta + \sigma_d \xi),

    where steps differ by :math:`\sigma_c`, devices by :math:`\sigma_d`, and
    :math:`\beta` is the asymmetry of up and down (Gokmen & Vlasov 2016,
    https://doi.org/10.3389/fnins.2016.00333). Steps, asymmetry and bounds of each
    device are drawn once, with Gaussian numbers :math:`\xi`, steps and bounds no
    smaller than a hundredth of their means. Defaults are those of the paper.

    Parameters
    ----------
    dw_min : float
        Mean size of a step :math:`\Delta w_{min}`, in units of the weights.
    dw_min_dtod, dw_min_std : float
        Its standard deviation between devices :math:`\sigma_d`, and that between steps
        :math:`\sigma_c`, as parts of the mean.
    up_down, up_down_dtod : float
        Mean of the asymmetry :math:`\beta`, and its standard deviation between devices.
    w_max, w_max_dtod : float
        Mean of the upper bounds :math:`b^+`, in units of the weights, and their
        standard deviation between devices, as a part of the mean.
    w_min, w_min_dtod : float
        The same for the lower bounds :math:`b^-`, which are negative.

    Raises
    ------
    ValidationError
        If a step or a bound has the wrong sign, or a standard deviation is negative.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import ConstantStep, PulsedSGD

       coarse = ConstantStep(dw_min=0.01)  # 120 steps from bound to bound
       optimizer = PulsedSGD(0.1, device=coarse)
    """

    def moved(
        self, weights: Any, steps: Any, step: Any, bound: Any, xp: ModuleType
    ) -> Any:
        """Return weights after a number of steps of equal size."""
        del bound, xp
        return weights + steps * step


@dataclass(frozen=True)
class GokmenVlasov(ConstantStep):
    """`ConstantStep` with 1,250 steps in a range of weights from -1 to 1.

    The devices of Gokmen & Vlasov 2016, https://doi.org/10.3389/fnins.2016.00333, have
    about as many in theirs, from -0.6 to 0.6. This range is that of aihwkit's preset.

    Parameters
    ----------
    dw_min : float
        Mean size of a step, in units of the weights.
    dw_min_dtod, dw_min_std, up_down, up_down_dtod : float
        How steps differ, see `ConstantStep`.
    w_max, w_max_dtod, w_min, w_min_dtod : float
        Bounds, and how they differ, see `ConstantStep`.

    Raises
    ------
    ValidationError
        If a step or a bound has the wrong sign, or a standard deviation is negative.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import GokmenVlasov, PulsedSGD

       optimizer = PulsedSGD(0.1, device=GokmenVlasov())
    """

    dw_min: float = 0.0016
    w_max: float = 1.0
    w_min: float = -1.0


@dataclass(frozen=True)
class SoftBounds(_Pulsed):
    r"""Devices whose steps become smaller towards bounds.

    A pulse in the direction :math:`d = \pm 1` makes a weight

    .. math::

       w \leftarrow w + d \, \Delta w^d (1 + \sigma_c \xi)
           \left(1 - \frac{w}{b^d}\right),

    so a weight approaches the bound :math:`b^d` and never reaches it. Alternating
    pulses draw weights to where both steps are of one size, which is close to 0. That
    makes training harder than with `ConstantStep` (Fusi & Abbott 2007,
    https://doi.org/10.1038/nn1859).

    Several pulses of one update are computed at once, as
    :math:`b - (b - w) (1 - \Delta w / |b|)^m`, where :math:`m` is the sum of the noisy
    pulses. Without noise this is exact.

    Parameters
    ----------
    dw_min : float
        Mean size of a step :math:`\Delta w_{min}` of the weight 0, in units of the
        weights.
    dw_min_dtod, dw_min_std : float
        Its standard deviation between devices, and that between steps
        :math:`\sigma_c`, as parts of the mean.
    up_down, up_down_dtod : float
        Mean of the asymmetry of up and down, and its standard deviation between
        devices, see `ConstantStep`.
    w_max, w_max_dtod : float
        Mean of the upper bounds, in units of the weights, and their standard deviation
        between devices, as a part of the mean.
    w_min, w_min_dtod : float
        The same for the lower bounds, which are negative.

    Raises
    ------
    ValidationError
        If a step or a bound has the wrong sign, or a standard deviation is negative.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import PulsedSGD, SoftBounds

       optimizer = PulsedSGD(0.1, device=SoftBounds(w_max=1.0, w_min=-1.0))
    """

    def moved(
        self, weights: Any, steps: Any, step: Any, bound: Any, xp: ModuleType
    ) -> Any:
        """Return weights after a number of steps, each a part of the way to a bound."""
        part = xp.minimum(step / bound, LARGEST_PART)
        # exactly no change for no steps
        return weights - (bound - weights) * xp.expm1(steps * xp.log1p(-part))


PulsedDevice = ConstantStep | SoftBounds
