"""Methods of the `Simulator` on weights in devices."""

from collections.abc import Iterable
from typing import Any

from nengo_dl.errors import argument, arguments_of
from nengo_dl.simulator.chip import Chip, program_chip
from nengo_dl.simulator.drift import check_repeatable, drift
from nengo_dl.simulator.drift_report import DriftReport
from nengo_dl.simulator.simulation import Simulation
from nengo_dl.simulator.trainer import Trainer

# A second, an hour, a day, 30 days, and a year
TIMES = (1.0, 3600.0, 86400.0, 2592000.0, 31536000.0)


class HardwareMethods:
    """Public methods on weights in devices, which need nothing else of a `Simulator`.

    Parameters
    ----------
    simulation : `Simulation`
        Has the weights.
    trainer : `Trainer`
        Evaluates the network with them.
    """

    def __init__(self, simulation: Simulation, trainer: Trainer):
        self._simulation = simulation
        self._trainer = trainer

    def program(self, seed: int | None = None) -> Chip:
        """Program the weights that are in devices, see :doc:`hardware`.

        Parameters
        ----------
        seed : int, optional
            Seed of the devices; by default, that of the simulator. Random numbers
            depend on it and on the names of the parameters alone.

        Returns
        -------
        chip : `~nengo_dl.simulator.chip.Chip`
            The weights as they are now, in devices.

        Raises
        ------
        ValidationError
            If no part of the network is set to be in devices.

        Examples
        --------
        .. testcode::

           from nengo_dl.hardware import PCM, Weights

           with nengo.Network(seed=0) as net:
               nengo_dl.configure_settings(hardware=Weights(device=PCM()))
               node = nengo.Node([1.0, -1.0])
               ens = nengo.Ensemble(10, 2, label="ens")
               nengo.Connection(node, ens)

           with nengo_dl.Simulator(net, progress_bar=False) as sim:
               chip = sim.program(seed=0)
               with chip.at(86400):  # a day later
                   sim.run(0.1)
               print(list(chip.weights(86400)))

        .. testoutput::

           ['ens.encoders']
        """
        return program_chip(self._simulation, seed)

    def evaluate_over_time(
        self,
        x: Any = None,
        y: Any = None,
        times: Iterable[float] = TIMES,
        programmings: int = 20,
        seed: int = 0,
        compensation: str | None = "global",
        n_steps: int | None = None,
    ) -> DriftReport:
        """Evaluate the network while the devices that hold its weights drift.

        Devices are programmed several times, and the network is evaluated after each
        of some times. Parameters and state stay as they are. The simulator has to be
        compiled with losses or metrics, see `compile`.

        Parameters
        ----------
        x, y : as for `evaluate`
            The data; no generator, since it is read many times.
        times : iterable of float
            Times since programming, in seconds; by default a second, an hour, a day, 30
            days and a year.
        programmings : int
            How many times devices are programmed.
        seed : int
            Seed of the first programming, see `program`; others have the ones that
            follow.
        compensation : "global" or "channel" or None
            How the drift is compensated, see `~.Chip.weights`.
        n_steps : int, optional
            Number of steps to simulate, as for `evaluate`.

        Returns
        -------
        report : `nengo_dl.hardware.DriftReport`
            Mean, standard deviation, and extremes of all losses and metrics.

        Raises
        ------
        ValidationError
            If an argument has another form, if no part of the network is set to be in
            devices, or if the simulator has not been compiled.
        SimulationError
            If it is called within ``chip.at``, or a function of the user's fails.

        Examples
        --------
        .. testcode::

           from nengo_dl.hardware import PowerLaw, Weights

           with nengo.Network() as net:
               nengo_dl.configure_settings(hardware=Weights(device=PowerLaw(nu=0.1)))
               node = nengo.Node([1.0, 1.0])
               out = nengo.Node(size_in=1)
               nengo.Connection(node, out, transform=[[1.0, -0.5]], synapse=None)
               probe = nengo.Probe(out)

           x, y = np.eye(2)[:, None], np.reshape([1.0, -0.5], (2, 1, 1))
           with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
               sim.compile(loss="mae")
               report = sim.evaluate_over_time(
                   x, y, times=(0, 1e3, 1e6), programmings=2, compensation=None
               )
           print(np.round(report.mean["loss"], 2))

        .. testoutput::

           [0.   0.37 0.56]
        """
        simulation, trainer = self._simulation, self._trainer
        for name, data in (("x", x), ("y", y)):
            with arguments_of(simulation.setup.owner), argument(name):
                check_repeatable(data)

        def evaluate() -> dict[str, float]:
            return trainer.evaluate(x, y, n_steps, False, {"verbose": 0})

        return drift(simulation, evaluate, times, programmings, seed, compensation)
