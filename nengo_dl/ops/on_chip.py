"""Weights as hardware holds them."""

import math
import zlib

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.chips.quantisation import ArrayLibrary, quantised
from nengo_dl.graph.kernel import Kernel, Write, constant, slot
from nengo_dl.graph.on_chip import OnChip
from nengo_dl.ops.random import gaussian, uniform
from nengo_dl.ops.registry import Builder

TENSORFLOW = ArrayLibrary(keras.ops, keras.ops.cast)


@Builder.register(OnChip, merge_key=lambda op: (op.shape, op.placement))
def build_on_chip(ops, ctx):
    """Build weights on a chip. Sets ``on_chip``, reads ``weights``.

    The gradient is that of the identity. In training, weights have noise, with a stream
    of random numbers for each parameter.
    """
    k, shape, place = len(ops), ops[0].shape, ops[0].placement
    model, size = place.model, math.prod(shape)
    # values of several operators come first, items of the minibatch last
    axes = tuple(axis + 1 for axis in place.shared_axes(len(shape)))
    noise_rows, drop_rows = (_rows(ops, kind) for kind in ("noise", "drop"))

    def held(weights, n):
        if model.bits is None:
            return weights
        values = tf.reshape(weights, (k, *shape, -1))
        values = quantised(values, tf.reshape(n, ()), model, axes, TENSORFLOW)
        return tf.reshape(values, (k * size, -1))

    def noisy(key, weights, n):
        values = tf.reshape(held(weights, n), (k, *shape, -1))
        if model.noise or model.device_noise:
            xi = gaussian(key, (k, size), values.dtype, noise_rows)
            magnitudes = tf.abs(tf.reshape(weights, (k, *shape, -1)))
            sd = _noise(model, magnitudes, axes)
            values += tf.reshape(xi, (k, *shape, 1)) * sd
        if model.drop:
            u = uniform(key, (k, size), values.dtype, drop_rows)
            is_there = tf.reshape(u, (k, *shape, 1)) >= model.drop
            values = tf.where(is_there, values, tf.zeros_like(values))
        return tf.reshape(values, (k * size, -1))

    return Kernel(
        name="OnChip",
        reads=(
            slot(op.weights for op in ops),
            constant(model.n_levels, ctx.dtype, "levels"),
        ),
        writes=(Write(slot(op.on_chip for op in ops), "set"),),
        fn=_straight_through(held),
        training_fn=_straight_through(noisy) if model.draws else None,
        draws_once=model.draws,
    )


def _noise(model, magnitudes, axes):
    """Return the standard deviation of the noise of training."""
    largest = tf.reduce_max(magnitudes, axis=axes, keepdims=True)
    if not model.device_noise:
        return model.noise * largest
    divisor = tf.where(largest > 0, largest, tf.ones_like(largest))
    of_device = model.device_noise * model.device.sd(magnitudes / divisor)
    return tf.sqrt(model.noise**2 + of_device**2) * largest


def _straight_through(function):
    """Return a function of weights with the gradient of the identity.

    The weights are its last argument but one.
    """

    @tf.custom_gradient
    def values(*arguments):
        none = [None] * (len(arguments) - 2)
        zero = tf.zeros_like(arguments[-1])
        return function(*arguments), lambda upstream: (*none, upstream, zero)

    return lambda *arguments: (values(*arguments),)


def _rows(ops, kind):
    """Number the random streams of parameters, by their names alone."""
    names = (f"{op.stream}.{kind}".encode() for op in ops)
    return np.array([zlib.crc32(name) for name in names], dtype=np.uint32)
