"""Whole networks, put on hardware and taken off it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import nengo
from nengo.exceptions import ValidationError

from nengo_dl.chips.weights import Hardware, Weights
from nengo_dl.config import enable_setting
from nengo_dl.names import listing, suggestion
from nengo_dl.settings import SPECS

NAME = "hardware"
Key: TypeAlias = nengo.Ensemble | nengo.Connection | str
Model: TypeAlias = Hardware | Weights | None


def convert(
    net: nengo.Network,
    model: Hardware | Weights,
    override: Mapping[Key, Model] | None = None,
    exclude: Iterable[Key] = (),
    inplace: bool = False,
) -> nengo.Network:
    """Put the weights and encoders of a network on hardware.

    What is set for the network and its parts before is replaced. Biases, connections
    with a single weight, and the connections of a `.Converter` that pool, copy or scale
    stay digital.

    Parameters
    ----------
    net : Network
        The network.
    model : `Hardware` or `Weights`
        The hardware.
    override : mapping, optional
        Other hardware for ensembles and connections, by the object or by its label;
        None leaves one digital. A label stands for all objects that have it.
    exclude : iterable
        More objects or labels, of what stays digital.
    inplace : bool
        Whether to change this network, and not a copy.

    Returns
    -------
    net : Network
        The network on hardware.

    Raises
    ------
    ValidationError
        If a model is of another type, or if objects or labels are not in the network.
        Nothing has been changed then.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import Weights, convert

       with nengo.Network(seed=0) as net:
           ens = nengo.Ensemble(20, 1, label="ens")
           conn = nengo.Connection(ens, ens, synapse=0.1, label="memory")
       chip = convert(net, Weights(bits=8), override={"memory": Weights(bits=4)})
       nengo_dl.Simulator(chip, progress_bar=False).close()
    """
    chosen = {**(override or {}), **dict.fromkeys(exclude)}
    for attr, value in (("model", model), *(("override", m) for m in chosen.values())):
        spec = SPECS[NAME]
        if not spec.is_valid(value) or (value is None and attr == "model"):
            raise ValidationError(
                f"must be {spec.expected} (got {value!r}). {spec.advice}",
                attr=f"convert.{attr}",
            )
    places = _places(net, chosen)
    if not inplace:
        net = net.copy(add_to_container=False)
    remove(net, inplace=True)
    enable_setting(net, NAME)
    for cls in SPECS[NAME].classes:
        setattr(net.config[cls], NAME, model)
    owners = list(_owners(net))
    for place, value in places.items():
        owner, obj = owners[place]
        enable_setting(owner, NAME)
        setattr(owner.config[obj], NAME, value)
    return net


def remove(net: nengo.Network, inplace: bool = False) -> nengo.Network:
    """Take a network off hardware: undo `convert`, and the setting ``hardware``.

    Parameters
    ----------
    net : Network
        The network.
    inplace : bool
        Whether to change this network, and not a copy.

    Returns
    -------
    net : Network
        The network, of whose parts all are digital.

    Examples
    --------
    .. testcode::

       from nengo_dl import hardware

       with nengo.Network(seed=0) as net:
           nengo_dl.configure_settings(hardware=hardware.Weights(bits=4))
           nengo.Ensemble(10, 1)
       digital = hardware.remove(net)
    """
    if not inplace:
        net = net.copy(add_to_container=False)
    for network in (net, *net.all_networks):
        config = network.config
        for cls in SPECS[NAME].classes:
            if cls in config.params and NAME in config[cls].extra_params:
                setattr(config[cls], NAME, None)
                for obj in (o for o in network.all_objects if isinstance(o, cls)):
                    if NAME in config.params.get(obj, ()):
                        delattr(config[obj], NAME)
    return net


def _owners(net: nengo.Network) -> Iterator[tuple[nengo.Network, Any]]:
    """Yield what can be on hardware, with the network that each belongs to."""
    for network in (net, *net.all_networks):
        for obj in (*network.ensembles, *network.connections):
            yield network, obj


def _places(net: nengo.Network, chosen: Mapping[Key, Model]) -> dict[int, Model]:
    """Return what is chosen for objects, by their places among all of them."""
    objects = [obj for _, obj in _owners(net)]
    found: dict[int, Model] = {}
    unknown = []
    for key, value in chosen.items():
        is_label = isinstance(key, str)
        places = [
            place
            for place, obj in enumerate(objects)
            if (obj.label == key if is_label else obj is key)
        ]
        if not places:
            unknown.append(key)
        found.update(dict.fromkeys(places, value))
    if unknown:
        labels = [obj.label for obj in objects if obj.label]
        hints = (suggestion(key, labels) for key in unknown if isinstance(key, str))
        raise ValidationError(
            "expected ensembles and connections of the network, or their labels (got "
            f"{listing(map(str, unknown))}).{''.join(hints)} Its labels are "
            f"{listing(dict.fromkeys(labels))}.",
            attr="convert.override",
        )
    return found
