"""State and probe data of a simulation, as one value.

A run replaces the whole `Recording` at the end of each chunk of steps, in a single
assignment. A run that ends early (by an error, by Ctrl-C) thus leaves the state and the
probe data of the same moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from nengo import Probe

from nengo_dl.engine.values import Values
from nengo_dl.graph.kept import Kept

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
    newest : mapping of Probe to ndarray
        The outputs of the last step, of shape (1, minibatch_size, ...), of the probes
        that keep nothing else.
    """

    values: Values
    chain: Chain = None
    newest: Mapping[Probe, np.ndarray] = field(default_factory=dict)

    def extended(
        self,
        values: Values,
        outputs: Mapping[Probe, np.ndarray],
        kept: Mapping[Probe, Kept],
    ) -> "Recording":
        """Return the recording after one more chunk of steps.

        `outputs` are the rows that the loop has handed out.
        """
        recorded: dict[Probe, np.ndarray] = {}
        newest: dict[Probe, np.ndarray] = {}
        for probe, rows in outputs.items():
            target = recorded if kept[probe].keeps_time else newest
            first_step = self.values.n_steps + 1
            target[probe] = np.array(kept[probe].recorded(rows, first_step))
        return Recording(values, (recorded, self.chain), newest)

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
        return replace(self, chain=(joined, None))

    def outputs(self, probe: Probe) -> np.ndarray | None:
        """Return the data of a probe, if there is any, in a `merged` recording.

        Of shape (n_samples, minibatch_size or 1, ...).
        """
        if probe in self.newest:
            return self.newest[probe]
        return None if self.chain is None else self.chain[0].get(probe)
