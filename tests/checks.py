"""Laws that every registered item has to obey, one function each.

`check_kernel`: what the package makes of a Nengo operator does what the operator's own
``make_step`` does in NumPy. It runs on the whole pipeline, from a program that holds
the operators alone to the compiled loop, so that it covers merging and memory as well.

`check_sharing`: whichever of its arguments all items of a minibatch share, a kernel
computes what it computes of as many equal items.

`check_gradient`: the gradient of a kernel is finite.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from nengo.builder import Model, Signal
from nengo.builder.signal import SignalDict
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.values import Values, stored_values
from nengo_dl.graph.kernel import size_of
from nengo_dl.graph.plan import plan
from nengo_dl.graph.program import Feed, Program
from nengo_dl.graph.streams import find_streams
from nengo_dl.ops import BuildContext, Builder
from nengo_dl.settings import Settings

DT = 0.001
N_STEPS = 3
TOLERANCES = {"float32": (2e-4, 1e-6), "float64": (1e-9, 1e-13)}


class Bench:
    """Makes the signals that the operators under test work on.

    Parameters
    ----------
    seed : int
        Of all values.

    Attributes
    ----------
    rng : RandomState
        For whatever else is random about an operator.
    time : Signal
        The time of the simulation.
    """

    def __init__(self, seed):
        model = Model(dt=DT)
        self.step, self.time = model.step, model.time
        self.rng = np.random.RandomState(seed)
        self._draw: dict[Signal, Callable] = {}
        self._shared: dict[str, Signal] = {}

    def signal(self, *shape, low=-1.0, high=1.0, draw=None, readonly=False, name="x"):
        """Make a signal with random values.

        Parameters
        ----------
        \\*shape : int
            Its shape.
        low, high : float
            The interval that its values come from, in every step if only read.
        draw : callable, optional
            From a random state to all values, where they are not so simple.
        readonly : bool
            Whether it is a parameter, with the same values for all minibatch items.
        """

        def uniform(rng):
            return rng.uniform(low, high, size=shape)

        draw = uniform if draw is None else draw
        value = self.values(draw, self.rng)
        signal = Signal(value, name=f"{name}.signal", readonly=readonly)
        self._draw[signal] = draw
        return signal

    def shared(self, key, make):
        """Return the same signal to all operators that ask for it."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def redraw(self, signal, rng):
        """Draw new values for a signal; the old ones where nothing else makes sense."""
        if signal not in self._draw:
            return signal.initial_value
        return self.values(self._draw[signal], rng)

    @staticmethod
    def values(draw, rng):
        """Draw values that float32 represents exactly, as float64."""
        return np.asarray(np.asarray(draw(rng), dtype=np.float32), dtype=np.float64)


class Setting(NamedTuple):
    """How to run a kernel."""

    dtype: str
    minibatch_size: int
    jit_compile: bool
    sizes: tuple[int, ...]

    @property
    def label(self):
        """How pytest names it."""
        jit = "jit" if self.jit_compile else "graph"
        sizes = "+".join(str(size) for size in self.sizes)
        return f"{self.dtype}-batch{self.minibatch_size}-{jit}-sizes{sizes}"


# Two settings for each case, which share nothing but the size of the first operator.
# Four cases in a row have all pairs of values, and one of them is alone in its kernel.
SETTINGS = [
    (Setting("float64", 1, True, (4, 6)), Setting("float32", 3, False, (4, 4))),
    (Setting("float64", 3, False, (4, 6)), Setting("float32", 1, True, (4,))),
    (Setting("float32", 3, True, (4, 6)), Setting("float64", 1, False, (4, 4))),
    (Setting("float32", 1, False, (4, 6)), Setting("float64", 3, True, (4,))),
]


def check_merging(make_op, merges):
    """Check whether operators of equal sizes end up in one kernel.

    Parameters
    ----------
    make_op : callable
        From a `Bench` and a size to an operator on signals of the bench.
    merges : bool
        Whether they must.
    """
    bench = Bench(seed=0)
    groups = plan(
        make_program(bench, (make_op(bench, 4), make_op(bench, 4))), Builder.traits
    )
    assert len(groups) == (1 if merges else 2)


