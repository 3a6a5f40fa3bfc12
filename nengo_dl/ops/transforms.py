"""Convolutions and transposed convolutions of one, two and three dimensions."""

import math

import numpy as np
import tensorflow as tf
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.exceptions import BuildError

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.ops.registry import Builder
from nengo_dl.ops.windows import same_padding, taps, with_gradient_of

MAX_DIMENSIONS = 3
# Convolutions that sum more products than this are left to TensorFlow: depthwise ones,
# and ones without groups.
MAX_TAPS = 64
MAX_PRODUCTS = 256


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
        conv.groups,
    )


def _check(op):
    if op.conv.dimensions > MAX_DIMENSIONS:
        raise BuildError(
            f"{op.conv}: expected at most {MAX_DIMENSIONS} spatial dimensions (got "
            f"{op.conv.dimensions}). Split the convolution or use a Sparse transform."
        )


def _kernel(name, ops, convolve, gradient_of=None):
    """Build a kernel that increments ``Y``, reads ``W``, ``X``.

    Operators of a group share their weights, so they are a batch to the convolution,
    together with the items of the minibatch. The convolution wants that batch as the
    first axis and the channels as the last. In training, the gradient may be that of
    another function of slots.
    """
    k, conv = len(ops), ops[0].conv
    shape_in = conv.input_shape.shape
    spatial = list(range(conv.dimensions))
    if conv.channels_last:
        before = [
            0,
            conv.dimensions + 2,
            *(i + 1 for i in spatial),
            conv.dimensions + 1,
        ]
        after = [0, *(i + 2 for i in spatial), conv.dimensions + 2, 1]
    else:
        before = [0, conv.dimensions + 2, *(i + 2 for i in spatial), 1]
        after = [0, conv.dimensions + 2, *(i + 2 for i in spatial), 1]

    def fn(W, X):
        batch = X.shape[1] or tf.shape(X)[1]
        X = tf.transpose(tf.reshape(X, (k, *shape_in, batch)), before)
        X = tf.reshape(X, (k * batch, *X.shape[2:]))
        Y = convolve(tf.reshape(W, ops[0].W.shape), X)
        Y = tf.transpose(tf.reshape(Y, (k, batch, *Y.shape[1:])), after)
        return (tf.reshape(Y, (k * conv.output_shape.size, batch)),)

    training_fn = None if gradient_of is None else _with_gradient_of(fn, gradient_of)
    return _conv_kernel(name, ops, fn, training_fn)


def _conv_kernel(name, ops, fn, training_fn=None):
    return Kernel(
        name=name,
        reads=(slot([ops[0].W]), slot(op.X for op in ops)),
        writes=(Write(slot(op.Y for op in ops), "inc"),),
        fn=fn,
        training_fn=training_fn,
    )


def _depthwise(ops):
    """Build a convolution of each channel for itself, tap by tap.

    XLA fuses this; convolutions with groups it leaves to code that is 30 times slower
    on the CPU. The minibatch stays the last axis.

    The halves of the output are computed apart and put together, because XLA computes a
    sum again for all that uses it, but a concatenation once.
    """
    k, conv = len(ops), ops[0].conv
    n, channels = conv.dimensions, conv.groups
    taps = list(np.ndindex(*conv.kernel_size))
    shape_out = conv.output_shape.spatial_shape
    pads = [(0, 0), *_padding(conv), (0, 0), (0, 0), (0, 0)]
    channels_first = [0, *(i + 2 for i in range(n)), 1, n + 2]
    back = [0, n + 1, *(i + 1 for i in range(n)), n + 2]

    def fn(W, X):
        X = tf.reshape(X, (k, *conv.input_shape.shape, -1))
        if not conv.channels_last:
            X = tf.transpose(X, channels_first)
        X = tf.pad(tf.expand_dims(X, n + 2), pads)
        W = tf.unstack(tf.reshape(W, (len(taps), channels, -1, 1)))
        halves = [
            tf.add_n(
                [
                    X[_window(conv, tap, rows)] * weights
                    for tap, weights in zip(taps, W, strict=True)
                ]
            )
            for rows in np.array_split(range(shape_out[0]), min(2, shape_out[0]))
        ]
        Y = tf.concat(halves, axis=1)
        if not conv.channels_last:
            Y = tf.reshape(Y, (k, *shape_out, conv.n_filters, -1))
            Y = tf.transpose(Y, back)
        return (tf.reshape(Y, (k * conv.output_shape.size, -1)),)

    return _conv_kernel("Convolution", ops, fn)


