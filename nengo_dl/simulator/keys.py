"""Dicts that users key by objects of their network, or by the objects' names."""

from collections.abc import Mapping
from typing import Any

from nengo import Node
from nengo.exceptions import ValidationError

from nengo_dl.names import listing, suggestion


def by_object(
    data: Mapping[Any, Any], names: Mapping[Any, str], kind: str, argument: str
) -> dict[Any, Any]:
    """Turn the keys of a dict into objects.

    Parameters
    ----------
    data : mapping
        Keyed by objects or names.
    names : mapping of object to str
        All objects that can be keys, with their names.
    kind : str
        What the objects are, for messages: "input node" or "probe".
    argument : str
        What the dict is; messages start with it.

    Returns
    -------
    found : dict
        Maps objects to the values, in the order of `data`.

    Raises
    ------
    ValidationError
        If a key is none of the objects, or an object has two values.
    """
    objects = {name: obj for obj, name in names.items()}
    found = {}
    for key, value in data.items():
        obj = objects.get(key) if isinstance(key, str) else key
        if obj is None or obj not in names:
            raise _unknown_key(key, names, kind, argument)
        if obj in found:
            raise ValidationError(
                f"must be given once for each {kind} (got both the {kind} and its name "
                f"'{names[obj]}' as keys). Remove one of the two.",
                attr=argument,
            )
        found[obj] = value
    return found


def with_names(value: Any, names: Mapping[Any, str], argument: str) -> Any:
    """Turn the keys of a dict into names of probes; return anything else as it is.

    Parameters
    ----------
    value : object
        E.g. an argument of ``compile``.
    names : mapping of Probe to str
        All probes, with their names.
    argument : str
        What it is; messages start with it.

    Raises
    ------
    ValidationError
        If a key is no probe and no name of one.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           probe = nengo.Probe(nengo.Node([0]), label="out")
       print(with_names({probe: "mse"}, {probe: "out"}, "loss"))

    .. testoutput::

       {'out': 'mse'}
    """
    if not isinstance(value, Mapping):
        return value
    found = by_object(value, names, "probe", argument)
    return {names[probe]: item for probe, item in found.items()}


def _unknown_key(
    key: Any, names: Mapping[Any, str], kind: str, argument: str
) -> ValidationError:
    """Say what is wrong with a key, and what the right ones are."""
    known = f"The {kind}s of this network are {listing(names.values())}."
    if isinstance(key, str):
        got, hint = repr(key), suggestion(key, names.values())
    elif isinstance(key, Node) and key.size_in > 0:
        got = f"{key}, which has size_in={key.size_in}"
        hint = " The output of a node with inputs is always computed."
    else:
        got, hint = f"{key} of type {type(key).__name__}", ""
    return ValidationError(
        f"keys must be {kind}s of this network, or their names (got {got}).{hint} "
        f"{known}",
        attr=argument,
    )