def check_kernel(make_op, setting):
    """Check that an operator's kernel equals its ``make_step``, for several steps.

    Parameters
    ----------
    make_op : callable
        From a `Bench` and a size to an operator on signals of the bench.
    setting : `Setting`
        How to run it.
    """
    bench = Bench(seed=0)
    operators = tuple(make_op(bench, size) for size in setting.sizes)
    program = make_program(bench, operators)
    jit_compile = setting.jit_compile
    if jit_compile and any(Builder.traits(op).host for op in operators):
        jit_compile = "auto"
    engine = Engine(
        program,
        # without passes, which would turn some operators into others
        Settings(dtype=setting.dtype, jit_compile=jit_compile, simplifications=()),
        dt=DT,
        minibatch_size=setting.minibatch_size,
    )
    engine.reset(seed=1)
    state = draw_state(bench, engine, setting.minibatch_size)
    feeds = draw_feeds(bench, program, setting.minibatch_size)
    values, outputs = engine.run(fill(engine, state), feeds, N_STEPS, seed=2)
    for item in range(setting.minibatch_size):
        expected = run_operators(program, state, feeds, item)
        compare(program, expected, outputs, item, setting.dtype)
    assert values.n_steps == N_STEPS


def make_program(bench, operators):
    """Make a program of operators; what they only read is fed, and all is probed."""
    written = {
        s.base for op in operators for s in (*op.sets, *op.incs, *op.updates)
    } | {bench.step, bench.time}
    used = {s.base: None for op in operators for s in op.all_signals}
    inputs = [
        base
        for base in used
        if base not in written and not base.readonly and not base.sparse
    ]
    return Program(
        operators=operators,
        step=bench.step,
        time=bench.time,
        feeds=tuple(Feed(None, signal) for signal in inputs),
        probes={
            f"probe{i}": base
            for i, base in enumerate(used)
            if not base.sparse and base.size and base is not bench.time
        },
        streams=find_streams(operators),
    )


def draw_state(bench, engine, minibatch_size):
    """Draw the initial state of each minibatch item."""
    rng = np.random.RandomState(1)
    numbers = engine.layout.of_kind("state")
    signals = [s for s, (block, _) in engine.layout.places.items() if block in numbers]
    return [
        {signal: bench.redraw(signal, rng) for signal in signals}
        for _ in range(minibatch_size)
    ]


def draw_feeds(bench, program, minibatch_size):
    """Draw what comes from outside, for each step and minibatch item."""
    rng = np.random.RandomState(2)
    return {
        feed: np.reshape(
            [
                bench.redraw(feed.signal, rng)
                for _ in range(N_STEPS)
                for _ in range(minibatch_size)
            ],
            (N_STEPS, minibatch_size, feed.size),
        )
        for feed in program.feeds
    }


def fill(engine, state):
    """Put each item's state where the layout wants it."""
    initial = engine.values.initial()
    blocks = []
    for number, tensor in zip(
        engine.layout.of_kind("state"), initial.state, strict=True
    ):
        block = tensor.numpy().copy()
        for offset, base in engine.layout.bases(number):
            for row, item in zip(block.T, state, strict=True):
                row[offset : offset + size_of(base)] = np.ravel(item[base])
        blocks.append(block)
    return Values(initial.params, tuple(blocks))


def run_operators(program, state, feeds, item):
    """Run Nengo's steps on one minibatch item; all signals after each step."""
    signals = SignalDict()
    for op in program.operators:
        op.init_signals(signals)
    for base, value in state[item].items():
        signals[base][...] = value
    order = toposort(operator_dependency_graph(program.operators))
    rng = np.random.RandomState(0)
    steps = [op.make_step(signals, DT, rng) for op in order]
    history = []
    for i in range(N_STEPS):
        if program.time in signals:
            signals[program.time][...] = (i + 1) * DT
        for feed, values in feeds.items():
            signals[feed.signal][...] = values[i, item].reshape(feed.signal.shape)
        for step in steps:
            step()
        history.append({s: np.array(signals[s]) for s in program.probes.values()})
    return history


def compare(program, expected, outputs, item, dtype):
    """Compare all signals of one minibatch item after each step."""
    relative, absolute = TOLERANCES[dtype]
    for probe, signal in program.probes.items():
        want = np.array([signals[signal] for signals in expected])
        got = outputs[probe][:, min(item, outputs[probe].shape[1] - 1)]
        np.testing.assert_allclose(
            got,
            want,
            rtol=0,
            atol=relative * np.max(np.abs(want), initial=0) + absolute,
            err_msg=f"{signal.name} {signal.shape}, minibatch item {item}",
        )


