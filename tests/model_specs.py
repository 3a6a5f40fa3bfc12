"""Turn a plain description of a Keras model into that model.

A description (*spec*) holds nothing but dicts, tuples, lists, strings and numbers, so
that a failing one can be printed, pasted into a test and built again, with the same
weights and inputs. See `tests.random_models` for what writes specs.

The nodes of a model are its inputs and its steps, in this order. A step takes tensors
by ``(number of the node, number of its output)``, and is one of

- a layer: ``{"layer": type, "arguments": {...}, "inputs": [...]}``
- an operator: ``{"operator": expression or name in keras.ops, ...}``
- a model inside: ``{"model": {"inputs", "steps", "outputs", "form"}, "inputs": ...}``
- another call of an earlier node: ``{"again": number, "inputs": [...]}``
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from tests.model_layers import CUSTOM

FUNCTIONS = {"tf.nn": tf.nn, "keras.ops": keras.ops, "activations": keras.activations}

# What is written with Python's operators; ``c`` is a number.
EXPRESSIONS = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / (2 + abs(y))": lambda x, y: x / (2 + abs(y)),
    "x + c": lambda x, c: x + c,
    "c + x": lambda x, c: c + x,
    "x - c": lambda x, c: x - c,
    "c - x": lambda x, c: c - x,
    "x * c": lambda x, c: x * c,
    "c * x": lambda x, c: c * x,
    "x / c": lambda x, c: x / c,
    "c / (2 + abs(x))": lambda x, c: c / (2 + abs(x)),
    "x + array": lambda x, c: x + c,
    "array * x": lambda x, c: c * x,
    "-x": lambda x: -x,
    "abs(x)": lambda x: abs(x),
    "x ** 2": lambda x: x**2,
    "x @ array": lambda x, c: x @ c,
    "x[key]": lambda x, key: x[build_key(key)],
    "x * (x > c)": lambda x, c: x * keras.ops.cast(x > c, x.dtype),
    "where(x > y, x, y)": lambda x, y: keras.ops.where(x > y, x, y),
    "cast(argmax(x))": lambda x: keras.ops.cast(keras.ops.argmax(x, -1), "float32"),
    "split": lambda x, axis: keras.ops.split(x, x.shape[axis], axis=axis),
    "unstack": lambda x, axis: keras.ops.unstack(x, axis=axis),
}
N_STEPS = 4  # of an axis of time
N_NUMBERS = 5  # integers are below that
TAKE_A_LIST = ("concatenate", "stack")


def values(seed, shape, low=-1.0, high=1.0):
    """Draw an array; the seed stands for it in a spec."""
    return np.random.RandomState(seed).uniform(low, high, size=shape).astype("f4")


def build_key(key):
    """Return what to put between brackets, behind the axis of the minibatch."""
    parts = {"slice": lambda *args: slice(*args), "int": lambda i: i}
    parts |= {"new": lambda: None, "rest": lambda: Ellipsis}
    return (slice(None), *(parts[kind](*args) for kind, *args in key))


def build_value(value):
    """Build an argument; some tuples stand for functions, layers and arrays."""
    if isinstance(value, dict):
        return {name: build_value(part) for name, part in value.items()}
    if not isinstance(value, tuple) or not value or not isinstance(value[0], str):
        return value
    kind, *args = value
    if kind in FUNCTIONS:
        return getattr(FUNCTIONS[kind], args[0])
    if kind == "layer":
        return build_layer(*args)
    if kind == "layers":
        return [build_layer(*each) for each in args]
    if kind == "array":
        return values(*args)
    return value


def build_layer(name, arguments):
    """Build a layer of Keras', or one of our own."""
    layer_type = CUSTOM[name] if name in CUSTOM else getattr(kl, name)
    return layer_type(**build_value(arguments))


def build_operator(name, arguments):
    """Return a function of tensors."""
    arguments = build_value(arguments)
    if name in EXPRESSIONS:
        return lambda *tensors: EXPRESSIONS[name](*tensors, **arguments)
    function = getattr(keras.ops, name)
    if name in TAKE_A_LIST:
        return lambda *tensors: function(list(tensors), **arguments)
    return lambda *tensors: function(*tensors, **arguments)


def call(function, step, tensors):
    """Call a layer on tensors, as its type wants them."""
    if len(tensors) == 1:
        return function(tensors[0], **step.get("call", {}))
    if "operator" in step or isinstance(function, kl.MultiHeadAttention):
        return function(*tensors)
    if isinstance(function, kl.RNN | kl.Bidirectional):
        return function(tensors[0], initial_state=list(tensors[1:]))
    return function(list(tensors), **step.get("call", {}))


