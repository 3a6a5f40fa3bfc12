"""Spiking networks that are trained, as shapes, weights and data. Needs NumPy alone."""

from dataclasses import dataclass

import numpy as np

DT, TAU_RC, TAU_REF, TAU_SYNAPSE = 0.001, 0.02, 0.002, 0.005
N_CLASSES, AMPLITUDE, BIAS = 10, 0.01, 2.0
DECAY = float(np.exp(-DT / TAU_SYNAPSE))


@dataclass(frozen=True)
class Case:
    """A network and the size of its data.

    Parameters
    ----------
    sizes : tuple of int
        Inputs and hidden neurons.
    n_steps, n_items : int
        Of a minibatch.
    kind : str
        "dense", "recurrent" or "conv": two convolutions of a 28x28 image, with 5x5
        kernels, strides of 2, and as many filters as `sizes` says.
    """

    sizes: tuple[int, int]
    n_steps: int
    n_items: int
    kind: str = "dense"

    @property
    def size_in(self):
        """(int) Number of inputs."""
        return 784 if self.kind == "conv" else self.sizes[0]


CASES = {
    "conv 12 - conv 64, 10 steps x 32": Case((12, 64), 10, 32, "conv"),
    "784-256, 25 steps x 128": Case((784, 256), 25, 128),
    "recurrent 64-128, 100 steps x 64": Case((64, 128), 100, 64, "recurrent"),
}


def make_weights(case, seed=0):
    """Draw weights in the order of the layers, the last to the classes."""
    rng = np.random.default_rng(seed)
    if case.kind == "conv":
        first, second = case.sizes
        shapes = [(5, 5, 1, first), (5, 5, first, second), (16 * second, N_CLASSES)]
    else:
        n = case.sizes[1]
        recurrent = [(n, n)] * (case.kind == "recurrent")
        shapes = [case.sizes, *recurrent, (n, N_CLASSES)]
    return [
        (rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)
        for shape in shapes
    ]


def make_data(case, n_minibatches, seed=1):
    """Draw inputs (n_items, 1, size_in) and labels (n_items, 1, 1)."""
    rng = np.random.default_rng(seed)
    n = n_minibatches * case.n_items
    images = rng.random((n, 1, case.size_in), dtype=np.float32)
    return images, rng.integers(0, N_CLASSES, (n, 1, 1))
