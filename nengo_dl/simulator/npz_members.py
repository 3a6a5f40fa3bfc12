"""Arrays in zip archives: their headers, and what they have to be.

Nothing in an archive is trusted: headers are read first, and of the data no more than
they say.
"""

import io
import math
import zipfile
from dataclasses import dataclass
from typing import IO, Literal

import numpy as np
from nengo.exceptions import SimulationError
from numpy.lib import format as npy

# NumPy writes headers of some 100 bytes, and refuses those above 10,000.
MAX_HEADER_BYTES = 2**14
# Others can turn a few bytes into gigabytes at once.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class ArraySpec:
    """Shape and type of an array that a file has to hold.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : str
        Type that its numbers are converted to.
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
    """Header of an array in an archive.

    Parameters
    ----------
    info : ZipInfo
        Where the array is.
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
    order: Literal["C", "F"]


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    """Read the header of an array."""
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


def fit(shape: tuple[int, ...], spec: ArraySpec, loose: bool = False) -> int | None:
    """Tell how an array of a shape becomes the one that is expected.

    Returns
    -------
    n_items : int or None
        0 if the array is taken as it is, n if it holds n minibatch items that must be
        equal, None if it does not fit.
    """
    if shape == spec.shape or (
        spec.free and (shape[:1], shape[2:]) == (spec.shape[:1], spec.shape[2:])
    ):
        return 0
    if shape in (spec.item, (1, *spec.item)):
        return 1
    if spec.batched and shape[1:] == spec.item and shape[0] > 0:
        return shape[0]
    if loose and _without_ones(shape) == _without_ones(spec.shape):
        return 0
    return None


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def load(
    archive: zipfile.ZipFile, member: Member, spec: ArraySpec, name: str
) -> np.ndarray:
    """Read an array for which `fit` is not None."""
    n_items = fit(member.shape, spec, loose=True) or 0
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
                f"{spec.shape[0]}). Make it with minibatch_size={n_items}."
            )
        stream.read(1)  # the end, where the checksum is compared
    shape = spec.item if n_items else member.shape
    array = np.ndarray(shape, member.dtype, data, order=member.order)
    if n_items:
        return np.array(np.broadcast_to(_convert(array, spec, name), spec.shape))
    values = _convert(array, spec, name)
    return values if spec.free else values.reshape(spec.shape)


def _read_equal(stream: IO[bytes], count: int, size: int) -> bytes | None:
    """Read ``count`` equal pieces, one at a time; None if they are not equal."""
    first = stream.read(size)
    if size and not all(stream.read(size) == first for _ in range(count - 1)):
        return None
    return first


def _convert(array: np.ndarray, spec: ArraySpec, name: str) -> np.ndarray:
    """Return a copy of the expected dtype, of values that may be NaN or infinite."""
    with np.errstate(over="ignore"):
        values = array.astype(spec.dtype)
    if np.any(np.isfinite(array) & ~np.isfinite(values)):
        raise SimulationError(
            f"expected values of '{name}' within the range of {spec.dtype} (got "
            f"{array[~np.isfinite(values)].flat[0]}). Make the simulator with "
            f"configure_settings(dtype='{array.dtype}')."
        )
    return values
