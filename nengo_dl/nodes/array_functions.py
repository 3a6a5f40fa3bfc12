"""The NumPy functions that an `ArrayNode` can compute, by name.

``nengo_dl/nodes/array_node_kernel.py`` has the TensorFlow functions of the same names.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import erf, logsumexp

# Functions of each element, by their names in ``keras.ops``.
ELEMENTWISE: Mapping[str, Any] = MappingProxyType(
    {
        "arccos": np.arccos,
        "arccosh": np.arccosh,
        "arcsin": np.arcsin,
        "arcsinh": np.arcsinh,
        "arctan": np.arctan,
        "arctanh": np.arctanh,
        "ceil": np.ceil,
        "cos": np.cos,
        "cosh": np.cosh,
        "erf": erf,
        "expm1": np.expm1,
        "floor": np.floor,
        "isfinite": np.isfinite,
        "isinf": np.isinf,
        "isnan": np.isnan,
        "log": np.log,
        "log10": np.log10,
        "log1p": np.log1p,
        "log2": np.log2,
        "logical_not": np.logical_not,
        "reciprocal": np.reciprocal,
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "sign": np.sign,
        "sin": np.sin,
        "sinh": np.sinh,
        "sqrt": np.sqrt,
        "square": np.square,
        "tan": np.tan,
        "trunc": np.trunc,
    }
)


def _normalize(x, axes, epsilon, center=True):
    if center:
        x = x - x.mean(axis=axes, keepdims=True)
    return x / np.sqrt(np.mean(x * x, axis=axes, keepdims=True) + epsilon)


def _log_softmax(x, axis):
    return x - logsumexp(x, axis=axis, keepdims=True)


# Functions of a whole array.
ARRAYWISE: Mapping[str, Any] = MappingProxyType(
    {
        "clip": lambda x, low, high: np.clip(x, low, high),
        "log_softmax": _log_softmax,
        "logsumexp": lambda x: logsumexp(x, axis=0),
        "normalize": _normalize,
        "power": lambda x, exponent: np.power(x, exponent),
        "std": lambda x: x.std(axis=0),
        "var": lambda x: x.var(axis=0),
    }
)

# Functions of several arrays, by their names in ``keras.ops``.
COMBINATIONS: Mapping[str, Any] = MappingProxyType(
    {
        "arctan2": np.arctan2,
        "divide": np.divide,
        "equal": np.equal,
        "floor_divide": np.floor_divide,
        "greater": np.greater,
        "greater_equal": np.greater_equal,
        "less": np.less,
        "less_equal": np.less_equal,
        "logical_and": np.logical_and,
        "logical_or": np.logical_or,
        "logical_xor": np.logical_xor,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "mod": np.mod,
        "multiply": np.multiply,
        "not_equal": np.not_equal,
        "power": np.power,
        "where": None,  # takes three arrays at once
    }
)
