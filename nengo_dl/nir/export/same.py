"""The graph of a network that comes from one, with the weights that it has now."""

from typing import Any

import nengo
import numpy as np
from nengo.transforms import Convolution

from nengo_dl.nir.network import Origin, count
from nengo_dl.nir.tree import Tree, nir_package
from nengo_dl.nodes.stencil import Stencil


def origin_of(network: nengo.Network) -> Origin | None:
    """Return what a network was made of, if it has been left as it was; or None."""
    origin = vars(network).get("nir_origin")
    is_same = origin is not None and count(network) == origin.n_objects
    return origin if is_same else None


def graph_again(origin: Origin) -> Any:
    """Return a graph like the one that a network was made of."""
    return _node(origin.tree, origin, "")


def _node(tree: Tree, origin: Origin, name: str) -> Any:
    """Return the NIR node of a tree; ``name`` has those of the graphs that it is in."""
    nir = nir_package()
    fields = {key: value for key, value in tree.items() if key != "type"}
    if tree["type"] == "NIRGraph":
        prefix = f"{name}." if name else ""
        nodes = {n: _node(t, origin, f"{prefix}{n}") for n, t in tree["nodes"].items()}
        metadata = fields.get("metadata", {})
        edges = [tuple(edge) for edge in tree["edges"]]
        return nir.NIRGraph(nodes, edges, metadata=dict(metadata), type_check=False)
    ends = {"Input": "input_type", "Output": "output_type"}
    if tree["type"] in ends:
        fields[ends[tree["type"]]] = fields.pop("shape")
    for key, conn in origin.made[name].weights.items():
        fields[key] = _current(conn.transform, np.asarray(fields[key]))
    return getattr(nir, tree["type"])(**fields)


def _current(transform: Any, like: np.ndarray) -> np.ndarray:
    """Return the weights of a transform, in the shape and the type of those before."""
    weights = np.asarray(transform.init)
    if isinstance(transform, Stencil | Convolution):
        kernel = like.shape[2:]
        weights = weights.reshape(*kernel, *weights.shape[-2:])
        weights = np.moveaxis(weights, (-1, -2), (0, 1))
    if like.size == 1:
        weights = weights.ravel()[:1]
    return weights.reshape(like.shape).astype(like.dtype)
