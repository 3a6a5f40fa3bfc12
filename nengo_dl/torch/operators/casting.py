"""Operators that change nothing, or types alone, or only in training."""

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import dropout
from nengo_dl.exchange.registry import register


@register(
    "aten.alias.default",
    "aten.clone.default",
    "aten.contiguous.default",
    "aten.lift_fresh_copy.default",
    keras="nothing",
)
def convert_nothing(emit: Emitter, x, memory_format=None):
    """Convert a copy."""
    del memory_format
    return emit.value(x)


@register("aten.detach.default", keras="keras.ops.stop_gradient")
def convert_detach(emit: Emitter, x):
    """Convert an end of gradients."""
    value = emit.value(x)
    made = keras.ops.stop_gradient(value.tensor)
    return value.with_tensor(made, value.is_nonnegative)


@register(
    "aten._to_copy.default",
    "aten.to.dtype",
    "aten.to.dtype_layout",
    "aten.to.other",
    "aten.type_as.default",
    keras="keras.ops.cast, or nothing",
)
def convert_cast(emit: Emitter, x, *arguments, **keywords):
    """Convert a cast, to the type that PyTorch has computed."""
    del arguments, keywords
    value = emit.value(x)
    (dtype,) = emit.node.dtypes
    if keras.backend.standardize_dtype(value.tensor.dtype) == dtype:
        return value
    made = keras.ops.cast(value.tensor, dtype)
    return value.with_tensor(made, value.is_nonnegative)


@register("aten.dropout.default", keras="Dropout")
def convert_dropout(emit: Emitter, x, p, train):
    """Convert dropout of elements."""
    _check_mode(train)
    return dropout.dropout(emit, emit.value(x), p)


@register(
    "aten.feature_dropout.default",
    keras="SpatialDropout1D, SpatialDropout2D, SpatialDropout3D",
)
def convert_channel_dropout(emit: Emitter, x, p, train):
    """Convert dropout of channels."""
    _check_mode(train)
    return dropout.channel_dropout(emit, emit.value(x), p)


def _check_mode(train: bool) -> None:
    if train:
        raise InvalidValue(
            "expected dropout that is off in evaluation (got one that is always on)"
        )
