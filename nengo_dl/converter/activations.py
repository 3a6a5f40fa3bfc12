"""From the names of Keras activations to their forms.

An activation has many names: strings, functions of Keras and TensorFlow, layers and
operations. `canonical` returns the one thing that all of them mean, its form.
"""

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, cast

import keras
import nengo
import tensorflow as tf
from nengo.neurons import NeuronType

from nengo_dl.converter.forms import Clipped, Composite, Form, SoftmaxOver
from nengo_dl.converter.swaps import Swap, Swaps, is_same
from nengo_dl.loihi import LoihiLIF
from nengo_dl.names import suggestion
from nengo_dl.neurons import FUNCTIONS, LeakyReLU, Pointwise

WHERE = "Converter.swap_activations"
MAX_RELU6 = 6.0


def relu(negative_slope=0.0, max_value=None, threshold=0.0) -> Form:
    """Return what a ReLU with these parameters becomes."""
    negative_slope, threshold = negative_slope or 0.0, threshold or 0.0
    if threshold:
        arguments = {"negative_slope": negative_slope, "threshold": threshold}
        if max_value is not None:
            arguments["max_value"] = max_value
        return Pointwise("relu", arguments)
    if max_value is not None:
        return Clipped(max_value, negative_slope)
    return LeakyReLU(negative_slope) if negative_slope else nengo.RectifiedLinear()


def _leaky_relu(negative_slope=0.2) -> Form:
    return relu(negative_slope)


def _softmax(axis=-1) -> Form:
    axes = axis if isinstance(axis, list | tuple) else (axis,)
    return SoftmaxOver(tuple(-1 if a is None else a for a in axes))


def _pointwise(name: str) -> Callable[..., Form]:
    """Return what makes the neuron type of a function, without default arguments."""
    signature = inspect.signature(FUNCTIONS[name])
    parameters = signature.parameters

    def form(**arguments):
        signature.bind(0, **arguments)
        changed = {k: v for k, v in arguments.items() if v != parameters[k].default}
        return Pointwise(name, changed)

    return form


# By names in ``keras.activations``: from the parameters besides the input to the form.
FORMS: dict[str, Callable[..., Form]] = {
    **{name: _pointwise(name) for name in FUNCTIONS},
    "leaky_relu": _leaky_relu,
    "linear": lambda: None,
    "relu": relu,
    "relu6": lambda: Clipped(MAX_RELU6),
    "sigmoid": lambda: nengo.Sigmoid(tau_ref=1),
    "softmax": _softmax,
    "tanh": lambda: nengo.Tanh(tau_ref=1),
}
SYNONYMS = {"hard_swish": "hard_silu", "swish": "silu"}
NO_ACTIVATIONS = ("deserialize", "get", "serialize", "threshold")


def _names() -> dict[Callable, tuple[str, dict[str, Any]]]:
    """Map functions to names in ``keras.activations``, and their default parameters."""
    found: dict[Callable, tuple[str, dict[str, Any]]] = {}
    for name, function in inspect.getmembers(keras.activations, inspect.isfunction):
        if name not in NO_ACTIVATIONS:
            same: tuple[str, dict[str, Any]] = (SYNONYMS.get(name, name), {})
            modules = (keras.ops, tf.nn, tf.math, tf)
            others = (getattr(module, name, None) for module in modules)
            for other in (function, *filter(None, others)):
                found.setdefault(other, same)
    for function in (keras.ops.exp, tf.exp, tf.math.exp):
        found[function] = ("exponential", {})
    found[tf.identity] = ("linear", {})
    found[keras.ops.gelu] = ("gelu", {"approximate": True})
    return found


NAMES = _names()
DEFAULT_MAP = {
    function: FORMS[name](**defaults)
    for function, (name, defaults) in NAMES.items()
    if name in FORMS
}


def canonical(activation: Any, **arguments: Any) -> Form:
    """Return the form of an activation, whatever it is called.

    Parameters
    ----------
    activation : str or callable or NeuronType or Composite or None
        A name in ``keras.activations``, a function in it, ``keras.ops``, ``tf.nn`` or
        ``tf.math``, one of these in a ``functools.partial``, a layer or operation that
        computes one, or what this function returns.
    **arguments
        Parameters of a function besides its input, as ``keras.activations`` calls them.

    Examples
    --------
    .. testcode::

       from nengo_dl.converter.activations import canonical

       for activation in ("relu", tf.nn.relu, keras.ops.relu, keras.layers.ReLU()):
           print(canonical(activation))
       print(canonical(keras.ops.leaky_relu, negative_slope=0.1))

    .. testoutput::

       RectifiedLinear()
       RectifiedLinear()
       RectifiedLinear()
       RectifiedLinear()
       LeakyReLU(negative_slope=0.1)
    """
    if activation is None or isinstance(activation, NeuronType | Composite):
        return activation
    if isinstance(activation, str):
        activation = keras.activations.get(activation)
    if isinstance(activation, keras.Operation):
        return _of_operation(activation)
    if isinstance(activation, partial) and not activation.args:
        return _of_partial(activation, arguments)
    known = (
        NAMES.get(cast(Callable, activation))
        if isinstance(activation, Hashable)
        else None
    )
    if known is None:
        return partial(activation, **arguments) if arguments else activation
    name, defaults = known
    if name not in FORMS:
        function = getattr(keras.activations, name)
        return partial(function, **arguments) if arguments else function
    return FORMS[name](**(defaults | arguments))


