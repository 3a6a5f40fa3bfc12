"""Convolutions of three dimensions and more, and gradients in training."""

import itertools

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.exceptions import BuildError

from nengo_dl.engine.engine import Engine
from nengo_dl.graph.program import Program
from nengo_dl.ops import BuildContext, Builder
from nengo_dl.settings import Settings
from tests.checks import Bench

SHAPE, N_FILTERS = (3, 4, 5), 3
FORMS = [
    {"padding": padding, "channels_last": last, "strides": strides}
    for padding in ("valid", "same")
    for last in (True, False)
    for strides in ((1, 1, 1), (2, 1, 2))
]


def make_conv(conv_type, space, channels, n_filters, channels_last, **kwargs):
    """Make a convolution of three dimensions with kernels of shape (2, 3, 2)."""
    shape = (*space, channels) if channels_last else (channels, *space)
    return conv_type(
        n_filters=n_filters,
        input_shape=shape,
        kernel_size=(2, 3, 2),
        channels_last=channels_last,
        **kwargs,
    )


def apply(conv, kernel, x):
    """Apply a convolution through the package."""
    bench = Bench(seed=0)
    W = nengo.builder.Signal(kernel, name="W", readonly=True)
    X = nengo.builder.Signal(x, name="X", readonly=True)
    Y = nengo.builder.Signal(np.zeros(conv.size_out), name="Y")
    transposed = isinstance(conv, nengo.ConvolutionTranspose)
    op = (ConvTransposeInc if transposed else ConvInc)(W, X, Y, conv)
    program = Program((op,), bench.step, bench.time, probes={"y": Y}, resets={Y: 0.0})
    engine = Engine(program, Settings(dtype="float64"), dt=0.001)
    return engine.run(engine.values.initial(), {}, 1, seed=0)[1]["y"][0, 0]


def loop(conv, kernel, x):
    """Convolve with loops over all outputs and the whole kernel."""
    x = x.reshape(conv.input_shape.shape)
    x = x if conv.channels_last else np.moveaxis(x, 0, -1)
    sizes, space = conv.kernel_size, conv.output_shape.spatial_shape
    pads = [
        max((out - 1) * stride + k - n, 0) if conv.padding == "same" else 0
        for out, stride, k, n in zip(space, conv.strides, sizes, x.shape, strict=False)
    ]
    x = np.pad(x, [(pad // 2, pad - pad // 2) for pad in pads] + [(0, 0)])
    y = np.zeros((*space, conv.n_filters))
    for at in itertools.product(*(range(n) for n in space)):
        corner = [i * stride for i, stride in zip(at, conv.strides, strict=True)]
        window = x[tuple(slice(c, c + k) for c, k in zip(corner, sizes, strict=True))]
        y[at] = np.einsum("ijkc,ijkcf->f", window, kernel)
    return np.ravel(y if conv.channels_last else np.moveaxis(y, -1, 0))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_convolution_in_3d(form, rng):
    conv = make_conv(nengo.Convolution, SHAPE, 2, N_FILTERS, **form)
    kernel = rng.uniform(-1, 1, size=conv.kernel_shape)
    x = rng.uniform(-1, 1, size=conv.size_in)
    np.testing.assert_allclose(
        apply(conv, kernel, x), loop(conv, kernel, x), atol=1e-12
    )


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_transposed_convolution_in_3d_is_the_adjoint(form, rng):
    transposed = make_conv(nengo.ConvolutionTranspose, (2, 3, 2), 4, 3, **form)
    space = transposed.output_shape.spatial_shape
    conv = make_conv(nengo.Convolution, space, 3, 4, **form)
    kernel = rng.uniform(-1, 1, size=transposed.kernel_shape)
    x = rng.uniform(-1, 1, size=conv.size_in)
    y = rng.uniform(-1, 1, size=transposed.size_in)
    forward = loop(conv, np.moveaxis(kernel, -1, -2), x)
    np.testing.assert_allclose(
        np.dot(forward, y), np.dot(x, apply(transposed, kernel, y)), rtol=1e-10
    )


# In training, these have the gradient of one product with windows: because they have
# many products, or few filters
WITH_OTHER_GRADIENT = [
    nengo.Convolution(2, (6, 7, 8), kernel_size=(3, 3)),
    nengo.Convolution(2, (8, 6, 7), padding="same", channels_last=False),
    nengo.Convolution(2, (5, 4, 3, 4), kernel_size=(3, 2, 2), strides=(2, 1, 1)),
    nengo.Convolution(3, (6, 7, 35), kernel_size=(3, 3), strides=(2, 1)),
    nengo.Convolution(3, (6, 7, 35), padding="same", strides=(2, 2)),
    nengo.Convolution(3, (35, 6, 7), padding="same", channels_last=False),
    nengo.Convolution(2, (3, 3, 300), kernel_size=(1, 1), strides=(2, 1)),
    nengo.Convolution(2, (9, 90), kernel_size=(3,), strides=(2,)),
    nengo.Convolution(
        2, (3, 4, 3, 40), kernel_size=(2, 2, 2), strides=(1, 2, 1), padding="same"
    ),
]


@pytest.mark.parametrize("conv", WITH_OTHER_GRADIENT, ids=str)
@pytest.mark.parametrize("n_ops", (1, 2))
def test_gradients_in_training_are_those_of_the_convolution(conv, n_ops, rng):
    bench = Bench(seed=0)
    W = bench.signal(*conv.kernel_shape)
    ops = [
        ConvInc(W, bench.signal(conv.size_in), bench.signal(conv.size_out), conv)
        for _ in range(n_ops)
    ]
    kernel = Builder.build(tuple(ops), BuildContext(0.001, np.dtype("float64")))
    arguments = (
        tf.constant(rng.uniform(-1, 1, size=(W.size, 1))),
        tf.constant(rng.uniform(-1, 1, size=(n_ops * conv.size_in, 3))),
    )

    @tf.function(autograph=False)
    def derivatives(fn):
        with tf.GradientTape() as outer:
            outer.watch(arguments)
            with tf.GradientTape() as inner:
                inner.watch(arguments)
                (y,) = fn(*arguments)
                loss = tf.reduce_sum(y * y)
            first = inner.gradient(loss, arguments)
            total = tf.add_n([tf.reduce_sum(g * g) for g in first])
        return [y, *first, *outer.gradient(total, arguments)]

    assert kernel.training_fn is not None
    for got, expected in zip(
        derivatives(kernel.training_fn), derivatives(kernel.fn), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_too_many_dimensions():
    conv = nengo.Convolution(
        n_filters=1, input_shape=(2, 2, 2, 2, 1), kernel_size=(1,) * 4, strides=(1,) * 4
    )
    bench = Bench(seed=0)
    W, X = bench.signal(*conv.kernel_shape), bench.signal(conv.size_in)
    op = ConvInc(W, X, bench.signal(conv.size_out), conv)
    with pytest.raises(BuildError, match="at most 3 spatial dimensions"):
        Builder.build((op,), BuildContext(0.001, np.dtype("float64")))
