"""The parameters of a simulation in devices, which drift with time."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.arguments import check_seed
from nengo_dl.chips.devices import Device
from nengo_dl.chips.programming import Faults, ProgrammedWeights, program
from nengo_dl.errors import InvalidValue, argument, arguments_of
from nengo_dl.graph.on_chip import Placement
from nengo_dl.simulator.interrupts import interrupts_held
from nengo_dl.simulator.simulation import Simulation

COMPENSATIONS = ("global", "channel", None)


class Chip:
    """The weights of a simulator, programmed into devices once.

    `Simulator.program` makes it. The same seed gives the same devices, and the same
    time the same reading.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import PowerLaw, Weights

       with nengo.Network() as net:
           nengo_dl.configure_settings(hardware=Weights(device=PowerLaw(nu=0.1)))
           node = nengo.Node([1.0, 1.0])
           out = nengo.Node(size_in=1)
           nengo.Connection(
               node, out, transform=[[1.0, -0.5]], synapse=None, label="conn"
           )

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           chip = sim.program(seed=0)
           print(chip.weights(1e6, compensation=None)["conn.weights"].round(2))

    .. testoutput::

       [[ 0.25 -0.13]]

    Parameters
    ----------
    simulation : ``Simulation``
        Computes with the weights.
    programmed : dict of str to ``ProgrammedWeights``
        By name of the parameter.
    """

    def __init__(
        self, simulation: Simulation, programmed: dict[str, ProgrammedWeights]
    ):
        self._simulation = simulation
        self._programmed = programmed

    def weights(
        self, t: float, compensation: str | None = "global"
    ) -> dict[str, np.ndarray]:
        """Return the weights at a time after programming.

        Parameters
        ----------
        t : float
            Time since programming, in seconds.
        compensation : "global" or "channel" or None
            Which weights are multiplied by a common factor that makes up for the mean
            drift: all weights of a parameter, those of each output channel, or none.
            The factor is :math:`\\sum |w(0)| / \\sum |w(t)|` (Le Gallo et al. 2018,
            https://doi.org/10.1002/aelm.201700627).

        Returns
        -------
        weights : dict of str to ndarray
            By name of the parameter, of its shape.

        Raises
        ------
        ValidationError
            If the time is negative, or the compensation unknown.
        """
        with arguments_of(self), argument("t"):
            check_time(t)
        with arguments_of(self), argument("compensation"):
            check_compensation(compensation)
        return {
            name: held.at(float(t), compensation)
            for name, held in self._programmed.items()
        }

    @contextlib.contextmanager
    def at(self, t: float, compensation: str | None = "global") -> Iterator[None]:
        """Let all methods of the simulator compute with the weights at a time.

        Afterwards, weights are those that were programmed again. `fit` raises an error
        within such a block; what else replaces these weights within it is lost.

        Parameters
        ----------
        t : float
            Time since programming, in seconds.
        compensation : "global" or "channel" or None
            As for `weights`.

        Yields
        ------
        None
            Nothing; the block is what counts.

        Raises
        ------
        ValidationError
            If the time is negative, or the compensation unknown.
        SimulationError
            If another method is running.
        """
        lent = self.weights(t, compensation)
        parameters = self._simulation.runner.parameters()
        before = {name: parameters[name] for name in lent}
        with contextlib.ExitStack() as stack:
            with interrupts_held():
                self._put(lent, 1)
                stack.callback(self._take_back, before)
            yield

    def _take_back(self, before: dict[str, np.ndarray]) -> None:
        with interrupts_held():
            self._put(before, -1)

    def _put(self, weights: dict[str, np.ndarray], n_lent: int) -> None:
        simulation = self._simulation
        simulation.check_open("program")
        with simulation.lock.alone("program"), simulation.setup.scope():
            runner = simulation.runner
            runner.put(runner.parameters() | weights, {}, runner.n_steps)
            simulation.n_chips_lent += n_lent


def program_chip(simulation: Simulation, seed: int | None) -> Chip:
    """Program the weights of a simulation, see `Simulator.program`."""
    simulation.check_open("program")
    with arguments_of(simulation.setup.owner):
        seed = simulation.runner.seed if seed is None else check_seed(seed)
    found = [
        (p.name, p.placement, p.placement.model.device)
        for p in simulation.built.program.parameters
        if p.placement is not None and p.placement.model.device is not None
    ]
    if not found:
        raise ValidationError(
            "expected weights in devices (got a network without). Call e.g. "
            "configure_settings(hardware=Weights(device=PCM())) in the network.",
            attr="program",
            obj=simulation.setup.owner,
        )
    with simulation.lock.alone("program"):
        values = simulation.runner.parameters()
    programmed = {
        name: _programmed(name, placement, device, values[name], seed)
        for name, placement, device in found
        if name in values  # what nothing reads is no value of the simulation
    }
    return Chip(simulation, programmed)


def _programmed(
    name: str, placement: Placement, device: Device, values: np.ndarray, seed: int
) -> ProgrammedWeights:
    faults = Faults(placement.model.dead, placement.model.stuck)
    scale_axes = placement.shared_axes(values.ndim)
    axes = placement.channel_axes(values.ndim)
    return program(values, device, faults, scale_axes, axes, seed, name)


def check_time(t: Any) -> None:
    """Raise InvalidValue unless a value is a time after programming, in seconds."""
    is_number = isinstance(t, int | float | np.number) and not isinstance(t, bool)
    if not (is_number and 0 <= float(t) < np.inf):
        raise InvalidValue(
            f"must be a number of seconds of at least 0 (got {t!r}). Count from the "
            "time of programming."
        )


def check_compensation(compensation: Any) -> None:
    """Raise InvalidValue unless drift can be compensated this way."""
    if compensation not in COMPENSATIONS:
        raise InvalidValue(
            f"must be 'global', 'channel' or None (got {compensation!r}). None leaves "
            "the drift as it is."
        )
