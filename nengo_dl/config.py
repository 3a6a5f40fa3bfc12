"""Settings of a network for this backend, stored in Nengo's own config system.

`configure_settings` checks values and stores them on the network; `Settings.read` takes
all network-wide ones at once, `object_settings` all values of a per-object one. A value
that was never set is not stored: `nengo_dl.settings` has the defaults.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.config import ClassParams, Config
from nengo.ensemble import Neurons
from nengo.exceptions import ConfigError, NetworkContextError, ValidationError
from nengo.params import Parameter

from nengo_dl.names import listing, suggestion
from nengo_dl.settings import SPECS, Settings, Spec

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from nengo_dl.settings import SettingTypes

__all__ = [
    "Settings",
    "configure_settings",
    "enable_setting",
    "get_setting",
    "object_settings",
]


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
    top-level network, except ``trainable`` and ``hardware``, which belong to the
    innermost one.

    Parameters
    ----------
    **settings
        Network-wide settings, which are the fields of `Settings`, and three that
        objects can have each for themselves:

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
        ``hardware`` : `.Hardware` or `.Weights` or None
            Adds an attribute ``hardware`` to the configuration of ensembles and
            connections in this network, and sets it for all of them: the model of
            hardware that holds their encoders or weights. Biases, and connections with
            a single weight, stay digital, and so does what is set to None.

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
        network = nengo.Network.context[-1 if SPECS[name].is_inner else 0]
        enable_setting(network, name)
        for cls in SPECS[name].classes:
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
    spec = _known(name, "enable_setting")
    for cls in spec.classes:
        if cls not in network.config.params:
            network.config.configures(cls)
        params = network.config[cls]
        if name not in params.extra_params:
            params.set_param(name, SettingParam(name, spec.default))


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
        For settings that objects have: whose value to read (of many objects,
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
        "trainable", "keep_history" or "hardware".

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
    classes = SPECS[name].classes
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


def _known(name: str, where: str) -> Spec:
    """Return what is known of a setting; raise ConfigError for a wrong name."""
    if name not in SPECS:
        raise ConfigError(
            f"{where}: must name a setting of {listing(SPECS)} (got {name!r})."
            f"{suggestion(str(name), SPECS) or ' Correct the name.'}"
        )
    return SPECS[name]


def _checked(name: str, value: Any) -> Any:
    """Return a setting's value in its stored form, or raise ValidationError."""
    spec = SPECS[name]
    plain = value.item() if isinstance(value, np.generic) else value
    if not spec.is_valid(plain):
        raise ValidationError(
            f"setting must be {spec.expected} (got {value!r}). {spec.advice}", attr=name
        )
    return spec.stored(plain)
