"""What a simulation holds between two calls, as one value.

A run replaces the whole `Recording` at the end of each chunk of steps, in a single
assignment. Whatever ends a run early (an error, Ctrl-C) thus leaves the state and the
probe data of the same moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo import Probe

from nengo_dl.engine.engine import Values

# Outputs of a chunk and, behind them, all earlier ones.
Chain = tuple[Mapping[Probe, np.ndarray], Any] | None


@dataclass(frozen=True, eq=False)
class Recording:
    """The state of a simulation and everything it has recorded.

    Parameters
    ----------
    values : `Values`
        Parameters, state, and the number of steps run.
    chain : tuple or None
        The outputs of the last chunk, of shape (n_steps, minibatch_size, ...) by probe,
        and the chain before it.
    """

    values: Values
    chain: Chain = None

    def extended(
        self, values: Values, outputs: Mapping[Probe, np.ndarray], dt: float
    ) -> "Recording":
        """Return the recording after one more chunk."""
        steps = np.arange(self.values.n_steps, values.n_steps) + 1
        kept = {p: np.array(sampled(p, x, steps, dt)) for p, x in outputs.items()}
        return Recording(values, (kept, self.chain))

    def merged(self) -> "Recording":
        """Return the same recording with all chunks joined into one."""
        if self.chain is None or self.chain[1] is None:
            return self
        chunks = []
        chain = self.chain
        while chain is not None:
            outputs, chain = chain
            chunks.append(outputs)
        chunks.reverse()
        joined = {
            probe: np.concatenate([chunk[probe] for chunk in chunks])
            for probe in chunks[0]
        }
        return Recording(self.values, (joined, None))


def sampled(probe: Probe, outputs: np.ndarray, steps: np.ndarray, dt: float):
    """Keep the steps that a probe's ``sample_every`` asks for.

    Parameters
    ----------
    probe : Probe
        May have a ``sample_every``, in seconds.
    outputs : ndarray
        One row per step, or a single one for a probe that keeps the last step alone.
    steps : ndarray of int
        Absolute numbers of the steps; the first step of a simulation is 1.
    dt : float
        Length of a step, in seconds.
    """
    if probe.sample_every is None or len(outputs) != len(steps):
        return outputs
    return outputs[steps % (probe.sample_every / dt) < 1]
