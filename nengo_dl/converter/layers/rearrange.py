"""Layers that move elements: nothing is computed, but some are repeated or left out.

They are called once, on the numbers of the elements, to see where each one goes.
"""

import math

import keras
import numpy as np
from nengo.transforms import Sparse
from scipy.sparse import csr_matrix, identity, kron

from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.numbering import positions
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register

MOVES = (
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.RepeatVector,
    keras.layers.Reshape,
    keras.layers.UpSampling1D,
    keras.layers.UpSampling3D,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
)


@register(*MOVES, native="connections between elements, or nothing")
def convert_move(call: LayerCall, build: Build) -> Obj:
    """Convert a layer that moves elements."""
    index = positions(call.layer, call.input_shape).ravel()
    if np.array_equal(index, np.arange(math.prod(call.input_shape))):
        return build.input()
    node = build.node()
    into = np.flatnonzero(index >= 0)
    whole = len(into) == len(index)
    build.connect(node, take=index[into], into=None if whole else into)
    return node


@register(
    keras.layers.UpSampling2D, native="connections between elements, or sparse weights"
)
def convert_interpolation(call: LayerCall, build: Build) -> Obj:
    """Convert up-sampling; weights of the neighbours come from the unit vectors."""
    if call.layer.interpolation == "nearest":
        return convert_move(call, build)
    last = call.layer.data_format == "channels_last"
    shape = call.input_shape
    channels = shape[-1] if last else shape[0]
    n = math.prod(shape) // channels
    space = shape[:-1] if last else shape[1:]
    units = np.eye(n, dtype=np.float32).reshape(
        n, *((*space, 1) if last else (1, *space))
    )
    # weights are rounded as the products with them, but not before
    exact = type(call.layer).from_config(
        {**call.layer.get_config(), "dtype": "float32"}
    )
    weights = keras.ops.convert_to_numpy(exact(units)).reshape(n, -1).T
    channel = identity(channels)
    matrix = csr_matrix(kron(weights, channel) if last else kron(channel, weights))
    node = build.node()
    build.connect(node, transform=Sparse(matrix.shape, init=matrix))
    return node
