"""Normalisation."""

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.layers import LocalResponseNormalization
from nengo_dl.exchange.operators import normalization, reduction
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.conv import from_image, image, shape_of
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import item_shape
from nengo_dl.onnx.operators.conv import check_outputs

ops = keras.ops


@register("onnx.BatchNormalization", keras="BatchNormalization")
def convert_batch_norm(
    emit: Emitter,
    x,
    scale,
    b,
    mean,
    var,
    epsilon=1e-5,
    momentum=0.9,
    training_mode=0,
):
    """Convert a normalisation by averages of minibatches."""
    check_outputs(emit, 1)
    if training_mode:
        raise InvalidValue("expected training_mode 0 (got 1)")
    weights = {
        "gamma": scale,
        "beta": b,
        "moving_mean": mean,
        "moving_variance": var,
    }
    if any(not isinstance(weight, Weight) for weight in weights.values()):
        raise InvalidValue("expected constants that no other operator has")
    rate = 1 - momentum
    return normalization.batch_norm(emit, emit.value(x), weights, rate, epsilon)


@register("onnx.LayerNormalization", keras="LayerNormalization")
def convert_layer_norm(
    emit: Emitter, x, scale, b=None, axis=-1, epsilon=1e-5, stash_type=1
):
    """Convert a normalisation of the last axes."""
    del stash_type  # floats of all precisions are those of the model
    check_outputs(emit, 1)
    value = emit.value(x)
    n_axes = -axis if axis < 0 else value.rank - axis
    target = value.shape[value.rank - n_axes :]
    given = [w for w in (scale, b) if w is not None]
    if all(isinstance(w, Weight) and shape_of(w) == target for w in given):
        return normalization.layer_norm(emit, value, n_axes, scale, b, epsilon)
    value = normalization.layer_norm(emit, value, n_axes, None, None, epsilon)
    return normalization.affine(emit, value, scale, b)


@register("onnx.RMSNormalization", keras="keras.ops")
def convert_rms_norm(emit: Emitter, x, scale, axis=-1, epsilon=1e-5, stash_type=1):
    """Convert a division by the root mean square of the last axes."""
    del stash_type
    value = emit.value(x)
    n_axes = -axis if axis < 0 else value.rank - axis
    return normalization.rms_norm(emit, value, n_axes, scale, epsilon)


@register("onnx.InstanceNormalization", keras="GroupNormalization")
def convert_instance_norm(emit: Emitter, x, scale, b, epsilon=1e-5):
    """Convert a normalisation of each channel of each item."""
    value = emit.value(x)
    n_channels = item_shape(value.shape)[0]
    return normalization.group_norm(emit, value, n_channels, scale, b, epsilon)


@register("onnx.GroupNormalization", keras="GroupNormalization")
def convert_group_norm(
    emit: Emitter, x, scale, b, num_groups, epsilon=1e-5, stash_type=1
):
    """Convert a normalisation of groups of channels of each item."""
    del stash_type
    value = emit.value(x)
    return normalization.group_norm(emit, value, num_groups, scale, b, epsilon)


@register("onnx.LRN", keras="a layer of this package")
def convert_lrn(emit: Emitter, x, size, alpha=1e-4, beta=0.75, bias=1.0):
    """Convert a normalisation by neighbouring channels."""
    value = emit.value(x)
    tensor = image(emit, value, value.rank - 2)
    config = {"size": size, "alpha": alpha, "beta": beta, "bias": bias}
    made = emit.layer(LocalResponseNormalization, tensor, "", **config)
    return from_image(made, value.is_nonnegative)


@register("onnx.LpNormalization", keras="keras.ops")
def convert_lp_norm(emit: Emitter, x, axis=-1, p=2):
    """Convert a division by a norm; zero vectors stay."""
    value = emit.value(x)
    norm = reduction.norm(emit, value, p, axis, True)
    is_zero = ops.equal(norm.tensor, 0)
    norm = norm.with_tensor(ops.where(is_zero, 1, norm.tensor))
    return elementwise(emit, ops.divide, value, norm)


@register("onnx.MeanVarianceNormalization", keras="keras.ops")
def convert_mean_variance(emit: Emitter, x, axes=(0, 2, 3)):
    """Convert a subtraction of the mean, and a division by the deviation."""
    value = emit.value(x)
    mean = reduction.reduce(emit, value, ops.mean, axes, True)
    spread = reduction.reduce(emit, value, ops.std, axes, True)
    spread = spread.with_tensor(spread.tensor + np.float32(1e-9))
    centred = elementwise(emit, ops.subtract, value, mean)
    return elementwise(emit, ops.divide, centred, spread)
