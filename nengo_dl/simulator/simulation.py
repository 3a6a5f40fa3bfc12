"""A simulation: what it is made with, its state, and one method at a time."""

import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from nengo import Node
from nengo.builder import Signal
from nengo.exceptions import SimulationError, SimulatorClosed
from nengo.utils.progress import ProgressBar

from nengo_dl.arguments import MAX_STEPS, check_seed, check_unroll, whole
from nengo_dl.engine.built_network import BuiltNetwork
from nengo_dl.engine.processes import check_process
from nengo_dl.errors import argument, arguments_of
from nengo_dl.progress import progress
from nengo_dl.simulator.arguments import check_steps_without_loop, warn_of_delays
from nengo_dl.simulator.devices import check_device
from nengo_dl.simulator.inputs import check_inputs
from nengo_dl.simulator.method_lock import MethodLock
from nengo_dl.simulator.runner import build_runner
from nengo_dl.simulator.scope import current_strategy, scope
from nengo_dl.simulator.stacklevel import user_level


@dataclass(frozen=True, eq=False)
class Setup:
    """Choices that a simulation is made with.

    Parameters
    ----------
    owner : type
        Class of the simulator, which messages name.
    minibatch_size : int
        Number of items simulated side by side.
    drops_batch : bool
        Whether results have no axis of the minibatch.
    unroll : int
        Steps per iteration of the loop.
    device : str or None
        TensorFlow device; None leaves the choice to TensorFlow.
    dtype : str
        "float32" or "float64".
    strategy : tf.distribute.Strategy or None
        The variables of the simulation belong to it.
    """

    owner: type
    minibatch_size: int
    drops_batch: bool
    unroll: int
    device: str | None
    dtype: str
    strategy: tf.distribute.Strategy | None

    @classmethod
    def of(
        cls,
        owner: type,
        minibatch_size: Any,
        unroll_simulation: Any,
        device: str | None,
        dtype: str,
    ) -> "Setup":
        """Check arguments of a simulator, and choose the current strategy."""
        n_items = 1
        with arguments_of(owner):
            if minibatch_size is not None:
                with argument("minibatch_size"):
                    n_items = whole(minibatch_size, 1)
            return cls(
                owner=owner,
                minibatch_size=n_items,
                drops_batch=minibatch_size is None,
                unroll=check_unroll(unroll_simulation),
                device=check_device(device),
                dtype=dtype,
                strategy=current_strategy(),
            )

    def scope(self) -> AbstractContextManager[None]:
        """Return a context with the device and the precision of the simulation."""
        return scope(self.device, self.dtype, self.strategy)


class Simulation:
    """Runs and resets a network, while no other method changes it.

    Parameters
    ----------
    built : `BuiltNetwork`
        The network.
    setup : `Setup`
        Choices that it is made with.
    seed : int
        Seed of all random numbers, from 0 to 2**32 - 1.

    Attributes
    ----------
    input_names : dict of Node to str
        Names of all input nodes, in order.
    runner : `Runner`
        Holds the state and what has been recorded.
    lock : `MethodLock`
        Has to be taken by all that reads or changes them.
    closed : bool
        Whether the simulation has been closed.
    n_chips_lent : int
        Number of blocks in which weights are those of a chip.
    """

    def __init__(self, built: BuiltNetwork, setup: Setup, seed: int):
        self.built, self.setup = built, setup
        self.input_names = {node: built.names[node] for node in built.nodes}
        with setup.scope():
            self.runner = build_runner(built, setup.minibatch_size, setup.unroll, seed)
        self.closed = False
        self.n_chips_lent = 0
        self.lock = MethodLock(lambda: {} if self.closed else self.runner.functions())

    def check_open(self, method: str) -> None:
        """Raise SimulatorClosed in a method of a simulator that is closed."""
        if self.closed:
            raise SimulatorClosed(
                f"Simulator.{method}: the simulator is closed. Make a new Simulator, "
                "or call it inside of the `with` block."
            )
        check_process(f"Simulator.{method}")

    def check_has_own_weights(self, method: str) -> None:
        """Raise SimulationError while weights are those of a chip."""
        if self.n_chips_lent:
            raise SimulationError(
                f"Simulator.{method}: expected the weights of the network (got those "
                "of a chip, within chip.at, which are taken back at its end). Call it "
                "outside of the block."
            )

    def run_steps(
        self,
        n_steps: int,
        data: Any,
        progress_bar: bool | ProgressBar | None,
        stateful: bool,
    ) -> None:
        """Run and record steps, see `.Simulator.run_steps`."""
        self.check_open("run_steps")
        setup = self.setup
        advice = "Use `run` for a time, and `reset` to start again."
        with argument("n_steps", setup.owner):
            n_steps = whole(n_steps, 0, MAX_STEPS, advice)
        if n_steps == 0:
            warnings.warn("n_steps=0: nothing is run.", stacklevel=user_level())
            return
        arrays: dict[Node, np.ndarray] = {}
        if data is not None:
            arrays, n_steps = check_inputs(
                data, self.input_names, setup.minibatch_size, n_steps
            )
        if not self.built.settings.use_loop:
            check_steps_without_loop(n_steps, setup.unroll)
        stateful = stateful and self.built.settings.stateful
        if n_steps == 1 and not stateful:
            warn_of_delays(self.built.model.toplevel)
        with (
            self.lock.alone("run_steps"),
            progress(progress_bar, "Simulating", n_steps) as display,
            setup.scope(),
        ):
            self.runner.run(n_steps, arrays, display, stateful)

    def reset(
        self, seed: int | None, params: bool, probes: bool, processes: bool
    ) -> None:
        """Go back to the start, see `.Simulator.reset`."""
        self.check_open("reset")
        with arguments_of(self.setup.owner):
            seed = self.runner.seed if seed is None else check_seed(seed)
        if params:
            self.check_has_own_weights("reset")
        with self.lock.alone("reset"), self.setup.scope():
            self.runner.start(seed, params, probes, processes)

    def clear_probes(self) -> None:
        """Drop what has been recorded."""
        self.check_open("clear_probes")
        with self.lock.alone("clear_probes"):
            self.runner.clear_probes()

    def parameter(self, signal: Signal) -> np.ndarray | None:
        """Return the current value of a signal, see `.Simulator.parameter`."""
        self.check_open("parameter")
        value = self.runner.value(signal)
        if value is None:
            return None
        is_shared = self.runner.engine.values.is_shared(signal)
        return value[0] if is_shared or self.setup.drops_batch else value

    def close(self) -> None:
        """Release what is compiled; the recording stays."""
        if not self.closed:
            with self.lock.alone("close"):
                self.closed = True
                self.runner.close()
