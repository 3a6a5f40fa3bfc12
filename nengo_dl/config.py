"""Settings of a network for this backend, stored in Nengo's own config system.

`configure_settings` checks values and stores them on the network; `Settings.read` takes
all network-wide ones at once, `object_settings` all values of a per-object one. A value
that was never set is not stored: the defaults are the fields of `Settings`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.config import ClassParams, Config
from nengo.ensemble import Neurons
from nengo.exceptions import (
    BuildError,
    ConfigError,
    NetworkContextError,
    ValidationError,
)
from nengo.params import Parameter

from nengo_dl import surrogates
from nengo_dl.names import listing, suggestion

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from nengo_dl.setting_types import SettingTypes

__all__ = [
    "Settings",
    "configure_settings",
    "enable_setting",
    "get_setting",
    "object_settings",
]


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

    planner: Callable | None = None
    sorter: Callable | None = None
    simplifications: tuple[Callable, ...] | None = None
    inference_only: bool = False
    lif_smoothing: float | None = None
    dtype: str = "float32"
    stateful: bool = True
    use_loop: bool = True
    learning_phase: bool | None = None
    jit_compile: bool | str = "auto"
    training_mode: str = "rate"
    surrogate: surrogates.Surrogate = surrogates.DEFAULT

    @classmethod
    def read(cls, network: nengo.Network | None) -> "Settings":
        """Read the settings of a top-level network; None gives the defaults."""
        if network is None:
            return cls()
        params = _class_params(network.config, nengo.Network)
        stored = () if params is None else params.extra_params
        names = [field.name for field in fields(cls) if field.name in stored]
        return cls(**{name: getattr(params, name) for name in names})

    def check(self) -> "Settings":
        """Return the settings, or raise BuildError if they contradict each other."""
        if self.learning_phase and self.inference_only:
            raise BuildError(
                "configure_settings: learning_phase=True needs the training machinery "
                "that inference_only leaves out (got inference_only=True). Set "
                "inference_only=False or learning_phase=None."
            )
        return self


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_optional_flag(value: Any) -> bool:
    return value is None or _is_flag(value)


def _is_smoothing(value: Any) -> bool:
    return value is None or (
        isinstance(value, Real) and not _is_flag(value) and 0 < value < np.inf
    )


def _is_list_of_passes(value: Any) -> bool:
    return value is None or (
        isinstance(value, tuple | list) and all(map(callable, value))
    )


@dataclass(frozen=True)
class _Spec:
    """What a setting accepts, and whose attribute it is in Nengo's config.

    ``stored`` is the function from an accepted value to the one to keep.
    """

    is_valid: Callable[[Any], bool]
    expected: str
    advice: str
    classes: tuple[type, ...] = (nengo.Network,)
    stored: Callable[[Any], Any] = lambda value: value


_FLAG = _Spec(_is_flag, "True or False", "Leave it out to keep the default.")
_STAGE = _Spec(
    lambda value: value is None or callable(value),
    "a function or None",
    "None chooses the default.",
)
_SPECS = {
    "trainable": _Spec(
        _is_optional_flag,
        "True, False or None",
        "None chooses by the default rule.",
        (nengo.Ensemble, Neurons, nengo.Connection),
    ),
    "keep_history": _Spec(
        _is_flag, "True or False", "False keeps the last step alone.", (nengo.Probe,)
    ),
    "planner": _STAGE,
    "sorter": _STAGE,
    "simplifications": _Spec(
        _is_list_of_passes,
        "a list of functions or None",
        "Put a single function in a list; [] runs none, None the default ones.",
        stored=lambda value: None if value is None else tuple(value),
    ),
    "inference_only": _FLAG,
    "lif_smoothing": _Spec(
        _is_smoothing,
        "a positive, finite number or None",
        "Small values, e.g. 0.1, are close to LIFRate; None turns smoothing off.",
    ),
    "dtype": _Spec(
        lambda value: isinstance(value, str) and value in ("float32", "float64"),
        "'float32' or 'float64'",
        "Pass the name of the type as a string.",
    ),
    "stateful": _FLAG,
    "use_loop": _FLAG,
    "learning_phase": _Spec(
        _is_optional_flag, "True, False or None", "None follows the method called."
    ),
    "jit_compile": _Spec(
        lambda value: _is_flag(value) or (isinstance(value, str) and value == "auto"),
        "True, False or 'auto'",
        "'auto' compiles where it pays.",
    ),
    "training_mode": _Spec(
        lambda value: isinstance(value, str) and value in ("rate", "spiking"),
        "'rate' or 'spiking'",
        "'rate' trains with firing rates, 'spiking' with surrogate gradients.",
    ),
    "surrogate": _Spec(
        surrogates.is_surrogate,
        f"one of {listing(surrogates.NAMED)}, or a function of the distance from the "
        "threshold",
        "Make an instance of a class first, e.g. nengo_dl.surrogates.FastSigmoid().",
        stored=surrogates.by_name,
    ),
}


class SettingParam(Parameter):
    """A setting in a Nengo config, checked whenever it is set.

    Parameters
    ----------
    name : str
        One of the names that `configure_settings` accepts.
    default : object
        Value of an object or class that has none of its own.
    """

    def __init__(self, name, default):
        super().__init__(name, default, optional=True, readonly=False)

    def coerce(self, instance, value):
        """Check and normalise a value."""
        return _checked(self.name, super().coerce(instance, value))


def configure_settings(**settings: "Unpack[SettingTypes]") -> None:
    """Change settings of the network in whose context this is called.

    Every call changes what it names and nothing else. All settings belong to the
    top-level network, except ``trainable``, which belongs to the innermost one.

    Parameters
    ----------
    **settings
        Network-wide settings, which are the fields of `Settings`, and two that objects
        can have each for themselves:

        ``trainable`` : bool or None
            Adds an attribute ``trainable`` to the configuration of ensembles, neurons
            and connections in this network, and sets it for all of them. Afterwards
            ``net.config[nengo.Connection].trainable`` sets it for a class, and
            ``net.config[conn].trainable`` for one object. None leaves the choice to the
            default rule.
        ``keep_history`` : bool
            Adds an attribute ``keep_history`` to the configuration of probes, and sets
            it for all of them. ``net.config[probe].keep_history = False`` makes a probe
            keep the last step alone.

    Raises
    ------
    ConfigError
        If a name is not the name of a setting.
    NetworkContextError
        If no network is active.
    ValidationError
        If a value is not one that the setting accepts. Nothing is changed then.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           nengo_dl.configure_settings(dtype="float64", trainable=None)
           ens = nengo.Ensemble(10, 1)
       net.config[ens].trainable = False
       print(nengo_dl.config.get_setting(net, "dtype"))

    .. testoutput::

       float64
    """
    for name in settings:
        _known(name, "configure_settings")
    if len(nengo.Network.context) == 0:
        raise NetworkContextError(
            "configure_settings: must be called inside a network (got no active "
            "network). Call it in a 'with network:' block."
        )
    values = {name: _checked(name, value) for name, value in settings.items()}
    for name, value in values.items():
        network = nengo.Network.context[-1 if name == "trainable" else 0]
        enable_setting(network, name)
        for cls in _SPECS[name].classes:
            _set_for_all(network.config, cls, name, value)


def _set_for_all(config: Config, cls: type, name: str, value: Any) -> None:
    """Set a setting for a class; neurons go on following their ensembles' value."""
    if cls is not Neurons:
        setattr(config[cls], name, value)
        return
    param = config[cls].get_param(name)
    param.default = value
    if config[cls] in param:
        param.del_default(config[cls])


