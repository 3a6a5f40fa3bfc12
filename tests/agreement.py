"""Whether a simulator agrees with Nengo's on a network, to 1e-6 of each probe's range.

Each network runs with two sizes of minibatches, in two threads, in pieces and then as a
whole. Every item of a minibatch has random streams of its own, with which Nengo is run
again where it matters.

A network cannot tell if Nengo itself fails on it, if its values are not finite, or if
it is chaotic: if changing all its values by 1e-10 before each step moves its probes by
more than what counts as agreement. Such networks are left out, and
counted; chaos counts only where simulators disagree.
"""

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import nengo
import numpy as np
from nengo.builder.processes import SimProcess

from tests.network_specs import build, draws_freely

RELATIVE = 1e-6
ABSOLUTE = 1e-12
JITTER = 1e-10


class Outcome(NamedTuple):
    """What came of comparing the simulators on one network.

    Parameters
    ----------
    kind : str
        "agreed", "left out", "disagreed" or "failed".
    reason : str
        Why.
    """

    kind: str
    reason: str = ""


class Result(NamedTuple):
    """What a simulator makes of a network.

    Parameters
    ----------
    how : str
        How it was run.
    item : int
        Which item of the minibatch it is.
    data : list of ndarray
        Of all probes.
    """

    how: str
    item: int
    data: list


def run_nengo(spec, jitter=None, optimize=False, item=0):
    """Run Nengo's simulator, with its values changed a little in each step if asked.

    Its optimizer is off, because it fails on some of these networks, for example on
    slices that go backwards, and is wrong on some, such as on filtered probes of two
    scalar transforms.
    """
    network = build(spec)
    n_steps = sum(spec["n_steps"])
    # values that explode are found only if they are changed while they do
    pieces = [n_steps] if jitter is None else [1] * n_steps
    with nengo.Simulator(
        network,
        dt=spec["dt"],
        seed=seed_of(spec, item),
        progress_bar=False,
        optimize=optimize,
    ) as sim:
        rng = np.random.RandomState(jitter)
        for piece in pieces:
            if jitter is not None:
                shake(sim, rng)
            sim.run_steps(piece)
        check_finite(sim)
        return [np.array(sim.data[probe]) for probe in network.all_probes]


def check_finite(sim):
    """Raise if any value is not finite, also where no probe shows it."""
    for signal, value in sim.signals.items():
        numbers = value.data if signal.sparse else value
        if not np.isfinite(numbers).all():
            raise FloatingPointError(f"{signal} is not finite")


def shake(sim, rng):
    """Change all values by 1e-10."""
    counters = [
        op.state["Xi"]
        for op in sim.model.operators
        if isinstance(op, SimProcess) and "Xi" in op.state
    ]
    for signal, value in sim.signals.items():
        fixed = signal.readonly or signal.is_view or signal in counters
        if fixed or signal.sparse or value.dtype.kind != "f" or value.size == 0:
            continue
        value *= 1 + JITTER * rng.choice([-1, 1], value.shape)


def seed_of(spec, item):
    """Return the seed with which Nengo draws the numbers of an item of a minibatch."""
    from nengo_dl.graph.streams import Streams

    return Streams(seed=spec["seed"] + 1).seed_of(item) if item else None


def run_nengo_dl(spec, xla=(True,)):
    """Run this package's simulator in all ways.

    Parameters
    ----------
    spec : dict
        What to build and how to run it.
    xla : tuple of bool
        With or without XLA, or both.

    Returns
    -------
    results : list of `Result`
    """
    import nengo_dl

    del nengo_dl  # before there are threads
    results = []
    for setting in xla:
        run = partial(run_minibatch, spec, setting)
        with ThreadPoolExecutor(2) as pool:
            for found in pool.map(run, spec["minibatch_sizes"]):
                results += found
    return results


