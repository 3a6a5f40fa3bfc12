"""What does a wrapped model cost, compared with `Simulator.predict` of its network?

Both run a spiking convolutional network for 16 steps on images that are held, in
minibatches of 32.
"""

import argparse
from statistics import median

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, in_turns, prepare, ratio

QUESTION = __doc__.splitlines()[0]
N_STEPS, MINIBATCH_SIZE = 16, 32


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


def measure(n_batches, n_rounds):
    """Compare the two, also for a number of images that is no whole minibatch.

    Returns
    -------
    rows : list of dict
        One for each number of images.
    """
    prepare(["nengo_dl"])
    import keras

    import nengo_dl

    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random(
        (n_batches * MINIBATCH_SIZE, 8, 8, 1), np.float32
    )
    wrapped = nengo_dl.wrap(
        convnet(),
        N_STEPS,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        scale_firing_rates="auto",
        calibration_data=images[:128],
    )
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
        wall, cpu = in_turns(functions, n_rounds)
    return [
        {
            "16 steps": f"{len(images)} images",
            "ms/batch": median(wall["wrapped"]) / n_batches * 1e3,
            "Simulator ms/batch": median(wall["Simulator"]) / n_batches * 1e3,
            "ratio": ratio(wall["wrapped"], wall["Simulator"]),
            "ratio of CPU times": ratio(cpu["wrapped"], cpu["Simulator"]),
        }
    ]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    rows = in_new_process(measure, arguments.batches, arguments.rounds)
    report.show(QUESTION, rows)
    report.save("wrapped", rows)


if __name__ == "__main__":
    main()
