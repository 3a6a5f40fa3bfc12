"""Values for named inputs and outputs, from all forms in which users write them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nengo.exceptions import ValidationError

from nengo_dl.names import listing, suggestion


def per_output(value: Any, names: Sequence[str], argument: str) -> dict[str, Any]:
    """Give one thing, a list of them or a dict of them to outputs.

    Parameters
    ----------
    value : object
        A list has one element per output; a dict is keyed by names; anything else goes
        to every output. None stands for nothing.
    names : sequence of str
        Names of all outputs, in order.
    argument : str
        What it is, for messages.

    Returns
    -------
    found : dict of str
        In the order of the outputs, without those that have nothing.

    Raises
    ------
    ValidationError
        If a name is unknown, or a list has another length.
    """
    if isinstance(value, Mapping):
        check_names(value, names, argument)
        found = value
    elif isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ValidationError(
                f"expected one element for each of the {len(names)} outputs "
                f"({listing(names)}), got {len(value)}. Put None where there is none, "
                "or pass a dict from names.",
                attr=argument,
            )
        found = dict(zip(names, value, strict=True))
    else:
        found = dict.fromkeys(names, value)
    return {name: found[name] for name in names if found.get(name) is not None}


def lists_per_output(
    value: Any,
    names: Sequence[str],
    argument: str,
    meant: Sequence[str] | None = None,
) -> dict[str, list[Any]]:
    """Give lists to outputs, see `per_output`; a single object becomes a list of one.

    A list whose elements are no lists is for every output (or for those in `meant`),
    unless it has one element for each of several.
    """
    meant = names if meant is None else meant
    if isinstance(value, list | tuple):
        nested = any(item is None or isinstance(item, list | tuple) for item in value)
        if not (nested or 1 < len(names) == len(value)):
            value = dict.fromkeys(meant, value)
    elif value is not None and not isinstance(value, Mapping):
        value = dict.fromkeys(meant, value)
    return {
        name: list(found) if isinstance(found, list | tuple) else [found]
        for name, found in per_output(value, names, argument).items()
    }


def check_names(found: Iterable[str], names: Iterable[str], argument: str) -> None:
    """Raise ValidationError for the first key that is no known name."""
    known = tuple(names)
    for name in found:
        if name not in known:
            hint = suggestion(name, known) if isinstance(name, str) else ""
            raise ValidationError(
                f"expected names among {listing(known)} (got {name!r}).{hint}",
                attr=argument,
            )


def by_name(data: Any, names: Sequence[str], argument: str) -> dict[str, Any]:
    """Give data to names: as a dict says, or in order.

    Parameters
    ----------
    data : object
        A dict by name, a list or tuple whose first elements are for the first names, or
        what is for the first name. None stands for nothing.
    names : sequence of str
        All names, in order.
    argument : str
        What it is, for messages.

    Returns
    -------
    given : dict of str
        Without names that nothing was given for.

    Raises
    ------
    ValidationError
        If a name is unknown, or there are more elements than names.
    """
    if data is None:
        return {}
    if isinstance(data, Mapping):
        check_names(data, names, argument)
        return {name: value for name, value in data.items() if value is not None}
    values = data if isinstance(data, list | tuple) else (data,)
    if len(values) > len(names):
        raise ValidationError(
            f"expected at most {len(names)} elements ({listing(names)}), got "
            f"{len(values)}. Pass a dict to choose by name.",
            attr=argument,
        )
    return dict(zip(names, values, strict=False))


def check_present(
    given: Mapping[str, Any], needed: Iterable[str], argument: str
) -> None:
    """Raise ValidationError if any name that is needed has no data."""
    missing = [name for name in needed if name not in given]
    if missing:
        raise ValidationError(
            f"expected an array for each of {listing(needed)} (got none for "
            f"{listing(missing)}). Add what is missing.",
            attr=argument,
        )
