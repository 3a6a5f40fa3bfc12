"""Convolutions and transposed convolutions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.bindings import ArrayForm
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.layers import LONG, Conv2D
from nengo_dl.exchange.operators.padding import Pads, same_pads, zero_pad
from nengo_dl.exchange.values import Operand, Value

CONV = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
DEPTHWISE = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}
TRANSPOSED = {
    1: keras.layers.Conv1DTranspose,
    2: keras.layers.Conv2DTranspose,
    3: keras.layers.Conv3DTranspose,
}


@dataclass(frozen=True)
class Windows:
    """Where the windows of a convolution are, one number for each spatial axis."""

    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads
    groups: int = 1


def shape_of(weight: Weight | Value | np.ndarray) -> tuple[int, ...]:
    """Return the shape of a weight, a value or an array."""
    found = weight.array.shape if isinstance(weight, Weight) else weight.shape
    return tuple(found)


def image(emit: Emitter, value: Value, n_axes: int) -> Any:
    """Return the tensor of an image with its channels last."""
    if value.batch != 0 or value.rank != n_axes + 2:
        raise InvalidValue(
            f"expected a minibatch, channels, and {n_axes} axes after them (got the "
            f"shape {value.shape}, with the minibatch as axis {value.batch})"
        )
    return emit.arranged(value, value.channels_last)


def from_image(tensor: Any, is_nonnegative: bool = False) -> Value:
    """Return a tensor with its channels last as a value."""
    n_axes = len(tensor.shape) - 2
    return Value(tensor, (*range(2, n_axes + 2), 1), 0, is_nonnegative)


def conv(
    emit: Emitter,
    value: Value,
    weight: Weight | Value,
    bias: Weight | Value | None,
    windows: Windows,
) -> Value:
    """Convolve.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, channels, ...).
    weight : Weight or Value
        Of shape (filters, channels // groups, ...).
    bias : Weight or Value or None
        Of shape (filters,).
    windows : Windows
        Strides, dilation, pads and groups.
    """
    n_axes = len(shape_of(weight)) - 2
    if max(windows.strides) > 1 and max(windows.dilation) > 1:
        # Keras has one or the other: all windows, and then every n-th of them
        each = conv(emit, value, weight, bias, replace(windows, strides=(1,) * n_axes))
        steps = (slice(None, None, stride) for stride in windows.strides)
        index = (slice(None), *steps, slice(None))
        return from_image(each.tensor[index])
    tensor = image(emit, value, n_axes)
    size = shape_of(weight)[2:]
    lengths = tensor.shape[1:-1]
    same = same_pads(lengths, size, windows.strides, windows.dilation)
    padding = "same" if any(map(any, same)) and same == windows.pads else "valid"
    if padding == "valid":
        tensor = zero_pad(emit, tensor, windows.pads)
    config = {"strides": windows.strides, "padding": padding}
    if not _are_owned(weight, bias):
        return _with_tensors(emit, tensor, weight, bias, windows, config)
    channels = tensor.shape[-1]
    is_depthwise = windows.groups == channels > 1 and n_axes in DEPTHWISE
    # TensorFlow's depthwise convolutions have one stride for both axes
    if is_depthwise and len(set(windows.strides)) == 1:
        made = _depthwise(emit, tensor, weight, bias, windows, config)
    else:
        made = _conv(emit, tensor, weight, bias, windows, config)
    return from_image(made)


def _are_owned(*weights: Weight | Value | None) -> bool:
    """Whether these are weights that a layer may have for itself."""
    return all(w is None or isinstance(w, Weight) for w in weights)


def _conv(emit, tensor, weight, bias, windows, config):
    n_axes = len(windows.strides)
    kernel = ArrayForm((*range(2, n_axes + 2), 1, 0))
    _, n_channels, *size = shape_of(weight)
    # what TensorFlow makes a product of matrices is precise as it is
    can_be_cut = n_axes == 2 and windows.groups == 1 and max(size) > 1
    is_long = can_be_cut and n_channels * math.prod(size) > LONG
    return emit.weighted(
        Conv2D if is_long else CONV[n_axes],
        tensor,
        _weights("kernel", weight, kernel, bias),
        filters=shape_of(weight)[0],
        kernel_size=tuple(size),
        dilation_rate=windows.dilation,
        groups=windows.groups,
        use_bias=bias is not None,
        **config,
    )


def _depthwise(emit, tensor, weight, bias, windows, config):
    n_axes, channels = len(windows.strides), tensor.shape[-1]
    n_filters, _, *size = shape_of(weight)
    split = (channels, n_filters // channels, *size)
    kernel = ArrayForm((*range(2, n_axes + 2), 0, 1), split)
    return emit.weighted(
        DEPTHWISE[n_axes],
        tensor,
        _weights("kernel", weight, kernel, bias),
        kernel_size=tuple(size),
        depth_multiplier=n_filters // channels,
        dilation_rate=windows.dilation,
        use_bias=bias is not None,
        **config,
    )


def _weights(
    name: str, weight, form: ArrayForm, bias, rows=None
) -> Mapping[str, tuple[Weight, ArrayForm]]:
    found = {name: (weight, form)}
    if bias is not None:
        found["bias"] = (bias, ArrayForm(rows=rows))
    return found


def shared(emit: Emitter, weight: Operand, axes: Sequence[int] | None = None) -> Any:
    """Return a weight as a tensor of shape (1, ...), with its axes in an order."""
    value = emit.value(weight)
    if value.batch is not None:
        raise InvalidValue("expected weights that all items share (got some for each)")
    return emit.arranged(value, value.plain if axes is None else axes)


def _with_tensors(emit, tensor, weight, bias, windows, config) -> Value:
    n_axes = len(windows.strides)
    shared(emit, weight)  # which all items share
    value = emit.value(weight)
    kernel = keras.ops.squeeze(emit.plain(value), 0)
    kernel = keras.ops.transpose(kernel, (*range(2, n_axes + 2), 1, 0))
    made = keras.ops.conv(
        tensor,
        kernel,
        data_format="channels_last",
        dilation_rate=windows.dilation,
        **config,
    )
    if bias is not None:
        made = made + keras.ops.squeeze(shared(emit, bias), 0)
    return from_image(made)


def conv_transpose(
    emit: Emitter,
    value: Value,
    weight: Weight | Value,
    bias: Weight | Value | None,
    windows: Windows,
    output_padding: Sequence[int],
) -> Value:
    """Convolve in the transposed sense.

    Parameters
    ----------
    emit : Emitter
        Makes the layers.
    value : Value
        Of shape (minibatch, channels, ...).
    weight : Weight
        Of shape (channels, filters // groups, ...).
    bias : Weight or None
        Of shape (filters,).
    windows : Windows
        Strides, dilation, groups, and how much is cut off the output.
    output_padding : sequence of int
        How much is left at the end of each axis all the same.
    """
    if not _are_owned(weight, bias):
        raise InvalidValue("expected weights that no other operator has (got shared)")
    n_axes = len(shape_of(weight)) - 2
    tensor = image(emit, value, n_axes)
    if max(windows.strides) > 1 and max(windows.dilation) > 1:
        raise InvalidValue(
            f"expected strides or dilation (got both, {windows.strides} and "
            f"{windows.dilation})"
        )
    lengths, size = tensor.shape[1:-1], shape_of(weight)[2:]
    made = _transposed_groups(emit, tensor, weight, bias, windows)
    wanted = []
    for i, n in enumerate(lengths):
        stride, rate = windows.strides[i], windows.dilation[i]
        before, after = windows.pads[i]
        full = (n - 1) * stride + rate * (size[i] - 1) + 1
        end = full - after + int(output_padding[i])
        wanted.append((-before, end - made.shape[1 + i]))
    if any(after > 0 for _, after in wanted) and bias is not None:
        raise InvalidValue(
            f"expected output_padding within the windows (got {tuple(output_padding)})"
        )
    return from_image(zero_pad(emit, made, tuple(wanted)))


def _transposed_groups(emit, tensor, weight, bias, windows):
    groups = windows.groups
    if groups == 1:
        return _transposed(emit, tensor, weight, bias, windows)
    n_in = tensor.shape[-1] // groups
    made = [
        _transposed(
            emit, tensor[..., i * n_in : (i + 1) * n_in], weight, bias, windows, i
        )
        for i in range(groups)
    ]
    return emit.layer(keras.layers.Concatenate, made, "groups")


def _transposed(emit, tensor, weight, bias, windows, group=None):
    """Make the layer of one group of channels, or of all."""
    n_axes = len(windows.strides)
    n_in, n_filters, *size = shape_of(weight)
    rows = rows_out = None
    if group is not None:
        n = n_in // windows.groups
        rows = (group * n, (group + 1) * n)
        rows_out = (group * n_filters, (group + 1) * n_filters)
    form = ArrayForm((*range(2, n_axes + 2), 1, 0), rows=rows)
    return emit.weighted(
        TRANSPOSED[n_axes],
        tensor,
        _weights("kernel", weight, form, bias, rows_out),
        "" if group is None else f"group{group}",
        filters=n_filters,
        kernel_size=tuple(size),
        strides=windows.strides,
        dilation_rate=windows.dilation,
        padding="valid",
        use_bias=bias is not None,
    )
