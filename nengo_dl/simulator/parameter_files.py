"""Files with the parameters of a simulation, its state and its optimizer."""

from os import PathLike

import keras
from nengo.exceptions import SimulationError

from nengo_dl.simulator import npz
from nengo_dl.simulator.checkpoint import Checkpoint
from nengo_dl.simulator.simulation import Simulation
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
        checkpoint = self._checkpoint(method, include_state, include_optimizer)
        npz.write(path, checkpoint.read())

    def load(
        self, path: str | PathLike, include_state: bool, include_optimizer: bool
    ) -> None:
        """See `.Simulator.load_params`."""
        method = "load_params"
        self._simulation.check_open(method)
        self._simulation.check_has_own_weights(method)
        self._simulation.lock.check(method)
        checkpoint = self._checkpoint(method, include_state, include_optimizer)
        if include_state or self._simulation.runner.engine.layers:
            # it remembers the first weights of layers, and how often training has drawn
            self._trainer.network(method)
        checkpoint.write(npz.read(path, checkpoint.expected(), checkpoint.advice))

    def _checkpoint(
        self, method: str, include_state: bool, include_optimizer: bool
    ) -> Checkpoint:
        optimizer = self._optimizer(method) if include_optimizer else None
        return Checkpoint(self._simulation.runner, include_state, optimizer)

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
