"""Run a program in NumPy, with Nengo's own operators: what no stage may change."""

import numpy as np
from nengo import Process
from nengo.builder import Model
from nengo.builder.signal import SignalDict
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

from nengo_dl.graph.program import from_model


def build(network, dt=0.001):
    """Build a network into a model."""
    model = Model(dt=dt)
    model.build(network)
    return model


def program_of(network):
    """Return the program of a network."""
    return from_model(build(network))


def run(program, n_steps=20, dt=0.001, order=None, seed=0):
    """Run a program.

    Parameters
    ----------
    program : `Program`
        What to run.
    n_steps : int
        Number of steps.
    dt : float
        Length of a step in seconds.
    order : sequence of Operator, optional
        The operators in the order of execution; by default, Nengo's.
    seed : int
        Of all processes.

    Returns
    -------
    outputs : dict of Probe to ndarray
        Shape (n_steps, \\*shape of the signal).
    """
    signals = SignalDict()
    for op in program.operators:
        op.init_signals(signals)
    sources = [feed for feed in program.feeds if feed.signal is not None]
    for signal in (
        program.step,
        program.time,
        *(feed.signal for feed in sources),
        *program.probes.values(),
        *program.resets,
    ):
        if signal not in signals:
            signals.init(signal)
    if order is None:
        order = toposort(operator_dependency_graph(program.operators))
    rng = np.random.RandomState(seed)
    feeds = [(feed, _step_of(feed, dt, rng)) for feed in sources]
    steps = [op.make_step(signals, dt, rng) for op in order]
    outputs = {probe: [] for probe in program.probes}
    for n in range(1, n_steps + 1):
        signals[program.step][...] = n
        signals[program.time][...] = n * dt
        for signal, value in program.resets.items():
            signals[signal][...] = value
        for feed, source in feeds:
            signals[feed.signal][...] = source(n * dt)
        for step in steps:
            step()
        for probe, signal in program.probes.items():
            outputs[probe].append(np.array(signals[signal]))
    return {probe: np.array(rows) for probe, rows in outputs.items()}


def _step_of(feed, dt, rng):
    if isinstance(feed.output, Process):
        state = {name: np.array(s.initial_value) for name, s in feed.op.state.items()}
        rng = feed.output.get_rng(rng)
        return feed.output.make_step((0,), feed.signal.shape, dt, rng, state)
    if callable(feed.output):
        return feed.output
    return lambda t: feed.output


def assert_equal(actual, expected):
    """Compare the outputs of two runs, up to the order of additions."""
    assert list(actual) == list(expected)
    for probe, values in expected.items():
        np.testing.assert_allclose(actual[probe], values, rtol=1e-9, atol=1e-9)
