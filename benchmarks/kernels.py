"""Which form of a product, a LIF step and a gradient does XLA run fastest here?

The answers are built into ``nengo_dl/ops/products.py``, ``lif.py`` and
``transforms.py``. Prints the time of each form as a ratio to the first of its kind.
"""

import time

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.transforms import ConvInc

from benchmarks.measure import in_turns, ratio
from benchmarks.report import show
from nengo_dl.ops import BuildContext, Builder

N_STEPS = 300
ROUNDS = 9
DT, TAU_RC, TAU_REF = 0.001, 0.02, 0.002
# Number, rows and columns of the matrices: decoders, encoders, one of each, large.
PRODUCTS = ((1000, 1, 50), (264, 2, 50), (500, 50, 1), (500, 50, 4), (1, 132, 64))
NEURONS = (100, 800, 3200, 25000)
# Width of the image, channels, filters, width of the kernel, stride
CONVOLUTIONS = ((12, 12, 64, 5, 2), (14, 64, 64, 3, 1), (14, 512, 64, 1, 1))


def looped(fn):
    """Compile a loop over ``fn``, each result of which depends on the one before."""

    @tf.function(jit_compile=True)
    def run(n, x, *constants):
        def body(i, y):
            return i + 1, fn(x + 1e-9 * tf.reshape(y, [-1])[0], *constants)

        return tf.while_loop(lambda i, _: i < n, body, (0, fn(x, *constants)))[1]

    return run


def seconds(functions, arguments):
    """Return the median time per step of several functions, in interleaved rounds."""
    compiled = [looped(fn) for fn in functions]
    times = [[] for _ in compiled]
    for round_number in range(ROUNDS + 1):
        for run, args, found in zip(compiled, arguments, times, strict=True):
            start = time.perf_counter()
            run(tf.constant(N_STEPS), *args).numpy()
            if round_number > 0:
                found.append((time.perf_counter() - start) / N_STEPS)
    return [float(np.median(found)) for found in times]


def product_forms(k, rows, columns, rng):
    """Return names, functions and arguments of ways to multiply k matrices."""

    def draw(*shape):
        return tf.constant(rng.standard_normal(shape), tf.float32)

    def einsum(equation, missing):
        def fn(x, A):
            x = tf.pad(tf.reshape(x, (k, columns, 1)), ((0, 0), (0, missing), (0, 0)))
            return tf.einsum(equation, A, x)[:, :rows]

        return fn

    def fused(x, A):
        return tf.reduce_sum(A * tf.reshape(x, (k, 1, columns)), axis=-1)

    r, c = max(rows, 2), max(columns, 2)
    x = draw(k * columns)
    return (
        ("multiply and sum", "einsum", "einsum, padded", "transposed, padded"),
        (
            fused,
            einsum("krc,kcb->krb", 0),
            einsum("krc,kcb->krb", c - columns),
            einsum("kcr,kcb->krb", c - columns),
        ),
        (
            (x, draw(k, rows, columns)),
            (x, draw(k, rows, columns)),
            (x, draw(k, r, c)),
            (x, draw(k, c, r)),
        ),
    )


def lif(decay, log1m):
    """Return a LIF step that writes the exponential and the logarithm its own way."""

    def fn(J):
        voltage = tf.reverse(J, [0])
        refractory_time = tf.abs(J) * DT
        delta_t = tf.clip_by_value(2 * DT - refractory_time, 0, DT)
        voltage = J - (J - voltage) * decay(-delta_t / TAU_RC)
        spiked = voltage > 1
        t_spike = DT + TAU_RC * log1m(voltage - 1, J - 1)
        return tf.stack(
            [
                tf.where(spiked, 1 / DT, 0.0),
                tf.where(spiked, 0.0, tf.maximum(voltage, 0.0)),
                tf.where(spiked, TAU_REF + t_spike, refractory_time - DT),
            ]
        )

    return fn


def exp_series(x):
    """Return exp(x) for small x as a polynomial."""
    return 1 + x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x / 120))))


def log1m(a, b):
    """Return log(1 - a / b)."""
    return tf.math.log1p(-a / b)


