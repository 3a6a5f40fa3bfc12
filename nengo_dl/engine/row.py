"""The numbers that Python gives to compiled segments in every step, in one array."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from nengo_dl.engine.execution import Clock, Tensors
from nengo_dl.engine.shared_array import SharedArray

# 32-bit integers go in as two halves, which floats hold exactly
_HALF = 1 << 16
_N_CLOCK = 5


class Row:
    """Clock, feeds, and results of Python functions, as one vector.

    Parameters
    ----------
    feeds, results : iterable of int
        Sizes of the blocks of feeds, and of the results of all functions.
    n_items : int
        Number of minibatch items.
    dtype : dtype
        Type of all signals.

    Attributes
    ----------
    results : list of ndarray
        Where results are to be put, of shape (n_items, size).
    """

    def __init__(
        self, feeds: Iterable[int], results: Iterable[int], n_items: int, dtype
    ):
        feeds, results = list(feeds), list(results)
        sizes = [size * n_items for size in (*feeds, *results)]
        stops = _N_CLOCK + np.cumsum([0, *sizes])
        self._slices = [slice(a, b) for a, b in zip(stops[:-1], stops[1:], strict=True)]
        self._sizes = [*feeds, *results]
        self._n_feeds, self._n_items, self._dtype = len(feeds), n_items, dtype
        self._shared = SharedArray((int(stops[-1]),), dtype)
        parts = [
            (self._shared.array[part], size)
            for part, size in zip(self._slices, self._sizes, strict=True)
        ]
        n = len(feeds)
        self._feeds = [part.reshape(size, n_items) for part, size in parts[:n]]
        self.results = [part.reshape(n_items, size) for part, size in parts[n:]]

    def start(self, seed: int) -> None:
        """Set the seed, a 32-bit number with a sign; the next step is the first one."""
        self._shared.array[:_N_CLOCK] = (0, 0, *divmod(seed, _HALF), 1)

    def next(self, step: int, feeds: Sequence[np.ndarray], i: int) -> None:
        """Set the number of the step, and the ``i``-th rows of its feeds, if any."""
        array = self._shared.array
        array[0], array[1] = divmod(step, _HALF)
        for target, feed in zip(self._feeds, feeds, strict=True):
            if i < len(feed):
                target[...] = feed[i]

    def started(self) -> None:
        """Note that the first step has begun."""
        self._shared.array[_N_CLOCK - 1] = 0

    @property
    def is_shared(self) -> bool:
        """Whether the tensor of an earlier step is that of all later ones."""
        return self._shared.is_shared

    @property
    def tensor(self) -> tf.Tensor:
        """The vector as it is now."""
        return self._shared.tensor

    def clock(self, vector: tf.Tensor, offset: int = 0) -> Clock:
        """Return the clock of a step, which may be some steps off."""
        step_high, step, seed_high, seed, _ = tf.unstack(
            tf.cast(vector[:_N_CLOCK], tf.int32)
        )
        return Clock(
            seed_high * _HALF + seed,
            step_high * _HALF + step + offset,
            tf.zeros((1, self._n_items), self._dtype),
        )

    def is_first(self, vector: tf.Tensor) -> tf.Tensor:
        """Return whether the step is the first one of a run."""
        return vector[_N_CLOCK - 1] > 0

    def feeds_of(self, vector: tf.Tensor) -> Tensors:
        """Return the blocks of feeds."""
        parts = zip(self._slices, self._sizes, strict=True)
        return tuple(
            tf.reshape(vector[part], (size, self._n_items))
            for part, size in itertools.islice(parts, self._n_feeds)
        )

    def results_of(self, vector: tf.Tensor) -> Tensors:
        """Return the results of all functions."""
        parts = zip(self._slices, self._sizes, strict=True)
        return tuple(
            tf.transpose(tf.reshape(vector[part], (self._n_items, size)))
            for part, size in itertools.islice(parts, self._n_feeds, None)
        )
