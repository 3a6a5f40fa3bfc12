"""What parameter files hold: the arrays of a simulation by name.

Parameters come first, in the order of ``keras_model.weights``; what learning rules
change and (if asked for) the state follow.
"""

import re
from collections.abc import Mapping

import numpy as np
from nengo.builder import Signal

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.layer import EngineLayer
from nengo_dl.engine.values import Values
from nengo_dl.simulator.files import Entry

STATE = "state"
N_STEPS = "state/n_steps"


class Stored:
    """Reads and writes all that can be saved of a simulation.

    Parameters
    ----------
    engine : `Engine`
        Knows where learned weights and the state are.
    layer : `EngineLayer`
        Has the parameters.
    include_state : bool
        Whether the state of the simulation belongs to it.
    """

    def __init__(self, engine: Engine, layer: EngineLayer, include_state: bool):
        self._engine = engine
        self._variables = layer.named_variables()
        learned = {p.name: p.signal for p in engine.values.learned}
        self._state = dict(learned)
        self._has_steps = include_state
        if include_state:
            for i, signal in enumerate(engine.values.state_signals()):
                if signal not in learned.values():
                    self._state[_state_name(i, signal)] = signal

    def read(self, values: Values) -> dict[str, np.ndarray]:
        """Return all arrays.

        Parameters
        ----------
        values : `Values`
            The state of the simulation.
        """
        arrays = {name: part.numpy() for name, part in self._variables.items()}
        for name, signal in self._state.items():
            arrays[name] = self._engine.values.get(values, signal)
        if self._has_steps:
            arrays[N_STEPS] = np.array(values.n_steps)
        return arrays

    def expected(self, values: Values) -> dict[str, Entry]:
        """Describe what a file must hold, see `.files.read`."""
        arrays = self.read(values)
        return {
            name: Entry(array.shape, array.dtype.name, name in self._state)
            for name, array in arrays.items()
        }

    @staticmethod
    def advice(missing: list[str], extra: list[str]) -> str | None:
        """Tell what to do about a file with a state too many or too few."""
        for names, argument in ((extra, True), (missing, False)):
            if N_STEPS in names:
                what = "the" if argument else "no"
                return (
                    f"The file holds {what} state of the simulation: pass "
                    f"include_state={argument}."
                )
        return None

    def write(self, arrays: Mapping[str, np.ndarray], values: Values) -> Values:
        """Put arrays in their places.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            As `read` returns them.
        values : `Values`
            The state of the simulation.

        Returns
        -------
        values : `Values`
            The state with what was in the arrays.
        """
        for name, part in self._variables.items():
            part.assign(arrays[name])
        state = {signal: arrays[name] for name, signal in self._state.items()}
        n_steps = int(arrays[N_STEPS]) if self._has_steps else values.n_steps
        return self._engine.values.put(values, state, n_steps)


def _state_name(position: int, signal: Signal) -> str:
    """Name a part of the state, in the same way in every process."""
    # objects without a label have their address in the names of signals
    readable = re.sub(r"( at )?0x[0-9a-fA-F]+", "", signal.name)
    return "/".join(filter(None, (STATE, str(position), readable)))
