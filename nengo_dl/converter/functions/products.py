"""Products with constant matrices: ``x @ w``, and all that is linear in one tensor.

What the matrix is, is asked of Keras: the function is called on unit vectors. Where it
treats all positions alike, as ``x @ w`` does, those of the last axis are enough.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from nengo.transforms import Sparse
from scipy.sparse import csr_matrix

from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.layers.core import along_last_axis
from nengo_dl.converter.operands import learned
from nengo_dl.converter.operators import existing
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register

FUNCTIONS = ("dot", "einsum", "inner", "matmul", "tensordot")
MAX_ELEMENTS = 2**24  # of a matrix between all elements
N_ITEMS, N_STEPS = 2, 3  # that show whether items or steps are mixed
DENSITY = 0.5  # from which on a matrix is not sparse


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix that an input is multiplied with."""

    values: np.ndarray  # of shape (n_in, n_out)
    is_last: bool  # of the last axis, at each position, or between all elements


def matrix(call):
    """Return the `Matrix` of a function of one tensor, or say why there is none."""
    if len(call.inputs) > 1:
        return f"expected one tensor, and constants (got {len(call.inputs)} tensors)"
    if call.outputs[0].dtype.startswith("complex"):
        return "expected real numbers (got complex ones)"
    known = call.inputs[0].shape[: call.n_outer_axes]
    outer = [n or m for n, m in zip(known, (N_ITEMS, N_STEPS), strict=False)]
    x = np.random.RandomState(0).uniform(-1, 1, size=(*outer, *call.input_shape))
    wanted = _called(call, x)
    if wanted is None or wanted.shape != (*outer, *call.output_shape):
        return "expected an operator that treats each item and time step for itself"
    for find in (_of_last_axis, _of_all):
        found = find(call)
        if found is not None and _agrees(found, x, wanted):
            return found
    return f"expected a matrix of at most {MAX_ELEMENTS} elements (got a larger one)"


def _called(call, x):
    """Call a function as in the model, on other values; None if that fails."""
    try:
        result = call.replay(call.layer, [x])
    except Exception:  # whatever TensorFlow raises for shapes that do not fit
        return None
    return np.asarray(keras.ops.convert_to_numpy(result), dtype=float)


def _of_last_axis(call):
    if not call.input_shape or not call.output_shape:
        return None
    n, rank = call.input_shape[-1], len(call.inputs[0].shape)
    y = _called(call, np.eye(n).reshape(n, *(1,) * (rank - 2), n))
    n_out = call.output_shape[-1]
    return Matrix(y.reshape(n, n_out), True) if _has_size(y, n * n_out) else None


def _of_all(call):
    n, n_out = math.prod(call.input_shape), math.prod(call.output_shape)
    if n * n_out > MAX_ELEMENTS:
        return None
    ones = (1,) * (call.n_outer_axes - 1)
    y = _called(call, np.eye(n).reshape(n, *ones, *call.input_shape))
    return Matrix(y.reshape(n, n_out), False) if _has_size(y, n * n_out) else None


def _has_size(y, size):
    return y is not None and y.size == size


def _agrees(found, x, wanted):
    n = len(found.values)
    got = x.reshape(-1, n) @ found.values
    return got.size == wanted.size and np.allclose(got.ravel(), wanted.ravel())


def _problem(call: LayerCall, options: Options) -> str | None:
    found = matrix(call)
    return found if isinstance(found, str) else learned(call, options)


@register(
    *existing(keras.ops, *FUNCTIONS),
    temporal=True,
    check=_problem,
    native="dense weights, or a convolution with kernels of size 1",
    restrictions="one tensor, and constants",
)
def convert_product(call: LayerCall, build: Build) -> Obj:
    """Convert a product with constants."""
    found, node = matrix(call), build.node()
    if found.is_last:
        build.connect(node, transform=along_last_axis(found.values, build.size))
    elif np.count_nonzero(found.values) > DENSITY * found.values.size:
        build.connect(node, transform=found.values.T)
    else:
        sparse = csr_matrix(found.values.T)
        build.connect(node, transform=Sparse(sparse.shape, init=sparse))
    return node
