"""The settings of a network: their types, checks and defaults.

`Settings` has those that a network has once, `_ObjectSettings` those that objects have
each for themselves. How they are stored is the matter of `nengo_dl.config`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, Literal, TypeAlias, TypedDict

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError

from nengo_dl import surrogates
from nengo_dl.chips.weights import Hardware, Weights
from nengo_dl.names import listing

# Tells whether a value is accepted, and what is, in words
Kind: TypeAlias = tuple[Callable[[Any], bool], str]


@dataclass(frozen=True)
class Spec:
    """A setting: its default, what it accepts, and whose attribute it is.

    ``stored`` is the function from an accepted value to the one to keep; ``is_inner``
    says whether a setting belongs to the network that it is set in, and not to the
    top-level one.
    """

    default: Any
    is_valid: Callable[[Any], bool]
    expected: str
    advice: str
    classes: tuple[type, ...] = (nengo.Network,)
    stored: Callable[[Any], Any] = lambda value: value
    is_inner: bool = False


def _setting(default: Any, kind: Kind, advice: str, **more: Any) -> Any:
    """Make a field with a `Spec`, whose kind is ``(is_valid, expected)``."""
    spec = Spec(default, *kind, advice, **more)
    return field(default=default, metadata={"spec": spec})


def _one_of(*values: Any) -> Kind:
    *first, last = map(repr, values)
    return (
        lambda value: any(isinstance(value, type(v)) and value == v for v in values),
        f"{', '.join(first)} or {last}",
    )


def _is_smoothing(value: Any) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return value is None or (is_number and 0 < float(value) < np.inf)


def _is_list_of_passes(value: Any) -> bool:
    return value is None or (
        isinstance(value, tuple | list) and all(map(callable, value))
    )


_FLAG = _one_of(True, False)
_OPTIONAL_FLAG = _one_of(True, False, None)
_STAGE = (lambda value: value is None or callable(value), "a function or None")
_KEEP = "Leave it out to keep the default."


@dataclass(frozen=True)
class Settings:
    """All network-wide settings of one network.

    Parameters
    ----------
    planner : callable or None
        ``Program -> groups``; None for the package's own.
    sorter : callable or None
        ``groups -> Layout``; None for the package's own.
    simplifications : tuple of callables or None
        ``Program -> Program`` passes, run in turn until nothing changes; None for the
        package's own, an empty tuple for no pass.
    inference_only : bool
        Leave out what only training needs.
    lif_smoothing : float or None
        Smoothing of the LIF rate curve (sigma) in training; None for the hard curve.
    dtype : str
        "float32" or "float64": precision of the build and the simulation.
    stateful : bool
        Keep the simulation state between calls.
    use_loop : bool
        False: exactly ``unroll_simulation`` steps per call, without a loop.
    learning_phase : bool or None
        True or False makes all calls behave as in training or inference.
    jit_compile : bool or "auto"
        Whether XLA compiles the simulation; "auto" where it is possible and pays.
    training_mode : "rate" or "spiking"
        What spiking neurons compute in training. "rate": their firing rate, which is
        differentiable, while voltages stand still. "spiking": the spikes that they
        compute otherwise, with the surrogate for their derivative, through time.
    surrogate : callable or `.RateDerivative`
        In place of the derivative of spikes: a function of the distance from the
        threshold. One of `nengo_dl.surrogates`, or its name: "fast_sigmoid", "arctan",
        "triangular", "rate".
    """

    planner: Callable | None = _setting(None, _STAGE, "None chooses the default.")
    sorter: Callable | None = _setting(None, _STAGE, "None chooses the default.")
    simplifications: tuple[Callable, ...] | None = _setting(
        None,
        (_is_list_of_passes, "a list of functions or None"),
        "Put a single function in a list; [] runs none, None the default ones.",
        stored=lambda value: None if value is None else tuple(value),
    )
    inference_only: bool = _setting(False, _FLAG, _KEEP)
    lif_smoothing: float | None = _setting(
        None,
        (_is_smoothing, "a positive, finite number or None"),
        "Small values, e.g. 0.1, are close to LIFRate; None turns smoothing off.",
    )
    dtype: str = _setting(
        "float32",
        _one_of("float32", "float64"),
        "Pass the name of the type as a string.",
    )
    stateful: bool = _setting(True, _FLAG, _KEEP)
    use_loop: bool = _setting(True, _FLAG, _KEEP)
    learning_phase: bool | None = _setting(
        None, _OPTIONAL_FLAG, "None follows the method called."
    )
    jit_compile: bool | str = _setting(
        "auto", _one_of(True, False, "auto"), "'auto' compiles where it pays."
    )
    training_mode: str = _setting(
        "rate",
        _one_of("rate", "spiking"),
        "'rate' trains with firing rates, 'spiking' with surrogate gradients.",
    )
    surrogate: surrogates.Surrogate = _setting(
        surrogates.DEFAULT,
        (
            surrogates.is_surrogate,
            f"one of {listing(surrogates.NAMED)}, or a function of the distance from "
            "the threshold",
        ),
        "Make an instance of a class first, e.g. nengo_dl.surrogates.FastSigmoid().",
        stored=surrogates.by_name,
    )

    @classmethod
    def read(cls, network: nengo.Network | None) -> "Settings":
        """Read the settings of a top-level network; None gives the defaults."""
        if network is None:
            return cls()
        params = network.config.params.get(nengo.Network)
        stored = () if params is None else params.extra_params
        names = [field.name for field in fields(cls) if field.name in stored]
        return cls(**{name: getattr(params, name) for name in names})

    def is_training(self, training: bool | None) -> bool:
        """Tell whether neurons and layers behave as in training, in some call."""
        if self.learning_phase is not None:
            return self.learning_phase
        return bool(training) and not self.inference_only

    def check(self) -> "Settings":
        """Return the settings, or raise BuildError if they contradict each other."""
        if self.learning_phase and self.inference_only:
            raise BuildError(
                "configure_settings: learning_phase=True needs the training machinery "
                "that inference_only leaves out (got inference_only=True). Set "
                "inference_only=False or learning_phase=None."
            )
        return self


@dataclass(frozen=True)
class _ObjectSettings:
    """The settings that objects can have each for themselves."""

    trainable: bool | None = _setting(
        None,
        _OPTIONAL_FLAG,
        "None chooses by the default rule.",
        classes=(nengo.Ensemble, Neurons, nengo.Connection),
        is_inner=True,
    )
    keep_history: bool = _setting(
        True, _FLAG, "False keeps the last step alone.", classes=(nengo.Probe,)
    )
    hardware: Hardware | None = _setting(
        None,
        (
            lambda value: isinstance(value, Hardware | Weights | None),
            "Hardware or None",
        ),
        "Pass e.g. Hardware(Weights(bits=8)); None keeps the weights digital.",
        classes=(nengo.Ensemble, nengo.Connection),
        stored=lambda value: Hardware(value) if isinstance(value, Weights) else value,
        is_inner=True,
    )


SPECS: dict[str, Spec] = {
    setting.name: setting.metadata["spec"]
    for cls in (_ObjectSettings, Settings)
    for setting in fields(cls)
}


class SettingTypes(TypedDict, total=False):
    """The types of what `configure_settings` takes, for editors and type checkers."""

    trainable: bool | None
    keep_history: bool
    hardware: Hardware | Weights | None
    planner: Callable | None
    sorter: Callable | None
    simplifications: tuple[Callable, ...] | list[Callable] | None
    inference_only: bool
    lif_smoothing: float | None
    dtype: Literal["float32", "float64"]
    stateful: bool
    use_loop: bool
    learning_phase: bool | None
    jit_compile: bool | Literal["auto"]
    training_mode: Literal["rate", "spiking"]
    surrogate: (
        surrogates.Surrogate | Literal["fast_sigmoid", "arctan", "triangular", "rate"]
    )
