"""Which steps of a run a probe keeps, one class for each kind of keeping.

Loops over time do not know the kinds. They ask how many rows they have to hand out, and
where each step goes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

N = TypeVar("N", bound=int | None)


class Kept(ABC):
    """Which steps of a run a probe keeps.

    A loop hands out rows of its steps, of which a `nengo_dl.Simulator` records some.
    Keras gets all rows. Subclasses are frozen dataclasses, since compiled functions are
    shared by their fields.

    Attributes
    ----------
    keeps_time : bool
        Whether there are more rows the more steps are run. If not, there is one row,
        and each call has one that takes the place of that of the call before.
    """

    keeps_time: ClassVar[bool]

    @abstractmethod
    def n_rows(self, n_steps: N) -> N | int:
        """Return how many rows the loop hands out.

        Parameters
        ----------
        n_steps : int or None
            Number of steps of a call, if it is known.

        Returns
        -------
        n_rows : int or None
            None if it follows from a number of steps that is not known.
        """

    @abstractmethod
    def row(self, i: Any) -> Any:
        """Return which row holds a step.

        Steps come in order, and a later one may take the place of one before.

        Parameters
        ----------
        i : int or int32 tensor of shape ()
            Number of the step in a call, from 0.

        Returns
        -------
        row : int or int32 tensor of shape ()
            Number of the row, from 0.
        """

    @abstractmethod
    def rows(self, steps: Any) -> Any:
        """Return all rows, where all steps are there.

        Parameters
        ----------
        steps : sequence
            Has an element for each step of a call.

        Returns
        -------
        rows : sequence
            A part of it.
        """

    @abstractmethod
    def recorded(self, rows: np.ndarray, first_step: int) -> np.ndarray:
        """Return those rows of the loop that are recorded.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, ...)
            What the loop has handed out.
        first_step : int
            Number of the first step of the call; that of a simulation is 1.

        Returns
        -------
        recorded : ndarray of shape (n_recorded, ...)
            Some of the rows.
        """

    @property
    @abstractmethod
    def of_loop(self) -> "Kept":
        """(Kept) One that is equal for all that have the same rows."""


@dataclass(frozen=True)
class Every(Kept):
    """Every step, or every so many of them.

    Parameters
    ----------
    period : float
        Number of steps between two that a `nengo_dl.Simulator` records.
    """

    period: float = 1.0
    keeps_time: ClassVar[bool] = True

    def n_rows(self, n_steps: N) -> N | int:
        """Return the number of steps."""
        return n_steps

    def row(self, i: Any) -> Any:
        """Return the number of the step."""
        return i

    def rows(self, steps: Any) -> Any:
        """Return all steps."""
        return steps

    def recorded(self, rows: np.ndarray, first_step: int) -> np.ndarray:
        """Return one row for each period."""
        if self.period <= 1:
            return rows
        steps = np.arange(first_step, first_step + len(rows))
        return rows[steps % self.period < 1]

    @property
    def of_loop(self) -> Kept:
        """(Kept) That of all steps."""
        return ALL_STEPS


@dataclass(frozen=True)
class Last(Kept):
    """The last step of all, and no other one."""

    keeps_time: ClassVar[bool] = False

    def n_rows(self, n_steps: N) -> N | int:
        """Return one."""
        del n_steps
        return 1

    def row(self, i: Any) -> Any:
        """Return the number of the only row."""
        del i
        return 0

    def rows(self, steps: Any) -> Any:
        """Return the last step."""
        return steps[-1:]

    def recorded(self, rows: np.ndarray, first_step: int) -> np.ndarray:
        """Return the only row."""
        del first_step
        return rows

    @property
    def of_loop(self) -> Kept:
        """(Kept) Itself."""
        return self


ALL_STEPS = Every()
