"""Keys that users write for inputs and outputs: objects, names, or the order.

One resolver for data, targets, losses, metrics and weights, whichever form they have.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from nengo import Node

from nengo_dl.errors import InvalidValue
from nengo_dl.names import listing, suggestion

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True)
class Keys(Generic[K]):
    """Objects that users give values for.

    Parameters
    ----------
    names : mapping of object to str
        All objects in order, with their names. Names alone stand for themselves, see
        `of_names`.
    kind : str
        What the objects are, for messages, e.g. "probe"; empty for names alone.

    Raises
    ------
    InvalidValue
        By all methods, if a key is unknown, or if a list has a wrong length.

    Examples
    --------
    .. testcode::

       with nengo.Network():
           node = nengo.Node([0])
           probes = {nengo.Probe(node): "a", nengo.Probe(node): "b"}
       keys = Keys(probes, "probe")
       print(keys.with_names({"b": "mae", next(iter(probes)): "mse"}))
       print(keys.with_names(keys.for_each([None, "mse"])))

    .. testoutput::

       {'b': 'mae', 'a': 'mse'}
       {'b': 'mse'}
    """

    names: Mapping[K, str]
    kind: str = ""

    @classmethod
    def of_names(cls, names: Iterable[str]) -> "Keys[str]":
        """Return keys that are names, and nothing but names."""
        return Keys({name: name for name in names})

    def __str__(self) -> str:
        return listing(self.names.values())

    def __len__(self) -> int:
        return len(self.names)

    def find(self, key: Any) -> K | None:
        """Return the object that a key stands for; None if there is no such object."""
        if isinstance(key, str):
            return self._objects.get(key)
        try:
            return key if key in self.names else None
        except TypeError:  # of an object without a hash
            return None

    def by_object(self, given: Mapping[Any, V]) -> dict[K, V]:
        """Return a dict with objects in place of all keys, in the same order."""
        found: dict[K, V] = {}
        for key, value in given.items():
            obj = self.find(key)
            if obj is None:
                raise self._unknown(key)
            if obj in found:
                raise InvalidValue(
                    f"must be given once for each {self.kind} (got both the "
                    f"{self.kind} and its name '{self.names[obj]}' as keys). Remove "
                    "one of the two."
                )
            found[obj] = value
        return found

    def with_names(self, value: Any) -> Any:
        """Return a dict with names in place of all keys; anything else as it is."""
        if not isinstance(value, Mapping):
            return value
        return {self.names[obj]: v for obj, v in self.by_object(value).items()}

    def for_each(self, value: Any) -> dict[K, Any]:
        """Return the values of all objects that have one.

        They come as a dict by object or name, a list with an element for each object,
        or one value for all of them. None stands for nothing.
        """
        found: Mapping[K, Any]
        if isinstance(value, Mapping):
            found = self.by_object(value)
        elif isinstance(value, list | tuple):
            if len(value) != len(self):
                raise InvalidValue(
                    f"expected one element for each of the {len(self)} outputs "
                    f"({self}), got {len(value)}. Put None where there is none, or "
                    "pass a dict from names."
                )
            found = dict(zip(self.names, value, strict=True))
        else:
            found = dict.fromkeys(self.names, value)
        return {obj: found[obj] for obj in self.names if found.get(obj) is not None}

    def lists_for_each(
        self, value: Any, meant: Sequence[K] | None = None
    ) -> dict[K, list[Any]]:
        """Return lists of values as `for_each` does; one value makes a list.

        A list without lists in it is for all objects (or those in `meant`), unless it
        has one element for each of several.
        """
        if isinstance(value, list | tuple):
            has_lists = any(v is None or isinstance(v, list | tuple) for v in value)
            is_common = not has_lists and not 1 < len(self) == len(value)
        else:
            is_common = value is not None and not isinstance(value, Mapping)
        if is_common:
            value = dict.fromkeys(self.names if meant is None else meant, value)
        return {
            obj: list(found) if isinstance(found, list | tuple) else [found]
            for obj, found in self.for_each(value).items()
        }

    def in_order(self, value: Any) -> dict[K, Any]:
        """Return values of the first objects, or of those that a dict names.

        They come as a dict by object or name, a list of at most as many elements as
        there are objects, or one value for the first. None stands for nothing.
        """
        if value is None:
            return {}
        if isinstance(value, Mapping):
            found = self.by_object(value)
        else:
            values = value if isinstance(value, list | tuple) else (value,)
            if len(values) > len(self):
                raise InvalidValue(
                    f"expected at most {len(self)} elements ({self}), got "
                    f"{len(values)}. Pass a dict to choose by name."
                )
            found = dict(zip(self.names, values, strict=False))
        return {obj: found[obj] for obj in found if found[obj] is not None}

    def choose(self, wanted: Any) -> tuple[K, ...]:
        """Return the objects in a list of objects or names."""
        if isinstance(wanted, str) or not isinstance(wanted, Iterable):
            raise InvalidValue(
                f"must be a list of names or objects (got {wanted!r}). Write "
                f"[{wanted!r}]."
            )
        chosen = []
        for key in wanted:
            obj = self.find(key)
            if obj is None:
                raise InvalidValue(
                    f"must be among {self}, by name or object (got {key!r})."
                    f"{self._hint(key)} Leave it out for the default."
                )
            chosen.append(obj)
        return tuple(chosen)

    @cached_property
    def _objects(self) -> dict[str, K]:
        return {name: obj for obj, name in self.names.items()}

    def _hint(self, key: Any) -> str:
        return suggestion(key, self.names.values()) if isinstance(key, str) else ""

    def _unknown(self, key: Any) -> InvalidValue:
        """Say what is wrong with a key, and what the right ones are."""
        hint = self._hint(key)
        if not self.kind:
            return InvalidValue(f"expected names among {self} (got {key!r}).{hint}")
        if isinstance(key, str):
            got = repr(key)
        elif isinstance(key, Node) and key.size_in > 0:
            got = f"{key}, which has size_in={key.size_in}"
            hint = " The output of a node with inputs is always computed."
        else:
            got = f"{key} of type {type(key).__name__}"
        return InvalidValue(
            f"keys must be {self.kind}s of this network, or their names (got {got})."
            f"{hint} The {self.kind}s of this network are {self}."
        )


def check_present(given: Mapping[str, Any], needed: Iterable[str]) -> None:
    """Raise `InvalidValue` if any name that is needed has no data."""
    needed = tuple(needed)
    missing = [name for name in needed if name not in given]
    if missing:
        raise InvalidValue(
            f"expected an array for each of {listing(needed)} (got none for "
            f"{listing(missing)}). Add what is missing."
        )
