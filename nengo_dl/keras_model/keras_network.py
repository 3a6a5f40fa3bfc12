"""The Keras side of a simulation: its layer, its model, and the data they take."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from nengo import Node, Probe
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.graph.program import Feed, Program
from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.keras_model.layer_inputs import TIME
from nengo_dl.keras_model.loss_kinds import TargetSpec
from nengo_dl.keras_model.precision import in_precision
from nengo_dl.keras_model.probe_model import ProbeModel, keras_inputs
from nengo_dl.keras_model.replicas import unbound


class KerasNetwork:
    """A network as a Keras model.

    Parameters
    ----------
    program : `Program`
        The program of the network.
    engine : `Engine`
        Runs the network.
    names : mapping of Node or Probe to str
        Names of inputs and outputs.
    nodes : tuple of Node
        The input nodes.
    seed : int
        Seed of all random numbers.

    Attributes
    ----------
    layer : `EngineLayer`
        The network as a layer.
    predictor : `ProbeModel`
        The layer with its inputs and outputs. Without probes, it has an output of size
        0.
    """

    def __init__(
        self,
        program: Program,
        engine: Engine,
        names: Mapping[object, str],
        nodes: tuple[Node, ...],
        seed: int,
    ):
        self._program = program
        self._seed = seed
        self._runners: dict[int, FeedRunner] = {}
        is_distributed = tf.distribute.has_strategy()
        if is_distributed:
            _check_replicas(engine.minibatch_size)
            # each replica gets a part of the minibatch; Keras would compile all of them
            # as one with XLA, which cannot be
            engine = engine.variant(minibatch_size=None, jit_compile=False)
        self.layer = EngineLayer(
            engine,
            names,
            nodes,
            seed=seed,
            stateful=engine.settings.stateful and not is_distributed,
            learns=not is_distributed,
            name="nengo>network",  # a name that no node can have
        )
        n_steps = None if engine.use_loop else engine.unroll
        shapes = {
            name: (engine.minibatch_size, n_steps, node.size_out)
            for node, name in self.layer.input_names.items()
        }
        if not shapes:
            shapes = {TIME: (engine.minibatch_size, n_steps, 0)}
        inputs = keras_inputs(shapes, engine.dtype.name)
        with unbound():
            self.predictor = ProbeModel(
                inputs, self.layer(inputs), time_input=self.layer.time_input
            )
        # Keras itself would turn XLA on for GPUs alone
        self.predictor.jit_compile = self.layer.supports_jit

    @property
    def model(self) -> ProbeModel:
        """(ProbeModel) The layer with its inputs and outputs.

        Raises
        ------
        SimulationError
            If the network has no probes.
        """
        if not self.layer.output_names:
            raise SimulationError(
                "Simulator.keras_model: expected a network with outputs (got one "
                "without probes). Add a nengo.Probe."
            )
        return self.predictor

    def reset(self, seed: int) -> None:
        """Restart all random processes."""
        self._seed = seed
        self._runners.clear()

    def is_shared(self, probe: Probe) -> bool:
        """Tell whether all items of a minibatch share the values of a probe."""
        engine = self.layer.engine
        return engine.values.is_shared(engine.program.probes[probe])

    def target_specs(self) -> dict[str, TargetSpec]:
        """Return the form of targets by name of the probe, as far as it is known."""
        kinds, engine = self.model.loss_kinds, self.layer.engine
        found = {}
        for probe, name in self.layer.output_names.items():
            shape = engine.program.probes[probe].shape or (1,)
            # matrices, as those of weights, have targets that need no time
            if name in kinds and len(shape) == 1:
                kept = engine.program.kept_of(probe)
                found[name] = TargetSpec(kinds[name], shape[0], kept)
        return found

    def is_pure(self, given: Iterable[Node]) -> bool:
        """Tell whether a stateless call changes nothing, not even temporarily.

        Parameters
        ----------
        given : iterable of Node
            The input nodes with data.
        """
        engine = self.layer.engine
        feeds = [feed for feed in self._program.feeds if feed.node not in given]
        return (
            not engine.calls_python
            and not engine.values.learned
            and all(isinstance(feed.output, np.ndarray) for feed in feeds)
        )

    def expect(self, n_steps: int, n_minibatches: int) -> None:
        """Get ready to predict or evaluate minibatches with a number of steps."""
        if self.layer.expect(n_steps, n_minibatches):
            self.predictor.make_predict_function(force=True)
            self.predictor.make_test_function(force=True)

    def in_float64(self) -> EngineLayer:
        """Return a layer with the same parameters, which computes in float64."""
        layer = in_precision(self.layer, "float64")
        for new, old in zip(
            layer.parameters.variables, self.layer.parameters.variables, strict=True
        ):
            new.assign(old)
        layer.learned.copy_from(self.layer.learned)
        return layer

    def inputs(
        self,
        given: Mapping[Node, np.ndarray],
        n_items: int,
        n_steps: int,
        first_step: int = 0,
    ) -> dict[str, np.ndarray]:
        """Return the data of all inputs; generate missing data.

        Parameters
        ----------
        given : mapping of Node to ndarray
            Shape (n_items, n_steps or 1, size_out) each.
        n_items, n_steps : int
            Numbers of items and steps to generate.
        first_step : int
            Number of steps that have been run before.

        Returns
        -------
        data : dict of str to ndarray
            By name, for all inputs of the model. If there is one with a single step,
            which is held for all, an array of size 0 has the number of steps.

        Raises
        ------
        SimulationError
            If a function of a node fails.
        """
        names = self.layer.input_names
        feeds = [feed for feed in self._program.feeds if feed.node in names]
        if not feeds:
            return {TIME: np.zeros((n_items, n_steps, 0), self.layer.engine.dtype)}
        data = dict(given)
        if len(data) < len(feeds):
            runner = self._runner(feeds, n_items)
            with self.layer.engine.calling_functions():
                generated = runner.run(first_step, n_steps, given)
            for feed, rows in generated.items():
                if feed.node not in given:
                    is_constant = isinstance(feed.output, np.ndarray)
                    rows = np.moveaxis(rows[:1] if is_constant else rows, 0, 1)
                    shape = (n_items, rows.shape[1], feed.size)
                    data[feed.node] = np.broadcast_to(rows, shape)
        found = {name: data[node] for node, name in names.items()}
        if not self.layer.engine.use_loop:  # inputs have the length of the network then
            for name, x in found.items():
                found[name] = np.broadcast_to(x, (len(x), n_steps, x.shape[2]))
        if any(array.shape[1] < n_steps for array in found.values()):
            time = np.zeros((n_items, n_steps, 0), self.layer.engine.dtype)
            found[self.layer.time_input] = time
        return found

    def _runner(self, feeds: list[Feed], n_items: int) -> FeedRunner:
        """Return a runner of feeds, with streams for a number of items."""
        if n_items not in self._runners:
            engine = self.layer.engine
            streams = self._program.streams.with_seed(self._seed)
            self._runners[n_items] = FeedRunner(
                feeds, engine.dt, n_items, streams, engine.dtype.name
            )
        return self._runners[n_items]


def _check_replicas(minibatch_size: int | None) -> None:
    """Check that all replicas get the same number of items, as Keras assumes."""
    n_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if (minibatch_size or 0) % n_replicas:
        raise ValidationError(
            f"must be a multiple of the {n_replicas} replicas of the strategy (got "
            f"{minibatch_size}). Pass the number of items of all replicas together.",
            attr="minibatch_size",
        )
