"""TensorNodes: functions of tensors and Keras layers, written by the user.

Kernels keep the minibatch axis last, users have it first. A kernel therefore
transposes, calls, checks what comes back, and transposes again.
"""

from functools import partial

import keras
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.ops.registry import BuildContext, Builder
from nengo_dl.tensor_function import SimTensorNode, TensorFunction, describe

# Types of operations that XLA cannot compile, of those that users are likely to use.
_CALLS_OF_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
_REFUSED_BY_XLA = frozenset(
    {
        "CudnnRNNV3",
        "RandomPoissonV2",
        "SparseTensorDenseMatMul",
        "StatelessRandomPoisson",
    }
)


def _supports_xla(layer: keras.Layer) -> bool:
    layers = layer.layers if isinstance(layer, keras.Model) else ()
    return layer.supports_jit and all(map(_supports_xla, layers))


def _is_host(op: SimTensorNode) -> bool:
    layer = op.function.layer
    return layer is not None and not _supports_xla(layer)


@Builder.register(SimTensorNode, is_host=_is_host)
def build_sim_tensor_node(ops, ctx):
    """Build a call of a function or a Keras layer. Sets ``output``, reads ``reads``.

    A layer that has no weights gets them here. The function is traced once, so that
    what is wrong with it is found before anything runs.

    Raises
    ------
    ValidationError
        If it cannot be called, returns something other than a tensor of the right
        dtype, minibatch size and size, or adds losses to a layer.
    """
    (op,) = ops
    function = op.function
    if function.layer is not None:
        _add_layer(function, ctx)

    def fn(key, *slots, training=False):
        args = _arguments(function, slots)
        try:
            result = function(*args, training=training)
        except Exception as exc:
            raise function.call_error(exc) from exc
        _refuse_losses(function)
        result = _check(function, result, op.output.size, ctx)
        return (tf.transpose(tf.reshape(result, (-1, op.output.size))),)

    return Kernel(
        name="TensorNode",
        reads=tuple(slot([signal]) for signal in op.reads),
        writes=(Write(slot([op.output]), "set"),),
        fn=fn,
        host=_why_not_xla(function, _trace(fn, op, ctx)),
        keyed=True,
        training_fn=None if function.layer is None else partial(fn, training=True),
    )


def _add_layer(function: TensorFunction, ctx: BuildContext) -> None:
    """Give a layer its weights, outside of any loop, and its place in the simulation.

    The layer itself knows best what it needs: it is called once.
    """
    layer = function.layer
    if not layer.built:
        try:
            with tf.init_scope():
                function(*function.zeros(ctx.dtype, ctx.minibatch_size or 1))
        except Exception as exc:
            raise function.call_error(exc) from exc
    if not any(known is layer for known in ctx.layers):
        ctx.layers.append(layer)


def _arguments(function: TensorFunction, slots) -> list[tf.Tensor]:
    """Turn slots into the time and the input, with the minibatch axis first."""
    args = list(slots)
    if function.pass_time:
        args[0] = args[0][0, 0]
    if function.shape_in is not None:
        x = tf.transpose(args[-1])
        batch = -1 if x.shape[0] is None else x.shape[0]
        args[-1] = tf.reshape(x, (batch, *function.shape_in))
    return args


def _check(function: TensorFunction, result, size: int, ctx: BuildContext):
    """Return the result, converted if a layer computes in another precision."""
    got = describe(result)
    if not isinstance(result, tf.Tensor):
        raise function.error("one tensor", got, "Return a tensor.")
    if function.layer is not None and result.dtype.is_floating:
        result = tf.cast(result, ctx.dtype)
    if result.dtype != ctx.dtype:
        raise function.error(
            f"a {ctx.dtype.name} tensor",
            got,
            f'Convert it: tf.cast(y, "{ctx.dtype.name}").',
        )
    shape = tuple(result.shape)
    batch = ctx.minibatch_size
    if not shape or (None not in (batch, shape[0]) and shape[0] != batch):
        raise function.error(
            _rows(batch),
            got,
            "Keep the first axis of the input, and do not mix items.",
        )
    rest = tf.TensorShape(shape[1:]).num_elements()
    if rest not in (None, size):
        raise function.error(
            f"{size} elements per item, as shape_out says",
            got,
            "Correct shape_out, or leave it out to have it found.",
        )
    return result


def _refuse_losses(function: TensorFunction) -> None:
    """Raise ValidationError if a call of the layer adds losses.

    They are tensors of the loop over time, which nothing outside of it can use. Losses
    of weights belong to no call.
    """
    layer = function.layer
    if layer is None:
        return
    of_weights = [w for w in layer.trainable_weights if w.regularizer is not None]
    added = len(layer.losses) - len(of_weights)
    if added > 0:
        raise ValidationError(
            f"expected the layer of {function.name} to compute its output alone (got "
            f"one that adds {added} loss(es) when it is called: an activity_regularizer"
            ", or add_loss). Remove what adds them, and regularize a signal instead: "
            "put a nengo.Probe on it and compile with nengo_dl.losses.Regularize.",
            attr="tensor_func",
        )


def _rows(minibatch_size: int | None) -> str:
    """Say what the first axis has to be."""
    if minibatch_size is None:
        return "one row for each item of the minibatch"
    return f"a tensor whose first axis has the minibatch size {minibatch_size}"


def _trace(fn, op: SimTensorNode, ctx: BuildContext) -> tf.Graph:
    """Trace a kernel's function on a key and slots as it will get them."""
    specs = [
        tf.TensorSpec((signal.size, ctx.minibatch_size), ctx.dtype)
        for signal in op.reads
    ]
    key = tf.TensorSpec((3,), tf.int32)
    return (
        tf.function(partial(fn), autograph=False)
        .get_concrete_function(key, *specs)
        .graph
    )


def _why_not_xla(function: TensorFunction, graph: tf.Graph) -> str | None:
    """Say why XLA cannot compile the function, if that is known."""
    library = graph.as_graph_def().library
    nodes = [op.type for op in graph.get_operations()]
    nodes += [node.op for inner in library.function for node in inner.node_def]
    types = set(nodes)
    if types & _CALLS_OF_PYTHON:
        return f"{function.name} calls Python in every step"
    refused = sorted(types & _REFUSED_BY_XLA)
    if refused:
        return f"{function.name} uses {refused[0]}, which XLA cannot compile"
    if function.layer is not None and not _supports_xla(function.layer):
        return f"{function.name} calls a layer that does not support XLA"
    return None
