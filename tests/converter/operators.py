"""Cases for the law that a converted operator computes what Keras computes.

A case is a name and a function from tensors to a tensor (or a list of them). Cases of
the same input shapes are the outputs of one model, which is converted once.
"""

import math

import keras
import numpy as np
from keras import layers, ops

RNG = np.random.RandomState(0)


def values(*shape, low=-1.0, high=1.0):
    """Draw a constant."""
    return RNG.uniform(low, high, size=shape).astype(np.float32)


def variable(*shape):
    """Draw a constant that is held by a variable."""
    return keras.Variable(values(*shape), trainable=False)


def far(x, low=0.3):
    """Keep a tensor away from zero."""
    return ops.square(x) + low


ONE = {
    (4,): {
        "number added": lambda x: x + 0.5,
        "added to a number": lambda x: 2 + x,
        "array added": lambda x: x + values(4),
        "array of an item added": lambda x: x + values(1, 4),
        # which Keras adds along the last axis
        "column added": lambda x: ops.repeat(x[:, None], 4, axis=1) + values(4, 1),
        "variable added": lambda x: x + variable(4),
        "NumPy number added": lambda x: x + np.float32(0.3),
        "itself added": lambda x: x + x,
        "number subtracted": lambda x: x - 0.5,
        "subtracted from a number": lambda x: 1 - x,
        "subtracted from itself": lambda x: x - x,
        "times a number": lambda x: x * 2.0,
        "number times": lambda x: 0.25 * x,
        "times zero": lambda x: x * 0,
        "times an array": lambda x: x * values(4),
        "times an array that widens": lambda x: ops.reshape(x, (-1, 4, 1)) * values(3),
        "times a variable": lambda x: x * variable(4),
        "times itself": lambda x: x * x,
        "by a number": lambda x: x / 3,
        "by an array": lambda x: x / values(4, low=0.5),
        "number by": lambda x: 1 / far(x),
        "array by": lambda x: ops.divide(values(4), far(x)),
        "by itself": lambda x: x / far(x),
        "by zero in parts": lambda x: ops.minimum(
            far(x) / np.array([0.0, 1, 2, 3], np.float32), 5.0
        ),
        "true divide": lambda x: ops.true_divide(x, 2.0),
        "floor divide": lambda x: x // 0.3,
        "modulo": lambda x: x % 0.3,
        "negative": lambda x: -x,
        "absolute": lambda x: abs(x),
        "square": lambda x: x**2,
        "cube": lambda x: x**3,
        "root": lambda x: far(x) ** 0.5,
        "power of a number": lambda x: 2.0**x,
        "power of powers": lambda x: far(x) ** values(4),
        "power of itself": lambda x: far(x) ** x,
        "maximum with zero": lambda x: ops.maximum(x, 0.0),
        "zero in a maximum": lambda x: ops.maximum(0, x),
        "maximum with a number": lambda x: ops.maximum(x, 0.2),
        "maximum with an array": lambda x: ops.maximum(x, values(4)),
        "minimum with zero": lambda x: ops.minimum(x, 0.0),
        "minimum with an array": lambda x: ops.minimum(values(4), x),
        "arctan2": lambda x: ops.arctan2(x, far(x)),
        "clip": lambda x: ops.clip(x, -0.3, 0.4),
        "clip from zero": lambda x: ops.clip(x, 0, 0.4),
        "relu": ops.relu,
        "relu of activations": keras.activations.relu,
        "relu with arguments": lambda x: keras.activations.relu(x, 0.1, 0.4),
        "relu with a threshold": lambda x: keras.activations.relu(x, 0.0, 0.8, 0.2),
        "relu6": ops.relu6,
        "relu6 of much": lambda x: ops.relu6(10 * x),
        "leaky_relu": ops.leaky_relu,
        "leaky_relu with a slope": lambda x: ops.leaky_relu(x, 0.35),
        "elu": ops.elu,
        "elu with alpha": lambda x: ops.elu(x, 0.7),
        "celu": lambda x: ops.celu(x, 0.7),
        "selu": ops.selu,
        "gelu": ops.gelu,
        "gelu exact": lambda x: ops.gelu(x, approximate=False),
        "gelu of activations": keras.activations.gelu,
        "silu": ops.silu,
        "swish": ops.swish,
        "sigmoid": ops.sigmoid,
        "hard_sigmoid": lambda x: ops.hard_sigmoid(5 * x),
        "hard_swish": lambda x: ops.hard_swish(5 * x),
        "hard_tanh": lambda x: ops.hard_tanh(2 * x),
        "tanh": ops.tanh,
        "softplus": ops.softplus,
        "softsign": ops.softsign,
        "log_sigmoid": ops.log_sigmoid,
        "hard_shrink": ops.hard_shrink,
        "soft_shrink": lambda x: ops.soft_shrink(x, 0.2),
        "tanh_shrink": ops.tanh_shrink,
        "squareplus": ops.squareplus,
        "squareplus with b": lambda x: ops.squareplus(x, 2),
        "sparse_plus": lambda x: ops.sparse_plus(2 * x),
        "sparse_sigmoid": lambda x: ops.sparse_sigmoid(2 * x),
        "threshold": lambda x: ops.threshold(x, 0.1, -0.5),
        "softmax": ops.softmax,
        "log_softmax": ops.log_softmax,
        "exp": ops.exp,
        "expm1": ops.expm1,
        "log": lambda x: ops.log(far(x)),
        "log10": lambda x: ops.log10(far(x)),
        "log2": lambda x: ops.log2(far(x)),
        "log1p": lambda x: ops.log1p(far(x)),
        "sqrt": lambda x: ops.sqrt(far(x)),
        "rsqrt": lambda x: ops.rsqrt(far(x)),
        "reciprocal": lambda x: ops.reciprocal(far(x)),
        "sign": ops.sign,
        "floor": lambda x: ops.floor(3 * x),
        "ceil": lambda x: ops.ceil(3 * x),
        "trunc": lambda x: ops.trunc(3 * x),
        "trigonometry": lambda x: [ops.sin(x), ops.cos(x), ops.tan(x)],
        "hyperbolas": lambda x: [ops.sinh(x), ops.cosh(x), ops.arcsinh(x)],
        "arcs": lambda x: [ops.arcsin(x), ops.arccos(x), ops.arctan(x)],
        "arctanh": lambda x: ops.arctanh(0.9 * x),
        "erf": ops.erf,
        "where": lambda x: ops.where(x > 0.1, x, 0.5),
        "comparisons": lambda x: [
            ops.where(ops.logical_and(x < 0.5, x >= -0.5), x, -x),
            ops.where(ops.logical_or(x <= -0.5, ops.equal(x, 2)), x, 1),
            ops.where(ops.logical_not(ops.not_equal(x, x)), x, 0),
        ],
        "cast": lambda x: ops.cast(x, "float32"),
        "cast to integers": lambda x: ops.cast(ops.cast(3 * x, "int32"), "float32"),
        "slice": lambda x: x[:, :2],
        "slice with a step": lambda x: x[:, ::2],
        "slice backwards": lambda x: x[:, ::-1],
        "one element": lambda x: x[:, 1] * 2,
        "relu of one element": lambda x: ops.relu(x[:, 2]),
        "new axis": lambda x: x[:, None],
        "new axis behind": lambda x: x[..., None],
        "elements of a list": lambda x: ops.take(x, [3, 0, 0], axis=1),
        "concatenate": lambda x: ops.concatenate([x, 2 * x], axis=1),
        "concatenate itself": lambda x: ops.concatenate([x, x], axis=-1),
        "concatenate nothing": lambda x: ops.concatenate([x], axis=-1),
        "stack": lambda x: ops.stack([x, -x], axis=1),
        "hstack": lambda x: ops.hstack([x, 3 * x]),
        "append": lambda x: ops.append(x, 2 * x, axis=1),
        "split": lambda x: ops.split(x, 2, axis=1),
        "split at": lambda x: ops.split(x, [1], axis=1),
        "one part": lambda x: ops.split(x, 2, axis=1)[1],
        "unstack": lambda x: ops.unstack(x, axis=1)[3],
        "reshape": lambda x: ops.reshape(x, (-1, 2, 2)),
        "expand_dims": lambda x: ops.expand_dims(x, -1),
        "repeat": lambda x: ops.repeat(x, 2, axis=1),
        "tile": lambda x: ops.tile(x, (1, 2)),
        "roll": lambda x: ops.roll(x, 1, axis=1),
        "pad": lambda x: ops.pad(x, ((0, 0), (1, 2))),
        "pad with a number": lambda x: ops.pad(x, ((0, 0), (1, 2)), constant_values=2),
        "pad by reflection": lambda x: ops.pad(x, ((0, 0), (1, 2)), mode="reflect"),
        "ones": lambda x: x + ops.ones_like(x),
        "sum": lambda x: ops.sum(x, axis=1),
        "sum kept": lambda x: ops.sum(x, axis=-1, keepdims=True),
        "mean": lambda x: ops.mean(x, axis=1),
        "max": lambda x: ops.max(x, axis=1),
        "min": lambda x: ops.min(x, axis=1, keepdims=True),
        "normalized": lambda x: x / ops.sqrt(ops.sum(x * x, -1, keepdims=True)),
        "standardized": lambda x: (
            (x - ops.mean(x, -1, keepdims=True))
            / (ops.std(x, axis=-1, keepdims=True) + 0.1)
        ),
        "logsumexp": lambda x: ops.logsumexp(x, axis=1),
        "matmul": lambda x: x @ values(4, 3),
        "matmul with a variable": lambda x: ops.matmul(x, variable(4, 3)),
        "matmul with a vector": lambda x: ops.matmul(x, values(4)),
        "dot": lambda x: ops.dot(x, values(4, 3)),
        "tensordot": lambda x: ops.tensordot(x, values(4, 2, 3), axes=1),
        "einsum": lambda x: ops.einsum("bi,ijk->bjk", x, values(4, 2, 3)),
        "polynomial": lambda x: 0.5 * x**2 - x / 4 + 1,
        "inner": lambda x: ops.inner(x, values(3, 4)),
        "rounding": lambda x: [ops.floor_divide(x, 0.3), ops.mod(x, -0.4)],
        "comparisons with numbers": lambda x: [
            ops.where(ops.less(x, 0.1), ops.divide(x, 2), 0),
            ops.where(ops.greater_equal(0.3, x), x, 0),
            ops.where(ops.less_equal(x, 0.3), x, 0),
            ops.where(ops.logical_xor(x < 0.1, x > -0.1), 1.0, x),
        ],
        "numbers": lambda x: [
            ops.where(ops.isfinite(ops.log(ops.relu(x))), x, 3.0),
            ops.where(ops.isinf(1 / ops.relu(x)), x, 2.0),
            ops.where(ops.isnan(x), 0.0, ops.real(x)),
        ],
        "arccosh": lambda x: ops.arccosh(far(x, 1.1)),
        "copies": lambda x: [ops.copy(x), 2 * ops.full_like(x, 0.5)],
        "zeros": lambda x: ops.zeros_like(x) - x,
        "dstack": lambda x: ops.dstack([x, x]),
        "hsplit": lambda x: ops.hsplit(x, 2),
        "array_split": lambda x: ops.array_split(x, 3, axis=1),
        "take_along_axis": lambda x: ops.take_along_axis(x, np.array([[3, 1]]), axis=1),
        "fliplr": ops.fliplr,
    },
    (4, 3, 2): {
        "array added": lambda x: x + values(1, 1, 2),
        "channels added": lambda x: x + values(2),
        "array of an item added": lambda x: x + values(1, 4, 1, 1),
        "times an array": lambda x: x * values(3, 1),
        "average subtracted": lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True),
        "times its maximum": lambda x: x * ops.max(x, axis=-1, keepdims=True),
        "slices": lambda x: x[:, 1:3, ::2, None, 0],
        "ellipsis": lambda x: x[..., 0],
        "slice of one axis": lambda x: x[:, -1],
        "slice behind": lambda x: x[..., 1:],
        "transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
        "swapaxes": lambda x: ops.swapaxes(x, 1, 2),
        "moveaxis": lambda x: ops.moveaxis(x, 3, 1),
        "flip": lambda x: ops.flip(x, axis=(1, 2)),
        "squeeze": lambda x: ops.squeeze(x[:, :, :1], axis=2),
        "flat": lambda x: ops.reshape(x, (-1, 24)),
        "concatenate": lambda x: ops.concatenate([x, x * 2, x], axis=2),
        "concatenate and broadcast": lambda x: ops.concatenate(
            [x, ops.repeat(x[..., :1], 2, axis=-1)], axis=-1
        ),
        "stack": lambda x: ops.stack([x, -x, x], axis=-1),
        "split": lambda x: ops.split(x, 3, axis=2),
        "mean of space": lambda x: ops.mean(x, axis=(1, 2)),
        "mean of channels": lambda x: ops.mean(x, axis=-1),
        "mean of one axis": lambda x: ops.mean(x, axis=2, keepdims=True),
        "sum of all": lambda x: ops.sum(x, axis=(1, 2, 3)),
        "max of space": lambda x: ops.max(x, axis=(1, 2)),
        "max of an axis between": lambda x: ops.max(x, axis=2, keepdims=True),
        "min of channels": lambda x: ops.min(x, axis=3),
        "prod": lambda x: ops.prod(x, axis=(1, 3)),
        "var": lambda x: ops.var(x, axis=(1, 2), keepdims=True),
        "std": lambda x: ops.std(x, axis=2),
        "softmax in front": lambda x: ops.softmax(x, axis=1),
        "log_softmax": lambda x: ops.log_softmax(x, axis=2),
        "matmul": lambda x: x @ values(2, 5),
        "matmul from the left": lambda x: ops.matmul(values(6, 3), x),
        "einsum of channels": lambda x: ops.einsum("bhwc,cd->bhwd", x, values(2, 3)),
        "einsum of rows": lambda x: ops.einsum("bhwc,hd->bdwc", x, values(4, 3)),
        "einsum of all": lambda x: ops.einsum("bhwc,hwcd->bd", x, values(4, 3, 2, 2)),
        "tensordot": lambda x: ops.tensordot(x, values(3, 2, 4), axes=[[2, 3], [0, 1]]),
        "relu": ops.relu,
        "absolute": abs,
        "hard swish of old": lambda x: x * ops.relu6(x + 3) / 6,
        "triangles": lambda x: [ops.tril(x), ops.triu(x, 1)],
        "diagonal": lambda x: ops.diagonal(x, axis1=1, axis2=2),
        "rot90": lambda x: ops.rot90(x, axes=(1, 2)),
        "joined behind": lambda x: ops.dstack([x, x]),
    },
}

