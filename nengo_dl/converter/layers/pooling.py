"""Averages and maxima over windows, or over all positions."""

import keras
import nengo
import numpy as np
from nengo.transforms import Sparse
from scipy.sparse import coo_array, csr_matrix

from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.layers.conv import MAX_NENGO_DIMENSIONS
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.converter.windows import Geometry, taps
from nengo_dl.nodes.array_node import MaxPool

# Over how long windows of spike trains compare their inputs, in seconds.
SPIKING_TAU = 1.0

GLOBAL_AVERAGE = (
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
)
GLOBAL_MAX = (
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)


def _windows(call: LayerCall) -> tuple[Geometry, int]:
    """Return the geometry of a layer's windows, and the number of channels."""
    layer = call.layer
    last = layer.data_format == "channels_last"
    shape = call.input_shape
    space, channels = (shape[:-1], shape[-1]) if last else (shape[1:], shape[0])
    ones = (1,) * len(space)
    if type(layer) in (*GLOBAL_AVERAGE, *GLOBAL_MAX):
        return Geometry(space, space, ones, "valid", ones, last), channels
    strides = tuple(layer.strides)
    window = tuple(layer.pool_size)
    return Geometry(space, window, strides, layer.padding, ones, last), channels


@register(
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
    *GLOBAL_AVERAGE,
    native="a convolution, or sparse weights",
)
def convert_average(call: LayerCall, build: Build) -> Obj:
    """Convert averages."""
    geometry, channels = _windows(call)
    node = build.node()
    n_taps = int(np.prod(geometry.kernel_size))
    if geometry.padding == "valid" and len(geometry.space) <= MAX_NENGO_DIMENSIONS:
        transform = nengo.Convolution(
            channels,
            geometry.shape(channels),
            kernel_size=geometry.kernel_size,
            strides=geometry.strides,
            channels_last=geometry.channels_last,
            init=np.full((*geometry.kernel_size, 1, channels), 1 / n_taps),
            groups=channels,
        )
    else:
        transform = _averages(taps(geometry), geometry, channels)
    build.connect(node, transform=transform)
    return node


def _averages(index: np.ndarray, geometry: Geometry, channels: int) -> Sparse:
    """Return the matrix of averages over windows of different sizes."""
    n_in, n_out = int(np.prod(geometry.space)), len(index)
    window, tap = np.nonzero(index >= 0)
    position = index[window, tap]
    weight = 1 / np.sum(index >= 0, axis=1)[window]
    channel = np.arange(channels)[:, None]
    if geometry.channels_last:
        rows, columns = window * channels + channel, position * channels + channel
    else:
        rows, columns = window + channel * n_out, position + channel * n_in
    shape = (n_out * channels, n_in * channels)
    data = np.tile(weight, channels)
    matrix = coo_array((data, (rows.ravel(), columns.ravel())), shape=shape)
    return Sparse(shape, init=csr_matrix(matrix))


@register(
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
    *GLOBAL_MAX,
    native="a node that computes maxima",
)
def convert_max(call: LayerCall, build: Build) -> Obj:
    """Convert maxima; averages if the options say so.

    Where spikes arrive, the maximum is taken over inputs that have been filtered, and
    the filter is undone: the output has the rate of the fastest input.
    """
    if build.options.max_to_avg_pool:
        return convert_average(call, build)
    geometry, channels = _windows(call)
    space_out = build.size // channels
    shape_out = (
        (space_out, channels) if geometry.channels_last else (channels, space_out)
    )
    node = build.array_node(
        MaxPool(
            geometry.shape(channels),
            shape_out,
            taps(geometry),
            geometry.kernel_size,
            geometry.strides,
            geometry.padding,
            geometry.channels_last,
            SPIKING_TAU if build.is_spiking(build.input()) else None,
        )
    )
    build.connect(node)
    return node
