"""Look-up of Nengo objects by what they come from in the Keras model."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import keras

from nengo_dl.converter.keras_conversion import KerasConversion
from nengo_dl.converter.keras_graph import source
from nengo_dl.names import suggestion


class ObjectMap(Mapping):
    """Maps Keras tensors and layers to Nengo objects.

    Keys are tensors, layers, their names, their numbers in the model's own list, or
    lists of keys (the value is then a list of objects; a list of a single key is that
    key). A layer that was called several times, or has several outputs, is no key: its
    output tensors are.

    Parameters
    ----------
    what : str
        What the map holds, for messages.
    listed : sequence of KerasTensor or Layer
        What numbers stand for.

    Raises
    ------
    KeyError
        On look-up, if there is no such tensor or layer, or more than one object.
    """

    def __init__(self, what: str, listed: Sequence[Any] = ()):
        self._what, self._listed = what, tuple(listed)
        self._tensors: dict[int, tuple[keras.KerasTensor, list]] = {}
        self._layers: dict[int, tuple[Any, list]] = {}
        self._names: dict[str, dict[int, Any]] = {}

    def add(
        self, tensor: keras.KerasTensor, obj: Any, *layers: keras.Operation
    ) -> None:
        """Enter the object of one output tensor of one call of a layer, or several."""
        self._tensors.setdefault(id(tensor), (tensor, []))[1].append(obj)
        for layer in layers:
            self._layers.setdefault(id(layer), (layer, []))[1].append(obj)
            self.add_name(layer.name, layer)

    def add_name(self, name: str, key: Any) -> None:
        """Enter the name of a tensor or a layer."""
        self._names.setdefault(name, {})[id(key)] = key

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list | tuple):
            found = [self[item] for item in key]
            return found[0] if len(found) == 1 else found
        if isinstance(key, str):
            key = self._named(key)
        elif isinstance(key, Integral):
            key = self._numbered(int(key))
        table = self._tensors if isinstance(key, keras.KerasTensor) else self._layers
        objs = table.get(id(key), (None, ()))[1]
        if len(objs) == 1:
            return objs[0]
        name = getattr(key, "name", key)
        if objs:
            raise KeyError(
                f"{self._what} of {name!r}: expected a layer that is called once (got "
                f"one with {len(objs)} outputs). Use one of its output tensors."
            )
        raise KeyError(
            f"{self._what}: expected a tensor or a layer of Converter.model (got "
            f"{name!r}). Use one of that model, which may differ from the model passed."
        )

    def _named(self, name: str) -> Any:
        found = list(self._names.get(name, {}).values())
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyError(
                f"{self._what}: expected a name of one layer (got {name!r}, which "
                f"{len(found)} layers have). Use the layer itself."
            )
        raise KeyError(
            f"{self._what}: expected a name in Converter.model (got {name!r})."
            f"{suggestion(name, self._names) or ' See Converter.model.summary().'}"
        )

    def _numbered(self, number: int) -> Any:
        n = len(self._listed)
        if not -n <= number < n:
            raise KeyError(
                f"{self._what}: expected a number from {-n} to {n - 1} (got {number}). "
                "They count as in the lists of the model."
            )
        return self._listed[number]

    def __contains__(self, key: Any) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[keras.KerasTensor]:
        return (tensor for tensor, _ in self._tensors.values())

    def __len__(self) -> int:
        return len(self._tensors)


def maps(conversion: KerasConversion) -> tuple[ObjectMap, ObjectMap, ObjectMap]:
    """Return the maps of inputs, outputs and layers, which the network gets, too."""
    options = conversion.plan.options
    model = options.model
    layer_map: dict[keras.Operation, list] = {}
    inputs = ObjectMap("Converter.inputs", model.inputs)
    outputs = ObjectMap("Converter.outputs", model.outputs)
    layers = ObjectMap("Converter.layers", options.passed.layers)
    for tensor, node in zip(model.inputs, conversion.inputs, strict=True):
        for objs in (inputs, layers):
            objs.add(tensor, node, *(x for x in model.layers if x is source(tensor)))
    for tensor, probe in zip(model.outputs, conversion.outputs, strict=True):
        if tensor not in outputs:
            outputs.add(tensor, probe)
    for tensor, spec in zip(model.outputs, conversion.source.outputs, strict=True):
        outputs.add_name(spec.name, tensor)
    for step, found in conversion.step_outputs.items():
        owners = [step.call.layer] + [step.wrapper] * (step.wrapper is not None)
        for layer in owners:
            layer_map.setdefault(layer, []).append(list(found))
        for tensor, obj in zip(step.call.outputs, found, strict=True):
            layers.add(tensor, obj, *owners)
    conversion.net.inputs, conversion.net.outputs = inputs, outputs
    conversion.net.layers, conversion.net.layer_map = layers, layer_map
    return inputs, outputs, layers
