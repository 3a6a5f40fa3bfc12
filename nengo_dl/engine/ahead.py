"""Calls of Python that one call for many steps stands for."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nengo_dl.graph.layout import Access, Layout


class Ahead:
    """A function of feeds alone, which is called once for all steps of a chunk.

    Parameters
    ----------
    function : callable
        See `Kernel.python`. It treats each row by itself, and takes no notice of time.
    access : tuple of `BlockPart`
        The parts of feeds that it reads.
    layout : `Layout`
        The blocks of the memory.
    """

    def __init__(self, function: Callable[..., Any], access: Access, layout: Layout):
        self._function = function
        numbers = {block: i for i, block in enumerate(layout.of_kind("feed"))}
        self._parts = [
            (
                numbers[part.block],
                slice(part.start, part.stop) if part.index is None else part.index,
            )
            for part in access
        ]
        self._rows: Iterator[np.ndarray] = iter(())

    def begin(
        self, feeds: Sequence[np.ndarray], n_steps: int, results: list[np.ndarray]
    ) -> None:
        """Compute results for feeds of shape (n_steps, size, n_items)."""
        x = np.concatenate([feeds[n][:n_steps, i] for n, i in self._parts], axis=1)
        if _is_held(x):
            x = x[:1]
        x = x.transpose(0, 2, 1)
        y = np.empty((len(x), *results[0].shape), results[0].dtype)
        self._function(np.nan, [x.reshape(-1, x.shape[2])], [y.reshape(-1, y.shape[2])])
        self._rows = iter(y) if len(x) > 1 else itertools.repeat(y[0])

    def __call__(
        self, t: float, inputs: list[np.ndarray], results: list[np.ndarray]
    ) -> None:
        """Return the results of the next step, in place of the function."""
        del t, inputs
        results[0][...] = next(self._rows)


def _is_held(x: np.ndarray) -> bool:
    """Tell whether all steps have the same values."""
    return np.array_equal(x[0], x[-1]) and bool(np.all(x == x[:1]))
