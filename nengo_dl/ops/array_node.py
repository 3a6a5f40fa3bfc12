"""Kernels of `nengo_dl.array_node`: one TensorFlow function per array function.

Each gets an array function and an input of shape (\\*shape_in, minibatch_size), and
returns an output of shape (\\*shape_out, minibatch_size). The last axis may be 1.
"""

import math

import tensorflow as tf

from nengo_dl.array_node import (
    Constant,
    MaxPool,
    Reduce,
    Scale,
    SimArrayFunction,
    Softmax,
)
from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.ops.registry import Builder


def reduce(function, x):
    """Combine along the first axis."""
    ops = {
        "maximum": tf.reduce_max,
        "minimum": tf.reduce_min,
        "multiply": tf.reduce_prod,
    }
    if function.how == "multiply":  # the gradient of reduce_prod runs on the CPU alone
        return math.prod(tf.unstack(x))
    return ops[function.how](x, axis=0)


def softmax(function, x):
    """Compute exponentials that sum to 1."""
    exps = tf.exp(x - tf.reduce_max(x, axis=function.axes, keepdims=True))
    return exps / tf.reduce_sum(exps, axis=function.axes, keepdims=True)


def max_pool(function, x):
    """Compute maxima over windows."""
    n = len(function.window)
    space = list(range(n)) if function.channels_last else [i + 1 for i in range(n)]
    channel = n if function.channels_last else 0
    x = tf.transpose(x, [n + 1, *space, channel])
    y = tf.nn.max_pool(x, function.window, function.strides, function.padding.upper())
    space = [i + 1 for i in range(n)]
    order = [*space, n + 1, 0] if function.channels_last else [n + 1, *space, 0]
    return tf.transpose(y, order)


def scale(function, x):
    """Multiply each element with its factor."""
    return x * tf.cast(function.factors[..., None], x.dtype)


FORMS = {Reduce: reduce, Softmax: softmax, Scale: scale, MaxPool: max_pool}


@Builder.register(SimArrayFunction)
def build_sim_array_function(ops, ctx):
    """Build an array function. Sets ``output`` and ``state``, reads ``input``."""
    (op,) = ops
    function = op.function
    if type(function) is Constant:
        ones = tf.ones((op.output.size, 1), ctx.dtype).numpy()
        return Kernel(
            name="Constant",
            reads=(),
            writes=(Write(slot([op.output]), "set"),),
            fn=lambda: (tf.constant(ones),),
        )
    form = FORMS[type(function)]

    def compute(x):
        y = form(function, tf.reshape(x, (*function.shape_in, -1)))
        return tf.reshape(y, (op.output.size, -1))

    def spiking(x, had, left):
        decay = math.exp(-ctx.dt / function.tau)
        had = decay * had + x
        now = compute(had)
        # decayed here and not in the next step: without a spike, the difference is then
        # exactly zero, which it is not if compilers fuse product and difference
        return now - left, had, decay * now

    def rate(x, had, left):
        return compute(x), had, left

    views = [slot([signal]) for signal in (op.output, *op.state)]
    return Kernel(
        name=type(function).__name__,
        reads=(slot(op.reads), *views[1:]),
        writes=tuple(Write(view, "set") for view in views),
        fn=spiking if op.state else lambda x: (compute(x),),
        training_fn=rate if op.state else None,
    )
