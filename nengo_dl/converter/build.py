"""What converters of layers make Nengo objects with.

A `Build` belongs to one call of one layer. It knows the objects of the layer's inputs
and the options of the conversion, so that a converter of a layer is a few lines.
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.neurons import NeuronType

from nengo_dl.converter import activations
from nengo_dl.converter.activations import Clipped, Composite, SoftmaxOver
from nengo_dl.converter.calibration.tuning import started
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.nodes.array_node import ArrayNode, Constant, Reduce, Scale, Softmax
from nengo_dl.nodes.tensor_node import TensorNode


class Build:
    """Makes the Nengo objects of one call of a layer, in the current network.

    Parameters
    ----------
    converter : `Converter`
        Whose options count.
    call : `LayerCall`
        What is converted.
    objs : mapping of int to object
        The Nengo objects of the input tensors, by the tensors' ids.

    Attributes
    ----------
    converter, call
        As above.
    """

    def __init__(self, converter: Any, call: LayerCall, objs: Mapping[int, Any]):
        self.converter = converter
        self.call = call
        self._objs = objs
        self._pending: Composite | None = None

    @property
    def name(self) -> str:
        """(str) The layer's name."""
        return self.call.layer.name

    @property
    def size(self) -> int:
        """(int) Number of elements of the layer's first output."""
        return math.prod(self.call.output_shape)

    def input(self, index: int = 0) -> Any:
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
        return self._objs[id(self.call.inputs[index])]

    def units(self, activation: Any = None, size: int | None = None) -> Any:
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
        size = self.size if size is None else size
        found = self.converter.swaps(activation)
        if isinstance(found, NeuronType):
            is_swapped = self.converter.swaps.has(activation)
            return self._population(found, size, is_swapped=is_swapped)
        if found is None:
            return self.node(size)
        if isinstance(found, Composite):
            self._pending = found
            return self.node(size, "input")
        shape = self.call.output_shape
        return TensorNode(
            found, shape_in=shape, shape_out=shape, pass_time=False, label=self.name
        )

    def finish(self, obj: Any) -> Any:
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
        pending, self._pending = self._pending, None
        if isinstance(pending, Clipped):
            return self._clipped(pending, obj)
        if isinstance(pending, SoftmaxOver):
            shape = self.call.output_shape
            axes = self.call.signal_axes(pending.axes)
            node = self.array_node(Softmax(shape, shape, axes))
            self.link(obj, node)
            return node
        return self.converter.heights.get(obj, obj)

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
        return nengo.Node(
            size_in=self.size if size is None else size, label=self._label(part)
        )

    def array_node(self, function: Any) -> ArrayNode:
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
        swaps = self.converter.swaps
        found = swaps(neuron_type)
        # what is no neurons cannot take the place of a part of an activation
        is_swapped = swaps.has(neuron_type) and isinstance(found, NeuronType)
        return self._population(
            found if is_swapped else neuron_type, size, bias, part, is_swapped
        )

    def _population(
        self,
        neuron_type: NeuronType,
        size: int | None,
        bias: float = 0.0,
        part: str = "",
        is_swapped: bool = False,
    ) -> Neurons:
        """Make neurons of a type that stays as it is, see `neurons`."""
        size = self.size if size is None else size
        tuning = self.converter.next_tuning(self.call.layer)
        if self.converter.is_tuned:
            neuron_type = started(neuron_type)
        height = float(np.max(tuning.amplitude))
        ensemble = nengo.Ensemble(
            size,
            1,
            neuron_type=activations.scaled(neuron_type, height, self.name),
            encoders=np.ones((size, 1)),
            eval_points=np.zeros((1, 1)),
            gain=np.broadcast_to(np.asarray(tuning.gain, dtype=float), size),
            bias=np.broadcast_to(bias * tuning.gain + tuning.bias, size),
            label=self._label(part),
        )
        self.converter.populations.append(ensemble.neurons)
        if is_swapped:
            self.converter.swapped.add(ensemble.neurons)
        self.converter.channels.append(self._channels(size))
        if np.any(tuning.amplitude != height):
            self._add_heights(ensemble.neurons, tuning.amplitude / height)
        self.converter.biases[ensemble.neurons] = ()
        return ensemble.neurons

    def connect(self, obj: Any, index: int = 0, **kwargs) -> nengo.Connection:
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
        self,
        pre: Any,
        post: Any,
        transform: Any = None,
        trainable: bool = False,
        take: np.ndarray | None = None,
        into: np.ndarray | slice | None = None,
        synapse: Any = None,
        part: str = "",
        **kwargs,
    ) -> nengo.Connection:
        """Connect two objects.

        Parameters
        ----------
        pre, post : Nengo objects
            The ends.
        transform : `nengo.transforms.Transform` or array_like, optional
            On the way; an array has the shape (size of ``post``, size of ``pre``).
        trainable : bool
            Whether the transform is trained.
        take, into : index, optional
            Which elements of ``pre`` are taken, and where in ``post`` they go.
        synapse : Synapse, optional
            By default that of the options behind neurons, and none elsewhere.
        part : str
            What the transform is of the layer, for its label.
        **kwargs
            More arguments of `nengo.Connection`.

        Returns
        -------
        conn : Connection
            From ``pre`` to ``post``.
        """
        pre = self.converter.heights.get(pre, pre)
        if synapse is None and self.converter.is_population(pre):
            synapse = self.converter.synapse
        target = post.obj if isinstance(post, ObjView) else post
        if self.is_spiking(pre) and not isinstance(target, Neurons | TensorNode):
            self.converter.spiking.add(target)
        conn = nengo.Connection(
            pre if take is None else pre[_compact(take, pre.size_out)],
            post if into is None else post[into],
            transform=transform,
            synapse=synapse,
            **{"label": self._label(part), **kwargs},
        )
        self.converter.set_trainable(conn, trainable)
        return conn

    def bias(
        self,
        obj: Any,
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
        column = array(values).reshape(-1, 1)
        relay = obj if index is None else self.node(len(column), "bias")
        conn = self.link(self.converter.one(), relay, column, trainable, part="bias")
        if index is not None:
            self.link(relay, obj, take=index)
        if obj in self.converter.biases:
            self.converter.biases[obj] += (conn,)

    def channel_bias(self, obj: Any, variable: Any, channels_last: bool = True) -> None:
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
        obj = self.node()
        self.connect(obj, transform=self._factors(scale))
        if np.any(offset):
            offset = np.broadcast_to(offset, self.call.output_shape)
            self.bias(obj, offset, trainable=False)
        return obj

    def is_spiking(self, obj: Any) -> bool:
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
        if isinstance(obj, Neurons):
            return obj.ensemble.neuron_type.spiking
        return obj in self.converter.spiking

    def _channels(self, size):
        """Return the channel of each neuron, counted from 0."""
        shape = self.call.output_shape
        if size != math.prod(shape) or not shape:
            return np.zeros(size, dtype=int)
        is_first = getattr(self.call.layer, "data_format", None) == "channels_first"
        numbers = np.indices(shape)[0 if is_first else -1]
        return numbers.ravel()

    def _add_heights(self, neurons, factors):
        """Make a node for the output of neurons whose spikes differ in height."""
        shape = (neurons.size_out,)
        node = ArrayNode(Scale(shape, shape, factors), label=self._label("heights"))
        conn = nengo.Connection(neurons, node, synapse=None)
        self.converter.set_trainable(conn, False)
        self.converter.heights[neurons] = node
        if self.is_spiking(neurons):
            self.converter.spiking.add(node)

    def _factors(self, scale):
        scale = np.asarray(scale, dtype=float)
        if scale.size == 1:
            return float(scale.reshape(()))
        return np.broadcast_to(scale, self.call.output_shape).ravel()

    def _clipped(self, clipped: Clipped, obj: Any) -> nengo.Node:
        rising = self.neurons(activations.relu(clipped.negative_slope))
        above = self.neurons(
            nengo.RectifiedLinear(), bias=-clipped.max_value, part="above"
        )
        node = self.node()
        self.link(obj, rising)
        self.link(obj, above)
        self.link(rising, node)
        self.link(above, node, transform=-1)
        return node

    def _label(self, part: str) -> str:
        return f"{self.name}.{part}" if part else self.name


def array(values: Any) -> np.ndarray:
    """Return a Keras variable, a tensor or what is like an array as a NumPy array."""
    dtype = getattr(values, "dtype", "float32")
    if keras.backend.standardize_dtype(dtype) in ("float16", "bfloat16"):
        # NumPy does not know all half precisions, which are exact in single
        values = keras.ops.cast(values, "float32")
    # Keras' convert_to_numpy does the same for variables, with a warning of NumPy 2
    is_keras = isinstance(values, keras.Variable) or keras.ops.is_tensor(values)
    return np.asarray(values.numpy() if is_keras else values)


def one() -> ArrayNode:
    """Make the source of all biases, a node that puts out 1."""
    return ArrayNode(Constant((), (1,)), label="one")


def reduction(how: str, n: int, shape: tuple[int, ...]) -> Reduce:
    """Return the function that combines arrays of one shape element by element."""
    return Reduce((n, *shape), shape, how)


def _compact(index: Any, size: int) -> Any:
    """Return a list as a slice where it is one, which costs nothing."""
    index = np.asarray(index).ravel()
    start, stop = int(index[0]), int(index[-1]) + 1
    if np.array_equal(index, np.arange(start, stop)):
        return slice(None) if stop - start == size else slice(start, stop)
    return index.tolist()
