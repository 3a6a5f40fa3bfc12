"""The engine, which plans, compiles and runs a program.

An engine owns the compiled functions. Parameters and state are passed in and handed
back, so the caller decides what a failed or interrupted run leaves behind.
"""

import contextlib
import functools
import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import tensorflow as tf
from nengo import Probe
from nengo.exceptions import BuildError, SimulationError

from nengo_dl.engine.compiled_loop import CompiledLoop
from nengo_dl.engine.loops import Loops
from nengo_dl.engine.python_loop import PythonLoop
from nengo_dl.engine.shapes import LoopShapes
from nengo_dl.engine.step import FeedRanges, Step
from nengo_dl.engine.values import Values, ValueTable
from nengo_dl.graph.kernel import Kernel
from nengo_dl.graph.layout import place
from nengo_dl.graph.plan import plan
from nengo_dl.graph.program import Feed, Program
from nengo_dl.graph.rewrite import rewrite
from nengo_dl.graph.simplify import DEFAULT
from nengo_dl.graph.tiling import put_on_tiles
from nengo_dl.ops import BuildContext, Builder
from nengo_dl.ops.registry import USUAL_ITEMS, Host, HostError
from nengo_dl.settings import Settings

logger = logging.getLogger(__name__)

# One call into the compiled loop runs at most this many steps, with buffers for feeds
# and outputs of at most this many bytes.
MAX_CHUNK_STEPS = 1000
MAX_CHUNK_BYTES = 16 * 2**20


