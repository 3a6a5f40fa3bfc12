"""Operators on constants, in NumPy: what graphs compute of shapes, weights and numbers.

Elements of integer tensors may be a `Length`, which depends on the minibatch; functions
then see arrays of objects, and NumPy computes with them as with numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.onnx.axes import axes_of, slices, split_sizes
from nengo_dl.onnx.dims import Length, NotKnown, is_known, settled
from nengo_dl.onnx.graph import Node
from nengo_dl.onnx.package import onnx_package

Array: TypeAlias = np.ndarray
Fold: TypeAlias = Callable[..., Any]

# Elements of a constant that a graph computes; 1 GB in single precision
MAX_SIZE = 2**28

FOLDS: dict[str, Fold] = {}


def register(*operators: str) -> Callable[[Fold], Fold]:
    """Register ``fold(node, *arrays)``, which returns one output or a list of all."""

    def decorate(fold: Fold) -> Fold:
        FOLDS.update(dict.fromkeys(operators, fold))
        return fold

    return decorate


def can_fold(node: Node, arguments: Sequence[Any]) -> bool:
    """Return whether a node computes constants, and it is known how."""
    return node.operator in FOLDS and all(
        x is None or isinstance(x, np.ndarray) for x in arguments
    )


def fold(node: Node, arguments: Sequence[Array | None]) -> tuple[Array, ...]:
    """Return the outputs of a node whose inputs are constants.

    Raises
    ------
    NotKnown
        If they depend on the size of the minibatch in a way that has no form.
    InvalidValue
        If the inputs do not fit.
    """
    try:
        with np.errstate(all="ignore"):
            found = FOLDS[node.operator](node, *arguments)
    except (ValueError, IndexError, TypeError, KeyError, OverflowError) as error:
        raise InvalidValue(
            f"expected constants that {node.operator} can take (got: {error})"
        ) from error
    outputs = found if isinstance(found, list) else [found]
    return tuple(map(settled, outputs))


def checked_shape(shape: Any) -> tuple[int, ...]:
    """Return the shape of a constant; raise InvalidValue if it is too large."""
    array = np.ravel(shape)
    if not is_known(array):
        raise NotKnown("a constant as large as the minibatch")
    found = tuple(int(n) for n in array)
    if np.prod(found, dtype=object) > MAX_SIZE or min(found, default=0) < 0:
        raise InvalidValue(
            f"expected constants of at most {MAX_SIZE:,} elements (got shape {found})"
        )
    return found


# --- constants --------------------------------------------------------------------


@register("Constant")
def _constant(node: Node) -> Array:
    for name, dtype in CONSTANTS.items():
        if node.get(name) is not None:
            return np.array(node.get(name), dtype)
    raise InvalidValue("expected a dense value (got a sparse one, or none)")


CONSTANTS = {
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": None,
    "value_strings": None,
}


@register("ConstantOfShape")
def _constant_of_shape(node: Node, shape: Array) -> Array:
    value = node.get("value", np.zeros(1, np.float32))
    return np.full(checked_shape(shape), np.ravel(value)[0], value.dtype)


@register("Range")
def _range(node: Node, start: Array, limit: Array, delta: Array) -> Array:
    first, last, step = (x.item() for x in (start, limit, delta))
    if not is_known(np.array([first, last, step], object)):
        raise NotKnown("a range as long as the minibatch")
    checked_shape([max(0, int(np.ceil((last - first) / step)))])
    return np.arange(first, last, step, dtype=start.dtype)


@register("Shape")
def _shape(node: Node, x: Array) -> Array:
    return part_of_shape(node, np.array(x.shape, np.int64))


def part_of_shape(node: Node, shape: Array) -> Array:
    """Return the part of a shape that a node Shape asks for."""
    return shape[slice(node.get("start", 0), node.get("end"))]


@register("Size")
def _size(node: Node, x: Array) -> Array:
    return np.array(x.size, np.int64)


# --- elementwise ------------------------------------------------------------------


def _whole_quotient(a: Any, b: Any) -> Any:
    """Return a quotient rounded towards zero, as integers are divided."""
    if isinstance(a, Length) or isinstance(b, Length):
        return a // b
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _divide(a: Array, b: Array) -> Array:
    if a.dtype == object or b.dtype == object:
        return np.frompyfunc(_whole_quotient, 2, 1)(a, b)
    if a.dtype.kind not in "iu":
        return a / b
    quotient = np.abs(a) // np.abs(b)
    return np.where((a < 0) == (b < 0), quotient, -quotient).astype(a.dtype)


BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


@register(*BINARY)
def _binary(node: Node, a: Array, b: Array) -> Array:
    checked_shape(np.broadcast_shapes(a.shape, b.shape))
    found = np.asarray(BINARY[node.operator](a, b))
    return found.astype(bool) if node.operator in COMPARISONS else found


@register("Pow")
def _power(node: Node, a: Array, b: Array) -> Array:
    checked_shape(np.broadcast_shapes(a.shape, b.shape))
    return np.power(a, b).astype(a.dtype)


@register("Mod")
def _modulo(node: Node, a: Array, b: Array) -> Array:
    return (np.fmod if node.get("fmod") else np.mod)(a, b)


@register("Max", "Min", "Sum")
def _several(node: Node, *arrays: Array) -> Array:
    function = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add}[node.operator]
    checked_shape(np.broadcast_shapes(*(x.shape for x in arrays)))
    found = arrays[0]
    for x in arrays[1:]:
        found = np.asarray(function(found, x))
    return found


def _rounded(function: Callable[[Any], Any]) -> Callable[[Array], Array]:
    def apply(x: Array) -> Array:
        if x.dtype == object:
            each = np.frompyfunc(
                lambda n: n if isinstance(n, Length) else int(function(n)), 1, 1
            )
            return np.asarray(each(x), object)
        return function(x)

    return apply


UNARY: dict[str, Callable[[Array], Array]] = {
    "Abs": np.abs,
    "Ceil": _rounded(np.ceil),
    "Cos": np.cos,
    "Erf": lambda x: np.vectorize(_erf, otypes=[x.dtype])(x),
    "Exp": np.exp,
    "Floor": _rounded(np.floor),
    "Identity": lambda x: x,
    "Log": np.log,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Reciprocal": lambda x: (1 / x).astype(x.dtype),
    "Round": _rounded(np.round),
    "Sigmoid": lambda x: (1 / (1 + np.exp(-x))).astype(x.dtype),
    "Sign": np.sign,
    "Sin": np.sin,
    "Sqrt": np.sqrt,
    "Tanh": np.tanh,
}


def _erf(x: float) -> float:
    import math

    return math.erf(x)


@register(*UNARY)
def _unary(node: Node, x: Array) -> Array:
    return np.asarray(UNARY[node.operator](x))


@register("Dropout")
def _dropout(node: Node, x: Array, *rest: Array | None) -> list[Array]:
    return [x, np.ones(x.shape, bool)]


@register("Cast")
def _cast(node: Node, x: Array) -> Array:
    if not is_known(x):
        return x  # lengths are whole numbers, in whatever type they are computed with
    dtype = onnx_package().helper.tensor_dtype_to_np_dtype(node.get("to"))
    return x.astype(dtype)


@register("CastLike")
def _cast_like(node: Node, x: Array, like: Array) -> Array:
    return x.astype(like.dtype) if is_known(x) else x


@register("Where")
def _where(node: Node, condition: Array, a: Array, b: Array) -> Array:
    checked_shape(np.broadcast_shapes(condition.shape, a.shape, b.shape))
    return np.where(condition.astype(bool), a, b)


@register("Clip")
def _clip(node: Node, x: Array, low: Array | None = None, high: Array | None = None):
    x = x if low is None else np.maximum(x, low)
    return (x if high is None else np.minimum(x, high)).astype(x.dtype)


# --- shapes -----------------------------------------------------------------------


@register("Reshape")
def _reshape(node: Node, x: Array, shape: Array) -> Array:
    if not is_known(shape):
        raise NotKnown("a constant as large as the minibatch")
    target = [int(n) for n in shape]
    if not node.get("allowzero"):
        target = [x.shape[i] if n == 0 else n for i, n in enumerate(target)]
    return x.reshape(target)


@register("Flatten")
def _flatten(node: Node, x: Array) -> Array:
    axis = node.get("axis", 1)
    axis += x.ndim * (axis < 0)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


@register("Transpose")
def _transpose(node: Node, x: Array) -> Array:
    return np.transpose(x, node.get("perm"))


@register("Unsqueeze")
def _unsqueeze(node: Node, x: Array, axes: Array) -> Array:
    return np.expand_dims(x, axes_of(axes, x.ndim + axes.size) or ())


@register("Squeeze")
def _squeeze(node: Node, x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, axes_of(axes, x.ndim))


@register("Expand")
def _expand(node: Node, x: Array, shape: Array) -> Array:
    target = np.broadcast_shapes(x.shape, checked_shape(shape))
    return np.broadcast_to(x, checked_shape(target)).copy()


@register("Tile")
def _tile(node: Node, x: Array, repeats: Array) -> Array:
    checked_shape(np.array(x.shape, object) * np.ravel(repeats))
    return np.tile(x, tuple(int(n) for n in repeats))


@register("Concat")
def _concat(node: Node, *arrays: Array) -> Array:
    return np.concatenate(arrays, axis=node.get("axis", 1))


@register("Split")
def _split(node: Node, x: Array, sizes: Array | None = None) -> list[Array]:
    axis = node.get("axis", 0)
    counts = split_sizes(node.outputs, x.shape[axis], sizes)
    return np.split(x, np.cumsum(counts)[:-1], axis=axis)


@register("Gather")
def _gather(node: Node, x: Array, indices: Array) -> Array:
    axis = node.get("axis", 0)
    checked_shape([*x.shape, *indices.shape])
    return np.asarray(np.take(x, indices.astype(np.int64), axis=axis))


@register("GatherElements")
def _gather_elements(node: Node, x: Array, indices: Array) -> Array:
    return np.take_along_axis(x, indices.astype(np.int64), axis=node.get("axis", 0))


@register("Slice")
def _slice(
    node: Node,
    x: Array,
    starts: Array,
    ends: Array,
    axes: Array | None = None,
    steps: Array | None = None,
) -> Array:
    return x[slices(x.ndim, starts, ends, axes, steps)]


# --- reductions and products ------------------------------------------------------

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceMax": np.max,
    "ReduceMean": np.mean,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
}


@register(*REDUCTIONS)
def _reduce(node: Node, x: Array, axes: Array | None = None) -> Array:
    chosen = axes_of(axes, x.ndim)
    if not chosen and node.get("noop_with_empty_axes"):
        return x
    function = REDUCTIONS[node.operator]
    keep = bool(node.get("keepdims", 1))
    return np.asarray(function(x, axis=chosen or None, keepdims=keep))


@register("MatMul")
def _matmul(node: Node, a: Array, b: Array) -> Array:
    return np.matmul(a, b)


@register("Trilu")
def _trilu(node: Node, x: Array, k: Array | None = None) -> Array:
    function = np.triu if node.get("upper", 1) else np.tril
    return function(x, 0 if k is None else int(k))