def run_minibatch(spec, xla, minibatch_size):
    """Run in pieces, and as a whole."""
    import nengo_dl

    network = build(spec)
    with network:
        nengo_dl.configure_settings(
            dtype="float64", jit_compile="auto" if xla else False
        )
    how = f"minibatch {minibatch_size}, {'with' if xla else 'without'} XLA"
    results = []
    with nengo_dl.Simulator(
        network,
        dt=spec["dt"],
        minibatch_size=minibatch_size,
        unroll_simulation=spec["unroll_simulation"],
        progress_bar=False,
    ) as sim:
        for name, pieces in (
            ("in pieces", spec["n_steps"]),
            ("as a whole", [sum(spec["n_steps"])]),
        ):
            sim.reset()
            for n_steps in pieces:
                sim.run_steps(n_steps)
            data = [np.array(sim.data[probe]) for probe in network.all_probes]
            for item in range(minibatch_size or 1):
                results.append(
                    Result(f"{how}, {name}", item, of_item(data, minibatch_size, item))
                )
    return results


def of_item(data, minibatch_size, item):
    """Pick an item; what all of them share has one for all."""
    if minibatch_size is None:
        return data
    return [values[min(item, len(values) - 1)] for values in data]


def distance(spec, expected, actual):
    """Describe where results differ; empty if they agree."""
    for i, (probe, want, got) in enumerate(
        zip(spec["probes"], expected, actual, strict=True)
    ):
        name = f"probe {i} ({probe['target']} {probe['attr']})"
        if want.shape != got.shape:
            return f"{name}: expected shape {want.shape}, got {got.shape}"
        if want.size == 0:
            continue
        size = np.max(np.abs(want))
        error = np.abs(want - got).reshape(len(want), -1)
        if not np.max(error) <= RELATIVE * size + ABSOLUTE:
            step, element = np.unravel_index(np.argmax(error), error.shape)
            first = np.argmax(~(error <= RELATIVE * size + ABSOLUTE).all(axis=1))
            return (
                f"{name}: off by {np.max(error):.3g} at sample {step}, element "
                f"{element} (largest value {size:.3g}); first at sample {first}"
            )
    return ""


def reference(spec, item=0):
    """Run Nengo; return its results, or the outcome where they cannot serve."""
    try:
        expected = run_nengo(spec, item=item)
    except Exception as error:
        return Outcome("left out", f"Nengo: {type(error).__name__}: {error}")
    if not all(np.isfinite(values).all() for values in expected):
        return Outcome("left out", "not finite")
    return expected


def chaos(spec, expected, item):
    """Describe how a small change moves Nengo's results; empty if it does not."""
    for jitter in (1, 2):
        try:
            moved = distance(spec, expected, run_nengo(spec, jitter, item=item))
        except Exception as error:
            moved = f"{type(error).__name__}: {error}"
        if moved:
            return moved
    return ""


def compare(spec, run=run_nengo_dl):
    """Compare a backend with Nengo on a network.

    Parameters
    ----------
    spec : dict
        What to build and how to run it.
    run : callable
        Takes the description; returns a list of `Result`.

    Returns
    -------
    outcome : `Outcome`
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nengo.rc.set("decoder_cache", "enabled", "False")
        expected = {0: reference(spec)}
        if isinstance(expected[0], Outcome):
            return expected[0]
        try:
            results = run(spec)
        except Exception as error:
            return Outcome("failed", f"{type(error).__name__}: {error}")
        for how, item, data in results:
            if item not in expected:
                is_own = draws_freely(spec)
                expected[item] = reference(spec, item) if is_own else expected[0]
            if isinstance(expected[item], Outcome):
                continue
            difference = distance(spec, expected[item], data)
            if difference:
                moved = chaos(spec, expected[item], item)
                if moved:
                    return Outcome("left out", f"chaotic: {moved}")
                return Outcome("disagreed", f"{how}, item {item}, {difference}")
    return Outcome("agreed")
