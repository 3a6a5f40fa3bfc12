"""The fallback: a `TensorNode` that calls a copy of the layer."""

import contextlib
import inspect
import math
import warnings

import keras
import numpy as np

from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.layers.dropout import CompiledDropout
from nengo_dl.converter.operands import keeps_items
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import ANY_LAYER, register
from nengo_dl.converter.unpacked import (
    Unpacked,
    UnpackedCell,
    UnpackedStateful,
    random_values,
)
from nengo_dl.nodes.tensor_node import TensorNode
from nengo_dl.simulator.stacklevel import user_level

_KERAS = "keras"
# Layers whose copies are of another class, which is faster
COMPILED: dict[type[keras.Layer], type[keras.Layer]] = {
    keras.layers.Dropout: CompiledDropout
}


def copied(layer: keras.Operation, call: LayerCall) -> keras.Operation:
    """Return a layer with the same configuration and weights.

    Without weights, this is the layer itself; also where Keras cannot make it again
    from its configuration, with a warning.
    """
    if not isinstance(layer, keras.layers.Layer) or not layer.variables:
        return layer
    try:
        return _made_again(layer, call)
    except Exception as exc:
        warnings.warn(
            f"Converter: expected to copy layer '{layer.name}' by way of its "
            f"configuration (got {type(exc).__name__}: {_first_line(exc)}). The "
            "network uses the layer itself: what trains the network changes the "
            f"weights of the model, too. For a copy, give {type(layer).__name__} a "
            "get_config that returns all arguments of its constructor, and the "
            "constructor **kwargs for name, trainable and dtype.",
            stacklevel=user_level(),
        )
        return layer


def _made_again(layer: keras.Layer, call: LayerCall) -> keras.Layer:
    """Return a copy, or raise an exception."""
    with _policy_of(layer):
        kind = COMPILED.get(type(layer), type(layer))
        new = kind.from_config(layer.get_config())
    if new is layer:
        raise ValueError("from_config returns the layer itself")
    _keep_functions(layer, new, set())
    build_config = layer.get_build_config()
    if layer.built and build_config:
        new.build_from_config(build_config)
    values = random_values(call, (2, 3) if call.by_step else (2,))
    if len(new.weights) != len(layer.weights):
        call.replay(new, values)  # what has no build method is built by a call
    if layer.weights:
        new.set_weights(layer.get_weights())
    if type(layer).__module__.split(".")[0] != _KERAS:
        _check_equal(layer, new, call, values)
    return new


def _check_equal(layer: keras.Layer, copied, call: LayerCall, values):
    """Raise ValueError if a copy computes something else than the layer.

    Attributes that are no arguments of the constructor are lost on the way.
    """
    try:
        with keras.StatelessScope():
            wanted = call.replay(layer, values, False)
    except Exception:
        return  # random values are not what it takes
    with keras.StatelessScope():
        got = call.replay(copied, values, False)
    pairs = zip(keras.tree.flatten(got), keras.tree.flatten(wanted), strict=True)
    for a, b in pairs:
        a, b = keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)
        if not np.allclose(a, b, rtol=1e-3, atol=1e-5, equal_nan=True):
            raise ValueError("a layer that computes something else")


def _form(layer: keras.Operation, call: LayerCall) -> type[Unpacked]:
    """Return how a layer is called."""
    if not isinstance(layer, keras.layers.RNN):
        return Unpacked
    if call.by_step:
        return UnpackedCell
    # a layer that is no copy, and is not to be changed, keeps its state itself
    is_alone = len(call.inputs) == (2 if call.has_mask else 1)
    if layer.stateful and layer is not call.layer and is_alone:
        return UnpackedStateful
    return Unpacked


def _first_line(exc):
    return str(exc).strip().split("\n")[0].rstrip(".")


def _keep_functions(layer: keras.Layer, copied, seen):
    """Give a copy the functions of a layer, and those of layers inside of it.

    Configurations have names: keras.ops.gelu would become keras.activations.gelu.
    """
    seen.add(id(layer))
    with contextlib.suppress(NotImplementedError):  # layers inside need have none
        for name in layer.get_config():
            if inspect.isfunction(vars(layer).get(name)):
                setattr(copied, name, vars(layer)[name])
    for name, part in vars(layer).items():
        other = vars(copied).get(name)
        if isinstance(part, keras.Layer) and type(other) is type(part):
            if id(part) not in seen:
                _keep_functions(part, other, seen)


@contextlib.contextmanager
def _policy_of(layer: keras.Layer):
    """Have layers that a layer makes of itself get its dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(layer.dtype_policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@register(ANY_LAYER, temporal=True, check=keeps_items, native="")
def convert_other(call: LayerCall, build: Build) -> Obj | list[Obj]:
    """Convert any layer, with any number of inputs and outputs."""
    copies = build.shared.copies
    if id(call.layer) not in copies:
        copies[id(call.layer)] = copied(call.layer, call)
    layer = copies[id(call.layer)]
    unpacked = _form(layer, call)
    sizes_in = [math.prod(shape) for shape in call.input_shapes]
    sizes_out = [math.prod(shape) for shape in call.output_shapes]
    node = TensorNode(
        unpacked(layer, call, name=call.layer.name),
        shape_in=(sum(sizes_in),),
        shape_out=(sum(sizes_out),),
        pass_time=False,
        label=call.layer.name,
    )
    starts = np.cumsum([0, *sizes_in])
    for i in range(len(sizes_in)):
        whole = len(sizes_in) == 1
        build.connect(node, i, into=None if whole else slice(*starts[i : i + 2]))
    if len(sizes_out) == 1:
        return node
    return _split(node, sizes_out, build)


def _split(node: TensorNode, sizes: list[int], build: Build) -> list[Obj]:
    """Split the output of a node."""
    starts, parts = np.cumsum([0, *sizes]), []
    for i, size in enumerate(sizes):
        part = build.node(size, str(i))
        build.link(node, part, take=np.arange(starts[i], starts[i + 1]))
        parts.append(part)
    return parts
