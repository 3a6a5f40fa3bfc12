"""Helpers of the rules of layers, which make Nengo objects with them.

A `Build` belongs to one call of one layer. It knows the objects of the layer's inputs
and the options of the conversion, so that a rule is a few lines.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.neurons import NeuronType

from nengo_dl.converter.activations import canonical
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.objects import Objects
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.nodes.array_node import ArrayFunction, ArrayNode, Reduce

if TYPE_CHECKING:
    from nengo_dl.converter.layer_converter import LayerConverter


@dataclass(frozen=True)
class Shared:
    """Copies and converters that all calls of a layer share, by the layer's id."""

    copies: dict[int, keras.Operation] = field(default_factory=dict)
    converters: dict[int, "LayerConverter"] = field(default_factory=dict)


class Build:
    """Makes the Nengo objects of one call of a layer, in the current network.

    Parameters
    ----------
    objects : Objects
        Makes and records them.
    call : `LayerCall`
        The call.
    options : Options
        What the user chose: attributes of the names of arguments of `Converter`.
    inputs : sequence of Nengo objects
        One that holds each input of the call.
    shared : Shared
        What all calls of a layer share.
    """

    def __init__(
        self,
        objects: Objects,
        call: LayerCall,
        options: Options,
        inputs: Iterable[Obj],
        shared: Shared,
    ):
        self.objects = objects
        self.call = call
        self.options = options
        self.shared = shared
        self._inputs = tuple(inputs)

    @property
    def converter(self) -> Options:
        """(Options) The options, by the name that they had in earlier versions."""
        return self.options

    @property
    def name(self) -> str:
        """(str) The layer's name."""
        return self.call.layer.name

    @property
    def size(self) -> int:
        """(int) Number of elements of the layer's first output."""
        return math.prod(self.call.output_shape)

    def input(self, index: int = 0) -> Obj:
        """Return the Nengo object of an input.

        Parameters
        ----------
        index : int
            Which of the inputs.

        Returns
        -------
        obj : Neurons or Node or TensorNode
            To connect from.
        """
        return self._inputs[index]

    def units(self, activation: Any = None, size: int | None = None) -> Obj:
        """Make what holds the layer's output.

        Parameters
        ----------
        activation : callable or NeuronType or None
            What the output is a function of; None for a value that passes through.
        size : int, optional
            Number of elements, by default that of the layer's first output.

        Returns
        -------
        obj : Neurons or Node or TensorNode
            To connect inputs to. What `finish` makes of it is the output.
        """
        shape = self.call.output_shape if size in (None, self.size) else (size,)
        return self.objects.units(
            canonical(activation),
            shape,
            self.name,
            _channels(self.call, math.prod(shape)),
            self.call.signal_axes,
        )

    def finish(self, obj: Obj) -> Obj:
        """Complete what a converter has made.

        Parameters
        ----------
        obj : Neurons or Node or TensorNode
            What `units` has made.

        Returns
        -------
        obj : Neurons or Node or TensorNode
            What holds the layer's output.
        """
        return self.objects.finish(obj)

    def node(self, size: int | None = None, part: str = "") -> nengo.Node:
        """Make a node that passes values through.

        Parameters
        ----------
        size : int, optional
            Number of elements, by default that of the layer's first output.
        part : str
            What it is of the layer, for its label.

        Returns
        -------
        node : Node
            To connect inputs to.
        """
        size = self.size if size is None else size
        return nengo.Node(size_in=size, label=self._label(part))

    def array_node(self, function: ArrayFunction) -> ArrayNode:
        """Make a node that computes a function of arrays.

        Parameters
        ----------
        function : `nengo_dl.nodes.array_node.ArrayFunction`
            What it computes.

        Returns
        -------
        node : ArrayNode
            To connect inputs to.
        """
        return ArrayNode(function, label=self.name)

    def neurons(
        self,
        neuron_type: NeuronType,
        size: int | None = None,
        bias: float = 0.0,
        part: str = "",
    ) -> Neurons:
        """Make neurons, at the firing rates that the options ask for.

        Parameters
        ----------
        neuron_type : NeuronType
            Another takes its place if the options say so.
        size : int, optional
            Number of neurons, by default that of the layer's first output.
        bias : float
            A constant that is added to all inputs.
        part : str
            What they are of the layer, for their label.

        Returns
        -------
        neurons : Neurons
            Of an ensemble of their own.
        """
        size = self.size if size is None else size
        channels = _channels(self.call, size)
        return self.objects.neurons(
            neuron_type, size, self._label(part), channels, bias
        )

    def connect(self, obj: Obj, index: int = 0, **kwargs: Any) -> nengo.Connection:
        """Connect an input of the layer to an object.

        Parameters
        ----------
        obj : Nengo object
            The end of the connection.
        index : int
            Which of the inputs.
        **kwargs
            More arguments of `link`.

        Returns
        -------
        conn : Connection
            From the input to the object.
        """
        return self.link(self.input(index), obj, **kwargs)

    def link(
        self, pre: Obj, post: Obj, transform: Any = None, part: str = "", **kwargs: Any
    ) -> nengo.Connection:
        """Connect two objects.

        Parameters
        ----------
        pre, post : Nengo objects
            The ends.
        transform : `nengo.transforms.Transform` or array_like, optional
            On the way; an array has the shape (size of ``post``, size of ``pre``).
        part : str
            What the transform is of the layer, for its label.
        **kwargs
            Whether the transform is ``trainable`` (False); which elements of ``pre`` to
            ``take``, and ``into`` which of ``post`` they go; the ``synapse``, by
            default that of the options behind neurons, and none elsewhere; and more
            arguments of `nengo.Connection`.

        Returns
        -------
        conn : Connection
            From ``pre`` to ``post``.
        """
        kwargs.setdefault("label", self._label(part))
        return self.objects.link(pre, post, transform, **kwargs)

    def bias(
        self,
        obj: Obj,
        values: Any,
        index: np.ndarray | None = None,
        trainable: bool | None = None,
    ) -> None:
        """Add constants to what arrives at an object.

        They are stored as they are, whatever the firing rates: the gain of neurons
        counts for them, too.

        Parameters
        ----------
        obj : Nengo object
            Gets the constants.
        values : keras.Variable or array_like
            The constants, one for each element or channel.
        index : array_like of int, of shape (size of the object,), optional
            Which constant each element gets, by default each its own.
        trainable : bool, optional
            Whether they are trained; by default what a variable says. What is set for
            neurons, or their ensemble, counts for their constants and goes first.
        """
        if trainable is None:
            trainable = values.trainable
        self.objects.bias(obj, array(values), index, trainable, self.name)

    def channel_bias(
        self, obj: Obj, variable: keras.Variable, channels_last: bool = True
    ) -> None:
        """Add one constant per channel of the layer's output.

        Parameters
        ----------
        obj : Nengo object
            Gets the constants.
        variable : keras.Variable
            The constants, of shape (channels,).
        channels_last : bool
            Whether the axis of the channels comes last, or first.
        """
        n = int(np.prod(variable.shape))
        if n == self.size:
            self.bias(obj, variable)
        else:
            index = np.arange(self.size)
            index = index % n if channels_last else index // (self.size // n)
            self.bias(obj, variable, index)

    def affine(self, scale: Any, offset: Any) -> nengo.Node:
        """Make a node with the first input times a scale plus an offset, both fixed.

        Parameters
        ----------
        scale, offset : array_like
            They broadcast against the shape of the input.

        Returns
        -------
        node : Node
            What holds the result.
        """
        obj, shape = self.node(), self.call.output_shape
        scale = np.asarray(scale, dtype=float)
        is_one = scale.size == 1
        factors = scale.item() if is_one else np.broadcast_to(scale, shape).ravel()
        self.connect(obj, transform=factors)
        if np.any(offset):
            self.bias(obj, np.broadcast_to(offset, shape), trainable=False)
        return obj

    def is_spiking(self, obj: Obj) -> bool:
        """Whether spikes arrive at an object, or leave it.

        Parameters
        ----------
        obj : Nengo object
            Neurons, or a node.

        Returns
        -------
        is_spiking : bool
            Whether its values are spikes, or sums of them.
        """
        return self.objects.is_spiking(obj)

    def _label(self, part: str) -> str:
        return f"{self.name}.{part}" if part else self.name


def _channels(call: LayerCall, size: int) -> np.ndarray:
    """Return the channel of each neuron, counted from 0."""
    shape = call.output_shape
    if size != math.prod(shape) or not shape:
        return np.zeros(size, dtype=int)
    is_first = getattr(call.layer, "data_format", None) == "channels_first"
    return np.indices(shape)[0 if is_first else -1].ravel()


def array(values: Any) -> np.ndarray:
    """Return a Keras variable, a tensor or what is like an array as a NumPy array."""
    dtype = getattr(values, "dtype", "float32")
    if keras.backend.standardize_dtype(dtype) in ("float16", "bfloat16"):
        # NumPy does not know all half precisions, which are exact in single
        values = keras.ops.cast(values, "float32")
    # Keras' convert_to_numpy does the same for variables, with a warning of NumPy 2
    is_keras = isinstance(values, keras.Variable) or keras.ops.is_tensor(values)
    return np.asarray(values.numpy() if is_keras else values)


def reduction(how: str, n: int, shape: tuple[int, ...]) -> Reduce:
    """Return the function that combines arrays of one shape element by element."""
    return Reduce((n, *shape), shape, how)
