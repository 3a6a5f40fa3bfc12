"""The networks that are compared, as shapes and data. Needs NumPy alone."""

from dataclasses import dataclass

import numpy as np

N_CLASSES = 10
# LIF neurons lose 5 % of their voltage in a step, the filter of the output 18 %.
VOLTAGE_DECAY, FILTER_DECAY = 0.951, 0.819


@dataclass(frozen=True)
class Case:
    """A network with LIF neurons and a filtered output, and how it is run.

    Parameters
    ----------
    kind : "convolutional", "dense" or "recurrent"
        28x28 pixels, two convolutions (12 and 64 channels, the second with strides of
        2); 784 inputs and 256 neurons; or 64 inputs and 128 neurons with connections
        among them.
    is_static : bool
        Whether the input is the same in all steps.
    n_steps, minibatch, n_batches : int
        How much is run in one call.
    """

    kind: str
    is_static: bool
    n_steps: int
    minibatch: int
    n_batches: int

    @property
    def n_inputs(self):
        """Number of inputs."""
        return 64 if self.kind == "recurrent" else 784

    def data(self):
        """Return inputs (items, steps or 1, inputs) and labels (items,)."""
        rng = np.random.default_rng(0)
        n_items = self.minibatch * self.n_batches
        shape = (n_items, 1 if self.is_static else self.n_steps, self.n_inputs)
        inputs = rng.random(shape, dtype=np.float32)
        return inputs, rng.integers(0, N_CLASSES, n_items)


CASES = {
    "conv static": Case("convolutional", True, 10, 32, 4),
    "conv varying": Case("convolutional", False, 10, 32, 4),
    "dense static": Case("dense", True, 25, 128, 8),
    "dense varying": Case("dense", False, 25, 128, 8),
    "recurrent varying": Case("recurrent", False, 100, 64, 8),
}
USES = ("train", "infer")
