"""Convolutions and transposed convolutions of one, two and three dimensions."""

import tensorflow as tf
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.exceptions import BuildError

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.ops.registry import Builder

MAX_DIMENSIONS = 3


def _key(op):
    """Operators that share the kernel's memory and the geometry run as one batch."""
    conv = op.conv
    return (
        op.W,
        conv.input_shape.shape,
        conv.output_shape.shape,
        conv.strides,
        conv.padding,
        conv.channels_last,
    )


def _check(op):
    if op.conv.dimensions > MAX_DIMENSIONS:
        raise BuildError(
            f"{op.conv}: expected at most {MAX_DIMENSIONS} spatial dimensions (got "
            f"{op.conv.dimensions}). Split the convolution or use a Sparse transform."
        )


def _to_channels_last(x, shape, channels_last):
    """Give a flat tensor its image shape, with the channels as the last axis."""
    x = tf.reshape(x, (-1, *shape))
    return x if channels_last else tf.transpose(x, _moved(len(shape), 1, -1))


def _moved(ndim, source, target):
    """Return the permutation that moves one axis of an image with a batch axis."""
    axes = list(range(ndim + 1))
    axis = axes.pop(source)
    axes.insert(target % (ndim + 1), axis)
    return axes


def _kernel(name, ops, convolve):
    """Build a kernel that increments ``Y``, reads ``W``, ``X``.

    Operators of a group share their weights, so they are a batch to the convolution.
    """
    k, conv = len(ops), ops[0].conv
    weights = ops[0].W

    def fn(W, X):
        X = tf.reshape(X, (-1, conv.input_shape.size))
        X = _to_channels_last(X, conv.input_shape.shape, conv.channels_last)
        Y = convolve(tf.reshape(W, weights.shape), X)
        if not conv.channels_last:
            Y = tf.transpose(Y, _moved(conv.dimensions + 1, -1, 1))
        return (tf.reshape(Y, (-1, k * conv.output_shape.size)),)

    return Kernel(
        name=name,
        reads=(slot([weights]), slot(op.X for op in ops)),
        writes=(Write(slot(op.Y for op in ops), "inc"),),
        fn=fn,
    )


@Builder.register(ConvInc, merge_key=_key)
def build_conv_inc(ops, ctx):
    """Build a convolution. Increments ``Y``, reads ``W``, ``X``."""
    del ctx
    _check(ops[0])
    conv = ops[0].conv

    def convolve(W, X):
        return tf.nn.convolution(
            X, W, strides=conv.strides, padding=conv.padding.upper()
        )

    return _kernel("Convolution", ops, convolve)


@Builder.register(ConvTransposeInc, merge_key=_key)
def build_conv_transpose_inc(ops, ctx):
    """Build a transposed convolution. Increments ``Y``, reads ``W``, ``X``."""
    del ctx
    _check(ops[0])
    conv = ops[0].conv
    spatial = conv.output_shape.spatial_shape
    n_channels = conv.output_shape.n_channels

    def convolve(W, X):
        # Nengo orders the last axes (input, output), TensorFlow the other way round
        return tf.nn.conv_transpose(
            X,
            tf.einsum("...io->...oi", W),
            output_shape=tf.stack([tf.shape(X)[0], *spatial, n_channels]),
            strides=conv.strides,
            padding=conv.padding.upper(),
        )

    return _kernel("ConvolutionTranspose", ops, convolve)
