"""What connects the objects of a network, and what arrives at them."""

from typing import Any

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.transforms import NoTransform

from nengo_dl.nodes.array_node import ArrayNode, Constant


def source(obj: Any) -> Any:
    """Return the object whose neurons make the values of an object."""
    return obj.neurons if isinstance(obj, nengo.Ensemble) else obj


def incoming(net: nengo.Network) -> dict[Any, list[nengo.Connection]]:
    """List the connections that arrive at each object."""
    found: dict[Any, list] = {}
    for conn in net.all_connections:
        found.setdefault(source(conn.post_obj), []).append(conn)
    return found


def is_bias(conn: nengo.Connection) -> bool:
    """Whether what a connection brings is always the same."""
    pre = conn.pre_obj
    return isinstance(pre, ArrayNode) and isinstance(pre.function, Constant)


def is_wiring(conn: nengo.Connection) -> bool:
    """Whether a connection only passes values on."""
    is_decoded = isinstance(conn.pre_obj, nengo.Ensemble)
    return isinstance(conn.transform, NoTransform) and not is_decoded


def is_spiking(obj: Any) -> bool:
    """Whether an object is neurons that spike."""
    return isinstance(obj, Neurons) and obj.ensemble.neuron_type.spiking


def amplitudes(neurons: Neurons) -> np.ndarray:
    """Return what the spikes or rates of neurons are multiplied with, for each."""
    value = getattr(neurons.ensemble.neuron_type, "amplitude", 1.0)
    return np.broadcast_to(np.abs(value), neurons.size_out).astype(float)
