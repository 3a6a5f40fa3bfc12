"""Functions of two tensors, element by element, that broadcast from behind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeGuard

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.values import Operand, Value, broadcast_array

# Layers of the same functions, which have names
LAYERS = {
    keras.ops.add: keras.layers.Add,
    keras.ops.subtract: keras.layers.Subtract,
    keras.ops.multiply: keras.layers.Multiply,
    keras.ops.maximum: keras.layers.Maximum,
    keras.ops.minimum: keras.layers.Minimum,
}
KEEPS_SIGN = (keras.ops.add, keras.ops.multiply, keras.ops.divide)


def is_constant(operand: Operand) -> TypeGuard[np.ndarray | float]:
    """Whether an operand is known when layers are made."""
    return not isinstance(operand, Value | Weight)


def elementwise(emit: Emitter, function: Callable, *operands: Operand) -> Any:
    """Call a function of ``keras.ops`` with tensors and constants.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    function : callable
        Of ``keras.ops``; takes as many tensors as there are operands.
    *operands : Value or Weight or ndarray or number
        Broadcast from behind, as in NumPy.

    Returns
    -------
    value : Value or ndarray
        An array if all operands are constants.
    """
    if all(map(is_constant, operands)):
        return keras.ops.convert_to_numpy(function(*operands))
    known = [x if is_constant(x) else emit.value(x) for x in operands]
    values = [x for x in known if isinstance(x, Value)]
    rank = max(x.rank if isinstance(x, Value) else np.ndim(x) for x in known)
    values = [expanded(emit, value, rank) for value in values]
    target = _target(values)
    tensors = iter([aligned(emit, value, target) for value in values])
    arguments = [
        next(tensors) if isinstance(x, Value) else constant_for(emit, x, target)
        for x in known
    ]
    made = _called(emit, function, arguments)
    is_nonnegative = function in KEEPS_SIGN and all(map(_is_nonnegative, known))
    return replace(target, tensor=made, is_nonnegative=is_nonnegative)


def _is_nonnegative(operand: Value | np.ndarray | float) -> bool:
    if isinstance(operand, Value):
        return operand.is_nonnegative
    return bool(np.all(np.asarray(operand) >= 0))


def _called(emit: Emitter, function: Callable, arguments: list[Any]) -> Any:
    kind = LAYERS.get(function)
    tensors = [x for x in arguments if isinstance(x, keras.KerasTensor)]
    shapes = {tuple(x.shape) for x in tensors}
    floats = all("float" in str(x.dtype) for x in tensors)
    if kind is None or len(tensors) < len(arguments) or len(shapes) > 1 or not floats:
        if function is keras.ops.add:
            return _sum(*arguments)
        return function(*arguments)
    return emit.layer(kind, arguments)


def _sum(a: Any, b: Any) -> Any:
    """Return a sum; Keras takes a second operand with one long axis for a bias.

    It then adds it along the last axis, even if the long axis is another one.
    """
    if _n_long(b) < _n_long(a):
        a, b = b, a
    if _n_long(b) == 1 and _n_long(a) > 0:
        return keras.ops.subtract(a, keras.ops.negative(b))
    return keras.ops.add(a, b)


def _n_long(operand: Any) -> int:
    """Return how many axes have more than one element."""
    shape = () if isinstance(operand, bool | int | float) else operand.shape
    return sum(n != 1 for n in shape)


def constant_for(
    emit: Emitter, operand: np.ndarray | float, target: Value
) -> np.ndarray | float:
    """Return a constant so that it broadcasts to the tensor of a value."""
    if isinstance(operand, bool | int | float):
        return operand
    array = np.asarray(operand)
    if array.dtype.kind not in "fiub":
        raise InvalidValue(f"expected a tensor or a number (got {operand})")
    array = broadcast_array(array, target)
    return array.astype(emit.graph.dtype) if array.dtype.kind == "f" else array


def expanded(emit: Emitter, value: Value, rank: int) -> Value:
    """Return a value with axes of length 1 in front, so that it has a certain rank."""
    n = rank - value.rank
    if n == 0:
        return value
    order = (*range(n), *(axis + n for axis in value.order))
    shape = value.tensor.shape
    tensor = keras.ops.reshape(value.tensor, (shape[0] or -1, *(1,) * n, *shape[1:]))
    batch = None if value.batch is None else value.batch + n
    return replace(value, tensor=tensor, order=order, batch=batch)


def _target(values: list[Value]) -> Value:
    """Return the value whose axes the result has."""
    batches = {value.batch for value in values} - {None}
    if len(batches) > 1:
        raise InvalidValue(
            "expected the minibatch as the same axis of all tensors (got axes "
            f"{sorted(map(str, batches))}, counted from where the longest begins)"
        )
    candidates = [v for v in values if v.batch is not None] or values
    sizes = [np.prod(v.tensor.shape[1:], dtype=int) for v in candidates]
    largest = [v for v, n in zip(candidates, sizes, strict=True) if n == max(sizes)]
    return next((v for v in largest if v.order != v.plain), largest[0])


def aligned(emit: Emitter, value: Value, target: Value) -> Any:
    """Return the tensor of a value with the axes of another of the same rank."""
    if value.batch == target.batch:
        return emit.arranged(value, target.order)
    if target.batch is None or value.shape[target.batch] != 1:
        raise InvalidValue(
            "expected what all items share to have length 1 along the minibatch (got "
            f"shape {value.shape})"
        )
    # the axis for items takes the place of the one of length 1
    at = 1 + value.order.index(target.batch)
    tensor = keras.ops.squeeze(value.tensor, at)
    order = tuple(axis for axis in value.order if axis != target.batch)
    moved = replace(value, tensor=tensor, order=order, batch=target.batch)
    return emit.arranged(moved, target.order)