def enable_setting(network: nengo.Network, name: str) -> None:
    """Add a setting's attribute to a network's config, without giving it a value.

    Parameters
    ----------
    network : Network
        The network whose config gets the attribute; nothing happens if it has it.
    name : str
        A name that `configure_settings` accepts.
    """
    default = {field.name: field.default for field in fields(Settings)}
    default["keep_history"] = True
    for cls in _known(name, "enable_setting").classes:
        if cls not in network.config.params:
            network.config.configures(cls)
        params = network.config[cls]
        if name not in params.extra_params:
            params.set_param(name, SettingParam(name, default.get(name)))


def get_setting(
    model_or_net: nengo.Network | Model, name: str, default: Any = None, obj: Any = None
) -> Any:
    """Read one setting.

    Parameters
    ----------
    model_or_net : Network or `nengo.builder.Model`
        The top-level network, or the model it was built into.
    name : str
        A name that `configure_settings` accepts.
    default : object, optional
        What to return if the setting has not been set.
    obj : object, optional
        For ``trainable`` and ``keep_history``: whose value to read (of many objects,
        `object_settings` is faster). Without it, the network's value for the class.

    Returns
    -------
    value : object

    Raises
    ------
    ConfigError
        If there is no such setting.
    """
    classes = _known(name, "get_setting").classes
    network = model_or_net
    if isinstance(model_or_net, Model):
        network = model_or_net.toplevel
    if network is None:
        return default
    if obj is not None and classes != (nengo.Network,):
        return object_settings(network, name).get(obj, default)
    for cls in classes:
        params = _class_params(network.config, cls, name)
        if params is not None:
            return getattr(params, name)
    return default


