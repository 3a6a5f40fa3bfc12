"""What follows from parameters alone, and nothing else, is computed ahead of steps."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder import Signal

import nengo_dl
from nengo_dl.engine import step as step_module
from nengo_dl.engine.binding import bind
from nengo_dl.engine.execution import Clock
from nengo_dl.engine.memory import Memory
from nengo_dl.engine.step import Step
from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.graph.layout import place
from nengo_dl.graph.program import Feed, Program

NAMES = ("param", "feed", "x", "y", "z")


def kernel(reads, writes, mode="inc", factor=2.0, **fields):
    """Multiply the sum of what is read."""
    return Kernel(
        name=f"{reads} to {writes}",
        reads=tuple(slot([SIGNALS[name]]) for name in reads.split()),
        writes=(Write(slot([SIGNALS[writes]]), mode),),
        fn=lambda *args: (factor * sum(args[bool(fields.get("keyed")) :]),),
        **fields,
    )


SIGNALS = {name: Signal(np.ones(3), name=name) for name in (*NAMES, "step", "time")}
PROGRAM = Program(
    operators=(),
    step=SIGNALS["step"],
    time=SIGNALS["time"],
    feeds=(Feed(np.ones(3), SIGNALS["feed"]),),
    probes={nengo.Node: SIGNALS["x"], nengo.Probe: SIGNALS["z"]},
    resets={SIGNALS["x"]: 0.0, SIGNALS["y"]: 3.0, SIGNALS["z"]: 0.0},
)

# kernels in order, and which of them follow from parameters alone
CASES = {
    "from parameters": ([kernel("param", "x")], [True]),
    "from a reset": ([kernel("y", "x")], [True]),
    "a chain": ([kernel("param", "x"), kernel("x y", "z")], [True, True]),
    "from feeds": ([kernel("feed", "x"), kernel("param", "y")], [False, True]),
    "after a chain": ([kernel("feed", "x"), kernel("x", "z")], [False, False]),
    "a fixed term first": ([kernel("param", "x"), kernel("feed", "x")], [True, False]),
    "a fixed term last": ([kernel("feed", "x"), kernel("param", "x")], [False, False]),
    "of a sum": (
        [kernel("param", "x"), kernel("feed", "x"), kernel("x", "z")],
        [True, False, False],
    ),
    "written after use": (
        [kernel("feed y", "x"), kernel("param", "y", "set"), kernel("y", "z")],
        [False, False, False],
    ),
    "used before it changes": (
        [kernel("y", "x"), kernel("feed", "y"), kernel("y", "z")],
        [True, False, False],
    ),
    "Python": ([kernel("param", "x", host="a test"), kernel("x", "z")], [False] * 2),
    "random": ([kernel("param", "x", keyed=True), kernel("x", "z")], [False] * 2),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def run(kernels, n_steps=2):
    """Return the probed values of each step."""
    layout = place(PROGRAM, kernels)
    step = Step(PROGRAM, tuple(kernels), layout, dt=0.001, dtype=tf.float64)
    params = tuple(
        tf.fill((layout.blocks[n].size, 1), tf.cast(5.0, tf.float64))
        for n in layout.of_kind("param")
    )
    state = tuple(
        tf.zeros((layout.blocks[n].size, 2), tf.float64)
        for n in layout.of_kind("state")
    )
    prepared, found = step.prepare(params), []
    for i in range(n_steps):
        feeds = (tf.constant([[i, 7.0 + i]] * 3, tf.float64),)
        clock = Clock(tf.constant(0), tf.constant(i + 1), tf.zeros((1, 2), tf.float64))
        state, outputs = step.advance(prepared, state, feeds, clock)
        found.append([np.broadcast_to(x, (3, 2)) for x in outputs])
    return np.array(found)


def test_which_kernels_are_fixed(case):
    kernels, expected = case
    bound = bind(kernels, place(PROGRAM, kernels))
    assert [item.is_fixed for item in bound] == expected


def test_results_are_those_of_steps_that_compute_everything(case, monkeypatch):
    kernels, _ = case
    found = run(kernels)

    def bind_nothing(kernels, layout, held):
        return tuple(
            item._replace(fixed=(False,) * len(item.fixed), is_fixed=False)
            for item in bind(kernels, layout, held)
        )

    monkeypatch.setattr(step_module, "bind", bind_nothing)
    np.testing.assert_array_equal(found, run(kernels))


def test_fixed_kernels_do_not_run_in_steps(monkeypatch):
    written = []
    write = Memory.write
    monkeypatch.setattr(
        Memory, "write", lambda *args: written.append(1) or write(*args)
    )
    for n_steps in (1, 3):
        written.clear()
        run(CASES["of a sum"][0], n_steps)
        assert len(written) == 1 + 2 * n_steps


def test_biases_of_a_converted_model_leave_the_loop():
    inputs = keras.Input((3,))
    x = keras.layers.Dense(2, activation="relu")(inputs)
    converter = nengo_dl.Converter(keras.Model(inputs, keras.layers.Dense(2)(x)))
    with nengo_dl.Simulator(converter.net, progress_bar=False, device="/cpu:0") as sim:
        engine = sim.keras_model.layers[-1].engine
    bound = bind(engine.kernels, engine.layout)
    fixed = {item.kernel.name for item in bound if item.is_fixed}
    varying = [item.kernel.name for item in bound if not item.is_fixed]
    assert "Constant" in fixed and "Constant" not in varying
    assert varying.count("DotInc") == 2
