"""What does a converted, spiking LeNet cost, compared with a loop written by hand?

Both run 32 steps of integrate-and-fire neurons on minibatches of 32 images. The loop
by hand is plain TensorFlow, in the layout that its convolutions like best. XLA makes
it slower, which is shown, too.
"""

import argparse
from statistics import median

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, in_turns, prepare, ratio

QUESTION = __doc__.splitlines()[0]
N_STEPS, MINIBATCH_SIZE, SCALE, DT = 32, 32, 1000.0, 0.001
TOLERANCE = 0.01


def lenet():
    """LeNet-5 with rectified linear units and average pooling (LeCun et al. 1998)."""
    import keras
    from keras import layers

    x = inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(6, 5, padding="same", activation="relu")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(16, 5, activation="relu")(x)
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    for size in (120, 84):
        x = layers.Dense(size, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(10)(x))


def make_loop(weights, jit_compile):
    """Return a function from images of all steps to the output of all steps."""
    import tensorflow as tf

    weights = [tf.constant(w) for w in weights]
    sizes = [(28, 28, 6), (10, 10, 16), (120,), (84,)]

    def spike(current, voltage):
        voltage = voltage + current * (SCALE * DT)
        spikes = tf.nn.relu(tf.floor(voltage))
        return spikes / (SCALE * DT), voltage - spikes

    def step(x, voltages):
        v0, v1, v2, v3 = voltages
        k0, b0, k1, b1, k2, b2, k3, b3, k4, b4 = weights
        x, v0 = spike(tf.nn.conv2d(x, k0, 1, "SAME") + b0, v0)
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        x, v1 = spike(tf.nn.conv2d(x, k1, 1, "VALID") + b1, v1)
        x = tf.reshape(tf.nn.avg_pool2d(x, 2, 2, "VALID"), (MINIBATCH_SIZE, -1))
        x, v2 = spike(x @ k2 + b2, v2)
        x, v3 = spike(x @ k3 + b3, v3)
        return x @ k4 + b4, (v0, v1, v2, v3)

    @tf.function(jit_compile=jit_compile)
    def run(images):
        def body(i, outputs, *voltages):
            output, voltages = step(images[:, i], voltages)
            return i + 1, outputs.write(i, output), *voltages

        outputs = tf.TensorArray(tf.float32, N_STEPS)
        voltages = [tf.fill((MINIBATCH_SIZE, *size), 0.5) for size in sizes]
        _, outputs, *_ = tf.while_loop(
            lambda i, *_: i < N_STEPS, body, (0, outputs, *voltages)
        )
        return tf.transpose(outputs.stack(), (1, 0, 2))

    return run


def measure_speed(n_batches, n_rounds):
    """Compare `Simulator.predict` with the loops.

    Returns
    -------
    rows : list of dict
        One for each loop.
    """
    prepare(["nengo_dl"])
    import keras
    import nengo
    import tensorflow as tf

    import nengo_dl

    keras.utils.set_random_seed(0)
    model = lenet()
    converter = nengo_dl.Converter(
        model,
        allow_fallback=False,
        inference_only=True,
        swap_activations={nengo.RectifiedLinear(): nengo_dl.IntegrateAndFire()},
        scale_firing_rates=SCALE,
    )
    n_images = n_batches * MINIBATCH_SIZE
    images = np.random.default_rng(0).random((n_images, 1, 28, 28, 1), np.float32)
    images = np.repeat(images, N_STEPS, axis=1)
    batches = np.split(images, n_batches)
    weights = [weight.numpy() for weight in model.weights]
    node, probe = converter.inputs[model.input], converter.outputs[model.output]

    def by_hand(jit_compile):
        loop = make_loop(weights, jit_compile)
        return lambda: np.concatenate([loop(tf.constant(x)).numpy() for x in batches])

    with nengo_dl.Simulator(
        converter.net, dt=DT, minibatch_size=MINIBATCH_SIZE, progress_bar=False
    ) as sim:
        steps = images.reshape(n_images, N_STEPS, -1)
        functions = {
            "nengo_dl": lambda: sim.predict({node: steps}, verbose=0)[probe],
            "by hand": by_hand(None),
            "by hand, XLA": by_hand(True),
        }
        check({name: function() for name, function in functions.items()})
        wall, cpu = in_turns(functions, n_rounds)
    return [
        {
            "LeNet, 32 steps x 32 images": "predict",
            "compared with": name,
            "ms/batch": median(wall["nengo_dl"]) / n_batches * 1e3,
            "other ms/batch": median(wall[name]) / n_batches * 1e3,
            "ratio": ratio(wall["nengo_dl"], wall[name]),
            "ratio of CPU times": ratio(cpu["nengo_dl"], cpu[name]),
        }
        for name in functions
        if name != "nengo_dl"
    ]


def check(outputs):
    """Raise an error unless all compute the same, up to spikes that rounding moves."""
    first = outputs["nengo_dl"].mean(axis=1)
    for name, output in outputs.items():
        error = np.abs(output.mean(axis=1) - first).mean() / np.abs(first).mean()
        if error > TOLERANCE:
            raise ArithmeticError(f"{name}: outputs differ from nengo_dl's by {error}")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    rows = in_new_process(measure_speed, arguments.batches, arguments.rounds)
    report.show(QUESTION, rows)
    report.save("conversion_speed", rows)


if __name__ == "__main__":
    main()
