"""State that a Keras layer carries from one call to the next."""

import numpy as np
import tensorflow as tf
from nengo.builder import Signal

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.memory import spread
from nengo_dl.engine.step import Clock
from nengo_dl.engine.values import Values
from nengo_dl.graph.kernel import size_of

# Far from the seeds of the next calls; any large odd number would do.
REPLICA_SEED = 1_000_000_007


class LayerState:
    """State, time and seed of a simulation, as variables where they have to stay.

    Parameters
    ----------
    engine : `Engine`
        Whose state it is.
    seed : int
        Seed of all random numbers, from 0 to 2**32 - 1.
    kept : bool
        Whether there are variables that keep the state between calls.

    Attributes
    ----------
    keep : tf.Variable
        Whether calls leave the state as it is after their last step (True), or put it
        back to what it was before (False).
    draws : tf.Variable
        How many calls for training have drawn random numbers.
    """

    def __init__(self, engine: Engine, seed: int, kept: bool):
        self._engine = engine
        self._initial = engine.values.initial().state
        self._blocks = [_variable(block) for block in self._initial] if kept else None
        self._loss_masks = self._masks(set(engine.losses))
        self._seed = _variable(np.uint32(seed).astype(np.int32))
        self._start = _variable(0)
        self.draws = _variable(0)
        self.keep = _variable(False)

    def clock(self, items, training: bool) -> Clock:
        """Return the time of the next call.

        Every call for training draws random numbers of its own; others depend on the
        seed and the time alone. So does every replica of a distributed model.
        """
        seed = tf.convert_to_tensor(self._seed)
        replica = tf.distribute.get_replica_context()
        if replica is not None:
            seed += REPLICA_SEED * tf.cast(replica.replica_id_in_sync_group, tf.int32)
        if training and any(kernel.keyed for kernel in self._engine.kernels):
            seed += self.draws.assign_add(1)
        row = tf.zeros((1, items), self._engine.dtype)
        return Clock(seed, tf.convert_to_tensor(self._start), row)

    def before(self, clock: Clock) -> tuple[tf.Tensor, ...]:
        """Return the state to start from, with no losses so far."""
        if self._blocks is None:
            return tuple(spread(block[:, :1], clock.row) for block in self._initial)
        blocks = map(tf.convert_to_tensor, self._blocks)
        return tuple(
            tf.where(mask, tf.zeros_like(block), block) if np.any(mask) else block
            for block, mask in zip(blocks, self._loss_masks, strict=True)
        )

    def losses(self, state: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        """Return what layers have added, over all steps, to the loss of the model."""
        layout = self._engine.layout
        numbers = layout.of_kind("state")
        found = []
        for signal in self._engine.losses:
            block, offset = layout.places[signal]
            # the loss of a call is one for all items, and so the same for each
            found.append(tf.reduce_mean(state[numbers.index(block)][offset]))
        return found

    def after(self, before, state, n_steps) -> None:
        """Keep the state after the last step, or that before the first."""
        if self._blocks is None:
            return
        keep = tf.convert_to_tensor(self.keep)
        for variable, old, new in zip(self._blocks, before, state, strict=True):
            variable.assign(tf.where(keep, new, old))
        self._start.assign_add(tf.where(keep, n_steps, 0))

    def load(self, values: Values) -> None:
        """Take over the state of a simulation."""
        if self._blocks is None:
            return
        for variable, block in zip(self._blocks, values.state, strict=True):
            variable.assign(block)
        self._start.assign(values.n_steps)

    def values(self) -> Values:
        """Return the state, without parameters, for an engine to go on from there."""
        state = tuple(tf.identity(variable) for variable in self._blocks or ())
        return Values((), state, int(self._start))

    def reseed(self, seed: int) -> None:
        """Change the seed of all random numbers, which start again."""
        self._seed.assign(np.uint32(seed).astype(np.int32))
        self.draws.assign(0)

    def _masks(self, signals: set[Signal]) -> tuple[np.ndarray, ...]:
        """Mark, in each block of state, where some base signals are."""
        layout = self._engine.layout
        masks = []
        for number in layout.of_kind("state"):
            mask = np.zeros((layout.blocks[number].size, 1), dtype=bool)
            for offset, base in layout.bases(number):
                mask[offset : offset + size_of(base)] = base in signals
            masks.append(mask)
        return tuple(masks)


def _variable(value) -> tf.Variable:
    """Make a variable that Keras does not count among a layer's weights."""
    return tf.Variable(
        value,
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
