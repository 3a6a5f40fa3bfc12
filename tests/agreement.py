"""Whether a simulator agrees with Nengo's on a network, to 1e-6 of each probe's range.

A network cannot tell if Nengo itself fails on it, if its values are not finite, or if
it is chaotic: if changing all its values by 1e-10, at the start and thrice later, moves
its probes by more than what counts as agreement. Such networks are left out, and
counted.
"""

import warnings
from typing import NamedTuple

import nengo
import numpy as np
from nengo.builder.processes import SimProcess

from tests.network_specs import build

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


def run_nengo(spec, jitter=None, optimize=False):
    """Run Nengo's simulator, with its values changed a little now and then if asked.

    Its optimizer is off, because it fails on some of these networks, for example on
    slices that go backwards, and is wrong on some, such as on filtered probes of two
    scalar transforms.
    """
    network = build(spec)
    n_steps = sum(spec["n_steps"])
    pauses = [0, 1, n_steps // 3, 2 * n_steps // 3, n_steps]
    with nengo.Simulator(
        network, dt=spec["dt"], progress_bar=False, optimize=optimize
    ) as sim:
        for start, stop in zip(pauses[:-1], pauses[1:], strict=True):
            if jitter is not None:
                shake(sim, np.random.RandomState(jitter))
            sim.run_steps(stop - start)
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


def run_nengo_dl(spec):
    """Run this package's simulator; one list of results per minibatch item."""
    import nengo_dl

    network = build(spec)
    with network:
        nengo_dl.configure_settings(dtype="float64")
    with nengo_dl.Simulator(
        network,
        dt=spec["dt"],
        minibatch_size=spec["minibatch_size"],
        unroll_simulation=spec["unroll_simulation"],
        progress_bar=False,
    ) as sim:
        if spec["reset_after"]:
            sim.run_steps(spec["reset_after"])
            sim.reset()
        for n_steps in spec["n_steps"]:
            sim.run_steps(n_steps)
        data = [np.array(sim.data[probe]) for probe in network.all_probes]
    if spec["minibatch_size"] is None:
        return [data]
    return [
        [values[min(i, len(values) - 1)] for values in data]
        for i in range(spec["minibatch_size"])
    ]


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


def reference(spec):
    """Run Nengo; return its results, or the outcome where they cannot serve."""
    try:
        expected = run_nengo(spec)
    except Exception as error:
        return Outcome("left out", f"Nengo: {type(error).__name__}: {error}")
    if not all(np.isfinite(values).all() for values in expected):
        return Outcome("left out", "not finite")
    for jitter in (1, 2):
        try:
            moved = distance(spec, expected, run_nengo(spec, jitter))
        except Exception as error:
            moved = f"{type(error).__name__}: {error}"
        if moved:
            return Outcome("left out", f"chaotic: {moved}")
    return expected


def compare(spec, run=run_nengo_dl):
    """Compare a backend with Nengo on a network.

    Parameters
    ----------
    spec : dict
        What to build and how to run it.
    run : callable
        Takes the description; returns, per minibatch item, the data of all probes.

    Returns
    -------
    outcome : `Outcome`
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nengo.rc.set("decoder_cache", "enabled", "False")
        expected = reference(spec)
        if isinstance(expected, Outcome):
            return expected
        try:
            items = run(spec)
        except Exception as error:
            return Outcome("failed", f"{type(error).__name__}: {error}")
    for item, actual in enumerate(items):
        difference = distance(spec, expected, actual)
        if difference:
            return Outcome("disagreed", f"item {item}, {difference}")
    return Outcome("agreed")