class Engine:
    """Runs a program on TensorFlow.

    Parameters
    ----------
    program : `Program`
        The program to run.
    settings : `Settings`
        See `nengo_dl.configure_settings`.
    dt : float
        Length of a step, in seconds.
    minibatch_size : int or None
        Number of items simulated side by side. With None it varies, and `run` cannot be
        called.
    unroll : int
        Steps per iteration of the loop, or the number of all steps without a loop.
        Loops that XLA compiles always have single steps, whose overhead is nanoseconds.
    use_loop : bool
        False runs exactly ``unroll`` steps, without a loop.

    Attributes
    ----------
    chunk : int
        The largest number of steps that one call of `run` may ask for.
    jit_compile : bool
        Whether the whole loop is compiled with XLA.
    calls_python : bool
        Whether steps call Python.
    layers : list of keras.Layer
        Layers that kernels call.
    losses : tuple of Signal
        State for training: signals with the sums, over all steps, of the losses that
        layers add when they are called.
    values : `ValueTable`
        The places of parameters and state in `Values`.
    """

    def __init__(
        self,
        program: Program,
        settings: Settings,
        *,
        dt: float,
        minibatch_size: int | None = 1,
        unroll: int = 1,
        use_loop: bool = True,
    ):
        self.dt, self.settings = dt, settings
        self._original = program
        self.dtype = np.dtype(settings.dtype)
        self.minibatch_size = minibatch_size
        passes = settings.simplifications
        program = rewrite(program, DEFAULT if passes is None else passes)
        self.program = put_on_tiles(program)
        ctx = BuildContext(dt, self.dtype, minibatch_size, settings=settings)
        self.kernels = _build_kernels(self.program, settings, ctx)
        self.layout = (settings.sorter or place)(self.program, self.kernels)
        self.values = ValueTable(
            self.layout, self.program.parameters, self.dtype, minibatch_size
        )
        self.layers, self.losses = ctx.layers, tuple(ctx.losses)
        self.unroll, self.use_loop = unroll, use_loop
        self._host = ctx.host
        self._feeds = self.layout.of_kind("feed")
        longest = int(np.clip(MAX_CHUNK_BYTES // self._row_bytes(), 1, MAX_CHUNK_STEPS))
        self.chunk = longest if use_loop else unroll
        hosts = [kernel.host for kernel in self.kernels if kernel.host is not None]
        self.calls_python = bool(hosts)
        self.jit_compile = _choose_jit(settings.jit_compile, hosts)
        self._compile_segments = self.calls_python and settings.jit_compile is not False
        logger.info(
            "%d operators in %d kernels; %s",
            len(self.program.operators),
            len(self.kernels),
            _explain(self.jit_compile, settings.jit_compile, hosts),
        )

    def variant(self, minibatch_size: int | None, **settings) -> "Engine":
        """Return an engine for the same program, with another minibatch size.

        Parameters
        ----------
        minibatch_size : int or None
            Number of items; None if it varies.
        **settings
            Settings that replace those of this engine.
        """
        return Engine(
            self._original,
            replace(self.settings, **settings),
            dt=self.dt,
            minibatch_size=minibatch_size,
            unroll=self.unroll,
            use_loop=self.use_loop,
        )

    def reset(self, seed: int) -> None:
        """Reset the values that Python functions keep outside of the state."""
        self._host.reset(self.program.streams.with_seed(seed))

    @property
    def host(self) -> Host:
        """The state of Python functions, besides that of the simulation."""
        return self._host

    def run(
        self,
        values: Values,
        feeds: Mapping[Feed, np.ndarray],
        n_steps: int,
        seed: int,
    ) -> tuple[Values, dict[Probe, np.ndarray]]:
        """Run at most ``chunk`` steps.

        Parameters
        ----------
        values : `Values`
            The values to start from. They stay valid.
        feeds : mapping of `Feed` to ndarray
            Shape (n_steps, minibatch_size or 1, size) each.
        n_steps : int
            How many steps to run, at most ``chunk``.
        seed : int
            Seed of all random numbers, from 0 to 2**32 - 1.

        Returns
        -------
        values : `Values`
            After the last step.
        outputs : dict of Probe to ndarray
            Shape (n_steps, minibatch_size, \\*shape of the signal). The first axis has
            length 1 for a probe that keeps only the last step, and the second one for
            parameters, which all items share.

        Raises
        ------
        SimulationError
            If a function of the user fails.
        """
        arrays = self.loops.feeds(n_steps)
        self._pack(feeds, arrays)
        signed = seed - 2**32 if seed >= 2**31 else seed
        self._host.error = None
        self._host.begin()
        streams = self._host.get()
        try:
            state, rows = self.loops.run(
                values.params, values.state, arrays, signed, values.n_steps, n_steps
            )
        except BaseException as exc:
            self._host.put(streams)
            if isinstance(exc, tf.errors.OpError | HostError):
                self._raise_host_error(exc)
            raise
        outputs = {
            probe: array.transpose(0, 2, 1).reshape((-1, array.shape[2], *signal.shape))
            for (probe, signal), array in zip(
                self.program.probes.items(), rows, strict=True
            )
        }
        return Values(values.params, state, values.n_steps + n_steps), outputs

    def step(self, training: bool = False, feeds: FeedRanges | None = None) -> Step:
        """Build one time step.

        Parameters
        ----------
        training : bool
            Whether neurons and layers behave as in training.
        feeds : `.FeedRanges`, optional
            Which feeds are held; by default none.
        """
        return Step(
            self.program,
            self.kernels,
            self.layout,
            dt=self.dt,
            dtype=self.dtype,
            training=training,
            compile_segments=self._compile_segments and not training,
            feeds=feeds,
        )

    def _row_bytes(self) -> int:
        """Return the size of feeds and outputs of a step."""
        size = sum(self.layout.blocks[n].size for n in self._feeds)
        size += sum(
            signal.size
            for probe, signal in self.program.probes.items()
            if self.program.kept_of(probe).keeps_time
        )
        return max(1, size * (self.minibatch_size or 1) * self.dtype.itemsize)

    @property
    def loop(self) -> CompiledLoop | PythonLoop:
        """The loop over up to ``chunk`` steps, which the first run compiles."""
        loops = self.loops
        return loops.longest if isinstance(loops, Loops) else loops

    @functools.cached_property
    def loops(self) -> Loops | PythonLoop:
        """The loop that is driven from Python, or the loops of all lengths."""
        step = self.step(training=bool(self.settings.learning_phase))
        probes = self.program.probes
        shapes = LoopShapes(
            feeds=tuple(self.layout.blocks[n].size for n in self._feeds),
            outputs=tuple(
                (s.size, 1 if self.values.is_shared(s) else self.minibatch_size or 1)
                for s in probes.values()
            ),
            kept=tuple(self.program.kept_of(p).of_loop for p in probes),
            n_items=self.minibatch_size or 1,
            dtype=self.dtype,
        )
        if self.calls_python and not any(map(_needs_loop, self.kernels)):
            compiles = self._compile_segments
            return PythonLoop(step, self.layout, shapes, self._host, self.dt, compiles)

        def make(length: int) -> CompiledLoop:
            return CompiledLoop(
                step,
                shapes,
                length,
                jit_compile=self.jit_compile,
                calls_python=self.calls_python,
                unroll=self.unroll,
                use_loop=self.use_loop,
            )

        return Loops(make, self.chunk, self._row_bytes())

    def _pack(self, feeds: Mapping[Feed, np.ndarray], arrays: list[np.ndarray]) -> None:
        """Copy feeds into one array per block, of shape (n_steps, size, n_items)."""
        for feed, array in feeds.items():
            if feed.signal is not None:
                block, offset = self.layout.places[feed.signal.base]
                target = arrays[self._feeds.index(block)]
                target[:, offset : offset + feed.size] = array.transpose(0, 2, 1)

    @property
    def functions(self) -> Mapping[int, float]:
        """The threads that are in a user's function, and when it was called."""
        return self._host.functions

    def calling_functions(self):
        """Return a context in which users' functions are called ahead."""
        return self._host.calling()

    @contextlib.contextmanager
    def python_errors(self):
        """Raise the error of a user's function in place of TensorFlow's.

        Raises
        ------
        SimulationError
            If such a function has failed in the block.
        """
        self._host.error = None
        try:
            yield
        except tf.errors.OpError as exc:
            if self._host.error is None:
                raise
            self._raise_host_error(exc)

    def _raise_host_error(self, exc: Exception):
        """Raise the error of a user's function, or else TensorFlow's."""
        error = self._host.error
        if error is None:
            raise SimulationError(
                f"TensorFlow could not run the simulation: {exc}"
            ) from exc
        if isinstance(error, SimulationError) or not isinstance(error, Exception):
            raise error
        raise SimulationError(
            f"{self._host.where}: expected the function to return, but it raised "
            f"{type(error).__name__}: {error}. The traceback above is that of the "
            "function."
        ) from error


def _build_kernels(
    program: Program, settings: Settings, ctx: BuildContext
) -> tuple[Kernel, ...]:
    Builder.check(program.operators)
    n_items = ctx.minibatch_size or USUAL_ITEMS
    traits = functools.partial(Builder.traits, n_items=n_items)
    groups = (settings.planner or plan)(program, traits)
    return tuple(Builder.build(group, ctx) for group in groups)


def _needs_loop(kernel: Kernel) -> bool:
    """Tell whether a kernel cannot run between calls of Python one time too often."""
    return kernel.has_effects or (kernel.host is not None and kernel.python is None)


def _choose_jit(setting: bool | str, hosts: list[str]) -> bool:
    if setting is True and hosts:
        raise BuildError(
            "configure_settings(jit_compile=True): expected a network that XLA can "
            f"compile as a whole (got one in which {hosts[0]}). Set "
            'jit_compile="auto" to compile what lies between the calls of Python.'
        )
    return setting is not False and not hosts


def _explain(jit_compile: bool, setting: bool | str, hosts: list[str]) -> str:
    if jit_compile:
        return "the whole loop is compiled with XLA."
    if setting is False:
        return "XLA is turned off."
    return f"XLA compiles segments only: {hosts[0]}."
