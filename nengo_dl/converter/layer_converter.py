"""`LayerConverter`: converters of layers as classes, with helpers by node id."""

from typing import Any

from nengo_dl.converter.activations import DEFAULT_MAP
from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall


class LayerConverter:
    """Base of classes that convert one layer; override `convert`.

    Parameters
    ----------
    layer : keras.Layer
        The layer.
    converter : `Converter`
        What it belongs to.

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

    def __init__(self, layer, converter):
        self.layer = layer
        self.converter = converter
        self._builds: list[Build] = []

    def convert(self, node_id):
        """Make Nengo objects for one call, and return the one with the output."""
        raise NotImplementedError

    @classmethod
    def convertible(cls, layer, converter):
        """Return whether a layer can be converted, and why not.

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

    def add_call(self, build: Build) -> int:
        """Add a call of the layer, and return its ``node_id``."""
        self._builds.append(build)
        return len(self._builds) - 1

    def add_nengo_obj(self, node_id, biases=None, activation=None):
        """Make what holds the output of a call, with biases and an activation.

        Parameters
        ----------
        node_id : int
            The call.
        biases : array_like, optional
            One for each element of the output.
        activation : callable or NeuronType, optional
            None for a node that passes values through.

        Returns
        -------
        obj : Neurons or Node or TensorNode
        """
        build = self._builds[node_id]
        obj = build.units(self.activation_map.get(activation, activation))
        if biases is not None:
            build.bias(obj, biases, trainable=self.layer.trainable)
        return obj

    def add_connection(self, node_id, obj, input_idx=0, trainable=False, **kwargs):
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
            Whether the connection's weights are trained.
        **kwargs
            More arguments of `nengo.Connection`.

        Returns
        -------
        conn : Connection
        """
        build = self._builds[node_id]
        trainable = trainable and self.layer.trainable
        return build.connect(obj, input_idx, trainable=trainable, **kwargs)

    def get_input_obj(self, node_id, tensor_idx=0):
        """Return the Nengo object of an input of a call."""
        return self._builds[node_id].input(tensor_idx)

    def input_shape(self, node_id, full_shape=False):
        """Return the shape of the input (a list for several) of a call.

        Parameters
        ----------
        node_id : int
            The call.
        full_shape : bool
            Whether to include the minibatch axis.
        """
        call = self._builds[node_id].call
        shapes = [tuple(x.shape) for x in call.inputs] if full_shape else None
        return _one_or_all(shapes or list(call.input_shapes))

    def output_shape(self, node_id, full_shape=False):
        """Return the shape of the output (a list for several) of a call."""
        call = self._builds[node_id].call
        shapes = [tuple(x.shape) for x in call.outputs] if full_shape else None
        return _one_or_all(shapes or list(call.output_shapes))

    def set_trainable(self, obj, trainable):
        """Set whether training changes a Nengo object."""
        self.converter.set_trainable(obj, trainable)


def entry_fields(cls: type) -> dict[str, Any]:
    """Return the fields of an `Entry` for a `LayerConverter` subclass."""

    def convert(call: LayerCall, build: Build) -> Any:
        layer_converter = build.converter.get_converter(call.layer)
        return layer_converter.convert(layer_converter.add_call(build))

    def check(call: LayerCall, converter: Any) -> str | None:
        is_convertible, reason = cls.convertible(call.layer, converter)
        return None if is_convertible else (reason or "cannot be converted")

    return {
        "convert": convert,
        "check": check,
        "temporal": True,
        "allow_fallback": cls.allow_fallback,
        "converter_type": cls,
    }


def _one_or_all(shapes: list) -> Any:
    return shapes[0] if len(shapes) == 1 else shapes
