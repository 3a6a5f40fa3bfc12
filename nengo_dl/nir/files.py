"""NIR files as trees, when nobody vouches for them.

A file may declare arrays that no memory holds, refer to other files, contain itself, or
be cut off. All of that is found out from its directory, before an array is read, and
told at once. Nothing of a file is ever executed.
"""

from pathlib import Path
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.nir.tree import MAX_DEPTH, Tree, nir_package

# Of all arrays of a file together, in bytes, as they are declared.
MAX_BYTES = 2**31
MAX_OBJECTS = 100_000
FEW = 20  # lines of a message about many problems


def read(path: str | Path, max_bytes: int = MAX_BYTES) -> Tree:
    """Return the tree of a file.

    Raises
    ------
    InvalidValue
        If it is no HDF5 file, holds no graph, or declares more than it may.
    """
    nir_package()
    import h5py

    problems: list[str] = []
    try:
        with h5py.File(path, "r") as file:
            if not isinstance(file.get("node"), h5py.Group):
                raise InvalidValue(
                    f"expected a NIR file, with a group 'node' (got {path} with "
                    f"{_listed(file)}). Write it with nir.write."
                )
            _check(file["node"], max_bytes, problems)
            if not problems:
                return _tree(file["node"])
    except (OSError, RuntimeError, KeyError, TypeError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError):
            raise InvalidValue(
                f"expected a file (got {path}, which does not exist). Check the path."
            ) from error
        raise InvalidValue(
            f"expected a whole HDF5 file (got {path}, of which HDF5 says: {error}). It "
            "is damaged, or something else; write it again with nir.write."
        ) from error
    raise InvalidValue(
        told(f"expected a file that can be read safely (got {path}", problems)
    )


def told(what: str, problems: list[str]) -> str:
    """Return a message that lists problems."""
    lines = [f"- {problem}" for problem in problems[:FEW]]
    if len(problems) > FEW:
        lines.append(f"- and {len(problems) - FEW} more")
    many = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{what}, with {many}). Correct:", *lines])


def _listed(group) -> str:
    return ", ".join(map(repr, list(group)[:FEW])) or "nothing"


def _check(group, max_bytes: int, problems: list[str]) -> None:
    """Look at everything that a group declares, without reading any of it."""
    import h5py

    total, count, todo = 0, 0, [(group, 0)]
    while todo:
        group, depth = todo.pop()
        if depth > 2 * MAX_DEPTH:
            problems.append(f"{group.name}: nested too deeply, or within itself")
            return
        for name in group:
            count += 1
            found = _member(group, name, problems)
            if count > MAX_OBJECTS:
                problems.append(f"more than {MAX_OBJECTS} objects")
                return
            if isinstance(found, h5py.Group):
                todo.append((found, depth + 1))
            elif isinstance(found, h5py.Dataset):
                total += _size(found, problems)
    if total > max_bytes:
        problems.append(
            f"arrays of {total:,} bytes in all, of which at most {max_bytes:,} are "
            "read; pass a larger max_bytes if you trust the file"
        )


def _member(group, name: str, problems: list[str]) -> Any:
    """Return a member of a group; None, and a problem, if it lies elsewhere."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        problems.append(f"{group.name}/{name}: a link to something else")
        return None
    member = group[name]
    if not isinstance(member, h5py.Group | h5py.Dataset):
        problems.append(f"{group.name}/{name}: neither a group nor an array")
    return member


def _size(dataset, problems: list[str]) -> int:
    """Return how many bytes a dataset declares, after looking at its type."""
    import h5py

    kind, name = dataset.dtype.kind, dataset.name
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    if kind not in "fiub" and not is_text:
        problems.append(f"{name}: an array of {dataset.dtype}, not numbers or text")
        return 0
    if dataset.is_virtual or dataset.external:
        problems.append(f"{name}: its values are in another file")
        return 0
    return int(np.prod(dataset.shape or (), dtype=object)) * dataset.dtype.itemsize


def _tree(group) -> Tree:
    """Read a group of values, nodes and graphs."""
    import h5py

    tree: Tree = {}
    for name, member in group.items():
        if isinstance(member, h5py.Group):
            tree[name] = _tree(member)
        elif name == "edges" and "nodes" in group:
            tree[name] = _edges(member)
        else:
            tree[name] = _value(member)
    return tree


def _edges(dataset) -> list[tuple[str, str]]:
    pairs = np.asarray(dataset[()])
    if pairs.size and (pairs.ndim != 2 or pairs.shape[1] != 2):
        raise InvalidValue(
            f"expected edges as pairs of names (got shape {pairs.shape} in "
            f"{dataset.name}). Write the file again with nir.write."
        )
    return [(_text(a), _text(b)) for a, b in pairs.reshape(-1, 2)]


def _value(dataset) -> Any:
    value = dataset[()]
    return _text(value) if isinstance(value, bytes | str) else value


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
