"""Parameter files: named arrays in a compressed ``.npz``.

A file is written whole or not at all. It is read without trust: what its headers say is
compared with what is expected before any data is read, nothing in it is ever executed,
and whatever is wrong with it is an error before anything has been changed.
"""

import contextlib
import hashlib
import io
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from nengo.exceptions import SimulationError, ValidationError
from numpy.lib import format as npy

from nengo_dl.names import suggestion
from nengo_dl.simulator.replacing import replacing

VERSION = 1
# The array that holds the version. No name is stored like this: quoted ones have two
# hexadecimal digits behind a "%".
MARKER = "%nengo_dl"
# What is neither in a name's way within a zip file, nor in that of its reader.
READABLE = " /:;,=+@#$&()[]{}<>*!'|"
# NumPy writes headers of some 100 bytes, and refuses those above 10,000.
MAX_HEADER_BYTES = 2**14
# Others can turn a few bytes into gigabytes at once.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MAX_LISTED = 20
# A zip file has room for 65,535 bytes
MAX_NAME = 10_000


@dataclass(frozen=True)
class Entry:
    """What a file has to hold under a name.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : str
        What its numbers are converted to.
    batched : bool
        Whether its first axis is that of the minibatch items. Such an array may also
        come from one item, or from any number of items that are all equal.
    free : bool
        Whether its second axis may have another length.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    batched: bool = False
    free: bool = False

    @property
    def item(self) -> tuple[int, ...]:
        """The shape of one minibatch item."""
        return self.shape[1:] if self.batched else self.shape


@dataclass(frozen=True)
class Member:
    """What the header of a stored array says.

    Parameters
    ----------
    info : ZipInfo
        Where the array is in its file.
    start : int
        Length of the header, in bytes.
    shape : tuple of int
        Shape of the array.
    dtype : dtype
        Of its elements.
    order : str
        "C" or "F".
    """

    info: zipfile.ZipInfo
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype
    order: str


def no_advice(missing: list[str], extra: list[str]) -> None:
    """Know nothing about names."""


def write(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to ``path + ".npz"``.

    A file that is there already is replaced at the end, in one piece. `numpy.load`
    reads such files, too; characters that are special in file names are percent-encoded
    then, and there is one more array, with the version of the format.

    Parameters
    ----------
    path : str or PathLike
        Where to write, without ".npz".
    arrays : mapping of str to ndarray
        Numbers by name. A name may be any text.

    Raises
    ------
    OSError
        If the file cannot be written, e.g. `FileNotFoundError` without the folder. What
        was there before is still there.
    """
    where = "Simulator.save_params"
    target = _target(path, where)
    try:
        with replacing(target) as file:
            _write_archive(file, arrays)
    except OSError as exc:
        raise OSError(
            exc.errno,
            f"{where}: expected a place where '{target}' can be written (got: "
            f"{exc.strerror}). Make the folder, or choose another path.",
        ) from exc


def read(
    path: str | os.PathLike,
    expected: Mapping[str, Entry],
    advice: Callable[[list[str], list[str]], str | None] = no_advice,
) -> dict[str, np.ndarray]:
    """Read arrays from ``path + ".npz"``.

    Parameters
    ----------
    path : str or PathLike
        What was given to `write`.
    expected : mapping of str to `Entry`
        What to read. The order counts for the files of NengoDL 3.6 alone, which have
        ``arr_0``, ``arr_1`` and so on instead of names; there, axes of length 1 may be
        missing or added.
    advice : callable, optional
        From the names that are missing and those that are not expected to what to do
        about them, where there is something better than another network.

    Returns
    -------
    arrays : dict of str to ndarray
        Of the shapes and dtypes that are expected, in their order.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    OSError
        If the file cannot be opened.
    SimulationError
        If it is no parameter file, is damaged, or holds anything but what is expected.
    """
    target = _target(path, "Simulator.load_params")
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
            name: _load(archive, found[name], entry, name)
            for name, entry in expected.items()
        }


def _target(path: str | os.PathLike, where: str) -> str:
    try:
        text = os.fsdecode(path)
        os.fsencode(text)
    except (TypeError, UnicodeError) as exc:
        raise _path_error(path, where) from exc
    if "\0" in text or os.path.basename(text) in ("", ".", ".."):
        raise _path_error(path, where)
    return text + ".npz"


def _path_error(path: Any, where: str) -> ValidationError:
    return ValidationError(
        f"must be the path of a file, without '.npz' (got {path!r}). Pass a string or "
        "a pathlib.Path that ends with the name of the file.",
        attr=f"{where} path",
    )


def _write_archive(file: Any, arrays: Mapping[str, np.ndarray]) -> None:
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


