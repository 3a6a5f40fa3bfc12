"""The state that a Keras layer carries from one call to the next."""

import numpy as np
import tensorflow as tf
from nengo.builder import Signal

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.execution import Clock
from nengo_dl.engine.memory import spread
from nengo_dl.engine.values import Values
from nengo_dl.graph.kernel import size_of
from nengo_dl.keras_model.inference import is_without_gradients

# Far from the seeds of the next calls; any large odd number would do.
REPLICA_SEED = 1_000_000_007


class LayerState:
    """State, time and seed of a simulation, as variables if they are kept.

    Parameters
    ----------
    engine : `Engine`
        The engine of the simulation.
    seed : int
        Seed of all random numbers, from 0 to 2**32 - 1.
    kept : bool
        Whether variables keep the state between calls.

    Attributes
    ----------
    keep : tf.Variable
        Whether calls keep the state after their last step (True), or put it back to the
        one before their first step (False).
    draws : tf.Variable
        Number of calls that have drawn random numbers for training.
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

        Every call for training draws new random numbers, and so does every replica of a
        distributed model. In other calls, they depend only on the seed and the time.
        """
        seed = tf.convert_to_tensor(self._seed)
        replica = tf.distribute.get_replica_context()
        if replica is not None:
            seed += REPLICA_SEED * tf.cast(replica.replica_id_in_sync_group, tf.int32)
        kernels = self._engine.kernels
        if training and any(kernel.keyed or kernel.draws_once for kernel in kernels):
            seed += self.draws.assign_add(1)
        row = tf.zeros((1, items), self._engine.dtype)
        return Clock(seed, tf.convert_to_tensor(self._start), row)

    def before(self, clock: Clock) -> tuple[tf.Tensor, ...]:
        """Return the state to start from, without any losses."""
        if self._blocks is None:
            return tuple(spread(block[:, :1], clock.row) for block in self._initial)
        blocks = map(tf.convert_to_tensor, self._blocks)
        return tuple(
            tf.where(mask, tf.zeros_like(block), block) if np.any(mask) else block
            for block, mask in zip(blocks, self._loss_masks, strict=True)
        )

    def losses(self, state: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        """Return the losses that layers have added, over all steps."""
        layout = self._engine.layout
        numbers = layout.of_kind("state")
        found = []
        for signal in self._engine.losses:
            block, offset = layout.places[signal]
            # the loss of a call is one for all items, and so the same for each
            found.append(tf.reduce_mean(state[numbers.index(block)][offset]))
        return found

    def after(self, before, state, n_steps) -> None:
        """Keep the state after the last step, or the one before the first."""
        if self._blocks is None:
            return
        keep = tf.convert_to_tensor(self.keep)
        if is_without_gradients():  # of what is outside of XLA, each copy takes time
            tf.cond(keep, lambda: self._assign(state, n_steps), lambda: None)
            return
        chosen = [tf.where(keep, *pair) for pair in zip(state, before, strict=True)]
        self._assign(chosen, tf.where(keep, n_steps, 0))

    def _assign(self, blocks, n_steps) -> None:
        for variable, block in zip(self._blocks or (), blocks, strict=True):
            variable.assign(block)
        self._start.assign_add(n_steps)

    def load(self, values: Values) -> None:
        """Take the state of a simulation."""
        if self._blocks is None:
            return
        for variable, block in zip(self._blocks, values.state, strict=True):
            variable.assign(block)
        self._start.assign(values.n_steps)

    def values(self) -> Values:
        """Return the state, without parameters, for an engine."""
        state = tuple(tf.identity(variable) for variable in self._blocks or ())
        return Values((), state, int(self._start))

    def reseed(self, seed: int) -> None:
        """Change the seed of all random numbers, and restart them."""
        self._seed.assign(np.uint32(seed).astype(np.int32))
        self.draws.assign(0)

    def _masks(self, signals: set[Signal]) -> tuple[np.ndarray, ...]:
        """Mark the places of some base signals in each block of state."""
        layout = self._engine.layout
        masks = []
        for number in layout.of_kind("state"):
            mask = np.zeros((layout.blocks[number].size, 1), dtype=bool)
            for offset, base in layout.bases(number):
                mask[offset : offset + size_of(base)] = base in signals
            masks.append(mask)
        return tuple(masks)


def _variable(value) -> tf.Variable:
    """Make a variable that is not among the layer's weights."""
    return tf.Variable(
        value,
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
