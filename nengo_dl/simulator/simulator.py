"""The `Simulator`: Nengo's interface to a simulation on TensorFlow.

A façade: it checks arguments, builds the stages once, and keeps the `Recording` between
calls. What runs is the engine's business.
"""

import contextlib
import time
import warnings
from dataclasses import replace
from numbers import Integral, Real

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.exceptions import (
    NengoWarning,
    ReadonlyError,
    SimulatorClosed,
    ValidationError,
)
from nengo.utils.progress import Progress

from nengo_dl import frontend
from nengo_dl.config import Settings, object_settings
from nengo_dl.engine.engine import Engine
from nengo_dl.graph.program import from_model, input_nodes
from nengo_dl.names import listing, unique_names
from nengo_dl.progress import progress
from nengo_dl.simulator.data import SimulationData
from nengo_dl.simulator.feeds import FeedRunner
from nengo_dl.simulator.inputs import check_inputs, steps_from_time
from nengo_dl.simulator.recording import Recording

# Runs come back to Python about this often (in seconds), to move the progress bar and
# to notice Ctrl-C.
RESPONSE_TIME = 0.2
# The first call runs this many steps, to find out how fast they are.
FIRST_STEPS = 50


class Simulator:
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
        The input nodes and what they put out.

    Raises
    ------
    ValidationError
        If an argument is invalid.
    BuildError
        If the network cannot be built, or has an operator without a kernel.

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
        network,
        dt=0.001,
        seed=None,
        model=None,
        device=None,
        unroll_simulation=1,
        minibatch_size=None,
        progress_bar=True,
    ):
        self.closed = True  # until everything is built
        self._scopes = contextlib.ExitStack()
        advice = "Leave it out for the default."
        self.unroll = _whole("unroll_simulation", unroll_simulation, 1, advice)
        self.drops_batch = minibatch_size is None
        self.minibatch_size = 1
        if minibatch_size is not None:
            self.minibatch_size = _whole("minibatch_size", minibatch_size, 1, advice)
        self.progress_bar = progress_bar
        self.device = _check_device(device)
        _check_network(network, model)
        _check_dt(dt, model)
        toplevel = model.toplevel if network is None else network
        settings = Settings.read(toplevel).check()
        self._dtype = settings.dtype
        self.stateful = settings.stateful
        self._fixed_steps = None if settings.use_loop else self.unroll
        self._last_only = frozenset(_last_only(toplevel))
        self.model = _build(network, dt, settings.dtype, model, progress_bar)
        self._seed = _choose_seed(seed, network)
        self._program = program = from_model(self.model)
        with self._scope():
            self._engine = Engine(
                program,
                settings,
                dt=self.dt,
                minibatch_size=self.minibatch_size,
                unroll=self.unroll,
                last_only=self._last_only,
            )
            self._initial = self._engine.initial()
        self._feeds = FeedRunner(
            program.feeds, self.dt, self.minibatch_size, self._seed, settings.dtype
        )
        self._names = unique_names(input_nodes(self.model.toplevel), self.model.probes)
        self.node_inputs = {
            feed.node: feed.output for feed in program.feeds if feed.node is not None
        }
        self._steps_per_second = None
        self.data = SimulationData(self)
        self.closed = False
        self._start()

    @property
    def dt(self):
        """(float) Length of a time step, in seconds."""
        return self.model.dt

    @dt.setter
    def dt(self, value):
        raise ReadonlyError(attr="dt", obj=self)

    @property
    def seed(self):
        """(int) Seed of all random numbers of the simulation."""
        return self._seed

    @property
    def n_steps(self):
        """(int) Number of steps that have been run."""
        return self._recording.values.n_steps

    @property
    def time(self):
        """(float) Simulated time, in seconds."""
        return self.n_steps * self.dt

    @property
    def recording(self):
        """(Recording) State and probe data as of the last complete chunk of steps."""
        self._recording = self._recording.merged()
        return self._recording

    def parameter(self, signal):
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

        Raises
        ------
        SimulatorClosed
            If the simulator is closed.
        """
        self._check_open("parameter")
        value = self._engine.get(self._recording.values, signal)
        if value is not None and (self.drops_batch or self._engine.is_shared(signal)):
            value = value[0]
        return value

    def run(self, time_in_seconds, **kwargs):
        """Simulate for a length of time.

        Parameters
        ----------
        time_in_seconds : float
            Rounded to a whole number of steps.
        **kwargs
            See `run_steps`.

        Raises
        ------
        ValidationError
            If the time is negative or no finite number.
        SimulatorClosed
            If the simulator is closed.

        Warns
        -----
        UserWarning
            If the time rounds to no step at all.
        """
        self._check_open("run")
        n_steps = steps_from_time(time_in_seconds, self.dt)
        if n_steps > 0:
            self.run_steps(n_steps, **kwargs)

    def run_steps(self, n_steps, data=None, progress_bar=None, stateful=True):
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
        SimulatorClosed
            If the simulator is closed.

        Warns
        -----
        UserWarning
            If nothing is run, or if a single step starts from a state that is put back
            afterwards, so that what passes a synapse never arrives.
        """
        self._check_open("run_steps")
        n_steps = _whole(
            "n_steps", n_steps, 0, "Use `run` for a time, and `reset` to start again."
        )
        if n_steps == 0:
            warnings.warn("n_steps=0: nothing is run.", stacklevel=2)
            return
        arrays, n_steps = check_inputs(
            data, self._input_names(), self.minibatch_size, n_steps
        )
        if self._fixed_steps not in (None, n_steps):
            raise ValidationError(
                f"must equal unroll_simulation={self._fixed_steps} in a network with "
                f"use_loop=False (got {n_steps}). Pass that number, or make the "
                "Simulator with another unroll_simulation.",
                attr="n_steps",
            )
        if progress_bar is None:
            progress_bar = self.progress_bar
        stateful = stateful and self.stateful
        if n_steps == 1 and not stateful:
            self._warn_of_delays()
        before = self._recording.values
        try:
            with progress(progress_bar, "Simulating", n_steps) as display:
                for start, stop in self._chunks(n_steps):
                    chunk = {node: x[:, start:stop] for node, x in arrays.items()}
                    self._run_chunk(stop - start, chunk)
                    display.update(stop - start)
        finally:
            if not stateful:
                after = self._recording
                values = self._engine.with_params(before, after.values, self._learned())
                self._recording = replace(after, values=values)

    def step(self, **kwargs):
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
        seed=None,
        include_trainable=True,
        include_probes=True,
        include_processes=True,
    ):
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

        Raises
        ------
        SimulatorClosed
            If the simulator is closed.
        """
        self._check_open("reset")
        if seed is not None:
            self._seed = _check_seed(seed)
        self._start(include_trainable, include_probes, include_processes)

    def soft_reset(self, include_trainable=False, include_probes=False):
        """Reset the state alone; deprecated in favour of `reset`."""
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

    def clear_probes(self):
        """Drop the recorded data of all probes.

        Raises
        ------
        SimulatorClosed
            If the simulator is closed.
        """
        self._check_open("clear_probes")
        self._recording = Recording(self._recording.values)

    def trange(self, sample_every=None, dt=None):
        """Return the times of recorded data.

        Parameters
        ----------
        sample_every : float, optional
            Sampling period of a probe, in seconds. By default, every step.
        dt : float, optional
            Deprecated name of `sample_every`.

        Returns
        -------
        times : ndarray of shape (n_samples,)
            In seconds; the first step is at ``sim.dt``.

        Raises
        ------
        ValidationError
            If both arguments are given, or the period is not a positive number.
        """
        if dt is not None:
            if sample_every is not None:
                raise ValidationError(
                    f"expected one of `dt` and `sample_every` (got {dt} and "
                    f"{sample_every}). Use `sample_every`.",
                    attr="dt",
                    obj=self,
                )
            warnings.warn(
                "`dt` is deprecated. Use `sample_every` instead.",
                DeprecationWarning,
                stacklevel=2,
            )
            sample_every = dt
        period = 1
        if sample_every is not None:
            period = _check_period(sample_every) / self.dt
        steps = np.arange(1, self.n_steps + 1)
        return self.dt * steps[steps % period < 1]

    def get_name(self, obj):
        """Return the name under which an input node or a probe is known to Keras.

        Parameters
        ----------
        obj : Node or Probe
            An input node or a probe of the network.

        Returns
        -------
        name : str

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

    def close(self):
        """Release the compiled simulation. Probe data stays readable."""
        self.closed = True
        self._engine = self._feeds = self._initial = None

    def __enter__(self):
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

    def _start(self, params=True, probes=True, processes=True):
        """Begin again, with everything or with parts of it."""
        values = self._initial
        if not params:
            with self._scope():
                values = self._engine.with_params(
                    values, self._recording.values, self._learned()
                )
        if processes:
            self._feeds.reset(self._seed)
            self._engine.reset(self._seed)
        if probes:
            self._recording = Recording(values)
        else:
            self._recording = replace(self._recording, values=values)

    def _warn_of_delays(self):
        network = self.model.toplevel
        connections = [] if network is None else network.all_connections
        delayed = [conn for conn in connections if conn.synapse is not None]
        if delayed:
            warnings.warn(
                f"One step with stateful=False: what enters {delayed[0]} comes out a "
                "step later, when the state has been put back. Run more steps, or set "
                "its synapse to None.",
                stacklevel=3,
            )

    def _learned(self):
        """List the base signals of the parameters, which learning rules may change."""
        sig, params = self.model.sig, self.model.params
        signals = []
        for obj in params:
            if isinstance(obj, nengo.Ensemble):
                signals += [sig[obj].get("encoders"), sig[obj.neurons].get("bias")]
            elif isinstance(obj, nengo.Connection):
                signals.append(sig[obj].get("weights"))
        return [signal.base for signal in signals if signal is not None]

    @contextlib.contextmanager
    def _scope(self):
        """Choose the device and the precision of what Keras makes; restore both."""
        before = keras.config.floatx()
        device = contextlib.nullcontext()
        if self.device is not None:
            device = tf.device(self.device)
        keras.config.set_floatx(self._dtype)
        try:
            with device:
                yield
        finally:
            keras.config.set_floatx(before)

    def _chunks(self, n_steps):
        """Split a run so that each call takes a fraction of a second."""
        start = 0
        while start < n_steps:
            size = self._engine.chunk
            rate = self._steps_per_second
            wanted = FIRST_STEPS if rate is None else int(rate * RESPONSE_TIME)
            stop = min(n_steps, start + max(1, min(size, wanted)))
            began = time.perf_counter()
            yield start, stop
            self._steps_per_second = (stop - start) / (time.perf_counter() - began)
            start = stop

    def _run_chunk(self, n_steps, data):
        recording = self._recording
        feeds = self._feeds.run(recording.values.n_steps, n_steps, data)
        try:
            with self._scope():
                values, outputs = self._engine.run(
                    recording.values, feeds, n_steps, self._seed
                )
            self._recording = recording.extended(
                values, outputs, self.dt, self._last_only
            )
        except BaseException:
            if self._recording is recording:  # else Ctrl-C came after the last step
                self._feeds.rewind()
            raise

    def _input_names(self):
        return {node: self._names[node] for node in input_nodes(self.model.toplevel)}

    def _check_open(self, what):
        if self.closed:
            raise SimulatorClosed(
                f"Simulator.{what}: the simulator is closed. Make a new Simulator, or "
                "call it inside of the `with` block."
            )


