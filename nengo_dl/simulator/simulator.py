"""The `Simulator`: Nengo's interface to a simulation on TensorFlow."""

import contextlib
import warnings
from types import TracebackType
from typing import NoReturn

import nengo
from nengo.exceptions import ValidationError
from nengo.utils.progress import ProgressBar

from nengo_dl.arguments import check_dt, check_dt_in, choose_seed
from nengo_dl.engine.built_network import build_network
from nengo_dl.engine.processes import check_process
from nengo_dl.errors import arguments_of
from nengo_dl.names import listing
from nengo_dl.settings import Settings
from nengo_dl.simulator.arguments import check_network
from nengo_dl.simulator.hardware_methods import HardwareMethods
from nengo_dl.simulator.keras_methods import KerasMethods
from nengo_dl.simulator.nengo_parameters import NengoParameters
from nengo_dl.simulator.parameter_files import ParameterFiles
from nengo_dl.simulator.parameter_methods import ParameterMethods
from nengo_dl.simulator.run_methods import RunMethods
from nengo_dl.simulator.simulation import Setup, Simulation
from nengo_dl.simulator.simulation_data import SimulationData
from nengo_dl.simulator.trainer import Trainer


class Simulator(RunMethods, KerasMethods, ParameterMethods, HardwareMethods):
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
        check_process("Simulator")
        cls = type(self)
        with arguments_of(cls):
            toplevel = check_network(network, model)
            check_dt(dt, model)
        settings = Settings.read(toplevel).check()
        setup = Setup.of(cls, minibatch_size, unroll_simulation, device, settings.dtype)
        if model is None:
            with arguments_of(cls):
                check_dt_in(settings.dtype, dt)
        built = build_network(network, settings, dt, model, progress_bar)
        with arguments_of(cls):
            seed = choose_seed(seed, network)
        simulation = Simulation(built, setup, seed)
        trainer = Trainer(simulation)
        RunMethods.__init__(self, simulation, progress_bar)
        KerasMethods.__init__(self, trainer)
        self.data = SimulationData(self)
        objects = NengoParameters(simulation, self.data)
        files = ParameterFiles(simulation, trainer)
        ParameterMethods.__init__(self, files, objects)
        HardwareMethods.__init__(self, simulation, trainer)
        self._scopes = contextlib.ExitStack()

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
        names = self._simulation.built.names
        if not isinstance(obj, nengo.Node | nengo.Probe) or obj not in names:
            raise ValidationError(
                f"expected an input node or a probe of the simulated network (got "
                f"{obj!r}). The names are {listing(names.values())}.",
                attr="get_name",
                obj=self,
            )
        return names[obj]

    def close(self) -> None:
        """Release the compiled simulation. Probe data stays readable."""
        self._simulation.close()

    def __enter__(self) -> "Simulator":
        self._simulation.check_open("__enter__")
        self._scopes.enter_context(self._simulation.setup.scope())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scopes.close()
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "closed", True):  # nothing is open before it is built
            warnings.warn(
                f"Simulator of {self.model} was deallocated while open. Close "
                "simulators, or use them in a `with` statement.",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )
            self.close()

    def __getstate__(self) -> NoReturn:
        raise NotImplementedError(
            "A Simulator of nengo_dl cannot be pickled: it holds compiled functions. "
            "Pickle the network and make a new Simulator."
        )
