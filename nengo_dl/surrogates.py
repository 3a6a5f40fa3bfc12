"""Surrogate gradients: what stands in for the derivative of a spike in training.

Whether a neuron spikes is a step function of its voltage, whose derivative is zero
nearly everywhere. A surrogate replaces it, in the backward pass alone, by a function of
the distance of the voltage from the threshold. Distances are normalised: 0 is at the
threshold, 1 is the way from the reset to the threshold, and neurons that spike have a
positive distance.

Any function from a tensor to a tensor of the same shape can be used in their place. It
should be 1 or less, and tend to zero far from the threshold. Neftci, Mostafa & Zenke
2019 (https://doi.org/10.1109/MSP.2019.2931595) give an overview.
"""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue, argument

__all__ = [
    "ArcTan",
    "FastSigmoid",
    "RateDerivative",
    "Triangular",
]


def _check_positive(value: float) -> None:
    if not isinstance(value, Real) or not 0 < value < np.inf:
        raise InvalidValue(
            f"must be a positive, finite number (got {value!r}). Leave it out to keep "
            "the default."
        )


@dataclass(frozen=True)
class FastSigmoid:
    r"""Derivative of the fast sigmoid :math:`x / (1 + \beta \lvert x \rvert)`.

    .. math:: h(x) = \frac{1}{(1 + \beta \lvert x \rvert)^2}

    Zenke & Ganguli 2018, https://doi.org/10.1162/neco_a_01086. Its tails are long, so
    that neurons far below the threshold learn as well.

    Parameters
    ----------
    slope : float
        Steepness :math:`\beta`.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           nengo_dl.configure_settings(
               training_mode="spiking",
               surrogate=nengo_dl.surrogates.FastSigmoid(slope=5.0),
           )
    """

    slope: float = 10.0

    def __post_init__(self):
        with argument("slope", self):
            _check_positive(self.slope)

    def __call__(self, distance):
        """Compute the pseudo-derivative at an array or tensor of distances."""
        return 1.0 / (1.0 + self.slope * abs(distance)) ** 2


@dataclass(frozen=True)
class ArcTan:
    r"""Derivative of the arctangent, scaled to 1 at the threshold.

    .. math:: h(x) = \frac{1}{1 + (\pi \alpha x / 2)^2}

    Fang et al. 2021, https://doi.org/10.1109/ICCV48922.2021.00266, without their factor
    of :math:`\alpha / 2`.

    Parameters
    ----------
    alpha : float
        Steepness.
    """

    alpha: float = 2.0

    def __post_init__(self):
        with argument("alpha", self):
            _check_positive(self.alpha)

    def __call__(self, distance):
        """Compute the pseudo-derivative at an array or tensor of distances."""
        scaled = (np.pi / 2 * self.alpha) * distance
        return 1.0 / (1.0 + scaled * scaled)


@dataclass(frozen=True)
class Triangular:
    r"""Triangle around the threshold.

    .. math:: h(x) = \gamma \max(0, 1 - \lvert x \rvert / w)

    Esser et al. 2016, https://doi.org/10.1073/pnas.1604850113, and with a height below
    1, which damps gradients through many steps, Bellec et al. 2018,
    https://arxiv.org/abs/1803.09574.

    Parameters
    ----------
    height : float
        Value :math:`\gamma` at the threshold.
    width : float
        Distance :math:`w` from which on it is zero.
    """

    height: float = 0.3
    width: float = 1.0

    def __post_init__(self):
        with argument("height", self):
            _check_positive(self.height)
        with argument("width", self):
            _check_positive(self.width)

    def __call__(self, distance):
        """Compute the pseudo-derivative at an array or tensor of distances."""
        y = 1.0 - abs(distance) / self.width
        return (0.5 * self.height) * (y + abs(y))


@dataclass(frozen=True)
class RateDerivative:
    """The gradient of the neurons' rates, in place of that of their spikes.

    The forward pass computes spikes, the backward pass does as if they had been rates:
    a straight-through estimator (Bengio, Léonard & Courville 2013,
    https://arxiv.org/abs/1308.3432). No gradient goes through voltages. It is exact for
    averages over constant input. Neuron types that have no rate version are trained
    with `FastSigmoid` instead.
    """


Surrogate = Callable[[Any], Any] | RateDerivative

DEFAULT = FastSigmoid()
NAMED: dict[str, Surrogate] = {
    "fast_sigmoid": FastSigmoid(),
    "arctan": ArcTan(),
    "triangular": Triangular(),
    "rate": RateDerivative(),
}


def is_surrogate(value: Any) -> bool:
    """Whether a value is a surrogate, or the name of one."""
    if isinstance(value, str):
        return value in NAMED
    is_class = isinstance(value, type)
    return not is_class and (callable(value) or isinstance(value, RateDerivative))


def by_name(value: str | Surrogate) -> Surrogate:
    """Return the surrogate of a name; a surrogate itself is returned as it is."""
    return NAMED[value] if isinstance(value, str) else value
