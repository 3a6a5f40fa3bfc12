"""Which Nengo objects and connections each Keras layer has become.

A layer owns what its output is computed from, up to what layers before it own.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import nengo
from nengo.ensemble import Neurons

from nengo_dl.converter.keras_graph import is_graph
from nengo_dl.converter.plan import Step
from nengo_dl.converter.report.signals import is_bias, source
from nengo_dl.nodes.tensor_node import TensorNode


@dataclass(frozen=True, eq=False)
class Part:
    """One layer of the model.

    Parameters
    ----------
    name : str
        The layer's name, with those of the models it is in before it.
    layer : keras.Layer
        The layer.
    steps : tuple of `Step`
        How each of its calls was converted.
    populations : tuple of Neurons
        Its neurons.
    connections : tuple of Connection
        All that arrive at its objects, but for biases.
    has_tensor_node : bool
        Whether a `TensorNode` is part of it.
    """

    name: str
    layer: Any
    steps: tuple[Step, ...]
    populations: tuple[Neurons, ...]
    connections: tuple[nengo.Connection, ...]
    has_tensor_node: bool

    @property
    def reason(self) -> str:
        """Why it has a fallback; "" if it has none."""
        for step in self.steps:
            if step.reason:
                return step.reason
        if not self.has_tensor_node:
            return ""
        activation = getattr(self.steps[0].call.layer, "activation", None)
        name = getattr(activation, "__name__", str(activation))
        return f"activation {name} has no native Nengo form"

    @property
    def is_opaque(self) -> bool:
        """Whether a `TensorNode` computes all of it."""
        return any(step.reason for step in self.steps)

    @property
    def n_parameters(self) -> int:
        """How many parameters the layer has."""
        weights = getattr(self.layer, "weights", ())
        return sum(math.prod(weight.shape) for weight in weights)


def parts(converter: Any, conns: Mapping[Any, list]) -> tuple[Part, ...]:
    """List the layers of a converted model, in the order that Keras lists them in.

    Parameters
    ----------
    converter : `Converter`
        The conversion.
    conns : mapping of object to list of Connection
        What arrives at each object.
    """
    owned = set(converter.inputs.values())
    calls: dict[int, list] = {}
    for name, step in _named(converter.steps):
        objs = _owned_by(converter.converted[step], conns, owned)
        owned.update(objs)
        layer = step.wrapper or step.call.layer
        calls.setdefault(id(layer), []).append((name, layer, step, objs))
    order = dict.fromkeys(_listed(converter.model))
    return tuple(_part(calls[key], conns) for key in order if key in calls)


def _listed(model: keras.Model) -> Iterator[int]:
    """Yield the ids of the layers of a model, those inside of others where they are."""
    is_list = isinstance(model, keras.Sequential)
    for layer in model.layers if is_list else model.operations:
        yield id(layer)
        is_wrapper = isinstance(layer, keras.layers.TimeDistributed)
        inner = layer.layer if is_wrapper else layer
        if is_graph(inner):
            yield from _listed(inner)


def _named(steps: tuple[Step, ...], prefix: str = "") -> Iterator[tuple[str, Step]]:
    """Yield names and steps, in the order in which they were converted."""
    for step in steps:
        name = prefix + (step.wrapper or step.call.layer).name
        if step.entry is None:
            yield from _named(step.inner, name + "/")
        else:
            yield name, step


def _owned_by(outputs, conns, owned) -> list:
    found, todo = [], [source(obj) for obj in outputs]
    while todo:
        obj = todo.pop()
        if obj in owned or obj in found:
            continue
        found.append(obj)
        arriving = (conn for conn in conns.get(obj, []) if not is_bias(conn))
        todo.extend(source(conn.pre_obj) for conn in arriving)
    return found


def _part(found: list, conns: Mapping[Any, list]) -> Part:
    name, layer, _, _ = found[0]
    objs = [obj for *_, made in found for obj in made]
    arriving = [conn for obj in objs for conn in conns.get(obj, [])]
    return Part(
        name,
        layer,
        tuple(step for _, _, step, _ in found),
        tuple(obj for obj in objs if isinstance(obj, Neurons)),
        tuple(conn for conn in arriving if not is_bias(conn)),
        any(isinstance(obj, TensorNode) for obj in objs),
    )
