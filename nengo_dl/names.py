"""From labels to the string keys of a network's inputs and outputs.

Input nodes and probes share one set of names, so that every name means one object. A
name depends on the labels and the order of the objects alone.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from nengo import Node, Probe

_TO_UNDERSCORE = re.compile("[ :]")
_ILLEGAL = re.compile("[^A-Za-z0-9_./-]")


def unique_names(nodes: Iterable[Node], probes: Iterable[Probe]) -> dict[Any, str]:
    """Name input nodes (in the order of ``Network.all_nodes``), then probes.

    A name is the object's label, with spaces and colons turned into underscores and
    other characters than letters, digits and ``_ . - /`` dropped. Without a label (or
    when nothing of it is left) it is the lower-cased name of the object's class. Names
    that differ in capitals alone count as equal: the second gets the suffix ``_1``, the
    third ``_2`` and so on.

    Examples
    --------
    .. testcode::

       with nengo.Network():
           nodes = [nengo.Node([0], label=label) for label in ("a b", None, "A b")]
           probe = nengo.Probe(nodes[0])
       print(list(unique_names(nodes, [probe]).values()))

    .. testoutput::

       ['a_b', 'node', 'A_b_1', 'probe']
    """
    names: dict[Any, str] = {}
    uses: dict[str, int] = {}
    taken: set[str] = set()
    for obj in (*nodes, *probes):
        stem = legal_name(obj.label) or type(obj).__name__.lower()
        count = uses.get(stem.lower(), 0)
        name = f"{stem}_{count}" if count else stem
        while name.lower() in taken:
            count += 1
            name = f"{stem}_{count}"
        uses[stem.lower()] = count + 1
        taken.add(name.lower())
        names[obj] = name
    return names


def legal_name(label: str | None) -> str:
    """Return a label without illegal characters; "" for None."""
    return _ILLEGAL.sub("", _TO_UNDERSCORE.sub("_", label or ""))


def unused_name(name: str, taken: Iterable[str]) -> str:
    """Return a name, with underscores where it is taken by something else."""
    while name in taken:
        name += "_"
    return name


def listing(known: Iterable[str] | Mapping[str, Any]) -> str:
    """Write names for an error message: ``'a', 'b'``, or ``none``."""
    return ", ".join(repr(name) for name in known) or "none"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name nearest to `name`, or ""."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), lowered, n=1)
    return f" Did you mean '{lowered[close[0]]}'?" if close else ""