def of_layer(layer: Any) -> Form:
    """Return the activation that a layer or operation applies, or is; None for none."""
    if _name_of(layer) is not None:
        return _of_operation(layer)
    return canonical(getattr(layer, "activation", None))


def _of_operation(operation: keras.Operation) -> Form:
    """Return the form of a layer or operation; itself if it is no activation."""
    if type(operation) is keras.layers.Activation:
        return canonical(operation.activation)
    name = _name_of(operation)
    if name is None:
        return operation
    parameters = inspect.signature(getattr(keras.activations, name)).parameters
    attributes = vars(operation)
    return FORMS[name](**{k: attributes[k] for k in parameters if k in attributes})


def _name_of(operation: keras.Operation) -> str | None:
    """Return which activation an operation of Keras computes: ``LeakyRelu`` is one."""
    if type(operation).__module__.split(".")[0] != "keras":
        return None
    name = {"exp": "exponential"}.get(type(operation).__name__.lower())
    return name or _COMPACT.get(type(operation).__name__.lower())


_COMPACT = {name.replace("_", ""): name for name in FORMS if name != "linear"}


def _of_partial(function: partial, arguments: dict[str, Any]) -> Form:
    """Return the form of a function with arguments; itself if it is not known."""
    given = function.keywords | arguments
    if function.func is tf.nn.leaky_relu and "alpha" in given:
        given["negative_slope"] = given.pop("alpha")
    try:
        form = canonical(function.func, **given)
    except TypeError:  # arguments that change something else, such as a name
        return function
    return function if isinstance(form, partial) else form


def swaps_of(given: Mapping | None) -> Swaps:
    """Return the replacements that a user asks for.

    Keys and values are activation functions, their names and neuron types. None and
    "linear" stand for no activation.
    """
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(
            f"{WHERE}: expected a dict from activations to what takes their place (got "
            f"{given!r}). Use e.g. {{keras.activations.relu: nengo.LIF()}}."
        )
    swaps = tuple(
        Swap(key, _form(key), _is_general(key), _form(value))
        for key, value in (given or {}).items()
    )
    for i, swap in enumerate(swaps):
        if isinstance(swap.value, LoihiLIF):
            raise ValueError(
                f"{WHERE}: expected neurons with a threshold of 1 (got LoihiLIF, whose "
                "inputs are large whole numbers). Convert to nengo.LIF(), and call "
                "nengo_dl.hardware.loihi(converter.net)."
            )
        for other in swaps[:i]:
            is_one = is_same(other.form, swap.form)
            if is_one and not is_same(other.value, swap.value):
                raise ValueError(
                    f"{WHERE}: expected one value for each activation (got "
                    f"{shown(other.value)} for {shown(other.key)} and "
                    f"{shown(swap.value)} for {shown(swap.key)}, which are names "
                    "of one activation). Remove one of the two."
                )
    return Swaps(swaps)


def shown(activation: Any) -> str:
    """Name an activation, for messages."""
    return getattr(activation, "__name__", None) or str(activation)


def _form(value: Any) -> Form:
    """Return the form of a key or a value."""
    is_form = value is None or isinstance(value, NeuronType | Composite)
    is_function = isinstance(value, str) or callable(value)
    if isinstance(value, type) or not (is_form or is_function):
        raise TypeError(
            f"{WHERE}: expected activation functions and neuron types (got {value!r}). "
            "Use e.g. {keras.activations.relu: nengo.LIF()}."
        )
    try:
        return canonical(value)
    except ValueError as error:
        names = [name for name in dir(keras.activations) if name.islower()]
        raise ValueError(
            f"{WHERE}: expected the name of a function in keras.activations (got "
            f"{value!r}).{suggestion(value, names) or ' Pass the function itself.'}"
        ) from error


def _is_general(key: Any) -> bool:
    with_parameters = NeuronType | Composite | keras.Operation | partial
    return not isinstance(key, with_parameters)
