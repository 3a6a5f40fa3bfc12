"""Products of tensors that are computed, and attention."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.operators.arithmetic import (
    aligned,
    elementwise,
    expanded,
    is_constant,
)
from nengo_dl.exchange.operators.linear import linear
from nengo_dl.exchange.values import Value, plain_value


def as_value(emit: Emitter, operand: Any) -> Value:
    """Return a value, also for a constant, which all items share."""
    if not is_constant(operand):
        return emit.value(operand)
    array = np.asarray(operand, emit.graph.dtype)
    return plain_value(keras.ops.convert_to_tensor(array[None]), None)


def matmul(emit: Emitter, a: Any, b: Any) -> Value:
    """Multiply matrices: the last two axes of both."""
    if isinstance(b, Weight) and b.array.ndim == 2 and not is_constant(a):
        return linear(emit, emit.value(a), b, None, is_transposed=False)
    if is_constant(a) and is_constant(b):
        raise InvalidValue("expected a tensor that is computed (got two constants)")
    if is_constant(b) and np.ndim(b) == 2:
        value = emit.value(a)
        if value.batch not in (None, value.rank - 1):
            array = np.asarray(b, emit.graph.dtype)
            return plain_value(keras.ops.matmul(emit.plain(value), array), value.batch)
    return _matmul(emit, as_value(emit, a), as_value(emit, b))


def _matmul(emit: Emitter, a: Value, b: Value) -> Value:
    if a.rank < 2 or b.rank < 2:
        raise InvalidValue(
            f"expected matrices (got the shapes {a.shape} and {b.shape})"
        )
    rank = max(a.rank, b.rank)
    a, b = (expanded(emit, value, rank) for value in (a, b))
    batches = {value.batch for value in (a, b)} - {None}
    if len(batches) > 1 or not batches.isdisjoint((rank - 1, rank - 2)):
        raise InvalidValue(
            "expected the minibatch before the axes that are multiplied, the same in "
            f"both tensors (got the shapes {a.shape} and {b.shape})"
        )
    (batch,) = batches or (None,)
    target = next(value for value in (a, b) if value.batch == batch)
    target = replace(target, order=target.plain)
    made = keras.ops.matmul(aligned(emit, a, target), aligned(emit, b, target))
    return plain_value(made, batch)


def einsum(emit: Emitter, equation: str, operands: Sequence[Any]) -> Value:
    """Sum products over axes that have letters."""
    equation = equation.replace(" ", "")
    if "." in equation or "->" not in equation:
        raise InvalidValue(
            f'expected letters for all axes, and "->" (got {equation!r})'
        )
    terms, result = equation.split("->")
    values = [as_value(emit, operand) for operand in operands]
    pairs = list(zip(terms.split(","), values, strict=True))
    letters = {term[v.batch] for term, v in pairs if v.batch is not None}
    (letter,) = letters if len(letters) == 1 else (None,)
    if letter is None or any(
        letter in term.replace(letter, "", v.batch is not None) for term, v in pairs
    ):
        raise InvalidValue("expected one letter for the minibatch of all tensors")
    if letter not in result:
        raise InvalidValue("expected the minibatch in the result (got a sum over it)")
    first, tensors = [], []
    for term, value in pairs:
        tensor = emit.plain(value)
        if value.batch is None:
            first.append(term)
            tensors.append(keras.ops.squeeze(tensor, 0))
        else:
            first.append(letter + term.replace(letter, ""))
            tensors.append(tensor)
    target = letter + result.replace(letter, "")
    made = keras.ops.einsum(f"{','.join(first)}->{target}", *tensors)
    return plain_value(made, result.index(letter))


def attention(
    emit: Emitter, query: Value, key: Value, value: Value, mask: Any, scale: Any
) -> Value:
    r"""Attend: :math:`\mathrm{softmax}(Q K^T s + M) V`.

    Vaswani et al. 2017, https://doi.org/10.48550/arXiv.1706.03762, equation 1.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    query, key, value : Value
        Of shape (minibatch, ..., length, size).
    mask : Value or ndarray or None
        Is added to the scores; or says which of them count, if it is boolean.
    scale : float or None
        Of the scores; None for one over the root of the size.
    """
    size = query.shape[-1]
    scale = 1 / math.sqrt(size) if scale is None else scale
    axes = (*range(key.rank - 2), key.rank - 1, key.rank - 2)
    scores = _matmul(emit, query, key.transposed(axes))
    scores = scores.with_tensor(scores.tensor * scale)
    if mask is not None:
        if is_constant(mask) and np.asarray(mask).dtype == bool:
            mask = np.where(mask, 0.0, -1e30).astype(emit.graph.dtype)
        elif isinstance(mask, Value) and mask.tensor.dtype == "bool":
            mask = elementwise(emit, keras.ops.where, mask, 0.0, -1e30)
        scores = elementwise(emit, keras.ops.add, scores, mask)
    weights = emit.layer(keras.layers.Softmax, scores.tensor, "softmax")
    return _matmul(emit, scores.with_tensor(weights), value)