def is_misread(step, inputs, outputs):
    """Whether Keras adds something along a wrong axis.

    ``keras.ops.add(x, y)`` takes a ``y`` with a single axis longer than 1 for a bias of
    the last axis of ``x``, if that is as long, and else of the first one, whichever
    axis of ``y`` it is.
    """
    name = step.get("layer", step.get("operator", ""))
    if "channels_first" in repr(step.get("arguments", "")):
        shape = tuple(outputs[0].shape)
        return shape[1] == shape[-1]
    if name not in ("Add", "x + y", "add", "x + array", "hypot"):
        return False
    shapes = [tuple(tensor.shape[1:]) for tensor in inputs]
    shapes += [c[2] for c in step["arguments"].values()]
    return any(
        len(y) > 1 and x != y and [n for n in y if n != 1] in ([x[0]], [x[-1]])
        for x in shapes
        for y in shapes
        if x
    )


class Graph:
    """A model to which steps can be added, one by one.

    Parameters
    ----------
    inputs : list of (shape, dtype)
        Without the minibatch.

    Attributes
    ----------
    nodes : list of list of KerasTensor
        The outputs of each input and step.
    functions : list
        The layer, model or function of each; None for inputs.
    steps : list of dict
        What was added.
    """

    def __init__(self, inputs):
        self.nodes = [
            [keras.Input(shape, dtype=dtype, name=f"in_{i}")]
            for i, (shape, dtype) in enumerate(inputs)
        ]
        self.inputs = [tensor for (tensor,) in self.nodes]
        self.functions = [None] * len(inputs)
        self.steps = []

    def tensor(self, ref):
        """Return a tensor by its node and output."""
        return self.nodes[ref[0]][ref[1]]

    def add(self, step, max_size=None):
        """Add a step; on errors, the graph stays as it was."""
        function = self._function(step)
        inputs = [self.tensor(ref) for ref in step["inputs"]]
        tensors = keras.tree.flatten(call(function, step, inputs))
        for tensor in tensors:
            size = np.prod([n or N_STEPS for n in tensor.shape[1:]])
            if max_size is not None and not 0 < size <= max_size:
                raise ValueError(f"expected at most {max_size} elements (got {size})")
        if is_misread(step, inputs, tensors):
            raise ValueError("expected shapes that Keras adds along the right axes")
        self.nodes.append(tensors)
        self.functions.append(function)
        self.steps.append(step)

    def _function(self, step):
        if "layer" in step:
            return build_layer(step["layer"], step["arguments"])
        if "operator" in step:
            return build_operator(step["operator"], step["arguments"])
        if "again" in step:
            return self.functions[step["again"]]
        return build_graph(step["model"])

    def model(self, outputs, form="list"):
        """Return the model of inputs and outputs."""
        tensors = [self.tensor(ref) for ref in outputs]
        if form == "dict":
            named = {f"in_{i}": tensor for i, tensor in enumerate(self.inputs)}
            out = {f"out_{i}": tensor for i, tensor in enumerate(tensors)}
            return keras.Model(named, out)
        if form == "single" and len(self.inputs) == 1 and len(tensors) == 1:
            return keras.Model(self.inputs[0], tensors[0])
        return keras.Model(self.inputs, tensors)


def build_graph(spec):
    """Build the model of a spec's inputs, steps and outputs, with Keras' weights."""
    if spec["form"] == "sequential":
        return build_sequential(spec)
    graph = Graph(spec["inputs"])
    for step in spec["steps"]:
        graph.add(step)
    return graph.model(spec["outputs"], spec["form"])


def build_sequential(spec):
    """Build a sequential model of a spec's first input and its steps."""
    shape, dtype = spec["inputs"][0]
    parts = [
        build_graph(step["model"])
        if "model" in step
        else build_layer(step["layer"], step["arguments"])
        for step in spec["steps"]
    ]
    return keras.Sequential([keras.Input(shape, dtype=dtype), *parts])


@contextlib.contextmanager
def policy(name):
    """Set Keras' dtype policy for a while."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build(spec):
    """Build the model of a spec, with random weights."""
    with policy(spec["policy"]):
        model = build_graph(spec)
    set_weights(model, spec["seed"])
    return model


def set_weights(model, seed):
    """Give weights random values that keep the size of what they are applied to."""
    rng = np.random.RandomState(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if not keras.backend.is_float_dtype(variable.dtype):
            continue
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 4
        value = rng.normal(size=shape, scale=1 / np.sqrt(max(fan_in, 1)))
        if "variance" in variable.path:
            value = rng.uniform(0.5, 1.5, size=shape)
        if "gamma" in variable.path:
            value = rng.uniform(0.5, 1.5, size=shape) * rng.choice([-1, 1], size=shape)
        variable.assign(value)


def random_inputs(spec, model):
    """Draw inputs of a model, in the order of ``model.inputs``."""
    rng = np.random.RandomState(spec["seed"] + 1)
    data = []
    for tensor in model.inputs:
        shape = [N_STEPS if n is None else n for n in tensor.shape[1:]]
        shape = (spec["minibatch_size"], *shape)
        if "int" in tensor.dtype:
            data.append(rng.randint(N_NUMBERS, size=shape).astype(tensor.dtype))
        else:
            data.append(rng.uniform(-1, 1, size=shape).astype(tensor.dtype))
    return data
