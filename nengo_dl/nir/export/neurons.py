"""Neuron types as NIR nodes: one function for each type that NIR can express."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.errors import InvalidValue
from nengo_dl.neurons import IntegrateAndFire
from nengo_dl.nir.tree import nir_package
from nengo_dl.stepped import SteppedLI, SteppedLIF


@dataclass(frozen=True, eq=False)
class Written:
    """A population in a graph.

    Parameters
    ----------
    node : callable
        From a function that gives values their shape in the graph to the NIR node.
    gain : float or ndarray of shape (n_neurons,)
        Factor on currents, whose unit in the graph is a step.
    height : float
        Output of Nengo for an output of 1 of the node.
    numerics : dict
        Arguments of `nengo_dl.nir.Numerics` that are not NIR's own.
    inexact : tuple of str
        What NIR does not have, and what stands in for it.
    """

    node: Callable[[Callable], Any]
    gain: Any
    height: float
    numerics: dict[str, Any] = field(default_factory=dict)
    inexact: tuple[str, ...] = ()


WRITERS: dict[type, Callable[[Any, float], Written]] = {}


def register(*types: type) -> Callable:
    """Register the decorated writer for neuron types, which are matched exactly."""

    def decorate(writer: Callable) -> Callable:
        WRITERS.update(dict.fromkeys(types, writer))
        return writer

    return decorate


def written(kind: NeuronType, dt: float) -> Written:
    """Return what becomes of a neuron type.

    Raises
    ------
    InvalidValue
        If NIR has no such neurons.
    """
    if type(kind) not in WRITERS:
        names = ", ".join(sorted(t.__name__ for t in WRITERS))
        raise InvalidValue(f"expected neurons of one of the types {names} (got {kind})")
    return WRITERS[type(kind)](kind, dt)


def _node(name: str, **values: Any) -> Callable[[Callable], Any]:
    """Return a function that makes a NIR node of values, once their shape is known."""

    def make(shaped: Callable) -> Any:
        arrays = {key: shaped(value) for key, value in values.items()}
        return getattr(nir_package(), name)(**arrays)

    return make


def _times(kind: SteppedLI, dt: float) -> tuple[float, Any, Any]:
    """Return the length of a step, and time constants for Euler's method in seconds."""
    length = kind.time_step(dt)
    a, b = kind.decays(dt)
    with np.errstate(divide="ignore"):
        return length, dt / (1 - a), dt / (1 - b)


@register(SteppedLI, SteppedLIF)
def write_stepped(kind: SteppedLI, dt: float) -> Written:
    """Write neurons that are defined step by step: they are NIR's."""
    length, tau_syn, tau_rc = _times(kind, dt)
    has_synapse, leaks = np.asarray(kind.tau_syn) > 0, np.isfinite(kind.tau_rc)
    if np.any(has_synapse) != np.all(has_synapse) or np.any(leaks) != np.all(leaks):
        raise InvalidValue("expected synapses and leaks of all neurons, or of none")
    spikes = kind.spiking
    values: dict[str, Any] = {}
    gain = length
    if not np.all(has_synapse) and not np.all(leaks):
        name, values["r"] = "I", 1.0
    elif not np.all(has_synapse):
        name, values = "LI", {"tau": tau_rc, "r": tau_rc / dt, "v_leak": kind.v_leak}
    elif not np.all(leaks):
        raise InvalidValue("expected a leak where there is a synapse (got none)")
    else:
        name, gain = "CubaLI", length * length
        values = {"tau_syn": tau_syn, "tau_mem": tau_rc, "v_leak": kind.v_leak}
        values |= {"r": tau_rc / dt, "w_in": tau_syn / dt}
    if not spikes:
        return Written(_node(name, **values), gain, kind.amplitude)
    values |= {"v_threshold": kind.threshold, "v_reset": kind.v_reset}
    told, inexact = _spikes(kind, name)
    node = _node(name + "F", **values)
    return Written(node, gain, kind.amplitude / length, told, inexact)


def _spikes(kind: SteppedLIF, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return how spikes and resets differ from NIR's."""
    has_floor = np.any(np.isfinite(kind.min_voltage))
    is_floor = name == "I" and np.all(
        np.asarray(kind.min_voltage) == -np.asarray(kind.threshold)
    )
    told = {
        "reset": "zero" if kind.reset == "zero" else "subtract",
        "late_subtraction": kind.reset == "snntorch",
        "max_spikes": float(kind.max_spikes),
        "strict": bool(kind.strict),
        "floor": bool(has_floor and is_floor),
    }
    lowest = ("min_voltage is not expressible",) * bool(has_floor and not is_floor)
    return told, lowest


@register(IntegrateAndFire, nengo.SpikingRectifiedLinear)
def write_integrators(kind: Any, dt: float) -> Written:
    """Write integrators as IF neurons that subtract, with several spikes in a step."""
    inexact: tuple[str, ...] = ()
    if type(kind) is nengo.SpikingRectifiedLinear:
        inexact = ("negative currents, which are dropped here, lower voltages",)
    elif kind.min_voltage > -np.inf:
        inexact = ("min_voltage is not expressible",)
    told = {"reset": "subtract", "max_spikes": np.inf, "strict": False}
    node = _node("IF", r=1.0, v_threshold=1.0, v_reset=0.0)
    return Written(node, dt, kind.amplitude / dt, told, inexact)


@register(nengo.LIF)
def write_lif(kind: nengo.LIF, dt: float) -> Written:
    """Write LIF neurons, whose decay is exact, with another time constant."""
    tau = dt / -np.expm1(-dt / kind.tau_rc)
    inexact = (
        f"tau_ref = {kind.tau_ref:g} s is left out" if kind.tau_ref else "",
        "" if kind.min_voltage == -np.inf else "min_voltage is not expressible",
        "the time of a spike within a step is left out",
    )
    node = _node("LIF", tau=tau, r=tau / dt, v_leak=0.0, v_threshold=1.0, v_reset=0.0)
    told = tuple(text for text in inexact if text)
    # the tau above is that of Euler's method for the same decay
    return Written(node, dt / tau, kind.amplitude / dt, {}, told)