def _open(target: str, path: str | os.PathLike) -> Any:
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
        info.filename.removesuffix(".npy"): _member(archive, info)
        for info in archive.infolist()
    }


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    if info.compress_type not in COMPRESSIONS:
        raise ValueError(f"unknown compression of '{info.filename}'")
    with archive.open(info) as stream:
        head = io.BytesIO(stream.read(MAX_HEADER_BYTES))
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, fortran_order, dtype = readers[npy.read_magic(head)](head)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise SimulationError(
            f"expected arrays of numbers (got dtype {dtype} in '{info.filename}'). "
            "Python objects are never loaded, because they could run any code; use a "
            "file written by save_params."
        )
    start = head.tell()
    if info.file_size != start + math.prod(shape) * dtype.itemsize:
        raise ValueError(f"'{info.filename}' has another size than its header says")
    return Member(info, start, shape, dtype, "F" if fortran_order else "C")


def _check_version(archive: zipfile.ZipFile, member: Member) -> None:
    entry = Entry((), "int64")
    _check({MARKER: member}, {MARKER: entry}, False, no_advice)
    version = int(_load(archive, member, entry, MARKER))
    if version > VERSION:
        raise SimulationError(
            f"expected a file of format {VERSION} or less (got {version}). It was "
            "written by a newer version of nengo_dl: install that."
        )


def _by_position(
    members: Mapping[str, Member], expected: Mapping[str, Entry]
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
    expected: Mapping[str, Entry],
    loose: bool,
    advice: Callable[[list[str], list[str]], str | None],
) -> None:
    """Collect all differences between a file and what is expected into one error."""
    extra = {name: member for name, member in found.items() if name not in expected}
    lines = []
    for name, entry in expected.items():
        if name not in found:
            alike = [n for n, m in extra.items() if _fit(m.shape, entry) is not None]
            lines.append(f"'{name}' is missing.{suggestion(name, alike)}")
        elif _fit(found[name].shape, entry, loose) is None:
            got = found[name].shape
            lines.append(f"'{name}': expected shape {entry.shape}, got {got}")
        elif not np.can_cast(found[name].dtype, entry.dtype, "same_kind"):
            got = found[name].dtype
            lines.append(f"'{name}': expected dtype {entry.dtype}, got {got}")
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


def _fit(shape: tuple[int, ...], entry: Entry, loose: bool = False) -> int | None:
    """Tell how an array of a shape becomes an entry.

    Returns
    -------
    n_items : int or None
        0 if the array is taken as it is, n if it holds n minibatch items that must be
        equal, None if it does not fit.
    """
    if shape == entry.shape or (
        entry.free and (shape[:1], shape[2:]) == (entry.shape[:1], entry.shape[2:])
    ):
        return 0
    if shape in (entry.item, (1, *entry.item)):
        return 1
    if entry.batched and shape[1:] == entry.item and shape[0] > 0:
        return shape[0]
    if loose and _without_ones(shape) == _without_ones(entry.shape):
        return 0
    return None


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _load(
    archive: zipfile.ZipFile, member: Member, entry: Entry, name: str
) -> np.ndarray:
    n_items = _fit(member.shape, entry, loose=True)
    n_bytes = math.prod(member.shape) * member.dtype.itemsize
    with archive.open(member.info) as stream:
        stream.read(member.start)
        if n_items:
            data = _read_equal(stream, n_items, n_bytes // n_items)
        else:
            data = stream.read(n_bytes)
        if data is None or (n_items > 1 and member.order == "F"):
            raise SimulationError(
                f"expected the {n_items} minibatch items of '{name}' to be equal, or a "
                f"simulator with as many (got different ones, and a simulator with "
                f"{entry.shape[0]}). Make it with minibatch_size={n_items}."
            )
        stream.read(1)  # the end, where the checksum is compared
    shape = entry.item if n_items else member.shape
    array = np.ndarray(shape, member.dtype, data, order=member.order)
    if n_items:
        return np.array(np.broadcast_to(_convert(array, entry, name), entry.shape))
    values = _convert(array, entry, name)
    return values if entry.free else values.reshape(entry.shape)


def _read_equal(stream: Any, count: int, size: int) -> bytes | None:
    """Read ``count`` equal pieces, one at a time; None if they are not equal."""
    first = stream.read(size)
    if size and not all(stream.read(size) == first for _ in range(count - 1)):
        return None
    return first


def _convert(array: np.ndarray, entry: Entry, name: str) -> np.ndarray:
    """Return a copy of the expected dtype, of values that may be NaN or infinite."""
    with np.errstate(over="ignore"):
        values = array.astype(entry.dtype)
    if np.any(np.isfinite(array) & ~np.isfinite(values)):
        raise SimulationError(
            f"expected values of '{name}' within the range of {entry.dtype} (got "
            f"{array[~np.isfinite(values)].flat[0]}). Make the simulator with "
            f"configure_settings(dtype='{array.dtype}')."
        )
    return values
