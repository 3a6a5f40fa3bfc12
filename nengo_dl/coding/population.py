"""Population codes: many units have receptive fields for one number."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_dl.arguments import whole
from nengo_dl.coding import checks
from nengo_dl.errors import InvalidValue, argument, arguments_of


@dataclass(frozen=True)
class Population:
    r"""Overlapping receptive fields: each number becomes the activity of many units.

    Unit :math:`i` of :math:`m` has the activity :math:`\exp(-(x - \mu_i)^2 / (2
    \sigma^2))` with :math:`\mu_i = x_{min} + (i - 3/2) d`, :math:`\sigma = d / \beta`
    and :math:`d = (x_{max} - x_{min}) / (m - 2)` [1]_. Activities are from 0 to 1, and
    can go on to another code: to `Latency` as in the paper, or, times a rate, to
    `Poisson`.

    Parameters
    ----------
    n_units : int
        :math:`m`, at least 3.
    low, high : float
        :math:`x_{min}` and :math:`x_{max}`, the range of the numbers.
    beta : float
        The larger, the narrower the fields are.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    References
    ----------
    .. [1] Bohte, S. M., Kok, J. N. and La Poutre, H. (2002). Error-backpropagation in
       temporally encoded networks of spiking neurons. Neurocomputing 48(1-4), 17-37.
       https://doi.org/10.1016/S0925-2312(01)00658-0

    Examples
    --------
    .. testcode::

       code = nengo_dl.coding.Population(n_units=8)
       activities = code.encode([[0.3, 0.8]])
       print(activities.shape)
       print(np.round(code.decode(activities), 1))

    .. testoutput::

       (1, 2, 8)
       [[0.3 0.8]]
    """

    n_units: int
    low: float = 0.0
    high: float = 1.0
    beta: float = 1.5

    def __post_init__(self) -> None:
        checks.checked_fields(
            self,
            n_units=lambda n: whole(n, 3, advice="Two units lie beyond the range."),
            low=float,
            high=self._check_high,
            beta=checks.positive,
        )

    def _check_high(self, value: Any) -> float:
        if not self.low < float(value) < np.inf:
            raise InvalidValue(f"must be above low={self.low:g} (got {value!r}).")
        return float(value)

    @property
    def centers(self) -> np.ndarray:
        """(ndarray of shape (n_units,)) The numbers at which units are most active."""
        return self.low + (np.arange(self.n_units) - 0.5) * self._distance

    @property
    def _distance(self) -> float:
        return (self.high - self.low) / (self.n_units - 2)

    def encode(self, values: Any) -> np.ndarray:
        """Return activities.

        Parameters
        ----------
        values : array of shape (n_items, ...)
            Numbers from ``low`` to ``high``.

        Returns
        -------
        activities : ndarray of float32, of shape (n_items, ..., n_units)
            From 0 to 1.

        Raises
        ------
        ValidationError
            If values are out of range.
        """
        with arguments_of(type(self)), argument("values"):
            array = checks.numbers(values, self.low, self.high)
        distances = (array[..., None] - self.centers) * self.beta / self._distance
        return np.exp(-np.square(distances) / 2).astype(np.float32)

    def decode(self, activities: Any) -> np.ndarray:
        """Return the mean of the centers, weighted by activities.

        Near the ends of the range it is closer to the middle than the number was.

        Parameters
        ----------
        activities : array of shape (n_items, ..., n_units)
            Activities, rates or numbers of spikes, of at least 0.

        Returns
        -------
        values : ndarray of shape (n_items, ...)
            The middle of the range where no unit is active.
        """
        array = np.asarray(activities, dtype=np.float64)
        total = array.sum(axis=-1)
        mean = array @ self.centers / np.where(total > 0, total, 1)
        return np.where(total > 0, mean, (self.low + self.high) / 2)
