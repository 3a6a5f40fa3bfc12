"""Dropout: of elements, or of whole channels."""

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.conv import from_image, image
from nengo_dl.exchange.values import Value

SPATIAL = {
    1: keras.layers.SpatialDropout1D,
    2: keras.layers.SpatialDropout2D,
    3: keras.layers.SpatialDropout3D,
}


def dropout(emit: Emitter, value: Value, rate: float) -> Value:
    """Set elements to zero in training, and scale the others."""
    if rate == 0:
        return value
    if rate == 1:
        raise InvalidValue("expected to leave some elements (got a rate of 1)")
    made = emit.layer(keras.layers.Dropout, value.tensor, "", rate)
    return value.with_tensor(made, value.is_nonnegative)


def channel_dropout(emit: Emitter, value: Value, rate: float) -> Value:
    """Set channels to zero in training, and scale the others."""
    n_axes = value.rank - 2
    if n_axes not in SPATIAL:
        raise InvalidValue(f"expected channels of 1 to 3 axes (got {value.shape})")
    made = emit.layer(SPATIAL[n_axes], image(emit, value, n_axes), "", rate)
    return from_image(made, value.is_nonnegative)