def check_sharing(make_op, sizes, minibatch_size=3):
    """Check that a kernel takes any of its arguments in the form that all items share.

    Of the results, too, all items may share what follows from such arguments alone.

    Parameters
    ----------
    make_op : callable
        From a `Bench` and a size to an operator on signals of the bench.
    sizes : tuple of int
        Sizes of the operators of one kernel.
    minibatch_size : int
        Number of items.
    """
    bench = Bench(seed=0)
    operators = tuple(make_op(bench, size) for size in sizes)
    if len({Builder.traits(op) for op in operators}) > 1:
        return  # they are never in one kernel
    kernel = Builder.build(
        operators, BuildContext(DT, np.dtype("float64"), minibatch_size)
    )
    if kernel.keyed:
        return  # the engine hands it all items in any case
    rng = np.random.RandomState(1)
    arguments = [draw_slot(bench, slot, minibatch_size, rng) for slot in kernel.reads]
    free = [i for i, argument in enumerate(arguments) if argument.shape[1] > 1]
    for shared in itertools.product((False, True), repeat=min(len(free), 4)):
        # beyond four arguments, the others go with the last of these
        chosen = {i for n, i in enumerate(free) if shared[min(n, len(shared) - 1)]}
        short = [x[:, :1] if i in chosen else x for i, x in enumerate(arguments)]
        full = [
            tf.repeat(x, minibatch_size, axis=1) if i in chosen else x
            for i, x in enumerate(short)
        ]
        for got, want in zip(
            run_kernel(kernel, short), run_kernel(kernel, full), strict=True
        ):
            assert got.shape[1] in (1, minibatch_size), chosen
            want, got = np.broadcast_arrays(want, got)
            np.testing.assert_allclose(got, want, 1e-12, 1e-12, err_msg=f"{chosen}")


def run_kernel(kernel, arguments):
    """Call a kernel's function as the engine does."""
    prepared = [
        kernel.prepare.get(i, lambda x: x)(argument)
        for i, argument in enumerate(arguments)
    ]
    return kernel.fn(*prepared)


def check_gradient(make_op, minibatch_size=2, jit_compile=False, constant=()):
    """Check that the gradient of a kernel, as trained, equals finite differences.

    Parameters
    ----------
    make_op : callable
        From a `Bench` and a size to an operator on signals of the bench.
    minibatch_size : int
        Number of items.
    jit_compile : bool
        Whether to use XLA, where TensorFlow has no gradient without.
    constant : tuple of int
        Arguments in which the kernel is not differentiable; their gradients must still
        be finite.
    """
    bench = Bench(seed=0)
    op = make_op(bench, 4)
    ctx = BuildContext(DT, np.dtype("float64"), minibatch_size)
    kernel = Builder.build((op,), ctx)
    rng = np.random.RandomState(1)
    arguments = [draw_slot(bench, slot, minibatch_size, rng) for slot in kernel.reads]

    def compute(*arguments):
        """Sum the results, each element with a weight of its own."""
        prepared = [
            kernel.prepare.get(i, lambda x: x)(argument)
            for i, argument in enumerate(arguments)
        ]
        results = (kernel.training_fn or kernel.fn)(*prepared)
        draw = np.random.RandomState(2).normal
        return sum(tf.reduce_sum(y * draw(size=y.shape)) for y in results)

    def differentiate(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            total = compute(*arguments)
        return tape.gradient(total, arguments, unconnected_gradients="zero")

    if jit_compile:
        differentiate = tf.function(differentiate, jit_compile=True, autograph=False)
    gradients = [tf.convert_to_tensor(g).numpy() for g in differentiate(*arguments)]
    for i, (argument, gradient) in enumerate(zip(arguments, gradients, strict=True)):
        assert np.isfinite(gradient).all(), i
        if i in constant or not gradient.size:
            continue
        direction = rng.normal(size=argument.shape)
        direction *= 1e-6 / np.linalg.norm(direction)
        sides = []
        for sign in (1, -1):
            moved = [*arguments]
            moved[i] = argument + sign * direction
            sides.append(float(compute(*moved)))
        expected = (sides[0] - sides[1]) / 2e-6
        # sums of large terms lose digits
        scale = max(1.0, np.linalg.norm(gradient), *np.abs(sides))
        assert abs(np.sum(gradient * direction) / 1e-6 - expected) < 1e-5 * scale, i


def draw_slot(bench, slot, minibatch_size, rng):
    """Draw the values of a slot; one column for all items if it is a parameter."""
    readonly = all(view.base.readonly for view in slot)
    rows = [
        [
            stored_values(view.base)
            if view.base.sparse
            else np.ravel(bench.redraw(view.base, rng))[view.elements]
            for view in slot
        ]
        for _ in range(1 if readonly else minibatch_size)
    ]
    return tf.constant(np.stack([np.concatenate(row) for row in rows], axis=1))