# Those of the first shape whose gradients are compared: neither connections nor
# activations, which tests of layers have, and with gradients that are numbers.
GRADIENTS = (
    *(
        "absolute",
        "arctan2",
        "array by",
        "by itself",
        "clip",
        "cube",
        "einsum",
        "expm1",
    ),
    *("log_softmax", "logsumexp", "max", "maximum with an array", "maximum with zero"),
    *("min", "minimum with an array", "normalized", "pad with a number", "polynomial"),
    *("power of itself", "root", "slice backwards", "sqrt", "standardized", "where"),
)

# Two tensors, of the same shape or one that broadcasts, in both orders.
PAIRS = [((5,), (5,)), ((4, 4, 3), (1, 1, 3)), ((1, 3), (4, 1)), ((3, 1), (3, 2))]
TWO = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / far(y),
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "power": lambda x, y: far(x) ** y,
    "where": lambda x, y: ops.where(x > y, x, y),
    "shared": lambda x, y: (x + y) * (x + y) - x,
}
JOINS = {
    "concatenate": lambda x, y: ops.concatenate([x, y], axis=1),
    "concatenate a constant": lambda x, y: ops.concatenate(
        [x, ops.full_like(y, 0.3)], axis=-1
    ),
    "stack": lambda x, y: ops.stack([x, y], axis=-1),
}


def joined(cases, *shapes, trained=False):
    """Make one model of cases that take inputs of the same shapes.

    Parameters
    ----------
    cases : dict
        From names to functions.
    \\*shapes : tuple of int
        Of the inputs.
    trained : bool
        Whether to put weights in front, whose gradients have to pass the operators.

    Returns
    -------
    model : keras.Model
        Its output is a vector, the outputs of all cases one after the other.
    names : list of str
        The case of each element of that vector.
    """
    inputs = tensors = [keras.Input(shape) for shape in shapes]
    if trained:
        pairs = zip(inputs, shapes, strict=True)
        tensors = [layers.Dense(shape[-1])(x) for x, shape in pairs]
        tensors = [0.9 * ops.tanh(x) for x in tensors]
    flat, names = [], []
    for name, make in cases.items():
        for y in keras.tree.flatten(make(*tensors)):
            size = math.prod(y.shape[1:])
            flat.append(ops.reshape(y, (-1, size)))
            names += [name] * size
    y = layers.Concatenate()(flat)
    return keras.Model(inputs, 0.1 * y if trained else y), names