def log1m_series(a, b):
    """Return log(1 - a / b) for small a / b as a polynomial."""
    s = a / (2 * b - a)
    square = s * s
    return -s * (2 + square * (2 / 3 + square * (2 / 5 + square * 2 / 7)))


LIF_FORMS = {
    "expm1, log1p": lif(
        lambda x: 1 + tf.math.expm1(x), lambda a, b: tf.math.log1p(-a / b)
    ),
    "exp, log1p": lif(tf.exp, lambda a, b: tf.math.log1p(-a / b)),
    "series, series": lif(exp_series, log1m_series),
    "exp, series": lif(tf.exp, log1m_series),
}


def convolution_gradients(conv, n_items=8, n_steps=4):
    """Return functions that differentiate a loop over a convolution.

    The kernel of the package in its two forms, the first of which leaves the gradient
    to XLA, and the same without XLA.
    """
    W, X, Y = (
        nengo.builder.Signal(np.zeros(shape, np.float32))
        for shape in (conv.kernel_shape, conv.size_in, conv.size_out)
    )
    context = BuildContext(DT, np.dtype("float32"))
    kernel = Builder.build((ConvInc(W, X, Y, conv),), context)
    x = tf.random.stateless_uniform((n_steps, X.size, n_items), (0, 0))
    weights = tf.random.stateless_uniform((W.size, 1), (0, 1), -1)

    def of(fn, jit_compile):
        @tf.function(jit_compile=jit_compile, autograph=False)
        def gradients(weights, x):
            with tf.GradientTape() as tape:
                tape.watch((weights, x))
                fed = tf.TensorArray(x.dtype, n_steps, element_shape=x.shape[1:])
                fed = fed.unstack(x)
                _, total = tf.while_loop(
                    lambda i, _: i < n_steps,
                    lambda i, y: (i + 1, 0.9 * y + fn(weights, fed.read(i))[0]),
                    (0, tf.zeros((Y.size, n_items))),
                    maximum_iterations=n_steps,
                )
                total = tf.reduce_sum(total**2)
            return tape.gradient(total, (weights, x))

        return lambda: [g.numpy() for g in gradients(weights, x)]

    return {
        "XLA": of(kernel.fn, True),
        "XLA, of windows": of(kernel.training_fn, True),
        "TensorFlow": of(kernel.fn, False),
    }


def show_convolution_gradients():
    """Print how long gradients take, relative to the one that XLA makes."""
    rows = []
    for size, channels, n_filters, width, stride in CONVOLUTIONS:
        conv = nengo.Convolution(
            n_filters,
            (size, size, channels),
            kernel_size=(width, width),
            strides=(stride, stride),
            padding="same",
        )
        functions = convolution_gradients(conv)
        in_turns(functions, 1)
        wall, _ = in_turns(functions, 3)
        first = wall["XLA"]
        rows.append(
            {
                "convolution": f"{size}x{size}x{channels} {width}x{width} {n_filters}",
                **{name: ratio(times, first) for name, times in wall.items()},
            }
        )
    show("Which gradient of a convolution is fastest (relative to the first)?", rows)


def main():
    """Print all tables."""
    rng = np.random.default_rng(0)
    rows = []
    for shape in PRODUCTS:
        names, functions, arguments = product_forms(*shape, rng)
        found = seconds(functions, arguments)
        ratios = (t / found[0] for t in found)
        rows.append(
            {
                "matrices": "x".join(map(str, shape)),
                **dict(zip(names, ratios, strict=True)),
            }
        )
    show("Which form of a product is fastest (time relative to the first)?", rows)
    rows = []
    for n in NEURONS:
        J = tf.constant(rng.uniform(-1, 3, n), tf.float32)
        found = seconds(LIF_FORMS.values(), [(J,)] * len(LIF_FORMS))
        ratios = (t / found[0] for t in found)
        rows.append({"LIF neurons": n, **dict(zip(LIF_FORMS, ratios, strict=True))})
    show("Which form of a LIF step is fastest (time relative to the first)?", rows)
    show_convolution_gradients()


if __name__ == "__main__":
    main()