def _whole(name, value, low, advice):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ValidationError(
            f"must be a whole number, at least {low} (got {value!r}). {advice}",
            attr=name,
            obj=Simulator,
        )
    return int(value)


def _check_period(sample_every):
    if isinstance(sample_every, Real) and sample_every > 0:
        return sample_every
    raise ValidationError(
        f"must be a positive number of seconds (got {sample_every!r}). Pass the "
        "`sample_every` of the probe.",
        attr="sample_every",
        obj=Simulator,
    )


def _check_seed(seed):
    limit = 2**32
    if (
        isinstance(seed, bool)
        or not isinstance(seed, Integral)
        or not 0 <= seed < limit
    ):
        raise ValidationError(
            f"must be a whole number from 0 to 2**32 - 1 (got {seed!r}). Leave it out "
            "to use that of the network.",
            attr="seed",
            obj=Simulator,
        )
    return int(seed)


def _choose_seed(seed, network):
    if seed is not None:
        return _check_seed(seed)
    if network is not None and network.seed is not None:
        return network.seed + 1
    return int(np.random.randint(np.iinfo(np.int32).max))


def _check_device(device):
    if device is None:
        if not tf.config.list_physical_devices("GPU"):
            warnings.warn(
                "No GPU is visible to TensorFlow; the simulation runs on the CPU. Pass "
                'device="/cpu:0" to say that this is meant.',
                stacklevel=3,
            )
        return None
    try:
        spec = tf.DeviceSpec.from_string(device)
    except (ValueError, TypeError, AttributeError):
        found = []
    else:
        found = [
            other
            for other in tf.config.list_logical_devices(spec.device_type)
            if spec.device_index in (None, int(other.name.rsplit(":", 1)[1]))
        ]
    if not found:
        names = ", ".join(
            f"/{other.name.split(':', 1)[1].lower()}"
            for other in tf.config.list_logical_devices()
        )
        raise ValidationError(
            f"must be the name of a TensorFlow device (got {device!r}). Choose one of "
            f"those that are visible ({names}), or leave it to TensorFlow with None.",
            attr="device",
            obj=Simulator,
        )
    return device