def _patches(ops, adds_rows=False):
    """Return a convolution as products of its weights with windows.

    This needs no transposition of single numbers, because the minibatch stays the last
    axis. Where windows are small, that takes longer than to copy them.

    Windows are laid side by side along one axis after the other, which copies less than
    all of them at once. With `adds_rows`, the first axis is left out: each row of the
    weights has a product of its own, and these are added.
    """
    k, conv = len(ops), ops[0].conv
    n, n_filters = conv.dimensions, conv.n_filters
    n_parts = conv.kernel_size[0] if adds_rows else 1
    shape_out = conv.output_shape.spatial_shape
    pads = [(0, 0), (0, 0), *_padding(conv), (0, 0)]
    spatial = [i + 2 for i in range(n)]
    before = after = [1, 0, *spatial, n + 2]
    if conv.channels_last:
        before = [n + 1, 0, *(i - 1 for i in spatial), n + 2]
        after = [1, *spatial, 0, n + 2]

    def fn(W, X):
        X = tf.transpose(tf.reshape(X, (k, *conv.input_shape.shape, -1)), before)
        X = tf.pad(X, pads)
        for axis in reversed(range(adds_rows, n)):
            X = tf.concat(_taps(conv, X, axis), axis=0)
        W = tf.transpose(tf.reshape(W, (n_parts, -1, n_filters)), (1, 0, 2))
        W, columns = (tf.reshape(A, (X.shape[0], -1)) for A in (W, X))
        Y = tf.matmul(W, columns, transpose_a=True)
        Y = tf.reshape(Y, (n_parts, n_filters, *X.shape[1:-1], -1))
        if adds_rows:
            rows = enumerate(tf.unstack(Y))
            Y = tf.add_n([_taps(conv, row, 0)[i] for i, row in rows])
        Y = tf.transpose(tf.reshape(Y, (n_filters, k, *shape_out, -1)), after)
        return (tf.reshape(Y, (k * conv.output_shape.size, -1)),)

    return fn


def _taps(conv, X, axis):
    """Return what each position of the kernel reads along a spatial axis."""
    size, stride = conv.kernel_size[axis], conv.strides[axis]
    return taps(X, axis + 2, size, stride, conv.output_shape.spatial_shape[axis])


def _with_gradient_of(fn, other):
    """Return a kernel's function with the values of one and the gradient of another."""
    values = with_gradient_of(*(lambda *x, f=f: f(*x)[0] for f in (fn, other)))
    return lambda *arguments: (values(*arguments),)


def _n_products(conv):
    """Return how many products each output is the sum of."""
    return math.prod(conv.kernel_size) * conv.input_shape.n_channels // conv.groups


def _window(conv, tap, rows):
    """Return what a tap of the kernel reads, for some rows of the output.

    That is all of the first axis, and slices of the spatial ones.
    """
    lengths = conv.output_shape.spatial_shape
    ends = [(rows[0], rows[-1]), *((0, length - 1) for length in lengths[1:])]
    windows = [
        slice(i + start * stride, i + stop * stride + 1, stride)
        for i, (start, stop), stride in zip(tap, ends, conv.strides, strict=True)
    ]
    return (slice(None), *windows)


def _padding(conv):
    """Return how many zeros go before and after each spatial axis."""
    if conv.padding == "valid":
        return [(0, 0)] * conv.dimensions
    return [
        same_padding(*axis)
        for axis in zip(
            conv.input_shape.spatial_shape,
            conv.kernel_size,
            conv.strides,
            conv.output_shape.spatial_shape,
            strict=True,
        )
    ]


@Builder.register(ConvInc, merge_key=_key)
def build_conv_inc(ops, ctx):
    """Build a convolution. Increments ``Y``, reads ``W``, ``X``."""
    _check(ops[0])
    conv = ops[0].conv
    is_depthwise = conv.groups > 1 and conv.groups == conv.input_shape.n_channels
    if is_depthwise and math.prod(conv.kernel_size) <= MAX_TAPS:
        return _depthwise(ops)
    # TensorFlow's own convolutions are faster than products of windows. So are XLA's,
    # but on the CPU not their gradients, which take 20 times longer within a loop
    # (benchmarks/kernels.py)
    compiled = ctx.settings.jit_compile is not False
    n_products = _n_products(conv)
    if compiled and conv.groups == 1 and n_products <= MAX_PRODUCTS:
        fn, n_in_row = _patches(ops), n_products // conv.kernel_size[0]
        if conv.dimensions == 1 or conv.n_filters * conv.strides[0] >= n_in_row:
            return _conv_kernel("Convolution", ops, fn)
        # fewer numbers are added than would be copied, but not so in the gradient
        adding = _patches(ops, adds_rows=True)
        training_fn = _with_gradient_of(adding, fn)
        return _conv_kernel("Convolution", ops, adding, training_fn)

    def convolve(W, X):
        return tf.nn.convolution(
            X, W, strides=conv.strides, padding=conv.padding.upper()
        )

    on_cpu = not tf.config.list_physical_devices("GPU")
    by_windows = compiled and conv.groups == 1 and on_cpu
    gradient_of = _patches(ops) if by_windows else None
    return _kernel("Convolution", ops, convolve, gradient_of)


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
            output_shape=(X.shape[0] or tf.shape(X)[0], *spatial, n_channels),
            strides=conv.strides,
            padding=conv.padding.upper(),
        )

    return _kernel("ConvolutionTranspose", ops, convolve)
