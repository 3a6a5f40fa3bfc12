"""The `Simulator`: Nengo's interface to a simulation on TensorFlow.

A façade: it checks arguments, builds the stages once, and hands every call on.
"""

import contextlib
import threading
import warnings
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Signal
from nengo.exceptions import ReadonlyError, SimulatorClosed, ValidationError
from nengo.utils.progress import ProgressBar

from nengo_dl.arguments import (
    MAX_STEPS,
    check_dt,
    check_dt_in,
    check_seed,
    check_unroll,
    choose_seed,
    whole,
)
from nengo_dl.engine.built_network import build_network
from nengo_dl.engine.processes import check_process
from nengo_dl.errors import argument, arguments_of
from nengo_dl.names import listing
from nengo_dl.progress import progress
from nengo_dl.settings import Settings
from nengo_dl.simulator.arguments import (
    check_device,
    check_network,
    check_steps_without_loop,
    warn_of_delays,
)
from nengo_dl.simulator.calls import Calls
from nengo_dl.simulator.data import SimulationData
from nengo_dl.simulator.inputs import check_inputs
from nengo_dl.simulator.keras_methods import KerasMethods
from nengo_dl.simulator.parameter_methods import ParameterMethods
from nengo_dl.simulator.recording import Recording
from nengo_dl.simulator.runner import build_runner
from nengo_dl.simulator.scope import scope
from nengo_dl.simulator.times import sample_times, sampling_period, steps_from_time


