"""Which steps of a run a probe keeps."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

N = TypeVar("N", bound=int | None)


@dataclass(frozen=True)
class Kept:
    """All steps, every so many of them, or the last one alone.

    Parameters
    ----------
    last_only : bool
        Whether the last step of all is kept, and no other one.
    period : float, optional
        Number of steps between two that a `nengo_dl.Simulator` records; by default, it
        records all. Keras gets all steps, whatever this says.
    """

    last_only: bool = False
    period: float | None = None

    def n_rows(self, n_steps: N) -> N | int:
        """Return how many of the steps of a call the compiled loop hands out."""
        return 1 if self.last_only else n_steps

    def recorded(self, rows: np.ndarray, first_step: int) -> np.ndarray:
        """Return those rows of the loop that are recorded.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, ...)
            What the loop has handed out.
        first_step : int
            Number of the step of the first row; that of a simulation is 1.
        """
        if self.last_only:
            return rows[-1:]
        if self.period is None:
            return rows
        steps = np.arange(first_step, first_step + len(rows))
        return rows[steps % self.period < 1]


ALL_STEPS = Kept()
