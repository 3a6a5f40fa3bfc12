"""Feeds, the engine and the recording of a simulation, kept in step.

The recording is replaced as a whole at the end of each chunk, so an error or Ctrl-C
leaves all three at the end of the last complete one.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from nengo import Node
from nengo.builder import Signal
from nengo.builder.operator import Operator

from nengo_dl.engine.built_network import BuiltNetwork
from nengo_dl.engine.engine import Engine
from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.engine.values import Values
from nengo_dl.graph.program import Program
from nengo_dl.keras_model.keras_network import KerasNetwork
from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.keras_model.variable_slice import layer_weights
from nengo_dl.keras_model.weights import stack
from nengo_dl.progress import Display
from nengo_dl.simulator.inputs import steps_of
from nengo_dl.simulator.interrupts import interrupts_held
from nengo_dl.simulator.pace import Pace
from nengo_dl.simulator.recording import Recording


class Runner:
    """Runs an engine in chunks, and holds its state and what it has recorded.

    Parameters
    ----------
    program : `Program`
        The network.
    engine : `Engine`
        Computes the steps.
    feeds : `FeedRunner`
        Gives the values that depend on time alone.
    in_chunks : bool
        Whether the engine gets the steps of a run a chunk at a time.

    Attributes
    ----------
    seed : int
        Seed of all random numbers, from 0 to 2**32 - 1.
    keras_network : `KerasNetwork` or None
        Whose layer holds the parameters, as soon as there is one.
    """

    def __init__(
        self,
        program: Program,
        engine: Engine,
        feeds: FeedRunner,
        in_chunks: bool,
    ):
        self.seed = 0
        self._feeds = feeds
        self._pace = Pace() if in_chunks else None
        self.program = program
        self.engine = engine
        self._initial = engine.values.initial()
        self._recording = Recording(self._initial)
        self.keras_network: KerasNetwork | None = None
        self._n_lent = 0
        self._is_other = False  # whether what is lent may be another state now
        self._replacing = threading.Lock()

    @property
    def layer(self) -> EngineLayer | None:
        """The Keras layer that holds the parameters, if there is one."""
        return None if self.keras_network is None else self.keras_network.layer

    @property
    def n_steps(self) -> int:
        """Number of steps that have been run."""
        return self._recording.values.n_steps

    @property
    def values(self) -> Values:
        """Parameters and state as they are now."""
        values = self._recording.values
        if self.layer is None:
            return values
        if self._n_lent:
            return self.layer.values()
        return self.layer.with_parameters(values)

    @property
    def recording(self) -> Recording:
        """State and probe data as of the last complete chunk, in one piece."""
        recording = self._recording
        merged = recording.merged()
        with self._replacing:
            # not if another thread has recorded more in the meantime
            if self._recording is recording:
                self._recording = merged
        return merged

    def start(
        self,
        seed: int,
        params: bool = True,
        probes: bool = True,
        processes: bool = True,
    ) -> None:
        """Put the state back to its start.

        With `params`, parameters go back to their initial values, with `probes`,
        recorded data is dropped, and with `processes`, random streams start again.
        """
        self.seed = seed
        if self.layer is not None:
            self.layer.reseed(seed)
            if params:
                self.layer.reset_parameters()
        values = self._initial
        if not params:
            values = self.engine.values.with_params(values, self.values)
        if processes:
            self._feeds.reset(seed)
            self.engine.reset(seed)
            if self.keras_network is not None:
                self.keras_network.reset(seed)
        if probes:
            self._recording = Recording(values)
        self.replace_values(values)

    @property
    def streams_seed(self) -> int:
        """Seed with which random streams have started."""
        return self._feeds.seed

    def streams(self) -> dict[tuple[Operator, str], np.ndarray]:
        """Return where all random processes are, by operator and name."""
        return {**self._feeds.processes(), **self.engine.host.get()}

    def go_on(
        self, streams: Mapping[tuple[Operator, str], np.ndarray], n_steps: int
    ) -> None:
        """Put all random processes to where they were after a number of steps."""
        self._feeds.go_on(streams, n_steps)
        self.engine.host.put(streams)

    def resume(
        self,
        seed: int,
        streams_seed: int,
        streams: Mapping[tuple[Operator, str], np.ndarray],
        n_steps: int,
        draws: int,
    ) -> None:
        """Take over the random streams of another simulation of the same network.

        They began with `streams_seed`, and training has drawn from them `draws` times.
        """
        self._feeds.reset(streams_seed)
        self.engine.reset(streams_seed)
        self.go_on(streams, n_steps)
        self.seed = seed
        if self.keras_network is not None:
            self.keras_network.layer.reseed(seed)
            self.keras_network.layer.draws.assign(draws)
            self.keras_network.reset(seed)

    def run(
        self,
        n_steps: int,
        data: Mapping[Node, np.ndarray],
        display: Display,
        stateful: bool,
    ) -> None:
        """Run steps and record them.

        `data`, of shape (minibatch_size, n_steps or 1, size_out), replaces the output
        of nodes. Unless `stateful`, state and random streams are put back afterwards,
        also after an error, all but what learning rules have changed.
        """
        chunks: Iterable[tuple[int, int]] = [(0, n_steps)]
        if self._pace is not None and n_steps > 1:
            chunks = self._pace.chunks(n_steps, self.engine.chunk)
        before = self.values
        streams = {} if stateful else self.streams()
        self.replace_values(before)
        try:
            for start, stop in chunks:
                chunk = {node: steps_of(x, start, stop) for node, x in data.items()}
                with interrupts_held():
                    self._run_chunk(stop - start, chunk)
                    self.replace_values(self._recording.values)
                display.update(stop - start)
        finally:
            if not stateful:
                after = self._recording.values
                self.replace_values(self.engine.values.with_params(before, after))
                self.go_on(streams, before.n_steps)

    def value(self, signal: Signal) -> np.ndarray | None:
        """Return a parameter or state, with an axis of items; None if it is neither."""
        value = None if self.layer is None else self.layer.parameters.value(signal)
        return self.engine.values.get(self.state(), signal) if value is None else value

    def parameters(self) -> dict[str, np.ndarray]:
        """Return parameters that no learning rule changes, and weights of layers."""
        if self.layer is not None:
            slices, found = self.layer.named_variables(), {}
        else:
            slices, table = layer_weights(self.engine.layers), self.engine.values
            found = {
                p.name: np.asarray(table.get(self._recording.values, p.signal))[0]
                for weight in stack(table.constant)
                for p in weight.parameters
            }
        return found | {name: part.numpy() for name, part in slices.items()}

    def put(
        self,
        parameters: Mapping[str, np.ndarray],
        state: Mapping[Signal, np.ndarray],
        n_steps: int,
    ) -> None:
        """Replace parameters, as `parameters` returns them, and state.

        The state is that of base signals, of shape (minibatch_size, \\*shape).
        """
        if self.layer is None:
            slices = layer_weights(self.engine.layers)
            constant = self.engine.values.constant
            state = {**state, **{p.signal: parameters[p.name] for p in constant}}
        else:
            slices = self.layer.named_variables()
        for name, part in slices.items():
            part.assign(parameters[name])
        self.replace_values(self.engine.values.put(self.state(), state, n_steps))

    def replace_values(self, values: Values) -> None:
        """Go on from another state, and from what learning rules have made of it."""
        if self.layer is not None and self._n_lent:
            self._is_other = True
            self.layer.load(values)
            return
        if values is not self._recording.values:
            self._recording = replace(self._recording, values=values)
        if self.layer is not None:
            self.layer.learned.load(values.state)

    def attach(self, network: KerasNetwork) -> None:
        """Take the parameters from the layer of a Keras model from now on."""
        values = self._recording.values
        if values.params is not self._initial.params:
            network.layer.parameters.load(values)
        network.layer.learned.load(values.state)
        self.keras_network = network

    def functions(self) -> Mapping[int, float]:
        """Return since when which threads are in functions, see `.MethodLock`."""
        engine = self.engine if self.layer is None else self.layer.engine
        return engine.functions

    @contextlib.contextmanager
    def lent(self, layer: EngineLayer, stateful: bool) -> Iterator[None]:
        """Hand the state to the Keras layer, and take it back at the end.

        Unless `stateful`, the layer's calls change learned weights alone, and random
        streams in Python are put back. Such blocks may go on side by side, and all may
        be nested: the first one hands over, and the last one takes back.
        """
        if not layer.stateful:
            with layer.engine.python_errors():
                yield
            return
        with self._replacing:
            kept = bool(layer.keep) if self._n_lent else False
            if not self._n_lent:
                layer.load(layer.with_learned(self._recording.values))
                self._is_other = False
            self._is_other |= stateful
            streams = self.engine.host.get()
            self._n_lent += 1
        try:
            layer.keep.assign(stateful)
            with layer.engine.python_errors():
                yield
        finally:
            layer.keep.assign(kept)
            with self._replacing:
                self._n_lent -= 1
                if not stateful:
                    self.engine.host.put(streams)
                if not self._n_lent:
                    values = self._recording.values
                    back = layer.with_state if self._is_other else layer.with_learned
                    self.replace_values(back(values))

    def clear_probes(self) -> None:
        """Drop what has been recorded."""
        self._recording = Recording(self._recording.values)

    def close(self) -> None:
        """Release what is compiled; the recording stays."""
        del self.engine, self._feeds, self._initial
        self.keras_network = None

    def state(self) -> Values:
        """Return the state as it is now; parameters that a layer has may be older."""
        values = self._recording.values
        if self.layer is None:
            return values
        if self._n_lent:
            lent = self.layer.state_values()
            values = replace(values, state=lent.state, n_steps=lent.n_steps)
        return self.layer.with_learned(values)

    def _run_chunk(self, n_steps: int, data: Mapping[Node, np.ndarray]) -> None:
        recording, before = self._recording, self._recording.values
        feeds = self._feeds.run(before.n_steps, n_steps, data)
        try:
            values, outputs = self.engine.run(before, feeds, n_steps, self.seed)
            extended = recording.extended(values, outputs, self.program.kept)
            with self._replacing:
                self._recording = extended
        except BaseException:
            if self._recording.values is before:  # else it is complete
                self._feeds.rewind()
            raise


def build_runner(
    built: BuiltNetwork, minibatch_size: int, unroll: int, seed: int
) -> Runner:
    """Make all that a network needs to run, and start it."""
    program, settings, dt = built.program, built.settings, built.model.dt
    engine = built.engine(minibatch_size, unroll)
    feeds = FeedRunner(
        program.feeds, dt, minibatch_size, program.streams, settings.dtype
    )
    runner = Runner(program, engine, feeds, settings.use_loop)
    runner.start(seed)
    return runner
