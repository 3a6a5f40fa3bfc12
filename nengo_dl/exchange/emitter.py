"""The emitter: makes layers of Keras for one node of a graph after the other."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.bindings import AS_IT_IS, ArrayForm, Binding
from nengo_dl.exchange.graph import Graph, Node, Ref, Weight
from nengo_dl.exchange.layers import Parameter
from nengo_dl.exchange.values import Operand, Value, plain_value


class Emitter:
    """The maker of layers, which functions in the table of operators get.

    Parameters
    ----------
    graph : `Graph`
        That is being translated.
    inputs : sequence of KerasTensor
        Those of the model, one for each input of the graph.

    Attributes
    ----------
    node : `Node`
        That is being translated now; layers are named by it.
    source : KerasTensor
        The first input, which says how many items there are.
    values : dict of str to object
        What has been computed so far, by its name.
    bindings : list of `Binding`
        Which variables hold which weights.
    """

    def __init__(self, graph: Graph, inputs: Sequence[keras.KerasTensor]):
        self.graph, self.source = graph, inputs[0]
        self.values: dict[str, Operand] = {
            given.name: plain_value(tensor)
            if given.has_items
            else plain_value(keras.ops.expand_dims(tensor, 0), None)
            for given, tensor in zip(graph.inputs, inputs, strict=True)
        }
        self.bindings: list[Binding] = []
        self.node: Node = Node("", "model", "", ())
        self._names = {tensor.name for tensor in inputs}
        self._layers: dict[Hashable, keras.Layer] = {}
        self._arranged: dict[tuple[int, tuple[int, ...]], tuple[Value, Any]] = {}
        self._parameters: dict[str, Value] = {}
        self._tied = _tied(graph)

    # --- what nodes take ----------------------------------------------------------

    def resolved(self, argument: Any) -> Any:
        """Return an argument of a node with values and weights in place of names."""
        if isinstance(argument, Ref):
            weight = self.graph.weights.get(argument.name)
            if weight is None:
                return self.values[argument.name]
            return self.value(weight) if argument.name in self._tied else weight
        if isinstance(argument, tuple | list):
            return type(argument)(self.resolved(part) for part in argument)
        return argument

    def value(self, operand: Operand) -> Value:
        """Return a value, or a weight as one; raise `InvalidValue` for all else."""
        if isinstance(operand, Value):
            return operand
        if not isinstance(operand, Weight):
            raise InvalidValue(
                f"expected a tensor (got the constant {_shown(operand)}). Compute with "
                "what depends on the input"
            )
        if operand.name not in self._parameters:
            layer = self._made(Parameter, operand.name, shape=operand.array.shape)
            tensor = layer(self.source)
            self._bind(layer, "value", operand, AS_IT_IS)
            self._parameters[operand.name] = plain_value(tensor, None)
        return self._parameters[operand.name]

    def constant(self, operand: Operand) -> np.ndarray:
        """Return a constant as an array; raise `InvalidValue` for all else."""
        if isinstance(operand, Weight) and not operand.trainable:
            return operand.array
        if isinstance(operand, Value | Weight):
            raise InvalidValue(
                "expected a constant (got what is computed, or trained). Make it a "
                "number"
            )
        return np.asarray(operand)

    # --- layouts ------------------------------------------------------------------

    def arranged(self, value: Value, order: Sequence[int]) -> Any:
        """Return the tensor of a value with its axes in an order, see `Value`."""
        order = tuple(order)
        if order == value.order:
            return value.tensor
        key = (id(value.tensor), tuple(value.order.index(axis) for axis in order))
        if key not in self._arranged:
            axes = tuple(1 + i for i in key[1])
            shape = tuple(value.tensor.shape[axis] for axis in axes)
            long = [axis for axis in axes if value.tensor.shape[axis] != 1]
            if long == sorted(long):  # only axes of length 1 move
                new = self.layer(keras.layers.Reshape, value.tensor, "reshape", shape)
            else:
                new = self.layer(keras.layers.Permute, value.tensor, "permute", axes)
            self._arranged[key] = (value, new)  # which keeps its id in use
        return self._arranged[key][1]

    def plain(self, value: Value) -> Any:
        """Return the tensor of a value with its axes as the source has them."""
        return self.arranged(value, value.plain)

    # --- layers -------------------------------------------------------------------

    def layer(
        self, kind: type[keras.Layer], inputs: Any, suffix: str = "", *args, **config
    ) -> Any:
        """Call a new layer without weights; a suffix tells it from others of a node."""
        name = "_".join(part for part in (self.node.name, suffix) if part)
        return self._made(kind, name, *args, **config)(inputs)

    def weighted(
        self,
        kind: type[keras.Layer],
        inputs: Any,
        weights: Mapping[str, tuple[Weight, ArrayForm]],
        suffix: str = "",
        **config: Any,
    ) -> Any:
        """Call a layer with weights, which is that of another call if these are equal.

        Parameters
        ----------
        kind : type
            Of the layer.
        inputs : KerasTensor or list of KerasTensor
            It is called on.
        weights : mapping of str to (Weight, ArrayForm)
            By attributes of the layer. Weights that are not there are left out.
        suffix : str
            Tells the layer from others of the node.
        **config
            Arguments of the layer.
        """
        key = (kind, suffix, _frozen(config), _frozen(weights))
        layer = self._layers.get(key)
        if layer is not None:
            return layer(inputs)
        name = "_".join(part for part in (self.node.name, suffix) if part)
        layer = self._layers[key] = self._made(kind, name, **config)
        outputs = layer(inputs)
        for attribute, (weight, form) in weights.items():
            self._bind(layer, attribute, weight, form)
        return outputs

    def _made(self, kind: type[keras.Layer], name: str, *args, **config) -> Any:
        config = {"dtype": self.graph.dtype, **config}
        return kind(*args, name=self._unique(name), **config)

    def _unique(self, name: str) -> str:
        """Return a name that no other layer has."""
        name = layer_name(name)
        candidate, n = name, 0
        while candidate in self._names:
            n += 1
            candidate = f"{name}_{n}"
        self._names.add(candidate)
        return candidate

    def _bind(
        self, layer: Any, attribute: str, weight: Weight, form: ArrayForm
    ) -> None:
        variable = vars(layer)[attribute] if attribute in vars(layer) else None
        variable = getattr(layer, attribute) if variable is None else variable
        variable.assign(form.to_variable(weight.array, variable.shape))
        self.bindings.append(
            Binding(
                *(weight.name, weight.array.shape, layer.name, attribute, form),
                trainable=weight.trainable and variable.trainable,
            )
        )


def layer_name(name: str) -> str:
    """Return a name as Keras takes it for a layer."""
    return name.strip("/").translate(str.maketrans("./:", "___")) or "layer"


def _tied(graph: Graph) -> frozenset[str]:
    """Return the names of weights that nodes use in different ways.

    Calls that differ in nothing but their values may share a layer; all others take
    the weight as a tensor, so that there is one variable for it.
    """
    uses: dict[str, set[Hashable]] = {}
    for node in graph.nodes:
        weights = [name for name in node.refs if name in graph.weights]
        if weights:
            arguments = _without_values((node.arguments, node.keywords), graph)
            for name in weights:
                uses.setdefault(name, set()).add((node.operator, arguments))
    return frozenset(name for name, found in uses.items() if len(found) > 1)


def _without_values(argument: Any, graph: Graph) -> Hashable:
    if isinstance(argument, Ref):
        return argument if argument.name in graph.weights else "value"
    if isinstance(argument, tuple | list):
        return tuple(_without_values(part, graph) for part in argument)
    return _frozen(argument)


def _frozen(argument: Any) -> Hashable:
    """Return an argument as something that can be a key."""
    if isinstance(argument, Weight):
        return argument.name
    if isinstance(argument, np.ndarray):
        return (argument.shape, argument.tobytes())
    if isinstance(argument, Mapping):
        return tuple((key, _frozen(value)) for key, value in argument.items())
    if isinstance(argument, tuple | list):
        return tuple(map(_frozen, argument))
    return argument if isinstance(argument, Hashable) else id(argument)


def _shown(operand: Operand) -> str:
    array = np.asarray(operand)
    return str(operand) if array.size == 1 else f"of shape {array.shape}"
