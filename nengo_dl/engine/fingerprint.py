"""Fingerprints of functions: equal ones compute the same.

Two engines may share what was compiled for one of them if both would trace the same
operations with the same constants. The fingerprint of a function has its code and all
that the code can reach: defaults, what it has captured, functions and numbers among its
globals, each in full, and arrays by their contents. So those who write kernels need not
list anything, and can forget nothing. Whatever is not known to be constant, such as a
user's function or a Keras layer, has no fingerprint.
"""

import dataclasses
import functools
import hashlib
import struct
import threading
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from nengo_dl.engine.step import Step
from nengo_dl.graph.kernel import Kernel
from nengo_dl.graph.layout import Layout
from nengo_dl.ops.registry import BuildContext

# Code of these packages does not change while a program runs. Functions of the first
# one are looked into, the others taken as they are.
OWN = "nengo_dl"
TRUSTED = frozenset({OWN, "builtins", "keras", "math", "nengo", "numpy", "tensorflow"})
# What is in a fingerprint as it is, and what else it depends on
Parts = tuple[bytes, Iterable[Any]]

_numbers: dict[Any, int] = {}
_lock = threading.Lock()


class NoFingerprint(Exception):
    """Says what is not known to be constant."""


class Fingerprints:
    """Makes fingerprints.

    Attributes
    ----------
    nbytes : int
        Size of all arrays that were found. A compiled function has them among its
        constants.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._known: dict[int, bytes] = {}
        # as long as an object is alive, no other one gets its id
        self._alive: list[Any] = []

    def of(self, value: Any) -> bytes:
        """Return the fingerprint of a value.

        Raises
        ------
        NoFingerprint
            If the value is not known to be constant.
        """
        if id(value) not in self._known:
            # for functions that call themselves
            self._known[id(value)] = b"begun as number %d" % len(self._alive)
            self._alive.append(value)
            raw, others = _rule(value)(value)
            if isinstance(value, np.ndarray):
                self.nbytes += value.nbytes
            kind = f"{type(value).__module__}.{type(value).__qualname__}".encode()
            found = [kind, raw, *map(self.of, others)]
            # the lengths tell where each of them ends
            lengths = struct.pack(f"{len(found)}q", *map(len, found))
            self._known[id(value)] = _hash(lengths + b"".join(found))
        return self._known[id(value)]


def _hash(data: Any) -> bytes:
    return hashlib.blake2b(data, digest_size=20).digest()


def _rule(value: Any) -> Callable[[Any], Parts]:
    for kind in type(value).__mro__:
        if kind in _RULES:
            return _RULES[kind]
    if _is_own_frozen_dataclass(value):
        return _fields
    raise NoFingerprint(f"{type(value).__module__}.{type(value).__qualname__}")


def _is_own_frozen_dataclass(value: Any) -> bool:
    return (
        dataclasses.is_dataclass(value)
        and _package(type(value).__module__) == OWN
        # frozen ones refuse to be changed
        and type(value).__setattr__ is not object.__setattr__
    )


def _package(module: str) -> str:
    return module.split(".")[0]


def _number(value: Any) -> bytes:
    """Return a number of a value that lives as long as the program, like code."""
    with _lock:
        return b"%d" % _numbers.setdefault(value, len(_numbers))


def _constant(value: Any) -> Parts:
    return repr(value).encode(), ()


def _array(value: np.ndarray) -> Parts:
    if value.dtype.hasobject:
        raise NoFingerprint("an array of objects")
    contents = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    return f"{value.dtype.str}{value.shape}".encode() + _hash(contents), ()


def _items(value: Any) -> Parts:
    # named tuples of one module may have the same name
    return _number(type(value)), value


def _mapping(value: Any) -> Parts:
    return b"", (x for item in value.items() for x in item)


def _fields(value: Any) -> Parts:
    names = (field.name for field in dataclasses.fields(value))
    return _number(type(value)), (getattr(value, name) for name in names)


def _type(value: type) -> Parts:
    if _package(value.__module__) not in TRUSTED:
        raise NoFingerprint(f"{value.__module__}.{value.__qualname__}")
    return _number(value), ()


def _function(value: types.FunctionType) -> Parts:
    package = _package(value.__module__)
    if package not in TRUSTED or (package != OWN and value.__closure__):
        raise NoFingerprint(f"{value.__module__}.{value.__qualname__}")
    raw = _number((value.__module__, value.__code__))
    if package != OWN:
        return raw, ()
    try:
        captured = [cell.cell_contents for cell in value.__closure__ or ()]
    except ValueError:
        raise NoFingerprint(f"{value.__qualname__} before it is complete") from None
    names = sorted(_names(value.__code__) & value.__globals__.keys())
    return raw, [
        value.__defaults__,
        value.__kwdefaults__,
        *captured,
        *(g for g in map(value.__globals__.get, names) if _is_looked_into(g)),
    ]


def _names(code: types.CodeType) -> set[str]:
    """Return the names that code refers to, and that functions in it refer to."""
    inner = (_names(c) for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*inner)


def _is_looked_into(value: Any) -> bool:
    """Tell whether a global is part of the fingerprint of functions that use it.

    Classes, modules and registries are not: they change while a program is imported.
    """
    if isinstance(value, tuple):
        return all(map(_is_looked_into, value))
    own = isinstance(value, types.FunctionType)
    return own or isinstance(value, int | float | str | bytes | np.generic)


def _builtin(value: types.BuiltinFunctionType) -> Parts:
    if not isinstance(value.__self__, types.ModuleType | types.NoneType):
        raise NoFingerprint(f"a method of {type(value.__self__).__name__}")
    return _number(value), ()


def _kernel(value: Kernel) -> Parts:
    """Leave signals out: steps have the places of what is read and written."""
    if value.host is not None:
        raise NoFingerprint(value.host)
    modes = [write.mode for write in value.writes]
    flags = (value.keyed, value.draws_once, value.joins_steps)
    return b"", (value.fn, value.prepare, *flags, modes)


def _context(value: BuildContext) -> Parts:
    """Take what a kernel that calls no Python can use while it is traced."""
    if value.layers or value.losses:
        raise NoFingerprint("a kernel that calls a Keras layer")
    return b"", (value.dt, value.dtype, value.minibatch_size, value.settings)


_RULES: dict[type, Callable[[Any], Parts]] = {
    **dict.fromkeys(
        (int, str, bytes, bool, types.NoneType, types.EllipsisType, range), _constant
    ),
    # -0.0 is not 0.0, and a NaN is itself
    float: lambda value: (struct.pack("d", value), ()),
    np.generic: lambda value: _array(np.asarray(value)),
    np.ndarray: _array,
    np.dtype: lambda value: (value.str.encode(), ()),
    np.ufunc: lambda value: (_number(value), ()),
    tf.DType: lambda value: (value.name.encode(), ()),
    tf.TensorSpec: lambda value: (b"", (tuple(value.shape), value.dtype)),
    slice: lambda value: (b"", (value.start, value.stop, value.step)),
    tuple: _items,
    list: _items,
    dict: _mapping,
    types.MappingProxyType: _mapping,
    types.SimpleNamespace: lambda value: _mapping(vars(value)),
    type: _type,
    types.FunctionType: _function,
    types.BuiltinFunctionType: _builtin,
    functools.partial: lambda value: (b"", (value.func, value.args, value.keywords)),
    Step: lambda value: _mapping(vars(value)),
    Kernel: _kernel,
    Layout: lambda value: (b"", (value.blocks,)),
    BuildContext: _context,
}
