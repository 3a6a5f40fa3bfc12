"""Graphs as trees of plain values, whether they come from objects or from files.

A tree is a dict: ``"type"`` is the name of a NIR node, all else are its fields. Those
of a graph are ``"nodes"``, a dict of trees, and ``"edges"``, a list of pairs of names.
Nothing of it has been checked, but for the depth.
"""

from typing import Any, TypeAlias

from nengo_dl.errors import InvalidValue

Tree: TypeAlias = dict[str, Any]

MAX_DEPTH = 32
# Attributes that follow from others, unless they are fields of these nodes
DERIVED = ("input_type", "output_type")
SHAPES = {"Input": ("shape", "input"), "Flatten": ("input_type", "input")}
SHAPES["Output"] = ("shape", "output")


def nir_package() -> Any:
    """Import the package ``nir``.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import nir
    except ImportError as error:
        raise ImportError(
            "nengo_dl.nir: expected the package nir, which reads and writes the format "
            "(got none). Install it with `pip install nengo_dl[nir]`."
        ) from error
    return nir


def tree_of(node: Any, depth: int = 0) -> Tree:
    """Return a NIR node, which may be a graph, as a tree."""
    if depth > MAX_DEPTH:
        raise InvalidValue(
            f"expected graphs nested at most {MAX_DEPTH} deep (got more). Check that "
            "no graph contains itself."
        )
    kind, fields = type(node).__name__, dict(vars(node))
    types = {name: fields.pop(name, None) for name in DERIVED}
    tree: Tree = {"type": kind}
    if kind == "NIRGraph":
        tree["nodes"] = {
            str(name): tree_of(inner, depth + 1) for name, inner in node.nodes.items()
        }
        tree["edges"] = [(str(a), str(b)) for a, b in node.edges]
        tree["metadata"] = fields.get("metadata", {})
        return tree
    if kind in SHAPES:
        name, side = SHAPES[kind]
        tree[name] = (types[f"{side}_type"] or {}).get(side)
    return tree | fields