def _check_network(network, model):
    if network is None and model is None:
        raise ValidationError(
            "must be a nengo.Network (got None). Pass one, or a `model` that has been "
            "built.",
            attr="network",
            obj=Simulator,
        )
    for name, value, expected in (
        ("network", network, nengo.Network),
        ("model", model, Model),
    ):
        if value is not None and not isinstance(value, expected):
            raise ValidationError(
                f"must be a {expected.__module__.split('.')[0]} {expected.__name__} "
                f"(got {value!r} of type {type(value).__name__}). Pass the object that "
                "holds the whole network.",
                attr=name,
                obj=Simulator,
            )
    if network is None and model.toplevel is None:
        warnings.warn(
            "The model has no top-level network: no parameter is trainable.",
            stacklevel=3,
        )


def _check_dt(dt, model):
    if model is None:
        try:
            seconds = np.nan if isinstance(dt, bool) else float(dt)
        except (TypeError, ValueError):
            seconds = np.nan
        if not 0 < seconds < np.inf:
            raise ValidationError(
                f"must be a positive number of seconds (got {dt!r}). Leave it out for "
                "steps of 0.001 s.",
                attr="dt",
                obj=Simulator,
            )
    elif model.dt != dt:
        warnings.warn(
            NengoWarning(
                f"The model was made with dt={model.dt}, which is used instead of "
                f"dt={dt}."
            ),
            stacklevel=3,
        )


class _BuildProgress(Progress):
    """Passes the steps of Nengo's builder on to a display."""

    def __init__(self, display):
        super().__init__("Building", "Build")
        self._display = display

    def step(self, n=1):
        self._display.update(n)
        super().step(n)


def _build(network, dt, dtype, model, progress_bar):
    total = None if network is None else len(network.all_objects) + 1
    with progress(progress_bar, "Building", total, "object") as display:
        return frontend.build_model(network, dt, dtype, model, _BuildProgress(display))


def _last_only(network):
    """List the probes that keep the last step alone."""
    if network is None:
        return ()
    values = object_settings(network, "keep_history")
    return tuple(probe for probe, keeps in values.items() if not keeps)
