"""Parameter files: named arrays in a compressed ``.npz``.

A file is written whole or not at all. It is read without trust: what its headers say is
compared with what is expected before any data is read, nothing in it is ever executed,
and whatever is wrong with it is an error before anything has been changed.
"""

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any
from urllib.parse import quote, unquote

import numpy as np
from nengo.exceptions import SimulationError
from numpy.lib import format as npy

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.names import suggestion
from nengo_dl.simulator.atomic import atomic_write
from nengo_dl.simulator.npz_members import (
    ArraySpec,
    Member,
    fit,
    load,
    read_member,
)

VERSION = 1
# The array that holds the version. No name is stored like this: quoted ones have two
# hexadecimal digits behind a "%".
MARKER = "%nengo_dl"
# What is neither in a name's way within a zip file, nor in that of its reader.
READABLE = " /:;,=+@#$&()[]{}<>*!'|"
MAX_LISTED = 20
# A zip file has room for 65,535 bytes
MAX_NAME = 10_000


# What to do about names that are missing, and names that are not expected
Advice = Callable[[list[str], list[str]], str | None]


def no_advice(missing: list[str], extra: list[str]) -> None:
    """Know nothing about names."""


def write(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to ``path + ".npz"``.

    A file that is there already is replaced at the end, in one piece, and stays after
    an OSError. `numpy.load` reads such files, too; characters that are special in file
    names are percent-encoded then, and one more array has the version of the format.
    """
    where = "Simulator.save_params"
    with argument(f"{where} path"):
        target = _target(path)
    try:
        with atomic_write(target) as file:
            _write_archive(file, arrays)
    except OSError as exc:
        raise OSError(
            exc.errno,
            f"{where}: expected a place where '{target}' can be written (got: "
            f"{exc.strerror}). Make the folder, or choose another path.",
        ) from exc


def read(
    path: str | os.PathLike,
    expected: Mapping[str, ArraySpec],
    advice: Advice = no_advice,
) -> dict[str, np.ndarray]:
    """Read arrays from ``path + ".npz"``, in the order in which they are expected.

    Files of NengoDL 3.6 have ``arr_0``, ``arr_1`` and so on instead of names. There,
    the order counts, and axes of length 1 may be missing or added. A file that is
    damaged, or holds anything but what is expected, is a SimulationError.
    """
    with argument("Simulator.load_params path"):
        target = _target(path)
    with (
        _open(target, path) as file,
        _errors(target),
        zipfile.ZipFile(file) as archive,
    ):
        members = _members(archive)
        if MARKER in members:
            _check_version(archive, members.pop(MARKER))
            names = {_stored_name(name): name for name in expected}
            members = {
                names.get(stored, unquote(stored, errors="surrogatepass")): member
                for stored, member in members.items()
            }
            found, loose = members, False
        else:
            found, loose = _by_position(members, expected), True
        _check(found, expected, loose, advice)
        return {
            name: load(archive, found[name], entry, name)
            for name, entry in expected.items()
        }


def _target(path: str | os.PathLike) -> str:
    try:
        text = os.fsdecode(path)
        os.fsencode(text)
    except (TypeError, UnicodeError) as exc:
        raise _path_error(path) from exc
    if "\0" in text or os.path.basename(text) in ("", ".", ".."):
        raise _path_error(path)
    return text + ".npz"


def _path_error(path: Any) -> InvalidValue:
    return InvalidValue(
        f"must be the path of a file, without '.npz' (got {path!r}). Pass a string or "
        "a pathlib.Path that ends with the name of the file."
    )


def _write_archive(file: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        named = {_stored_name(name): array for name, array in arrays.items()}
        for name, array in {MARKER: VERSION, **named}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                array = np.asarray(array, order="C")
                npy.write_array(stream, array, allow_pickle=False)


def _stored_name(name: str) -> str:
    """Return under which name of a zip file an array is stored."""
    stored = quote(name, safe=READABLE, errors="surrogatepass")
    if len(stored) <= MAX_NAME:
        return stored
    # no quoted name has this after a "%"
    return f"{stored[:MAX_NAME]}%~{hashlib.sha256(stored.encode()).hexdigest()}"


def _open(target: str, path: str | os.PathLike) -> IO[bytes]:
    where = "Simulator.load_params"
    try:
        return open(target, "rb")
    except FileNotFoundError as exc:
        has_suffix = os.fsdecode(path).endswith(".npz")
        raise FileNotFoundError(
            exc.errno,
            f"{where}: expected a file '{target}' (got none). Pass the path that was "
            "given to save_params" + (", without '.npz'." if has_suffix else "."),
        ) from exc
    except OSError as exc:
        raise OSError(
            exc.errno,
            f"{where}: expected to open '{target}' (got: {exc.strerror}). Pass the "
            "path of a file that can be read, without '.npz'.",
        ) from exc


@contextlib.contextmanager
def _errors(target: str) -> Iterator[None]:
    """Turn all that goes wrong with a file's content into one kind of error."""
    where = f"Simulator.load_params '{target}'"
    try:
        yield
    except SimulationError as exc:
        raise SimulationError(f"{where}: {exc}") from None
    # parsers raise all kinds of errors at what is no file of theirs
    except Exception as exc:
        raise SimulationError(
            f"{where}: expected a file written by save_params (got one that is damaged "
            f"or something else: {type(exc).__name__}: {exc}). Save the parameters "
            "again."
        ) from exc


def _members(archive: zipfile.ZipFile) -> dict[str, Member]:
    """Read the headers of all arrays, by the names they are stored with."""
    return {
        info.filename.removesuffix(".npy"): read_member(archive, info)
        for info in archive.infolist()
    }


def _check_version(archive: zipfile.ZipFile, member: Member) -> None:
    entry = ArraySpec((), "int64")
    _check({MARKER: member}, {MARKER: entry}, False, no_advice)
    version = int(load(archive, member, entry, MARKER))
    if version > VERSION:
        raise SimulationError(
            f"expected a file of format {VERSION} or less (got {version}). It was "
            "written by a newer version of nengo_dl: install that."
        )


def _by_position(
    members: Mapping[str, Member], expected: Mapping[str, ArraySpec]
) -> dict[str, Member]:
    """Give the arrays of a file without names the names that are expected."""
    positions = [f"arr_{i}" for i in range(len(members))]
    if not members or set(members) != set(positions):
        raise SimulationError(
            "expected a file written by save_params (got one without its mark). Save "
            "the parameters with save_params."
        )
    if len(members) != len(expected):
        raise SimulationError(
            f"expected {len(expected)} arrays (got {len(members)}, without names). "
            "Make the simulator of the network that was saved."
        )
    return {
        name: members[position]
        for name, position in zip(expected, positions, strict=True)
    }


def _check(
    found: Mapping[str, Member],
    expected: Mapping[str, ArraySpec],
    loose: bool,
    advice: Advice,
) -> None:
    """Collect all differences between a file and what is expected into one error."""
    extra = {name: member for name, member in found.items() if name not in expected}
    lines = []
    for name, entry in expected.items():
        if name not in found:
            alike = [n for n, m in extra.items() if fit(m.shape, entry) is not None]
            lines.append(f"'{name}' is missing.{suggestion(name, alike)}")
        elif fit(found[name].shape, entry, loose) is None:
            shape = found[name].shape
            lines.append(f"'{name}': expected shape {entry.shape}, got {shape}")
        elif not np.can_cast(found[name].dtype, entry.dtype, "same_kind"):
            dtype = found[name].dtype
            lines.append(f"'{name}': expected dtype {entry.dtype}, got {dtype}")
    lines += [f"'{name}' is not part of this simulation" for name in extra]
    if lines:
        if len(lines) > MAX_LISTED:
            more = len(lines) - MAX_LISTED
            lines[MAX_LISTED:] = [f"and {more} more"]
        listed = "\n".join(f"  - {line}" for line in lines)
        missing = [name for name in expected if name not in found]
        advised = advice(missing, list(extra)) or (
            "Make the simulator of the network that was saved, with the same labels."
        )
        raise SimulationError(
            "expected the arrays of this simulation (got others, see below). "
            f"{advised} Nothing has been loaded.\n{listed}"
        )
