"""What has no native form: a `TensorNode` that calls a copy of the layer."""

import contextlib
import inspect
import math

import keras
import numpy as np

from nengo_dl.converter.registry import ANY_LAYER, register
from nengo_dl.tensor_node import TensorNode


class Unpacked(keras.layers.Layer):
    """Call a layer on the parts of one flat tensor, and pack what it returns.

    Parameters
    ----------
    layer : keras.Layer
        What to call, or an operation of ``keras.ops``.
    call : `LayerCall`
        How it is called.
    """

    def __init__(self, layer, call, **kwargs):
        super().__init__(**kwargs)
        self.inner = layer
        self._shapes = call.input_shapes
        self._replay = call.replay

    def build(self, input_shape):
        """Do nothing: the layer inside has its weights."""
        del input_shape

    def call(self, x, training=None):
        """Call the layer."""
        del training  # Keras passes it on
        sizes = [math.prod(shape) for shape in self._shapes]
        starts = np.cumsum([0, *sizes])
        parts = [x[:, a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
        values = [
            keras.ops.reshape(part, (-1, *shape))
            for part, shape in zip(parts, self._shapes, strict=True)
        ]
        outputs = keras.tree.flatten(self._replay(self.inner, values))
        flat = [keras.ops.reshape(y, (-1, math.prod(y.shape[1:]))) for y in outputs]
        return flat[0] if len(flat) == 1 else keras.ops.concatenate(flat, axis=1)


def copy(layer):
    """Return a layer with the same configuration and weights; itself if it has none."""
    if not isinstance(layer, keras.layers.Layer) or not layer.variables:
        return layer
    with _policy_of(layer):
        copied = type(layer).from_config(layer.get_config())
    _keep_functions(layer, copied, set())
    build_config = layer.get_build_config()
    if layer.built and build_config:
        copied.build_from_config(build_config)
    if layer.weights:
        copied.set_weights(layer.get_weights())
    return copied


def _keep_functions(layer, copied, seen):
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
def _policy_of(layer):
    """Have layers that a layer makes of itself get its dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(layer.dtype_policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@register(ANY_LAYER, native="")
def convert_other(call, build):
    """Convert any layer, with any number of inputs and outputs."""
    layer = build.converter.copied(call.layer, copy)
    sizes_in = [math.prod(shape) for shape in call.input_shapes]
    sizes_out = [math.prod(shape) for shape in call.output_shapes]
    node = TensorNode(
        Unpacked(layer, call, name=call.layer.name),
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
    return _parts(node, sizes_out, build)


def _parts(node, sizes, build):
    """Split the output of a node."""
    starts, parts = np.cumsum([0, *sizes]), []
    for i, size in enumerate(sizes):
        part = build.node(size, str(i))
        build.link(node, part, take=np.arange(starts[i], starts[i + 1]))
        parts.append(part)
    return parts
