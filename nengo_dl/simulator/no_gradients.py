"""Why nothing can be trained: from Keras' error to the reason in the network.

The kernels tell on what a probe depends: backwards from what is probed, over as many
steps as are simulated.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nengo import Probe
from nengo.builder import Signal
from nengo.exceptions import SimulationError
from nengo.synapses import Synapse

from nengo_dl.engine.engine import Engine
from nengo_dl.graph.kernel import Kernel
from nengo_dl.names import listing

KERAS_MESSAGE = "No gradients provided"
# Paths through more steps than this do not become any wider
MAX_STEPS = 1000
LAYERS = "a layer of a TensorNode"


@dataclass(frozen=True)
class Reach:
    """Parameters, and Python on the way, that probes depend on.

    Parameters
    ----------
    trainable : frozenset of str
        Names of parameters that can be trained.
    hosts : tuple of str
        Why Python runs on the way, if it does.
    """

    trainable: frozenset[str]
    hosts: tuple[str, ...]


@contextlib.contextmanager
def gradients_explained(
    engine: Engine, probes: Mapping[Probe, str], n_steps: int | None
) -> Iterator[None]:
    """Say why no weight gets a gradient, where Keras just says that none does.

    `probes` are those with a loss, and `n_steps` is the number of steps of each call,
    if that is known.
    """
    try:
        yield
    except ValueError as exc:
        if KERAS_MESSAGE not in str(exc):
            raise
        reason, cure = _explain(engine, probes, n_steps)
        raise SimulationError(
            "Simulator.fit: expected a loss that depends on something that can be "
            f"trained (got no gradient for any weight: {reason}). {cure}"
        ) from exc


def _explain(
    engine: Engine, probes: Mapping[Probe, str], n_steps: int | None
) -> tuple[str, str]:
    """Return the reason, and what to do."""
    names = listing(probes.values())
    if not probes:
        return (
            "no probe has a loss",
            "Call Simulator.compile with a loss for a probe.",
        )
    all_reached = reach(engine, probes, MAX_STEPS)
    if not all_reached.trainable:
        known = sorted(p.name for p in engine.program.parameters if p.trainable)
        return (
            f"nothing that {names} depends on is trainable",
            "Choose another probe for the loss, or set net.config[obj].trainable = "
            f"True for what comes before it. Trainable is: {_some(known)}.",
        )
    if n_steps is not None and not reach(engine, probes, n_steps).trainable:
        delayed = [p for p in probes if p.synapse is not None]
        where = f"the synapse of {delayed[0]}" if delayed else "synapses on the way"
        return (
            f"in {n_steps} step{'s' if n_steps > 1 else ''}, nothing that is trainable "
            f"gets through {where} to {names}, since each delays by a step",
            "Give data of more steps, or set synapse=None.",
        )
    if all_reached.hosts:
        return (
            f"{all_reached.hosts[0]} on the way to {names}, and Python has no gradient",
            "Write it in TensorFlow, as a nengo_dl.TensorNode, or choose a probe "
            "before it.",
        )
    return (
        f"{names} depends on {_some(sorted(all_reached.trainable))}, but some function "
        "on the way, or the loss, has no gradient",
        "Look for tf.stop_gradient, rounding, comparisons, argmax, or casts to "
        "integers in TensorNodes and in the loss.",
    )


def reach(engine: Engine, probes: Iterable[Probe], n_steps: int) -> Reach:
    """Find what probes depend on, as many steps back."""
    needed = {engine.program.probes[probe].base for probe in probes}
    passed: list[Kernel] = []
    for _ in range(n_steps):
        size = len(needed), len(passed)
        _go_back(engine.kernels, needed, passed)
        if (len(needed), len(passed)) == size:
            break
    found = {p.name for p in engine.program.parameters if p.trainable}
    found &= {p.name for p in engine.program.parameters if p.signal in needed}
    has_layer = any(kernel.name == "TensorNode" for kernel in passed)
    if has_layer and any(layer.trainable_weights for layer in engine.layers):
        found.add(LAYERS)
    return Reach(frozenset(found), tuple(k.host for k in passed if k.host))


def _go_back(
    kernels: Sequence[Kernel], needed: set[Signal], passed: list[Kernel]
) -> None:
    """Add what is needed in one step for what is needed at its end."""
    synapses = {cls.__name__ for cls in _subclasses(Synapse)}
    later: set[Signal] = set()
    for kernel in reversed(kernels):
        if any(view.base in needed for write in kernel.writes for view in write.views):
            # what enters a synapse comes out in the next step
            found = later if kernel.name in synapses else needed
            found |= {view.base for read in kernel.reads for view in read}
            if kernel not in passed:
                passed.append(kernel)
    needed |= later


def _subclasses(cls: type) -> Iterator[type]:
    yield cls
    subclasses: list[type] = type.__subclasses__(cls)
    for sub in subclasses:
        yield from _subclasses(sub)


def _some(names: list[str], count: int = 5) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return listing(names[:count]) + more
