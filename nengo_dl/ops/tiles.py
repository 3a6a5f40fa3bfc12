"""Converters and noise around the products of analog tiles.

The gradient of rounding is that of the identity. What is clipped has none, and neither
have ranges and noise.
"""

import math
import zlib

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.chips.tiles import converted
from nengo_dl.graph.kernel import Kernel, Write, constant, size_of, slot
from nengo_dl.graph.tiles import Adc, Dac, InputRange, ManagedRange
from nengo_dl.ops.random import gaussian
from nengo_dl.ops.registry import Builder


@Builder.register(InputRange, merge_key=lambda op: op.reads[0].size)
def build_input_range(ops, ctx):
    """Build ``s = max(abs(X))``. Sets ``s``, reads ``X``."""
    del ctx
    k, size = len(ops), ops[0].reads[0].size

    def fn(X):
        X = tf.stop_gradient(tf.reshape(X, (k, size, -1)))
        return (tf.reduce_max(tf.abs(X), axis=1),)

    return Kernel(
        name="InputRange",
        reads=(slot(op.reads[0] for op in ops),),
        writes=(Write(slot(op.sets[0] for op in ops), "set"),),
        fn=fn,
        joins_steps=True,
    )


def _dac_key(op):
    return op.reads[0].size, op.tile.n_inputs > 0, op.tile.input_bound is not None


@Builder.register(Dac, merge_key=_dac_key)
def build_dac(ops, ctx):
    """Build what tiles are given. Sets ``given``, reads ``X``, ``s``."""
    k = len(ops)
    size, rounds, clips = _dac_key(ops[0])

    @tf.custom_gradient
    def given(X, s, n):
        X, s = tf.reshape(X, (k, size, -1)), s[:, None]
        values = converted(X, s, n[:, None] if rounds else None, keras.ops)

        def gradient(upstream):
            if clips:
                upstream = _where_inside(X, s, upstream)
            return upstream, None, None

        return tf.reshape(values, (k * size, -1)), gradient

    return Kernel(
        name="Dac",
        reads=(
            slot(op.reads[0] for op in ops),
            slot(op.reads[1] for op in ops),
            constant([op.tile.n_inputs for op in ops], ctx.dtype, "levels"),
        ),
        writes=(Write(slot(op.sets[0] for op in ops), "set"),),
        fn=lambda X, s, n: (given(X, s, n),),
        joins_steps=True,
    )


@Builder.register(ManagedRange)
def build_managed_range(ops, ctx):
    """Build an input range for which nothing is clipped. Sets ``s``.

    Reads ``A``, ``X``, ``weights``. All items are multiplied until the range of each is
    large enough.
    """
    (op,) = ops
    tile, layout, inner = op.tile, op.layout, Builder.build((op.product,), ctx)
    is_fixed, rounds = tile.input_bound is not None, tile.n_inputs > 0
    numbers = (tile.n_inputs, tile.output_bound, tile.input_bound or 0)

    def fn(A, X, largest, numbers):
        n, output_bound, start = numbers

        def clips(s):
            given = converted(X, s, n if rounds else None, keras.ops)
            (T,) = inner.fn(A, given)
            T = tf.reshape(T, (*layout, -1))
            return tf.reduce_any(tf.abs(T) > output_bound * largest[0] * s, (0, 1, 2))

        def double(s, too_small):
            s = tf.where(too_small, 2 * s, s)
            return s, clips(s)[None]

        s = tf.reduce_max(tf.abs(X), axis=0, keepdims=True)
        s = tf.zeros_like(s) + start if is_fixed else s
        s, _ = tf.while_loop(
            lambda s, too_small: tf.reduce_any(too_small), double, (s, clips(s)[None])
        )
        return (tf.stop_gradient(s),)

    return Kernel(
        name="ManagedRange",
        reads=(*inner.reads, slot([op.reads[2]]), constant(numbers, ctx.dtype, "tile")),
        writes=(Write(slot(op.sets), "set"),),
        fn=fn,
        prepare={
            **inner.prepare,
            2: _largest_weights(ops),
            3: lambda numbers: tuple(tf.unstack(numbers)),
        },
    )


def _adc_key(op):
    energy = None if op.energy is None else op.energy.size
    rounds, clips = op.tile.n_outputs > 0, op.tile.output_bound is not None
    weights = op.reads[2]
    stored = (size_of(weights),) if weights.sparse else weights.shape
    return (op.layout, stored, op.scale_axes), energy, op.tile.draws, rounds, clips


