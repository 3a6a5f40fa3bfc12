"""Products with matrices."""

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.bindings import AS_IT_IS, ArrayForm
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.layers import LONG, Dense, ProductWith
from nengo_dl.exchange.operators.conv import shape_of, shared
from nengo_dl.exchange.values import Value, plain_value


def linear(
    emit: Emitter,
    value: Value,
    weight: Weight | Value,
    bias: Weight | Value | None,
    is_transposed: bool = True,
) -> Value:
    """Multiply the last axis by a matrix.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, ..., size_in).
    weight : Weight or Value
        Of shape (size_out, size_in) if it is transposed, else (size_in, size_out).
    bias : Weight or Value or None
        Of shape (size_out,).
    is_transposed : bool
        Whether the weight has its outputs first.
    """
    if value.batch is None or value.batch == value.rank - 1:
        raise InvalidValue(
            f"expected the minibatch before the last axis (got the shape {value.shape})"
        )
    tensor = emit.plain(value)
    size_out = shape_of(weight)[0 if is_transposed else 1]
    if isinstance(weight, Weight) and (bias is None or isinstance(bias, Weight)):
        weights = {"kernel": (weight, ArrayForm((1, 0)) if is_transposed else AS_IT_IS)}
        if bias is not None:
            weights["bias"] = (bias, AS_IT_IS)
        is_long = len(tensor.shape) == 2 and tensor.shape[1] > LONG
        made = emit.weighted(
            Dense if is_long else keras.layers.Dense,
            tensor,
            weights,
            units=size_out,
            use_bias=bias is not None,
        )
    else:
        inputs = [tensor, shared(emit, weight, (1, 0) if is_transposed else (0, 1))]
        if bias is not None:
            inputs.append(shared(emit, bias))
        made = emit.layer(ProductWith, inputs)
    return plain_value(made, value.batch)
