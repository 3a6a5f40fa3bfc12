"""Weights as hardware holds them."""

import math

import keras
import tensorflow as tf

from nengo_dl.chips.quantisation import Library, quantised
from nengo_dl.graph.kernel import Kernel, Write, constant, slot
from nengo_dl.graph.on_chip import OnChip
from nengo_dl.ops.registry import Builder

TENSORFLOW = Library(keras.ops, keras.ops.cast, keras.ops.fori_loop)


@Builder.register(OnChip, merge_key=lambda op: (op.shape, op.placement))
def build_on_chip(ops, ctx):
    """Build weights on a chip. Sets ``on_chip``, reads ``weights``.

    In training, the gradient is that of the identity.
    """
    k, shape, place = len(ops), ops[0].shape, ops[0].placement
    model, size = place.model, k * math.prod(shape)
    # values of several operators come first, items of the minibatch last
    axes = tuple(axis + 1 for axis in place.shared_axes(len(shape)))

    @tf.custom_gradient
    def straight_through(weights, n):
        values = tf.reshape(weights, (k, *shape, -1))
        values = quantised(values, tf.reshape(n, ()), model, axes, TENSORFLOW)
        none = tf.zeros_like(n)
        return tf.reshape(values, (size, -1)), lambda upstream: (upstream, none)

    return Kernel(
        name="OnChip",
        reads=(
            slot(op.weights for op in ops),
            constant(model.n_levels, ctx.dtype, "levels"),
        ),
        writes=(Write(slot(op.on_chip for op in ops), "set"),),
        fn=lambda weights, n: (straight_through(weights, n),),
    )
