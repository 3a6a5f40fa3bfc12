"""Normalisation."""

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.operators import normalization, reduction
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.registry import register

OWN = "weights that no other operator has"


@register(
    "aten.batch_norm.default",
    keras="BatchNormalization, which keeps the unbiased variance",
    restrictions=f"with averages of past minibatches, and a momentum; {OWN}",
)
def convert_batch_norm(
    emit: Emitter,
    x,
    weight,
    bias,
    running_mean,
    running_var,
    training,
    momentum,
    eps,
    cudnn_enabled=True,
):
    """Convert batch normalisation."""
    del cudnn_enabled
    if training or running_mean is None or running_var is None:
        raise InvalidValue(
            "expected averages of past minibatches (got track_running_stats=False)"
        )
    if momentum == 0:
        raise InvalidValue("expected a momentum (got None, or 0)")
    weights = {
        "gamma": weight,
        "beta": bias,
        "moving_mean": running_mean,
        "moving_variance": running_var,
        "n_minibatches": _counter(emit, running_mean),
    }
    return normalization.batch_norm(emit, emit.value(x), weights, momentum, eps)


@register(
    "aten._native_batch_norm_legit_no_training.default",
    keras="BatchNormalization, which keeps the unbiased variance",
    restrictions=OWN,
)
def convert_fixed_batch_norm(
    emit: Emitter, x, weight, bias, running_mean, running_var, momentum, eps
):
    """Convert batch normalisation as it is in graphs without changes in place."""
    return convert_batch_norm(
        *(emit, x, weight, bias, running_mean, running_var, False, momentum, eps)
    )


def _counter(emit: Emitter, mean: Weight) -> Weight | None:
    """Return the buffer that counts minibatches, which the operator does not take."""
    if not isinstance(mean, Weight):
        return None
    name = mean.name.removesuffix("running_mean") + "num_batches_tracked"
    return next((w for w in emit.graph.weights.values() if w.name == name), None)


@register(
    "aten.layer_norm.default", keras="LayerNormalization", restrictions="the last axes"
)
def convert_layer_norm(
    emit: Emitter, x, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn=True
):
    """Convert a normalisation of the last axes."""
    del cudnn
    n_axes = len(normalized_shape)
    return normalization.layer_norm(emit, emit.value(x), n_axes, weight, bias, eps)


@register("aten.rms_norm.default", keras="keras.ops", restrictions="the last axes")
def convert_rms_norm(emit: Emitter, x, normalized_shape, weight=None, eps=None):
    """Convert a normalisation by the root mean square of the last axes."""
    eps = float(np.finfo(emit.graph.dtype).eps) if eps is None else eps
    value, n_axes = emit.value(x), len(normalized_shape)
    return normalization.rms_norm(emit, value, n_axes, weight, eps)


@register("aten._weight_norm.default", keras="keras.ops")
def convert_weight_norm(emit: Emitter, v, g, dim=0):
    """Convert a weight whose norm is another weight."""
    value = emit.value(v)
    axes = [axis for axis in range(value.rank) if axis != dim % value.rank]
    size = reduction.norm(emit, value, 2.0, axes, True)
    ops = keras.ops
    factor = elementwise(emit, ops.divide, g, size)
    return elementwise(emit, ops.multiply, value, factor)


@register(
    "aten.cosine_similarity.default",
    keras="keras.ops",
    restrictions="not along the minibatch",
)
def convert_cosine_similarity(emit: Emitter, x1, x2, dim=1, eps=1e-8):
    """Convert the cosine of the angle between vectors."""
    ops, values = keras.ops, (emit.value(x1), emit.value(x2))
    product = elementwise(emit, ops.multiply, *values)
    found = reduction.reduce(emit, product, ops.sum, dim, False)
    for value in values:
        size = reduction.norm(emit, value, 2.0, dim, False)
        size = elementwise(emit, ops.maximum, size, eps)
        found = elementwise(emit, ops.divide, found, size)
    return found


@register("aten.group_norm.default", keras="GroupNormalization", restrictions=OWN)
def convert_group_norm(
    emit: Emitter, x, num_groups, weight=None, bias=None, eps=1e-5, cudnn=True
):
    """Convert a normalisation of groups of channels."""
    del cudnn
    return normalization.group_norm(emit, emit.value(x), num_groups, weight, bias, eps)


@register(
    "aten.instance_norm.default",
    keras="GroupNormalization",
    restrictions=f"without averages of past minibatches; {OWN}",
)
def convert_instance_norm(
    emit: Emitter,
    x,
    weight,
    bias,
    running_mean,
    running_var,
    use_input_stats,
    momentum,
    eps,
    cudnn_enabled=True,
):
    """Convert a normalisation of each channel by itself."""
    del momentum, cudnn_enabled
    if not use_input_stats or running_mean is not None or running_var is not None:
        raise InvalidValue(
            "expected a normalisation of each item (got track_running_stats=True)"
        )
    value = emit.value(x)
    return normalization.group_norm(emit, value, value.shape[1], weight, bias, eps)
