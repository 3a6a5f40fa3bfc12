"""Files with the parameters of a simulation, its state and its optimizer."""

from os import PathLike

import keras
from nengo.exceptions import SimulationError

from nengo_dl.simulator import npz
from nengo_dl.simulator.simulation import Simulation
from nengo_dl.simulator.stored import Stored
from nengo_dl.simulator.trainer import Trainer


class ParameterFiles:
    """Saves and loads a simulation.

    Parameters
    ----------
    simulation : `Simulation`
        Has the parameters and the state.
    trainer : `Trainer`
        Has the optimizer.
    """

    def __init__(self, simulation: Simulation, trainer: Trainer):
        self._simulation, self._trainer = simulation, trainer

    def save(
        self, path: str | PathLike, include_state: bool, include_optimizer: bool
    ) -> None:
        """See `.Simulator.save_params`."""
        method = "save_params"
        self._simulation.check_open(method)
        self._simulation.lock.check(method, reads=True)
        npz.write(path, self._stored(method, include_state, include_optimizer).read())

    def load(
        self, path: str | PathLike, include_state: bool, include_optimizer: bool
    ) -> None:
        """See `.Simulator.load_params`."""
        method = "load_params"
        self._simulation.check_open(method)
        self._simulation.lock.check(method)
        stored = self._stored(method, include_state, include_optimizer)
        stored.write(npz.read(path, stored.expected(), stored.advice))

    def _stored(
        self, method: str, include_state: bool, include_optimizer: bool
    ) -> Stored:
        optimizer = self._optimizer(method) if include_optimizer else None
        layer = self._trainer.network(method).layer
        return Stored(self._simulation.runner, layer, include_state, optimizer)

    def _optimizer(self, method: str) -> keras.optimizers.Optimizer:
        model = self._trainer.network(method).model
        if not model.compiled:
            raise SimulationError(
                f"Simulator.{method}: expected an optimizer to go with "
                "include_optimizer=True (got none). Call Simulator.compile first."
            )
        if not model.optimizer.built:
            with self._simulation.setup.scope():
                model.optimizer.build(model.trainable_variables)
        return model.optimizer
