"""How graphs are stepped: what NIR leaves open, and how each framework decides it.

NIR writes differential equations. A framework that reads them steps them in its own
way, and its networks have been trained with that. `Numerics` says how, as data;
`Recursion` is what becomes of one population.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.names import suggestion

RESETS = ("zero", "subtract")
# Under which name `to_nir` writes what NIR has no fields for, among the metadata
NOTES = "nengo_dl"


@dataclass(frozen=True)
class Numerics:
    r"""How a framework steps the neurons of a graph.

    All use the recursion of `nengo_dl.SteppedLIF`.

    Parameters
    ----------
    reset : "zero" or "subtract"
        What a spike does if nobody says it: set the voltage to ``v_reset``, or subtract
        the threshold.
    max_spikes : float
        Most spikes of a neuron in a step.
    strict : bool
        Whether the voltage must exceed the threshold to spike, or may equal it.
    floor : bool
        Whether voltages of IF neurons stop at minus the threshold.
    late_subtraction : bool
        Whether a neuron that is above its threshold after its reset needs twice the
        threshold for the next spike. Only where the reset subtracts.
    discretization : "euler" or "exact"
        Whether a voltage decays by the factor :math:`1 - dt / \tau` in a step, or by
        :math:`e^{-dt / \tau}`.
    scaled : bool
        Whether inputs of leaky neurons are multiplied by :math:`r \, dt / \tau`, as
        Euler's method has it, or taken as they are.
    in_units_of_input : bool
        Whether the threshold is divided by that factor, instead of multiplying inputs.
        The spikes are the same but for rounding.
    starts_at_leak : bool
        Whether voltages start at ``v_leak``, and not at 0.
    leaks_into_current : bool
        Whether currents of neurons with a synapse decay to ``v_leak``, too.
    late : "spikes" or "sums"
        What is a step late in a cycle: the spikes that enter it, or what the nodes
        behind them have made of these, biases and all.

    Examples
    --------
    .. testcode::

       from dataclasses import replace
       from nengo_dl.nir import DIALECTS

       many = replace(DIALECTS["nir"], max_spikes=float("inf"))
       print(many.strict, many.max_spikes)

    .. testoutput::

       True inf
    """

    reset: str = "zero"
    max_spikes: float = 1
    strict: bool = True
    floor: bool = False
    late_subtraction: bool = False
    discretization: str = "euler"
    scaled: bool = True
    in_units_of_input: bool = False
    starts_at_leak: bool = False
    leaks_into_current: bool = False
    late: str = "spikes"


DIALECTS: Mapping[str, Numerics] = {
    "nir": Numerics(),
    "norse": Numerics(starts_at_leak=True, leaks_into_current=True, late="sums"),
    "snntorch": Numerics(late_subtraction=True, in_units_of_input=True),
    "sinabs": Numerics(
        reset="subtract",
        max_spikes=np.inf,
        strict=False,
        floor=True,
        discretization="exact",
        scaled=False,
    ),
}


def chosen(numerics: str | Numerics | None, reset: str | None) -> Numerics:
    """Return the numerics of a name, with another reset if one is given."""
    numerics = "nir" if numerics is None else numerics
    if isinstance(numerics, str):
        if numerics not in DIALECTS:
            raise InvalidValue(
                f"expected Numerics or one of {', '.join(DIALECTS)} (got "
                f"{numerics!r}).{suggestion(numerics, DIALECTS)}"
            )
        numerics = DIALECTS[numerics]
    if not isinstance(numerics, Numerics):
        raise InvalidValue(
            f"expected Numerics or one of {', '.join(DIALECTS)} (got {numerics!r}). "
            "Make one with nengo_dl.nir.Numerics(...)."
        )
    if reset not in (None, *RESETS):
        raise InvalidValue(
            f"expected reset to be one of {', '.join(RESETS)} (got {reset!r}). Leave "
            "it out for that of the framework."
        )
    return numerics if reset is None else replace(numerics, reset=reset)


def noted(how: Numerics, notes: Mapping[str, Any]) -> Numerics:
    """Return numerics with what the notes of a node say otherwise."""
    names = {f.name for f in fields(Numerics)}
    return replace(how, **{key: notes[key] for key in notes if key in names})


def checked_notes(notes: Any) -> dict[str, Any]:
    """Return what is known of the notes of a node, in the types that it has here.

    Raises
    ------
    InvalidValue
        If `to_nir` does not write such a value.
    """
    given = notes if isinstance(notes, Mapping) else {}
    return {key: CHECKS[key](given[key]) for key in CHECKS if key in given}


def _flag(value: Any) -> bool:
    return bool(np.all(value))


def _most(value: Any) -> float:
    if not float(np.max(value)) >= 1:
        raise InvalidValue(f"expected max_spikes of at least 1 (got {value})")
    return float(np.max(value))


def _reset(value: Any) -> str:
    if str(value) not in RESETS:
        raise InvalidValue(f"expected a reset of {', '.join(RESETS)} (got {value!r})")
    return str(value)


def _finite(value: Any) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(array)):
        raise InvalidValue("expected finite numbers as initial states")
    return array


CHECKS: dict[str, Callable[[Any], Any]] = {
    "late_subtraction": _flag,
    "strict": _flag,
    "floor": _flag,
    "max_spikes": _most,
    "reset": _reset,
    "initial_voltage": _finite,
    "initial_current": _finite,
}


@dataclass(frozen=True, eq=False)
class Recursion:
    """The recursion of a population, in steps.

    All numbers are floats, or arrays of the shape of the population.
    """

    spikes: bool
    b: Any  # what is left of the voltage after a step
    gain: Any = 1.0  # factor on inputs
    a: Any = None  # what is left of the current after a step; None without a synapse
    leak: Any = 0.0  # added to the voltage in each step
    current_leak: Any = 0.0  # added to the current in each step
    threshold: Any = 1.0
    v_reset: Any = 0.0
    min_voltage: Any = -np.inf
    voltage: Any = 0.0  # before the first step
    current: Any = 0.0


def recursion_of(
    kind: str, values: Mapping[str, Any], dt: float, how: Numerics, notes: Mapping
) -> Recursion:
    """Return the recursion of a population of a kind of NIR node.

    Arithmetic is that of the types of the values: a graph in single precision gives the
    factors that its framework computes from it.
    """
    spikes = kind in ("IF", "LIF", "CubaLIF", "Threshold")
    if kind in ("I", "IF"):
        gain, b = _near_one(values["r"], how), np.ones_like(values["r"])
        recursion = Recursion(spikes, b, gain)
    elif kind == "Threshold":
        return Recursion(
            True, np.zeros_like(values["threshold"]), threshold=values["threshold"]
        )
    elif kind in ("LI", "LIF"):
        recursion = _leaky(spikes, values, dt, how)
    else:
        recursion = _with_synapse(spikes, values, dt, how)
    if how.starts_at_leak and "v_leak" in values:
        recursion = replace(recursion, voltage=values["v_leak"])
    if not spikes:
        return recursion
    threshold = values["v_threshold"]
    lowest = -threshold if how.floor and kind == "IF" else -np.inf
    recursion = replace(
        recursion, threshold=threshold, v_reset=values["v_reset"], min_voltage=lowest
    )
    for key in ("voltage", "current"):
        if f"initial_{key}" in notes:
            recursion = replace(recursion, **{key: notes[f"initial_{key}"]})
    return _in_units_of_input(recursion) if how.in_units_of_input else recursion


def _leaky(spikes, values, dt, how):
    b, moved = _decay(values["tau"], dt, how)
    gain = _near_one(values["r"] * dt / values["tau"], how) if how.scaled else 1.0
    return Recursion(spikes, b, gain, leak=moved * values["v_leak"])


def _with_synapse(spikes, values, dt, how):
    a, _ = _decay(values["tau_syn"], dt, how)
    b, moved = _decay(values["tau_mem"], dt, how)
    into_current = into_voltage = 1.0
    if how.scaled:
        into_current = _near_one(values["w_in"] * dt / values["tau_syn"], how)
        into_voltage = _near_one(values["r"] * dt / values["tau_mem"], how)
    v_leak = values["v_leak"]
    # the current is stored as what it adds to the voltage
    recursion = Recursion(
        spikes, b, into_current * into_voltage, a, leak=moved * v_leak
    )
    if how.leaks_into_current:
        current = into_voltage * v_leak
        recursion = replace(recursion, current_leak=current * (1 - a), current=current)
    return recursion


def _decay(tau, dt, how):
    """Return what is left after a step, and what has gone."""
    if how.discretization == "exact":
        left = np.exp(-dt / tau)
        return left, 1 - left
    return np.maximum(1 - dt / tau, 0), dt / tau


def _near_one(factor, how):
    """Return a factor, without the rounding of those that are meant to be 1."""
    # snnTorch takes what is as close as this for 1
    tolerance = 1e-5 if how.in_units_of_input else 8 * np.finfo(factor.dtype).eps
    return np.where(np.abs(factor - 1) <= tolerance, np.ones_like(factor), factor)


def _in_units_of_input(recursion: Recursion) -> Recursion:
    """Return the same neurons with other voltages: their unit is that of inputs."""
    gain = np.asarray(recursion.gain)
    if np.all(gain == 1) or np.any(gain <= 0):
        return recursion
    names = ["leak", "current_leak", "threshold", "v_reset", "min_voltage"]
    names += ["voltage", "current"]
    divided = {name: getattr(recursion, name) / gain for name in names}
    return replace(recursion, gain=1.0, **divided)
