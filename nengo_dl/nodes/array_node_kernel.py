"""Kernels of `nengo_dl.nodes.array_node`: one TensorFlow function per array function.

Each gets an array function and an input of shape (\\*shape_in, minibatch_size), and
returns an output of shape (\\*shape_out, minibatch_size). The last axis may be 1.
"""

import functools
import math

import numpy as np
import tensorflow as tf

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.nodes.array_node import (
    Constant,
    Function,
    MaxPool,
    Reduce,
    Scale,
    SimArrayFunction,
    Softmax,
)
from nengo_dl.ops.registry import Builder
from nengo_dl.ops.windows import same_padding, taps

# Where TensorFlow has other names than Keras.
_NAMES = {
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "floor_divide": "floordiv",
    "isfinite": "is_finite",
    "isinf": "is_inf",
    "isnan": "is_nan",
    "mod": "floormod",
    "power": "pow",
}
_LOGICAL = ("logical_and", "logical_not", "logical_or", "logical_xor", "where")


def _log(base):
    return lambda x: tf.math.log(x) / tf.cast(math.log(base), x.dtype)


def _normalize(x, axes, epsilon, center=True):
    if center:
        x = x - tf.reduce_mean(x, axis=axes, keepdims=True)
    squares = tf.reduce_mean(tf.square(x), axis=axes, keepdims=True)
    return x * tf.math.rsqrt(squares + epsilon)


def _log_softmax(x, axis):
    return x - tf.reduce_logsumexp(x, axis=axis, keepdims=True)


def _std(x):
    return tf.sqrt(tf.math.reduce_variance(x, axis=0))


# Where TensorFlow has something else, or nothing.
_FUNCTIONS = {
    "clip": lambda x, low, high: tf.clip_by_value(x, low, high),
    "log10": _log(10),
    "log2": _log(2),
    "log_softmax": _log_softmax,
    "logsumexp": lambda x: tf.reduce_logsumexp(x, axis=0),
    "normalize": _normalize,
    "power": lambda x, exponent: tf.pow(x, tf.cast(exponent, x.dtype)),
    "std": _std,
    "trunc": lambda x: tf.sign(x) * tf.floor(tf.abs(x)),
    "var": lambda x: tf.math.reduce_variance(x, axis=0),
}


def _named(name):
    return getattr(tf.math, _NAMES.get(name, name))


def reduce(function, x):
    """Combine along the first axis."""
    how = function.how
    if how in ("maximum", "minimum"):
        return tf.reduce_max(x, axis=0) if how == "maximum" else tf.reduce_min(x, 0)
    parts = tf.unstack(x)
    if how == "multiply":  # the gradient of reduce_prod runs on the CPU alone
        return math.prod(parts)
    if how == "where":
        return tf.where(parts[0] != 0, parts[1], parts[2])
    if how in _LOGICAL:
        parts = [part != 0 for part in parts]
    return tf.cast(functools.reduce(_named(how), parts), x.dtype)


def named(function, x):
    """Compute a TensorFlow function, by name."""
    compute = _FUNCTIONS.get(function.name) or _named(function.name)
    if function.name in _LOGICAL:
        return tf.cast(compute(x != 0), x.dtype)
    return tf.cast(compute(x, **dict(function.arguments)), x.dtype)


def softmax(function, x):
    """Compute the softmax."""
    exps = tf.exp(x - tf.reduce_max(x, axis=function.axes, keepdims=True))
    return exps / tf.reduce_sum(exps, axis=function.axes, keepdims=True)


def max_pool(function, x):
    """Compute maxima over windows, along one axis after the other.

    Compilers fuse this, and the minibatch stays the last axis. As in TensorFlow, the
    gradient goes to the first one of equal elements. In order of rows, that is the
    first of all if the last axis comes first.
    """
    first = 0 if function.channels_last else 1
    windows = list(zip(function.window, function.strides, strict=True))
    for axis, (size, stride) in reversed(list(enumerate(windows, first))):
        length = x.shape[axis]
        n = (length - size) // stride + 1
        if function.padding == "same":
            n = -(-length // stride)
            pads = np.zeros((x.shape.rank, 2), int)
            pads[axis] = same_padding(length, size, stride, n)
            x = tf.pad(x, pads, constant_values=x.dtype.min)
        x = functools.reduce(tf.maximum, taps(x, axis, size, stride, n))
    return x


def scale(function, x):
    """Multiply each element by its factor."""
    return x * tf.cast(function.factors[..., None], x.dtype)


FORMS = {
    Function: named,
    MaxPool: max_pool,
    Reduce: reduce,
    Scale: scale,
    Softmax: softmax,
}


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
    trains_rates = op.state and ctx.settings.training_mode == "rate"
    return Kernel(
        name=type(function).__name__,
        reads=(slot(op.reads), *views[1:]),
        writes=tuple(Write(view, "set") for view in views),
        fn=spiking if op.state else lambda x: (compute(x),),
        training_fn=rate if trains_rates else None,
    )
