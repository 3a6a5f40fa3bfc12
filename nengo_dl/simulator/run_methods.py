"""Methods of the `Simulator` that run the network, and forget what was run."""

import warnings
from typing import Any

import numpy as np
from nengo.builder import Signal
from nengo.exceptions import ReadonlyError
from nengo.utils.progress import ProgressBar

from nengo_dl.errors import arguments_of
from nengo_dl.simulator.recording import Recording
from nengo_dl.simulator.simulation import Simulation
from nengo_dl.simulator.stacklevel import user_level
from nengo_dl.simulator.times import sample_times, sampling_period, steps_from_time


class RunMethods:
    """Public methods on a `Simulation`, which is all that they need.

    Parameters
    ----------
    simulation : `Simulation`
        Is run.
    progress_bar : bool or `nengo.utils.progress.ProgressBar`
        Whether runs show progress, unless they say otherwise.
    """

    def __init__(self, simulation: Simulation, progress_bar: bool | ProgressBar):
        self._simulation = simulation
        self.progress_bar = progress_bar
        built, setup = simulation.built, simulation.setup
        self.model = built.model
        self.device = setup.device
        self.unroll = setup.unroll
        self.minibatch_size = setup.minibatch_size
        self.drops_batch = setup.drops_batch
        self.stateful = built.settings.stateful
        feeds = built.program.feeds
        self.node_inputs = {f.node: f.output for f in feeds if f.node is not None}

    @property
    def closed(self) -> bool:
        """(bool) Whether the simulator has been closed; it cannot be opened again."""
        return self._simulation.closed

    @property
    def dt(self) -> float:
        """(float) Length of a time step, in seconds."""
        return self.model.dt

    @dt.setter
    def dt(self, value: float) -> None:
        raise ReadonlyError(
            attr="dt", obj=self, msg="dt is read-only. Pass it to Simulator."
        )

    @property
    def seed(self) -> int:
        """(int) Seed of all random numbers of the simulation."""
        return self._simulation.runner.seed

    @seed.setter
    def seed(self, value: int) -> None:
        raise ReadonlyError(
            attr="seed", obj=self, msg="seed is read-only. Pass it to `reset`."
        )

    @property
    def n_steps(self) -> int:
        """(int) Number of steps that have been run."""
        return self._simulation.runner.n_steps

    @property
    def time(self) -> float:
        """(float) Simulated time, in seconds."""
        return self.n_steps * self.dt

    @property
    def recording(self) -> Recording:
        """(Recording) State and probe data as of the last complete chunk of steps."""
        return self._simulation.runner.recording

    def parameter(self, signal: Signal) -> np.ndarray | None:
        """Return the current value of a parameter or state signal.

        Parameters
        ----------
        signal : Signal
            A signal of ``sim.model``.

        Returns
        -------
        value : ndarray or None
            Of the signal's shape, with a leading minibatch axis if a ``minibatch_size``
            was given and the items do not share the value. None if the simulation does
            not keep the signal from step to step.
        """
        return self._simulation.parameter(signal)

    def run(self, time_in_seconds: float, **kwargs) -> None:
        """Simulate for a length of time.

        Parameters
        ----------
        time_in_seconds : float
            In seconds, rounded to a whole number of steps.
        **kwargs
            See `run_steps`.

        Raises
        ------
        ValidationError
            If the time is negative or no finite number.

        Warns
        -----
        UserWarning
            If the time rounds to no step at all.
        """
        self._simulation.check_open("run")
        n_steps = steps_from_time(time_in_seconds, self.dt)
        if n_steps > 0:
            self.run_steps(n_steps, **kwargs)

    def run_steps(
        self,
        n_steps: int,
        data: Any = None,
        progress_bar: bool | ProgressBar | None = None,
        stateful: bool = True,
    ) -> None:
        """Simulate a number of steps; append to the data of all probes.

        Parameters
        ----------
        n_steps : int
            How many steps to run.
        data : dict or list or ndarray, optional
            Replaces the output of input nodes: arrays of shape (minibatch_size,
            n_steps, size_out) by node or name, in the order of the nodes, or one for
            the first node. An array with a single step is held for all steps. Nodes
            that are not named keep their own output.
        progress_bar : bool or ProgressBar, optional
            Overrides that of the simulator.
        stateful : bool
            False puts the state (and the time) back to what it was before the run, all
            but the parameters that learning rules have changed. Always False in a
            network with ``configure_settings(stateful=False)``.

        Raises
        ------
        ValidationError
            If an argument is invalid. Nothing has been run then.
        SimulationError
            If a function of the user's fails. All steps up to the last complete chunk
            have been run and recorded then; the same holds after Ctrl-C.

        Warns
        -----
        UserWarning
            If nothing is run, or if a single step starts from a state that is put back
            afterwards, so that what passes a synapse never arrives.
        """
        shown = self.progress_bar if progress_bar is None else progress_bar
        self._simulation.run_steps(n_steps, data, shown, stateful)

    def step(self, **kwargs) -> None:
        """Advance the simulation by one step.

        Parameters
        ----------
        **kwargs
            See `run_steps`. No progress bar is shown by default.
        """
        self._simulation.check_open("step")
        self.run_steps(1, **{"progress_bar": False, **kwargs})

    def reset(
        self,
        seed: int | None = None,
        include_trainable: bool = True,
        include_probes: bool = True,
        include_processes: bool = True,
    ) -> None:
        """Put the simulation back to its start.

        Parameters
        ----------
        seed : int, optional
            A new seed for all random numbers of the simulation; what was built (e.g.
            encoders) stays as it is.
        include_trainable : bool
            Whether parameters go back to their initial values.
        include_probes : bool
            Whether recorded data is dropped.
        include_processes : bool
            Whether random processes start their streams again.
        """
        self._simulation.reset(
            seed, include_trainable, include_probes, include_processes
        )

    def soft_reset(
        self, include_trainable: bool = False, include_probes: bool = False
    ) -> None:
        """Reset the state alone; deprecated in favour of `reset`.

        Parameters
        ----------
        include_trainable, include_probes : bool
            See `reset`.
        """
        warnings.warn(
            "Simulator.soft_reset is deprecated. Use reset(include_processes=False, "
            "include_trainable=..., include_probes=...).",
            DeprecationWarning,
            stacklevel=user_level(),
        )
        self.reset(
            include_trainable=include_trainable,
            include_probes=include_probes,
            include_processes=False,
        )

    def clear_probes(self) -> None:
        """Drop the recorded data of all probes."""
        self._simulation.clear_probes()

    def trange(
        self, sample_every: float | None = None, dt: float | None = None
    ) -> np.ndarray:
        """Return the times of recorded data.

        Parameters
        ----------
        sample_every : float, optional
            Sampling period of a probe, in seconds. By default, every step.
        dt : float, optional
            Deprecated name of `sample_every`, in seconds.

        Returns
        -------
        times : ndarray of shape (n_samples,)
            In seconds; the first step is at ``sim.dt``.

        Raises
        ------
        ValidationError
            If both arguments are given, or the period is not a positive number.
        """
        with arguments_of(type(self)):
            period = sampling_period(sample_every, dt)
        return sample_times(self.n_steps, self.dt, period)
