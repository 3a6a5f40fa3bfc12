"""Percentiles of many values, of which only the largest are kept."""

import numpy as np


class Largest:
    """Finds a high percentile of each column of a table that comes in parts.

    Only the rows above the percentile are kept: one in a thousand for 99.9. Between
    rows, it is interpolated linearly.
    """

    def __init__(self, n_rows: int, percentile: float):
        rank = (n_rows - 1) * percentile / 100
        self._n_kept = n_rows - int(rank)
        self._between = rank - int(rank)
        self._kept: tuple[np.ndarray, ...] = ()

    def add(self, rows: np.ndarray) -> None:
        """Take in a part of the table, of shape (n, n_columns)."""
        rows = np.concatenate([*self._kept, rows])
        n = min(self._n_kept, len(rows))
        self._kept = (np.partition(rows, len(rows) - n, axis=0)[len(rows) - n :],)

    def percentile(self) -> np.ndarray:
        """Return the percentile of each column, of shape (n_columns,)."""
        (kept,) = self._kept
        lowest = np.sort(kept, axis=0)[:2]
        return lowest[0] + self._between * (lowest[-1] - lowest[0])