class Simulator(KerasMethods, ParameterMethods):
    """Simulate a Nengo network on TensorFlow.

    A drop-in for `nengo.Simulator` whose results agree with it, step by step.

    Parameters
    ----------
    network : Network or None
        What to simulate; None if `model` holds everything already.
    dt : float
        Length of a time step, in seconds.
    seed : int, optional
        Seed of all random numbers of the simulation. By default ``network.seed + 1``,
        or a random one if the network has none.
    model : `nengo.builder.Model`, optional
        A model that has been built, or that the network is to be built into.
    device : str, optional
        TensorFlow device, e.g. "/cpu:0" or "/gpu:1". By default TensorFlow chooses.
    unroll_simulation : int
        Steps that one iteration of the compiled loop spells out. Changes speed alone.
    minibatch_size : int, optional
        Number of items simulated side by side. None simulates one, and leaves the
        minibatch axis out of ``sim.data``.
    progress_bar : bool or `nengo.utils.progress.ProgressBar`
        Whether to show progress, in builds and (unless they say otherwise) in runs.

    Attributes
    ----------
    calls : ``Calls``
        Which calls of its methods are going on.
    closed : bool
        Whether the simulator has been closed; it cannot be opened again.
    data : `SimulationData`
        Probe data and parameters by object.
    model : `nengo.builder.Model`
        The built network.
    minibatch_size : int
        Number of items simulated side by side.
    stateful : bool
        Whether runs can keep the state, see `nengo_dl.configure_settings`.
    unroll : int
        The ``unroll_simulation`` it was made with.
    node_inputs : dict of Node to ndarray or callable or Process
        The input nodes and what they put out: an array of shape (size_out,), or what
        makes one for each step.

    Raises
    ------
    ValidationError
        If an argument is invalid.
    BuildError
        If the network cannot be built, or has an operator without a kernel.
    SimulatorClosed
        By all methods that run or change something, once the simulator is closed.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node(lambda t: np.sin(6 * t))
           ens = nengo.Ensemble(50, 1)
           nengo.Connection(stimulus, ens)
           probe = nengo.Probe(ens, synapse=0.01)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run(0.1)
           print(sim.data[probe].shape)

    .. testoutput::

       (100, 1)
    """

    def __init__(
        self,
        network: nengo.Network | None,
        dt: float = 0.001,
        seed: int | None = None,
        model: nengo.builder.Model | None = None,
        device: str | None = None,
        unroll_simulation: int = 1,
        minibatch_size: int | None = None,
        progress_bar: bool | ProgressBar = True,
    ):
        self.closed = True  # until everything is built
        check_process("Simulator")
        self.calls = Calls(self._functions)
        self._making = threading.RLock()
        self._scopes = contextlib.ExitStack()
        self._strategy = None
        if tf.distribute.has_strategy():
            self._strategy = tf.distribute.get_strategy()
        cls = type(self)
        self.drops_batch = minibatch_size is None
        self.minibatch_size = 1
        self.progress_bar = progress_bar
        with arguments_of(cls):
            self.unroll = check_unroll(unroll_simulation)
            if minibatch_size is not None:
                with argument("minibatch_size"):
                    self.minibatch_size = whole(minibatch_size, 1)
            self.device = check_device(device)
            check_network(network, model)
            check_dt(dt, model)
        toplevel = model.toplevel if network is None else network
        self._settings = settings = Settings.read(toplevel).check()
        self.stateful = settings.stateful
        if model is None:
            with arguments_of(cls):
                check_dt_in(settings.dtype, dt)
        built = build_network(network, settings, dt, model, progress_bar)
        self.model = built.model
        with arguments_of(cls):
            seed = choose_seed(seed, network)
        with self._scope():
            self._runner = build_runner(built, self.minibatch_size, self.unroll, seed)
        self._names = built.names
        self._input_names = {node: self._names[node] for node in built.nodes}
        self.node_inputs = {
            feed.node: feed.output
            for feed in built.program.feeds
            if feed.node is not None
        }
        self.data = SimulationData(self)
        self._made_keras_network = None
        self.closed = False
        if self._strategy is not None:
            # variables belong to the strategy they are made under
            self._make_keras_network()

    @property
    def dt(self) -> float:
        """(float) Length of a time step, in seconds."""
        return self.model.dt

    @dt.setter
    def dt(self, value):
        raise ReadonlyError(
            attr="dt", obj=self, msg="dt is read-only. Pass it to Simulator."
        )

    @property
    def seed(self) -> int:
        """(int) Seed of all random numbers of the simulation."""
        return self._runner.seed

    @seed.setter
    def seed(self, value):
        raise ReadonlyError(
            attr="seed", obj=self, msg="seed is read-only. Pass it to `reset`."
        )

    @property
    def n_steps(self) -> int:
        """(int) Number of steps that have been run."""
        return self._runner.n_steps

    @property
    def time(self) -> float:
        """(float) Simulated time, in seconds."""
        return self.n_steps * self.dt

    @property
    def recording(self) -> Recording:
        """(Recording) State and probe data as of the last complete chunk of steps."""
        return self._runner.recording

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
        self._check_open("parameter")
        value = self._runner.value(signal)
        if value is not None and (self.drops_batch or self._runner.is_shared(signal)):
            value = value[0]
        return value

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
        self._check_open("run")
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
            the first node. Nodes that are not named keep their own output.
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
        self._check_open("run_steps")
        advice = "Use `run` for a time, and `reset` to start again."
        with argument("n_steps", type(self)):
            n_steps = whole(n_steps, 0, MAX_STEPS, advice)
        if n_steps == 0:
            warnings.warn("n_steps=0: nothing is run.", stacklevel=2)
            return
        arrays, n_steps = check_inputs(
            data, self._input_names, self.minibatch_size, n_steps
        )
        if not self._settings.use_loop:
            check_steps_without_loop(n_steps, self.unroll)
        if progress_bar is None:
            progress_bar = self.progress_bar
        stateful = stateful and self.stateful
        if n_steps == 1 and not stateful:
            warn_of_delays(self.model.toplevel)
        with (
            self.calls.alone("run_steps"),
            progress(progress_bar, "Simulating", n_steps) as display,
            self._scope(),
        ):
            self._runner.run(n_steps, arrays, display, stateful)

    def step(self, **kwargs) -> None:
        """Advance the simulation by one step.

        Parameters
        ----------
        **kwargs
            See `run_steps`. No progress bar is shown by default.
        """
        self._check_open("step")
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
        self._check_open("reset")
        with arguments_of(type(self)):
            seed = self.seed if seed is None else check_seed(seed)
        with self.calls.alone("reset"), self._scope():
            self._runner.start(
                seed, include_trainable, include_probes, include_processes
            )
            if include_processes and self._made_keras_network is not None:
                self._made_keras_network.reset(seed)

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
            stacklevel=2,
        )
        self.reset(
            include_trainable=include_trainable,
            include_probes=include_probes,
            include_processes=False,
        )

    def clear_probes(self) -> None:
        """Drop the recorded data of all probes."""
        self._check_open("clear_probes")
        with self.calls.alone("clear_probes"):
            self._runner.clear_probes()

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
            sample_every = sampling_period(sample_every, dt)
        return sample_times(self.n_steps, self.dt, sample_every)

    def get_name(self, obj: nengo.Node | nengo.Probe) -> str:
        """Return the name under which an input node or a probe is known to Keras.

        Parameters
        ----------
        obj : Node or Probe
            An input node or a probe of the network.

        Returns
        -------
        name : str
            Its label, without what names in Keras must not have and with a number if
            there are several of it.

        Raises
        ------
        ValidationError
            If the object has no name: no input node or probe of this network.
        """
        if not isinstance(obj, nengo.Node | nengo.Probe) or obj not in self._names:
            raise ValidationError(
                f"expected an input node or a probe of the simulated network (got "
                f"{obj!r}). The names are {listing(self._names.values())}.",
                attr="get_name",
                obj=self,
            )
        return self._names[obj]

    def close(self) -> None:
        """Release the compiled simulation. Probe data stays readable."""
        with self.calls.alone("close"):
            self.closed = True
            self._made_keras_network = None
            self._runner.close()

    def __enter__(self) -> "Simulator":
        self._check_open("__enter__")
        self._scopes.enter_context(self._scope())
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        self._scopes.close()
        self.close()

    def __del__(self):
        if not getattr(self, "closed", True):
            warnings.warn(
                f"Simulator of {self.model} was deallocated while open. Close "
                "simulators, or use them in a `with` statement.",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )
            self.close()

    def __getstate__(self):
        raise NotImplementedError(
            "A Simulator of nengo_dl cannot be pickled: it holds compiled functions. "
            "Pickle the network and make a new Simulator."
        )

    def _functions(self):
        """Return which functions of the user's are running, see ``Calls``."""
        if self.closed:
            return {}
        keras_network = self._made_keras_network
        engine = (
            self._runner.engine if keras_network is None else keras_network.layer.engine
        )
        return engine.functions

    def _scope(self):
        return scope(self.device, self._settings.dtype, self._strategy)

    def _check_open(self, what):
        if self.closed:
            raise SimulatorClosed(
                f"Simulator.{what}: the simulator is closed. Make a new Simulator, or "
                "call it inside of the `with` block."
            )
        check_process(f"Simulator.{what}")
