"""Compiled loops of a few lengths, for calls with few steps and with many.

A call costs the buffers of its loop, of whatever length it is: they are filled with
zeros, and handed over. A shorter loop costs a compilation.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from nengo_dl.engine.compiled_loop import CompiledLoop
from nengo_dl.engine.execution import Tensors

# Steps of loops besides the longest one. Their results must be equal to the last bit,
# because time decides which loop runs; XLA makes something else of a single step.
LENGTHS = (10, 100)
# Roughly, for a byte of a buffer
_SECONDS_PER_BYTE = 5e-10


class Loops:
    """Runs steps in the shortest loop that there is, and compiles those that pay.

    The first call compiles the longest loop, which serves all calls. A shorter one is
    compiled when the calls that it would have served have cost as much, by the size of
    their buffers, as the first compilation has. So nobody waits more than twice as
    long as necessary, however large the network, and however short the calls.

    Parameters
    ----------
    make : callable
        Makes a loop of a length.
    length : int
        The largest number of steps of a call.
    row_bytes : int
        Size of feeds and outputs of a step.
    """

    def __init__(
        self, make: Callable[[int], CompiledLoop], length: int, row_bytes: int
    ):
        self._make, self._row_bytes = make, row_bytes
        self.longest = make(length)
        self._loops = {length: self.longest}
        # seconds that shorter loops would have saved, and that the first call took
        self._wasted = dict.fromkeys(filter(length.__gt__, LENGTHS), 0.0)
        self._compiling: float | None = None

    @property
    def lengths(self) -> list[int]:
        """Lengths of the loops that there are."""
        return sorted(self._loops)

    def feeds(self, n_steps: int) -> list[np.ndarray]:
        """Return arrays to be filled with feeds, see `CompiledLoop.feeds`."""
        return self._choose(n_steps).feeds(n_steps)

    def run(
        self,
        params: Tensors,
        state: Sequence[tf.Tensor],
        feeds: Sequence[np.ndarray],
        seed: int,
        first_step: int,
        n_steps: int,
    ) -> tuple[Tensors, list[np.ndarray]]:
        """Run steps, see `CompiledLoop.run`."""
        loop, began = self._choose(n_steps), time.perf_counter()
        found = loop.run(params, state, feeds, seed, first_step, n_steps)
        if self._compiling is None:
            self._compiling = time.perf_counter() - began
        elif loop.length - n_steps > 0:
            self._note(n_steps, loop.length)
        return found

    def _choose(self, n_steps: int) -> CompiledLoop:
        return self._loops[min(length for length in self._loops if length >= n_steps)]

    def _note(self, n_steps: int, length: int) -> None:
        """Add to what the next longer length would have saved; make its loop if due."""
        for shorter in self._wasted:
            if n_steps <= shorter < length:
                rows = length - shorter
                self._wasted[shorter] += rows * self._row_bytes * _SECONDS_PER_BYTE
                if self._wasted[shorter] > (self._compiling or 0.0):
                    self._loops[shorter] = self._make(shorter)
                break
