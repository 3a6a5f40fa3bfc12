"""What does a wrapped model cost, and how accurate is it?

A spiking convolutional network runs for 16 steps on images that are held, 32 at a time.
Costs are those of predictions, compared with `Simulator.predict` of its network, and of
training, compared with training without XLA. Accuracies are those of scikit-learn's
digits (1,440 to train, 357 held out): of the Keras model, and the points that are lost
by wrapping it and after two epochs of training through spikes.
"""

import argparse
import functools
from statistics import median

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, in_turns, prepare, ratio

QUESTION = __doc__.splitlines()[0]
N_STEPS, MINIBATCH_SIZE, N_TRAIN = 16, 32, 1440
LOSS = "sparse_categorical_crossentropy"


def convnet():
    """Return Keras' example of a convolutional network, for digits of 8 x 8."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def wrapped_convnet(model, images):
    """Return a model that spikes."""
    import nengo_dl

    return nengo_dl.wrap(
        model,
        N_STEPS,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        calibration_data=images[:320],
    )


def measure(n_batches, n_rounds):
    """Compare predictions with those of a simulator, and training with and without XLA.

    Returns
    -------
    rows : list of dict
        One for each of the two.
    """
    prepare(["nengo_dl"])
    import keras

    import nengo_dl

    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random(
        (n_batches * MINIBATCH_SIZE, 8, 8, 1), np.float32
    )
    wrapped = wrapped_convnet(convnet(), images)
    (node,), (probe,) = wrapped.converter.conversion.inputs, wrapped.network.probes
    flat = images.reshape(len(images), 1, -1)
    with nengo_dl.Simulator(
        wrapped.network, minibatch_size=MINIBATCH_SIZE, progress_bar=False
    ) as sim:
        functions = {
            "wrapped": lambda: wrapped.predict(
                images, batch_size=MINIBATCH_SIZE, verbose=0
            ),
            "Simulator": lambda: sim.predict({node: flat}, n_steps=N_STEPS, verbose=0)[
                probe
            ][:, -1],
        }
        first, second = (function() for function in functions.values())
        np.testing.assert_allclose(first.mean(), second.mean(), rtol=1e-3)
        times = in_turns(functions, n_rounds)
    rows = [row("predict, Simulator.predict", times, *functions)]

    labels = np.arange(len(images)) % 10
    models = {
        jit_compile: wrapped_convnet(convnet(), images)
        for jit_compile in ("auto", False)
    }
    for jit_compile, model in models.items():
        model.compile("adam", LOSS, jit_compile=jit_compile)
    functions = {
        jit_compile: functools.partial(model.fit, images, labels, verbose=0)
        for jit_compile, model in models.items()
    }
    for function in functions.values():
        function()
    times = in_turns(functions, n_rounds)
    return [*rows, row("fit, fit without XLA", times, *functions)]


def row(name, times, one, other):
    """Return a row that compares two functions."""
    wall, cpu = times
    return {
        "16 steps": name,
        "ms": median(wall[one]) * 1e3,
        "ms of the other": median(wall[other]) * 1e3,
        "ratio": ratio(wall[one], wall[other]),
        "ratio of CPU times": ratio(cpu[one], cpu[other]),
    }


def accuracies(seed):
    """Return accuracies before and after wrapping, and after training."""
    prepare(["nengo_dl"])
    import keras
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(seed)
    x, y = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(x))
    x, y = x[order].reshape(-1, 8, 8, 1).astype("float32") / 16, y[order]
    train, test = (x[:N_TRAIN], y[:N_TRAIN]), (x[N_TRAIN:], y[N_TRAIN:])
    model = convnet()
    model.compile("adam", LOSS, metrics=["accuracy"])
    model.fit(*train, batch_size=MINIBATCH_SIZE, epochs=15, verbose=0)
    spiking = wrapped_convnet(model, train[0])
    spiking.compile(keras.optimizers.Adam(1e-4), LOSS, metrics=["accuracy"])
    before, converted = (m.evaluate(*test, verbose=0)[1] for m in (model, spiking))
    spiking.fit(*train, batch_size=MINIBATCH_SIZE, epochs=2, verbose=0)
    tuned = spiking.evaluate(*test, verbose=0)[1]
    unwrapped = spiking.unwrap().evaluate(*test, verbose=0)[1]
    return {
        "seed": seed,
        "Keras %": 100 * before,
        "points lost, wrapped": 100 * (before - converted),
        "points lost, trained": 100 * (before - tuned),
        "points lost, unwrapped": 100 * (before - unwrapped),
    }


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    found = {
        "costs": in_new_process(measure, arguments.batches, arguments.rounds),
        "accuracies": [in_new_process(accuracies, i) for i in range(arguments.seeds)],
    }
    for name, rows in found.items():
        report.show(f"Wrapped models: {name}", rows)
        report.save(f"wrapped-{name}", rows)


if __name__ == "__main__":
    main()
