"""All that is saved of a simulation, as arrays by name.

Parameters come first, in the order of ``keras_model.weights``; weights that learning
rules change follow, and (if asked for) the state, with the positions of all random
streams, and the optimizer.
"""

import re
from collections.abc import Mapping

import keras
import numpy as np
from nengo.builder import Signal
from nengo.builder.operator import Operator

from nengo_dl.simulator.npz_members import ArraySpec
from nengo_dl.simulator.runner import Runner

STATE = "state"
N_STEPS = "state/n_steps"
SEED = "state/seed"
STREAMS = "state/streams"
STREAMS_SEED = "state/streams/seed"
DRAWS = "state/draws"
OPTIMIZER = "optimizer"
AHEAD = "ahead"


class Checkpoint:
    """Reads and writes what can be saved of a simulation.

    Parameters
    ----------
    runner : `Runner`
        Has the parameters, the state and the random streams.
    has_state : bool
        Whether the state of the simulation belongs to it.
    optimizer : `keras.optimizers.Optimizer` or None
        Its variables belong to it, too.
    """

    def __init__(
        self,
        runner: Runner,
        has_state: bool,
        optimizer: keras.optimizers.Optimizer | None,
    ):
        self._runner = runner
        table = runner.engine.values
        learned = {p.name: p.signal for p in table.learned}
        self._state = dict(learned)
        self._has_state = has_state
        if has_state:
            for i, signal in enumerate(table.state_signals()):
                if signal not in learned.values():
                    self._state[_state_name(i, signal)] = signal
        streams = runner.program.streams
        drawing = (*streams.processes, *streams.neurons)
        self._positions = {op: i for i, op in enumerate(drawing)}
        self._optimizer = _named(optimizer)

    def read(self) -> dict[str, np.ndarray]:
        """Return all arrays."""
        arrays = self._runner.parameters()
        for name, signal in self._state.items():
            arrays[name] = np.asarray(self._runner.value(signal))
        if self._has_state:
            arrays[N_STEPS] = np.array(self._runner.state().n_steps)
            arrays[SEED] = np.array(self._runner.seed)
            arrays[STREAMS_SEED] = np.array(self._runner.streams_seed)
            layer = self._runner.layer
            arrays[DRAWS] = np.int32(0) if layer is None else layer.draws.numpy()
            arrays |= {
                self._stream_name(*key): array
                for key, array in self._runner.streams().items()
            }
        optimizer = {k: v.numpy() for k, v in self._optimizer.items()}
        return arrays | optimizer

    def expected(self) -> dict[str, ArraySpec]:
        """Return the shapes and types of all arrays."""
        return {
            name: ArraySpec(
                array.shape,
                array.dtype.name,
                batched=name in self._state,
                free=name.startswith(STREAMS) and name.endswith(AHEAD),
            )
            for name, array in self.read().items()
        }

    @staticmethod
    def advice(missing: list[str], extra: list[str]) -> str | None:
        """Tell what to do about a file that holds too much or too little."""
        for names, argument in ((extra, True), (missing, False)):
            for start, what, name in (
                (N_STEPS, "state of the simulation", "include_state"),
                (f"{OPTIMIZER}/", "state of this optimizer", "include_optimizer"),
            ):
                if any(n.startswith(start) for n in names):
                    found = "the" if argument else "no"
                    return f"The file holds {found} {what}: pass {name}={argument}."
        return None

    def write(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put arrays, as `read` returns them, in their places."""
        n_steps = self._runner.state().n_steps
        if self._has_state:
            n_steps = int(arrays[N_STEPS])
            # ahead of all else, because it makes processes anew, which may fail
            self._runner.resume(
                int(arrays[SEED]),
                int(arrays[STREAMS_SEED]),
                {
                    key: arrays[self._stream_name(*key)]
                    for key in self._runner.streams()
                },
                n_steps,
                int(arrays[DRAWS]),
            )
        for name, variable in self._optimizer.items():
            variable.assign(arrays[name])
        state = {signal: arrays[name] for name, signal in self._state.items()}
        self._runner.put(arrays, state, n_steps)

    def _stream_name(self, op: Operator, name: str) -> str:
        """Name an array that belongs to a random stream."""
        return f"{STREAMS}/{self._positions[op]}/{name}"


def _state_name(position: int, signal: Signal) -> str:
    """Name a signal of the state, in the same way in every process."""
    # objects without a label have their address in the names of signals
    readable = re.sub(r"( at )?0x[0-9a-fA-F]+", "", signal.name)
    return "/".join(filter(None, (STATE, str(position), readable)))


def _named(
    optimizer: keras.optimizers.Optimizer | None,
) -> dict[str, keras.Variable]:
    """Return the variables of an optimizer by names that do not depend on layers."""
    if optimizer is None:
        return {}
    kind = type(optimizer).__name__.lower()
    return {
        f"{OPTIMIZER}/{kind}/{i}": variable
        for i, variable in enumerate(optimizer.variables)
    }
