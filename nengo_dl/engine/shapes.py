"""The shapes of what goes into a loop over time, and of what comes out."""

from dataclasses import dataclass

import numpy as np

from nengo_dl.graph.kept import Kept


@dataclass(frozen=True)
class LoopShapes:
    """Shapes of feeds and outputs.

    Parameters
    ----------
    feeds : tuple of int
        Size of each block of feeds.
    outputs : tuple of (int, int)
        Shape (size, n_items or 1) of each output in a step.
    kept : tuple of `Kept`
        For each output, the steps that are kept.
    n_items : int
        Number of minibatch items.
    dtype : dtype
        Type of all signals.
    """

    feeds: tuple[int, ...]
    outputs: tuple[tuple[int, int], ...]
    kept: tuple[Kept, ...]
    n_items: int
    dtype: np.dtype

    def buffers(self, n_steps: int) -> list[tuple[int, int, int]]:
        """Return the shape (n_rows, size, n_items or 1) of what is kept of steps."""
        return [
            (kept.n_rows(n_steps), *shape)
            for shape, kept in zip(self.outputs, self.kept, strict=True)
        ]
