"""`LayerConverter`: converters of layers as classes, with helpers by node id."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import nengo

from nengo_dl.converter.activations import DEFAULT_MAP, canonical
from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.objects import set_trainable
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.rules import Registry, Rule


class LayerConverter:
    """Base of classes that convert one layer; override `convert`.

    Parameters
    ----------
    layer : keras.Layer
        The layer.
    converter : Options
        The options of the conversion: attributes of the names that they have as
        arguments of `nengo_dl.Converter`, ``synapse`` as it was chosen.

    Attributes
    ----------
    activation_map : dict
        From Keras activations to neuron types.
    unsupported_args : list of str or (str, object)
        Attributes of the layer that must be None, or have the given value.
    unsupported_training_args : list of str or (str, object)
        The same, unless the conversion is for inference only.
    has_weights : bool
        Whether the layer has weights.
    allow_fallback : bool
        Whether a `TensorNode` may stand in.

    Notes
    -----
    A ``node_id`` counts the calls of the layer, from 0.
    """

    activation_map = DEFAULT_MAP
    unsupported_args: list = []
    unsupported_training_args: list = []
    has_weights = False
    allow_fallback = True

    def __init__(self, layer: keras.Layer, converter: Options):
        self.layer = layer
        self.converter = converter
        self._builds: list[Build] = []

    def convert(self, node_id: int) -> Obj | list[Obj]:
        """Make Nengo objects for one call of the layer.

        Parameters
        ----------
        node_id : int
            The call.

        Returns
        -------
        obj : Nengo object or list of them
            What holds the output, or one for each output.
        """
        raise NotImplementedError

    @classmethod
    def convertible(
        cls, layer: keras.Layer, converter: Options
    ) -> tuple[bool, str | None]:
        """Return whether a layer can be converted, and why not.

        Parameters
        ----------
        layer : keras.Layer
            The layer.
        converter : Options
            The options of the conversion.

        Returns
        -------
        is_convertible : bool
        reason : str or None
        """
        unsupported = list(cls.unsupported_args)
        if not converter.inference_only:
            unsupported += cls.unsupported_training_args
        for arg in unsupported:
            name, default = (arg, None) if isinstance(arg, str) else arg
            value = getattr(layer, name)
            if value != default:
                return False, f"expected {name}={default!r} (got {value!r})"
        return True, None

    def add_nengo_obj(
        self, node_id: int, biases: Any = None, activation: Any = None
    ) -> Obj:
        """Make what holds the output of a call, with biases and an activation.

        Parameters
        ----------
        node_id : int
            The call.
        biases : array_like of shape (size of the output,), optional
            One for each element of the output.
        activation : callable or NeuronType, optional
            None for a node that passes values through.

        Returns
        -------
        obj : Neurons or Node or TensorNode
        """
        build = self._builds[node_id]
        obj = build.units(self._mapped(activation))
        if biases is not None:
            build.bias(obj, biases, trainable=self.layer.trainable)
        return obj

    def _mapped(self, activation: Any) -> Any:
        """Return what the map has for an activation that stays, or for its swap."""
        found, used = self.converter.swaps.find(canonical(activation))
        if callable(found):
            return self.activation_map.get(found, activation)
        if used:
            return activation
        return self.activation_map.get(activation, activation)

    def add_connection(
        self,
        node_id: int,
        obj: Obj,
        input_idx: int = 0,
        trainable: bool = False,
        **kwargs,
    ) -> nengo.Connection:
        """Connect an input of a call to an object.

        Parameters
        ----------
        node_id : int
            The call.
        obj : Nengo object
            The end of the connection.
        input_idx : int
            Which of the inputs.
        trainable : bool
            Whether the connection has weights, which are trained unless the layer is
            frozen.
        **kwargs
            More arguments of `nengo.Connection`.

        Returns
        -------
        conn : Connection
        """
        build = self._builds[node_id]
        # frozen weights still count as weights, and constants do not
        trains = self.layer.trainable if trainable else None
        return build.connect(obj, input_idx, trainable=trains, **kwargs)

    def get_input_obj(self, node_id: int, tensor_idx: int = 0) -> Obj:
        """Return the Nengo object of an input of a call.

        Parameters
        ----------
        node_id : int
            The call.
        tensor_idx : int
            Which of the inputs.

        Returns
        -------
        obj : Nengo object
            To connect from.
        """
        return self._builds[node_id].input(tensor_idx)

    def input_shape(self, node_id: int, full_shape: bool = False) -> Any:
        """Return the shape of the input (a list for several) of a call.

        Parameters
        ----------
        node_id : int
            The call.
        full_shape : bool
            Whether to include the minibatch axis.

        Returns
        -------
        shape : tuple of int, or list of them
            The shape, or one for each input.
        """
        call = self._builds[node_id].call
        return _shapes(call.inputs, call.input_shapes, full_shape)

    def output_shape(self, node_id: int, full_shape: bool = False) -> Any:
        """Return the shape of the output (a list for several) of a call.

        Parameters
        ----------
        node_id, full_shape : int, bool
            As for `input_shape`.

        Returns
        -------
        shape : tuple of int, or list of them
            One for each output, if there are several.
        """
        call = self._builds[node_id].call
        return _shapes(call.outputs, call.output_shapes, full_shape)

    def set_trainable(self, obj: Obj | nengo.Connection, trainable: bool) -> None:
        """Set whether training changes a Nengo object.

        Parameters
        ----------
        obj : Ensemble or Neurons or Connection
            The object.
        trainable : bool
            Whether it is trained.
        """
        set_trainable(self._builds[-1].objects.net, obj, trainable)


class NativeConverter(LayerConverter):
    """Base of the classes ``Convert<Layer>``, which do what a function does."""

    rule: Rule

    def convert(self, node_id: int) -> Obj | list[Obj]:
        """Make Nengo objects for one call of the layer, see `LayerConverter`."""
        build = self._builds[node_id]
        return self.rule.convert(build.call, build)


def converter_types(registry: Registry) -> dict[str, type[NativeConverter]]:
    """Make a class ``Convert<Layer>`` for each layer type with a registered function.

    Users derive converters of similar layers from them.
    """
    return {
        (name := f"Convert{layer_type.__name__}"): type(
            name,
            (NativeConverter,),
            {
                "__doc__": f"Convert a `{layer_type.__name__}` layer.",
                "__module__": "nengo_dl.converter",
                "allow_fallback": rule.allow_fallback,
                "rule": rule,
            },
        )
        for layer_type, rule in registry.items()
        if isinstance(layer_type, type)
    }


def rule_of(cls: type[LayerConverter], **fields: Any) -> Rule:
    """Return the `Rule` of a `LayerConverter` subclass, with some other fields."""

    def convert(call: LayerCall, build: Build) -> Obj | list[Obj]:
        converters, layer = build.shared.converters, call.layer
        if id(layer) not in converters:
            converters[id(layer)] = cls(layer, build.options)
        found = converters[id(layer)]
        found._builds.append(build)
        return found.convert(len(found._builds) - 1)

    base = Rule(convert, temporal=True)
    if issubclass(cls, NativeConverter):
        base = cls.rule

    def check(call: LayerCall, options: Options) -> str | None:
        is_convertible, reason = cls.convertible(call.layer, options)
        if not is_convertible:
            return reason or "cannot be converted"
        return None if base.check is None else base.check(call, options)

    own = {
        "convert": convert,
        "check": check,
        "allow_fallback": cls.allow_fallback,
        "converter_type": cls,
    }
    return replace(base, **{**own, **fields})


def _shapes(tensors: Sequence, shapes: Sequence[tuple], full_shape: bool) -> Any:
    """Return one shape, or a list of several, with the minibatch axis or without."""
    found = [tuple(x.shape) for x in tensors] if full_shape else list(shapes)
    return found[0] if len(found) == 1 else found
