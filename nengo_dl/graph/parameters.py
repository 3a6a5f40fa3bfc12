"""The parameters of a network: signals, their names, and which of them are trained.

They are a table beside the signals, made once from the network's settings; no signal is
changed.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import nengo
from nengo.builder import Model, Signal

from nengo_dl.biases import biases
from nengo_dl.chips.weights import Hardware
from nengo_dl.config import object_settings
from nengo_dl.graph.on_chip import Placement, placement
from nengo_dl.names import legal_name
from nengo_dl.wiring import wiring


@dataclass(frozen=True, eq=False)
class Parameter:
    """A signal that training or a learning rule may change.

    Parameters
    ----------
    name : str
        The object's label and what it is of the object, e.g. "ens.encoders".
    signal : Signal
        The base signal that holds the value.
    trainable : bool
        Whether training changes it.
    placement : ``Placement`` or None
        How hardware holds it, if it does.
    """

    name: str
    signal: Signal
    trainable: bool
    placement: Placement | None = None


def parameters(model: Model, inference_only: bool = False) -> tuple[Parameter, ...]:
    """List the encoders, biases and connection weights of a built model.

    By default all of them are trainable, except those that a learning rule changes and
    the weights of probes; ``configure_settings(trainable=...)`` chooses otherwise.

    Parameters
    ----------
    model : `nengo.builder.Model`
        A model into which all networks have been built.
    inference_only : bool
        Whether none of them is trainable, whatever is set.

    Returns
    -------
    parameters : tuple of `Parameter`
        In the order in which the objects were built.

    Warns
    -----
    UserWarning
        If an object is set to be trainable, or put on hardware, that a learning rule
        changes.

    Raises
    ------
    BuildError
        If hardware cannot hold the weights of a connection.
    """
    network = model.toplevel
    chosen = {} if network is None else _chosen(network)
    connections = set() if network is None else set(network.all_connections)
    hardware = {} if network is None else _hardware(network)
    learned = _written(model)
    found: dict[Signal, Parameter] = {}
    names: dict[str, int] = {}
    for obj, attr, signal in _signals(model):
        base = signal.base
        if base in found:
            continue
        wanted = chosen.get(obj)
        is_free = not (inference_only or network is None or base in learned)
        if isinstance(obj, nengo.Connection):
            is_free = is_free and obj in connections
        if wanted and base in learned:
            warnings.warn(
                f"{obj}: trainable=True has no effect on {attr} that a learning rule "
                "changes. Remove the learning rule, or the setting.",
                stacklevel=2,
            )
        held = _held(obj, attr, base, hardware.get(obj), base in learned)
        name = _unique(f"{_stem(obj)}.{attr}", names)
        found[base] = Parameter(name, base, is_free and wanted is not False, held)
    return tuple(found.values())


def _chosen(network: nengo.Network) -> dict[object, bool]:
    """Return what is set to be trained; biases follow the neurons that they are of."""
    chosen = object_settings(network, "trainable")
    for ensemble, conns in biases(network).items():
        wanted = chosen.get(ensemble.neurons)
        for conn in conns if wanted is not None else ():
            chosen[conn] = wanted
        chosen[ensemble] = False
        chosen[ensemble.neurons] = bool(wanted) and not conns
    return chosen


def _hardware(network: nengo.Network) -> dict[object, Hardware]:
    """Return which ensembles and connections are put on hardware.

    Biases and wiring stay digital, and so do encoders that are not used.
    """
    chosen = object_settings(network, "hardware")
    if not chosen:
        return chosen
    used = {conn.post_obj for conn in network.all_connections}
    unused = {obj for ens, conns in biases(network).items() for obj in (ens, *conns)}
    unused |= {ens for ens in network.all_ensembles if ens not in used}
    digital = unused | wiring(network)
    return {obj: model for obj, model in chosen.items() if obj not in digital}


def _held(
    obj: object, attr: str, signal: Signal, hardware: Hardware | None, learned: bool
) -> Placement | None:
    """Return how a parameter is held by the hardware that its object is put on."""
    if hardware is None:
        return None
    if learned:
        warnings.warn(
            f"{obj}: hardware has no effect on {attr} that a learning rule changes. "
            "Remove the learning rule, or set hardware=None for this object.",
            stacklevel=3,
        )
        return None
    return placement(obj, signal, hardware)


def _signals(model: Model) -> Iterator[tuple[object, str, Signal]]:
    """Yield objects, what is a parameter of them, and its signal."""
    for obj in model.params:
        if isinstance(obj, nengo.Ensemble):
            if isinstance(obj.neuron_type, nengo.Direct):
                continue  # has no neurons, and so no encoders that can be set
            candidates: tuple[tuple[Any, str, Signal | None], ...] = (
                (obj, "encoders", model.sig[obj].get("encoders")),
                (obj.neurons, "bias", model.sig[obj.neurons].get("bias")),
            )
        elif isinstance(obj, nengo.Connection):
            candidates = ((obj, "weights", model.sig[obj].get("weights")),)
        else:
            continue
        yield from (entry for entry in candidates if entry[2] is not None)


def _written(model: Model) -> frozenset[Signal]:
    """Collect the base signals that operators change."""
    return frozenset(
        signal.base
        for op in model.operators
        for signal in (*op.sets, *op.incs, *op.updates)
    )


def _stem(obj: object) -> str:
    """Name an object by its label; a connection without one by what it connects."""
    if isinstance(obj, nengo.ensemble.Neurons):
        return _stem(obj.ensemble)
    label = legal_name(getattr(obj, "label", None)).replace("/", "_")
    if label:
        return label
    if isinstance(obj, nengo.Connection):
        ends = (obj.pre_obj, obj.post_obj)
        return "_to_".join(_stem(end) for end in ends)
    return type(obj).__name__.lower()


def _unique(name: str, uses: dict[str, int]) -> str:
    """Add a number to a name that has been used before."""
    count = uses.get(name, 0)
    uses[name] = count + 1
    return _unique(f"{name}_{count}", uses) if count else name
