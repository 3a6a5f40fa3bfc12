"""From what users pass to graphs that can be stepped."""

import os
from numbers import Real
from pathlib import Path
from typing import Any

from nengo_dl.errors import InvalidValue
from nengo_dl.nir.files import MAX_BYTES, read
from nengo_dl.nir.tree import Tree, nir_package, tree_of


def tree_from(graph: Any, max_bytes: int = MAX_BYTES) -> Tree:
    """Return the tree of a graph, or of the file that a path leads to."""
    if isinstance(graph, str | os.PathLike):
        return read(Path(graph), max_bytes)
    if not isinstance(graph, nir_package().NIRGraph):
        raise InvalidValue(
            f"expected a nir.NIRGraph or the path of a file (got {graph!r}). Put a "
            "single node into a graph, with an Input and an Output."
        )
    return tree_of(graph)


def check_dt(dt: Any) -> None:
    """Raise InvalidValue if a time step is not a positive number."""
    if not isinstance(dt, Real) or not 0 < float(dt) < float("inf"):
        raise InvalidValue(
            f"expected dt as a positive number (got {dt!r}). It is the length of a "
            "step, in the unit of time of the graph."
        )