@Builder.register(Adc, merge_key=_adc_key)
def build_adc(ops, ctx):
    """Build what is read of products. Increments ``Y``.

    Reads ``T``, ``s``, ``weights``, and ``energy``. Random numbers depend on the name
    of the parameter, the output, the item, and the step.
    """
    read, draws = _reading(ops), ops[0].tile.draws
    numbers = [
        (tile.n_outputs, tile.output_bound or 0, tile.output_noise, tile.read_noise)
        for tile in (op.tile for op in ops)
    ]
    signals = zip(*(op.reads for op in ops), strict=True)
    T, s, weights, *energy = map(slot, signals)
    return Kernel(
        name="Adc",
        reads=(
            T,
            s,
            weights,
            constant(np.transpose(numbers), ctx.dtype, "tile"),
            *energy,
        ),
        writes=(Write(slot(op.incs[0] for op in ops), "inc"),),
        fn=lambda *arguments: (read(*(arguments if draws else (0, *arguments))),),
        prepare={2: _largest_weights(ops), 3: _unpacked(len(ops))},
        keyed=draws,
    )


def _reading(ops):
    """Return a function from products to what is read of them.

    It takes a key, products, ranges, the largest weights, the numbers of tiles, and
    sums of squared inputs if there are any.
    """
    k, layout = len(ops), ops[0].layout
    *_, draws, rounds, clips = _adc_key(ops[0])
    noise = _noise(ops)

    @tf.custom_gradient
    def read(key, T, s, largest, numbers, *energy):
        T = tf.reshape(T, (k, *layout, -1))
        s = tf.reshape(s, (k, 1, 1, 1, -1))
        n, bound, *sd = numbers
        if draws:
            T += noise(key, T, s, largest, sd, *energy)
        values = T
        if clips:
            bound = bound * largest * s
            values = converted(T, bound, n if rounds else None, keras.ops)

        def gradient(upstream):
            if clips:
                upstream = _where_inside(T, bound, upstream)
            # of the key, T, s, largest, 4 numbers, and the energy
            return (None, upstream, *[None] * (6 + len(energy)))

        return tf.reshape(values, (k * math.prod(layout), -1)), gradient

    return read


def _noise(ops):
    """Return a function from a key and products to their noise."""
    k, layout = len(ops), ops[0].layout
    before, _, behind = layout
    size = math.prod(layout)
    names = (f"{op.stream}.tile".encode() for op in ops)
    streams = np.array([zlib.crc32(name) for name in names], dtype=np.uint32)

    def noise(key, T, s, largest, sd, energy=None):
        items = T.shape[-1] or tf.shape(T)[-1]
        variance = tf.square(sd[0] * s)
        if energy is not None:
            squares = tf.reshape(energy, (k, before, -1, behind, items))
            variance += tf.square(sd[1]) * squares
        # an item has the same numbers in minibatches of any size
        columns = tf.range(items)[None] * size + tf.range(size)[:, None]
        xi = gaussian(key, (k, size, items), T.dtype, streams, columns)
        return largest * tf.sqrt(variance) * tf.reshape(xi, (k, *layout, items))

    return noise


def _largest_weights(ops):
    """Return a function from weights to their largest magnitudes.

    These have the shape (k, 1, channels, 1, 1), and no gradient.
    """
    k, weights = len(ops), ops[0].reads[2]
    shape = (size_of(weights),) if weights.sparse else weights.shape
    axes = tuple(axis + 1 for axis in ops[0].scale_axes)

    def largest(values):
        values = tf.stop_gradient(tf.reshape(values, (k, *shape, values.shape[1])))
        return tf.reshape(
            tf.reduce_max(tf.abs(values), axis=axes), (k, 1, -1, 1, values.shape[-1])
        )

    return largest


def _unpacked(k):
    """Return a function that splits the numbers of k tiles, kind by kind."""

    def unpack(numbers):
        return tuple(tf.unstack(tf.reshape(numbers, (-1, k, 1, 1, 1, 1))))

    return unpack


def _where_inside(values, bound, upstream):
    """Return the gradient of what is not clipped."""
    inside = tf.reshape(tf.abs(values) <= bound, tf.shape(upstream))
    return tf.where(inside, upstream, tf.zeros_like(upstream))
