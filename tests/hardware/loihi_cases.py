"""Neurons of Loihi, with their inputs: what `tests.hardware.record` runs, and we do.

This imports NumPy alone.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

PATH = Path(__file__).parent / "data" / "loihi.npz"
N_INPUTS, N_NEURONS = 6, 4


class Case(NamedTuple):
    """A population, and what arrives at it.

    Parameters
    ----------
    name : str
        Of the arrays in the file.
    decay_u, decay_v, threshold, refractory : int
        Of the neurons.
    exponent : int
        Of the weights.
    n_steps : int
        How long it runs.
    part : float
        Of the steps with a spike of an input.
    recurrent : bool
        Whether neurons hear each other.
    """

    name: str
    decay_u: int
    decay_v: int
    threshold: int
    refractory: int
    exponent: int = 0
    n_steps: int = 300
    part: float = 0.2
    recurrent: bool = False


CASES = [
    Case("defaults", 4096, 0, 100, 1),
    Case("leak", 4096, 410, 300, 2),
    Case("synapse", 1024, 0, 900, 1),
    Case("synapse and leak", 743, 211, 1500, 3),
    Case("slow", 1, 3, 130000, 1, n_steps=1500, part=0.05),
    Case("integrator", 0, 4000, 2000, 4, part=0.02),
    Case("fast", 4095, 4096, 150, 1),
    Case("low threshold", 819, 128, 0, 5),
    Case("longest refractory period", 2000, 100, 200, 64),
    Case("small weights", 500, 200, 60, 2, exponent=-6),
    Case("large weights", 700, 300, 100000, 2, exponent=6),
    Case("largest threshold", 2000, 50, 131071, 2, exponent=3),
    Case("recurrent", 1500, 250, 700, 2, recurrent=True),
    Case("long", 409, 205, 1200, 2, n_steps=3000, part=0.1),
]


def inputs(case):
    """Draw spikes of shape (n_steps, N_INPUTS), 0 or 1."""
    rng = np.random.RandomState(len(case.name))
    return (rng.uniform(size=(case.n_steps, N_INPUTS)) < case.part).astype(int)


def mantissas(case, n_in=N_INPUTS):
    """Draw even mantissas of weights, of shape (N_NEURONS, n_in)."""
    rng = np.random.RandomState(case.decay_u + n_in)
    return 2 * rng.randint(-70, 128, size=(N_NEURONS, n_in))


def recorded():
    """Return the arrays that `tests.hardware.record` has written, by case and name."""
    found = {}
    with np.load(PATH) as file:
        for case in CASES:
            names = [n for n in file.files if n.startswith(f"{case.name}|")]
            found[case] = {name.split("|")[1]: file[name] for name in names}
            bits = np.unpackbits(found[case]["spikes"])[: case.n_steps * N_NEURONS]
            found[case]["spikes"] = bits.reshape(-1, N_NEURONS)
    return found