def object_settings(network: nengo.Network, name: str) -> dict[Any, Any]:
    """Read a per-object setting of all objects of a network.

    Inner networks go before outer ones, and in each network an object's own value goes
    before its class's. The biases of an ensemble (``ens.neurons``) take the ensemble's
    value where the neurons have none. A class set to None says nothing; an object set
    to None asks for the default, whatever its class or an outer network says.

    Parameters
    ----------
    network : Network
        The top-level network.
    name : str
        "trainable" or "keep_history".

    Returns
    -------
    values : dict
        Maps objects (for "trainable": Ensemble, Neurons, Connection) to their values.
        Objects for which nothing is set are missing.
    """
    return dict(_walk(network, (), name))


def _walk(
    network: nengo.Network, outer: tuple[Config, ...], name: str
) -> Iterator[tuple[Any, Any]]:
    """Yield (object, value) for a network and its subnetworks."""
    classes = _SPECS[name].classes
    has_setting = any(_class_params(network.config, cls, name) for cls in classes)
    configs = (network.config, *outer) if has_setting else outer
    if configs:
        for obj in _objects(network, classes):
            value = _first_value(configs, name, obj)
            if value is not None:
                yield obj, value
    for subnetwork in network.networks:
        yield from _walk(subnetwork, configs, name)


def _objects(network: nengo.Network, classes: Iterable[type]) -> Iterator[Any]:
    """Yield the objects of some classes that belong directly to a network."""
    for cls in classes:
        if cls is Neurons:
            yield from (ensemble.neurons for ensemble in network.ensembles)
        else:
            yield from network.objects[cls]


def _first_value(configs: Iterable[Config], name: str, obj: Any) -> Any:
    """Return the value from the first config that says something, or None."""
    holders = (obj, obj.ensemble) if isinstance(obj, Neurons) else (obj,)
    for config in configs:
        params = [_class_params(config, type(holder), name) for holder in holders]
        for holder, class_params in zip(holders, params, strict=True):
            own = config.params.get(holder)
            if class_params is not None and own is not None and name in own:
                return getattr(own, name)
        for class_params in params:
            param = None if class_params is None else class_params.get_param(name)
            if param is not None and class_params in param:
                value = param.get_default(class_params)
                if value is not None:
                    return value
    return None


def _class_params(
    config: Config, cls: type, name: str | None = None
) -> ClassParams | None:
    """Return a config's params for a class if it has any (and the setting `name`)."""
    for base in cls.__mro__:
        params = config.params.get(base)
        if params is not None and (name is None or name in params.extra_params):
            return params
    return None


def _known(name: str, where: str) -> _Spec:
    """Return what is known of a setting; raise ConfigError for a wrong name."""
    if name not in _SPECS:
        raise ConfigError(
            f"{where}: must name a setting of {listing(_SPECS)} (got {name!r})."
            f"{suggestion(str(name), _SPECS) or ' Correct the name.'}"
        )
    return _SPECS[name]


def _checked(name: str, value: Any) -> Any:
    """Return a setting's value in its stored form, or raise ValidationError."""
    spec = _SPECS[name]
    plain = value.item() if isinstance(value, np.generic) else value
    if not spec.is_valid(plain):
        raise ValidationError(
            f"setting must be {spec.expected} (got {value!r}). {spec.advice}", attr=name
        )
    return spec.stored(plain)
