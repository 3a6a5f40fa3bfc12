"""TensorFlow code and Keras layers as parts of a Nengo network.

A `TensorNode` is a Nengo object that computes its output with TensorFlow. `Layer` makes
one (or an ensemble of neurons) and connects it, in the manner of Keras.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import keras
import nengo
import numpy as np
from nengo.base import NengoObject, ObjView
from nengo.builder import Builder, Signal
from nengo.builder.operator import Reset
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType
from nengo.params import BoolParam, Parameter
from nengo.synapses import Synapse
from nengo.transforms import Transform
from numpy.typing import ArrayLike

from nengo_dl.config import enable_setting, get_setting
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.nodes.modules import as_layer, is_module
from nengo_dl.nodes.tensor_function import SimTensorNode, TensorFunction, run_elsewhere


class TensorFuncParam(Parameter):
    """A function of tensors, or a Keras layer."""

    def coerce(self, instance, value):
        """Check that the value can be called."""
        with argument(self.name, instance):
            return super().coerce(instance, _callable(value))


class TensorShapeParam(Parameter):
    """The shape of a tensor without its minibatch axis, or None for no tensor."""

    def coerce(self, instance, value):
        """Turn a shape into a tuple of int."""
        value = super().coerce(instance, value)
        with argument(self.name, instance):
            return None if value is None else _shape(value)


class TensorNode(nengo.Node):
    """Compute part of a network with TensorFlow or Keras.

    Parameters
    ----------
    tensor_func : callable or keras.Layer or torch.nn.Module
        The function, or a Keras layer or model; `nengo_dl.torch.layer` makes one of a
        module of torch. A function is called with ``(t, x)``:
        ``t`` is the time in seconds, a scalar tensor, and ``x`` the input, of shape
        (minibatch_size, \\*shape_in), both of the dtype of the simulation. It returns a
        tensor of the same dtype and of shape (minibatch_size, \\*shape_out), or any
        other shape with the same number of elements per item. A Keras layer or model is
        called in the same way, but gets two arguments as one list ``[t, x]``, and
        ``training`` for itself and all layers inside of it.
    shape_in : tuple of int, optional
        Shape of the input, without the minibatch axis. With None there is no input, and
        the function is called with ``(t)``.
    shape_out : tuple of int, optional
        Shape of the output, without the minibatch axis. By default it is found from the
        shapes of a Keras layer, or by calling the function once, on a single item of
        zeros.
    pass_time : bool, optional
        If False, it is called with ``(x)``, as modules of torch are by default.
    label : str, optional
        A name, for messages and plots.

    Attributes
    ----------
    size_in, size_out : int
        Number of elements of the input and of the output, 0 for no input. To
        connections, tensors are vectors, in row-major order.

    Raises
    ------
    ValidationError
        If the function cannot be called, a shape is not made of positive numbers,
        neither input nor time would be passed, or the call that finds ``shape_out``
        fails or does not return a tensor.

    Notes
    -----
    A layer or model is used itself, never a copy. Its weights are the weights of the
    simulation, and only training changes them. All TensorNodes (and all simulators)
    with the same layer share them. ``Simulator.reset`` puts the weights of a
    ``keras.Model`` back to their first values, but not those of a layer.

    A layer without weights gets them when the simulator is built, at the latest. Keras
    draws the seeds of most initializers when the *layer* is made, so call
    ``keras.utils.set_random_seed`` before that to make weights reproducible.

    Weights that a plain function uses are neither trained nor saved. Pass the layer
    itself, or a Keras layer that contains it.

    Losses that a layer adds when it is called, by an ``activity_regularizer`` or
    ``add_loss``, are part of the loss of ``Simulator.fit`` and ``evaluate``. As in
    Keras, each step is a call, and the losses of all steps are added up. Regularizers
    and constraints of weights have the same effect as in Keras.

    Layers compute in their own precision, and their results are converted. For
    simulations in float64, make layers with ``dtype="float64"``.

    Copying or pickling a network copies its layers with their weights, by Keras'
    serialization. For this, decorate your own classes of layers with
    ``keras.saving.register_keras_serializable``.

    XLA compiles the function with the rest of the simulation. If the function calls
    back to Python (``tf.numpy_function``, ``tf.py_function``), or is a layer that does
    not support XLA, the simulation around it is compiled in segments. If XLA cannot
    compile the function for another reason, turn XLA off with
    ``configure_settings(jit_compile=False)``.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           stimulus = nengo.Node([1.0, 2.0])
           node = nengo_dl.TensorNode(lambda t, x: t * tf.square(x), shape_in=(2,))
           nengo.Connection(stimulus, node, synapse=None)
           probe = nengo.Probe(node)

       with nengo_dl.Simulator(net, dt=0.5, progress_bar=False) as sim:
           sim.run_steps(2)
       print(sim.data[probe])

    .. testoutput::

       [[0.5 2. ]
        [1.  4. ]]
    """

    tensor_func: Any = TensorFuncParam("tensor_func", readonly=True)
    shape_in: Any = TensorShapeParam(
        "shape_in", default=None, optional=True, readonly=True
    )
    shape_out: Any = TensorShapeParam(
        "shape_out", default=None, optional=True, readonly=True
    )
    pass_time = BoolParam("pass_time", default=True, readonly=True)

    def __init__(
        self,
        tensor_func: Callable[..., Any],
        shape_in: Sequence[int] | None = None,
        shape_out: Sequence[int] | None = None,
        pass_time: bool | None = None,
        label: str | None = None,
    ):
        super().__init__(output=None, size_in=0, size_out=None, label=label)
        self.shape_in = shape_in
        self.pass_time = not is_module(tensor_func) if pass_time is None else pass_time
        self.tensor_func = as_layer(tensor_func, self.shape_in, self.pass_time)
        if self.shape_in is None and not self.pass_time:
            raise ValidationError(
                "expected a function that takes the time or an input (got shape_in="
                "None and pass_time=False). Pass shape_in, or leave out pass_time.",
                attr="pass_time",
                obj=self,
            )
        if shape_out is None:
            shape_out = self.function.infer_shape_out(_simulation_dtype())
        self.shape_out = shape_out
        self.size_in = 0 if self.shape_in is None else math.prod(self.shape_in)
        self.size_out = math.prod(self.shape_out)
        self.output = run_elsewhere

    @property
    def function(self):
        """(TensorFunction) The function, with the form of its arguments."""
        return TensorFunction(
            self.tensor_func, self.shape_in, self.pass_time, str(self)
        )


@Builder.register(TensorNode)
def build_tensor_node(model, node):
    """Build a `TensorNode` into a model, of any simulator; Keras keeps the weights."""
    signal_in = None
    if node.shape_in is not None:
        signal_in = Signal(shape=(node.size_in,), name=f"{node}.in")
        model.add_op(Reset(signal_in))
    signal_out = Signal(shape=(node.size_out,), name=f"{node}.out")
    time = model.time if node.pass_time else None
    function = node.function
    state = [
        Signal(np.ravel(value), name=f"{node}.state")
        for value in map(keras.ops.convert_to_numpy, function.initial_states())
    ]
    model.add_op(SimTensorNode(function, time, signal_in, signal_out, state))
    model.sig[node]["in"] = signal_in
    model.sig[node]["out"] = signal_out
    model.params[node] = None


class Layer:
    """Make a Nengo object and connect it, in the manner of a Keras layer.

    Parameters
    ----------
    layer_func : callable or keras.Layer or torch.nn.Module or NeuronType
        A function of one tensor, a Keras layer or a module of torch, for a
        `TensorNode`; or a neuron type (`nengo.neurons.NeuronType`), for an ensemble.

    Raises
    ------
    ValidationError
        If ``layer_func`` is something else.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           x = nengo.Node(np.zeros(28 * 28))
           x = nengo_dl.Layer(keras.layers.Conv2D(4, 3))(x, shape_in=(28, 28, 1))
           x = nengo_dl.Layer(nengo.LIF())(x)
           x = nengo_dl.Layer(keras.layers.Dense(units=10))(x)
       print(x.shape_in, x.shape_out, nengo_dl.Layer(tf.nn.relu))

    .. testoutput::

       (2704,) (10,) Layer(relu)
    """

    def __init__(self, layer_func: Callable[..., Any] | NeuronType):
        if not isinstance(layer_func, NeuronType):
            with argument("layer_func", type(self)):
                _callable(layer_func)
        self.layer_func = layer_func

    def __call__(
        self,
        input: NengoObject | ObjView | Neurons,
        transform: ArrayLike | Transform | None = None,
        shape_in: Sequence[int] | None = None,
        synapse: Synapse | float | None = None,
        return_conn: bool = False,
        **layer_args,
    ) -> Any:
        """Make the object and connect ``input`` to it.

        Parameters
        ----------
        input : Nengo object
            Where the connection starts: a node, an ensemble, neurons, a `TensorNode`,
            or a view of one of them.
        transform : array_like or `nengo.transforms.Transform`, optional
            Transform of the connection, of shape (size of the new object, size of
            ``input``). By default, values are passed on as they are.
        shape_in : tuple of int, optional
            Shape of the input of the new object, without the minibatch axis. By default
            a vector of the size of the connection.
        synapse : Synapse or float, optional
            Synapse of the connection. By default, the connection has no synapse.
        return_conn : bool
            Whether to return the connection as well.
        **layer_args
            Arguments of the `TensorNode` (``shape_out``, ``label``), or of the ensemble
            (e.g. ``gain``, ``bias``, ``max_rates``).

        Returns
        -------
        obj : `TensorNode` or Neurons
            The new object.
        conn : Connection
            The connection, if ``return_conn`` is True. It is not trainable, see
            `nengo_dl.configure_settings`.

        Raises
        ------
        ValidationError
            If ``input`` cannot be connected, or an argument is not valid.
        """
        size_in = _size_out(input, transform)
        if shape_in is not None and _is_shape(shape_in):
            size_in = math.prod(shape_in)
        if isinstance(self.layer_func, NeuronType):
            obj = nengo.Ensemble(
                size_in, 1, neuron_type=self.layer_func, **layer_args
            ).neurons
        else:
            obj = TensorNode(
                self.layer_func,
                shape_in=(size_in,) if shape_in is None else shape_in,
                pass_time=False,
                **layer_args,
            )
        conn = nengo.Connection(input, obj, synapse=synapse, transform=transform)
        network = nengo.Network.context[-1]
        enable_setting(network, "trainable")
        network.config[conn].trainable = False
        return (obj, conn) if return_conn else obj

    def __str__(self):
        func = self.layer_func
        name = getattr(func, "name", None) or getattr(func, "__name__", repr(func))
        return f"{type(self).__name__}({name})"


def tensor_layer(
    input: NengoObject | ObjView | Neurons,
    layer_func: Callable[..., Any] | NeuronType,
    **kwargs,
) -> Any:
    """Call ``Layer(layer_func)(input, **kwargs)``; deprecated in favour of `Layer`.

    Parameters
    ----------
    input : Nengo object
        Where the connection starts.
    layer_func : callable or keras.Layer or `nengo.neurons.NeuronType`
        See `Layer`.
    **kwargs
        Arguments of `Layer.__call__`.

    Returns
    -------
    obj : `TensorNode` or Neurons
        The new object. With ``return_conn=True``, a tuple of the object and the
        connection.
    """
    warnings.warn(
        "nengo_dl.tensor_layer is deprecated. Write "
        "nengo_dl.Layer(layer_func)(input, ...).",
        DeprecationWarning,
        stacklevel=2,
    )
    return Layer(layer_func)(input, **kwargs)


def _callable(value):
    """Return a function or layer, or raise `InvalidValue`."""
    if callable(value) and not isinstance(value, type):
        return value
    advice = "Pass a function of tensors, or a Keras layer."
    if isinstance(value, type):
        advice = f"Make an instance first: {value.__name__}(...)."
    elif isinstance(value, NeuronType):
        advice = "Neuron types go into an Ensemble, or into nengo_dl.Layer."
    raise InvalidValue(
        f"expected a function or a Keras layer (got {value!r}). {advice}"
    )


def _shape(value):
    """Return a shape as a tuple of int, or raise `InvalidValue`."""
    if not _is_shape(value):
        raise InvalidValue(
            f"expected a tuple of whole numbers, each at least 1 (got {value!r}). "
            "Leave out the minibatch axis, e.g. (28, 28, 1) for images."
        )
    return tuple(int(length) for length in value)


def _is_shape(value):
    return isinstance(value, tuple | list) and all(map(_is_length, value))


def _is_length(value):
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    return is_whole and int(value) >= 1


def _simulation_dtype():
    """Return the dtype that simulations of the current network will have."""
    context = nengo.Network.context
    return get_setting(context[0], "dtype", "float32") if len(context) else "float32"


def _size_out(input, transform):
    """Return the size of the values that arrive at the end of a connection."""
    if not isinstance(input, NengoObject | ObjView | Neurons):
        raise ValidationError(
            f"expected a Nengo object (got {input!r} of type {type(input).__name__}). "
            "Connect from a nengo.Node; nengo.Node(array) is one that puts out values.",
            attr="input",
            obj=Layer,
        )
    if isinstance(transform, str | bytes):
        raise ValidationError(
            f"expected an array, a nengo transform or None (got {transform!r}). Leave "
            "it out to pass values on as they are.",
            attr="transform",
            obj=Layer,
        )
    if isinstance(transform, Transform):
        return transform.size_out
    shape = np.shape(transform)
    return shape[0] if len(shape) == 2 else input.size_out
