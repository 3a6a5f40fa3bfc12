"""The shapes of what goes into a loop over time, and of what comes out."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class LoopShapes:
    """Shapes of feeds and outputs.

    Parameters
    ----------
    feeds : tuple of int
        Size of each block of feeds.
    outputs : tuple of (int, int)
        Shape (size, n_items or 1) of each output in a step.
    last_only : tuple of bool
        For each output, whether only the last step is kept.
    n_items : int
        Number of minibatch items.
    dtype : dtype
        Type of all signals.
    """

    feeds: tuple[int, ...]
    outputs: tuple[tuple[int, int], ...]
    last_only: tuple[bool, ...]
    n_items: int
    dtype: np.dtype

    def buffers(self, n_steps: int) -> list[tuple[int, int, int]]:
        """Return the shape (n_steps or 1, size, n_items or 1) of what is kept."""
        return [
            (1 if last_only else n_steps, *shape)
            for shape, last_only in zip(self.outputs, self.last_only, strict=True)
        ]

    def histories(self, n_steps: int) -> tuple[tf.TensorSpec, ...]:
        """Return the same as specifications of tensors."""
        return tuple(tf.TensorSpec(x, self.dtype) for x in self.buffers(n_steps))
