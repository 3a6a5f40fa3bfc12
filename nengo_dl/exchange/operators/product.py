"""Products of tensors that are computed: of matrices, sums of products, attention."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeGuard

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
from nengo_dl.exchange.values import Operand, Value, plain_value

ops = keras.ops


def as_value(emit: Emitter, operand: Operand) -> Value:
    """Return a value, also for a constant, which all items share."""
    if not is_constant(operand):
        return emit.value(operand)
    array = np.asarray(operand, emit.graph.dtype)
    return plain_value(keras.ops.convert_to_tensor(array[None]), None)


def swapped(value: Value) -> Value:
    """Return a value with its last two axes in the other order."""
    rank = value.rank
    return value.transposed((*range(rank - 2), rank - 1, rank - 2))


def matmul(emit: Emitter, a: Operand, b: Operand) -> Value:
    """Multiply matrices, which are the last two axes of tensors.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    a, b : Value or Weight or ndarray
        Of at least two axes; the others broadcast from behind.
    """
    if is_constant(a) and is_constant(b):
        raise InvalidValue("expected a tensor that is computed (got two constants)")
    if isinstance(b, Weight) and b.array.ndim == 2 and _keeps_items(a):
        return linear(emit, a, b, None, False)
    if isinstance(a, Weight) and a.array.ndim == 2 and isinstance(b, Value):
        if b.batch is not None and b.batch < b.rank - 2:
            return swapped(linear(emit, swapped(b), a, None, True))
    a, b = as_value(emit, a), as_value(emit, b)
    if min(a.rank, b.rank) < 2:
        raise InvalidValue(f"expected matrices (got shapes {a.shape} and {b.shape})")
    if b.rank == 2 and b.batch is None and a.batch is not None:
        if a.batch == a.rank - 1:
            raise InvalidValue("expected a sum over an axis other than the minibatch")
        matrix = ops.squeeze(emit.plain(b), 0)
        return _plain(a, ops.matmul(emit.plain(a), matrix))
    rank = max(a.rank, b.rank)
    a, b = expanded(emit, a, rank), expanded(emit, b, rank)
    target = a if a.batch is not None else b
    if None not in (a.batch, b.batch) and a.batch != b.batch:
        raise InvalidValue("expected the minibatch as the same axis of both matrices")
    if target.batch is not None and target.batch >= rank - 2:
        raise InvalidValue(
            "expected the minibatch in front of both axes of the matrices (got shapes "
            f"{a.shape} and {b.shape})"
        )
    order = replace(target, order=target.plain)
    return _plain(target, ops.matmul(aligned(emit, a, order), aligned(emit, b, order)))


def _keeps_items(value: Operand) -> TypeGuard[Value]:
    """Whether all but the last axis is left alone, the minibatch among them."""
    return (
        isinstance(value, Value)
        and value.batch is not None
        and value.batch < value.rank - 1
    )


def _plain(like: Value, tensor: Any) -> Value:
    return Value(tensor, like.plain, like.batch)


def einsum(emit: Emitter, equation: str, operands: Sequence[Operand]) -> Value:
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
    emit: Emitter,
    query: Value,
    key: Value,
    value: Value,
    mask: Operand | None,
    scale: float | None,
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
    scores = matmul(emit, query, swapped(key))
    scores = scores.with_tensor(scores.tensor * scale)
    if mask is not None:
        if is_constant(mask) and np.asarray(mask).dtype == bool:
            mask = np.where(mask, 0.0, -1e30).astype(emit.graph.dtype)
        elif isinstance(mask, Value) and mask.tensor.dtype == "bool":
            mask = elementwise(emit, keras.ops.where, mask, 0.0, -1e30)
        scores = elementwise(emit, keras.ops.add, scores, mask)
    weights = emit.layer(keras.layers.Softmax, scores.tensor, "softmax")
    return matmul(emit, scores.with_tensor(weights), value)
