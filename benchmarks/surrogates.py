"""Which way of training makes a spiking network most accurate, when it spikes?"""

import argparse
import sys
from statistics import mean, stdev

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, prepare

# label: settings of the network
WAYS = {
    "rate": {},
    "rate, lif_smoothing=0.1": {"lif_smoothing": 0.1},
    "spiking, fast_sigmoid": {"training_mode": "spiking", "surrogate": "fast_sigmoid"},
    "spiking, arctan": {"training_mode": "spiking", "surrogate": "arctan"},
    "spiking, triangular": {"training_mode": "spiking", "surrogate": "triangular"},
    "spiking, rate": {"training_mode": "spiking", "surrogate": "rate"},
}
N_TEST, MINIBATCH_SIZE = 360, 36
N_HIDDEN, N_CLASSES = 64, 10
TAU_SYNAPSE = 0.005
# rates around 100 Hz are outputs around 1, as Glorot's weights expect
AMPLITUDE = 0.01


def make_network(settings, seed):
    """Make a network with 64 inputs, two hidden layers of LIF neurons and 10 outputs.

    Returns
    -------
    net : nengo.Network
        With one input node and one probe.
    """
    import nengo

    import nengo_dl

    weights = nengo_dl.dists.Glorot()
    with nengo.Network(seed=seed) as net:
        nengo_dl.configure_settings(**settings)
        layer = nengo.Node(np.zeros(64))
        synapse = None
        for _ in range(2):
            neurons = nengo.Ensemble(
                N_HIDDEN,
                1,
                neuron_type=nengo.LIF(amplitude=AMPLITUDE),
                gain=np.ones(N_HIDDEN),
                bias=np.ones(N_HIDDEN),
            ).neurons
            nengo.Connection(layer, neurons, transform=weights, synapse=synapse)
            layer, synapse = neurons, TAU_SYNAPSE
        output = nengo.Node(size_in=N_CLASSES)
        nengo.Connection(layer, output, transform=weights, synapse=synapse)
        nengo.Probe(output)
    return net


def load_digits(n_steps, seed=0):
    """Return training and test data: pixels from 0 to 1 in every step, and labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    x = np.repeat(images[order, None].astype(np.float32) / 16, n_steps, axis=1)
    y = labels[order, None, None]
    return (x[N_TEST:], y[N_TEST:]), (x[:N_TEST], y[:N_TEST])


def measure(way, n_seeds, n_steps, epochs):
    """Train a network in one way from several seeds, and run it with spikes.

    Returns
    -------
    row : dict
        Mean and standard deviation of the accuracy on test images, in percent.
    """
    prepare(["nengo_dl"])
    import keras

    import nengo_dl

    training, test = load_digits(n_steps)
    accuracies = []
    for seed in range(n_seeds):
        keras.utils.set_random_seed(seed)
        with nengo_dl.Simulator(
            make_network(WAYS[way], seed),
            seed=seed,
            minibatch_size=MINIBATCH_SIZE,
            progress_bar=False,
        ) as sim:
            sim.compile(
                keras.optimizers.Adam(2e-3),
                loss=nengo_dl.losses.CrossentropyOverTime(reduce="mean"),
                metrics=nengo_dl.metrics.AccuracyOverTime(reduce="mean"),
            )
            sim.fit(*_whole(training), epochs=epochs, verbose=0)
            values = sim.evaluate(*test, verbose=0)
        accuracies.append(100 * values["probe_accuracy"])
    return {
        "training": way,
        "accuracy with spikes %": mean(accuracies),
        "standard deviation": stdev(accuracies),
    }


def _whole(data):
    """Leave out what does not fill a minibatch."""
    n_items = len(data[0]) // MINIBATCH_SIZE * MINIBATCH_SIZE
    return tuple(array[:n_items] for array in data)


def main():
    """Train in all ways, each in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.surrogates", description=__doc__
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20, help="of each image")
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    rows = []
    for i, way in enumerate(WAYS, start=1):
        print(f"{i}/{len(WAYS)} {way}", file=sys.stderr, flush=True)
        arguments = (way, options.seeds, options.steps, options.epochs)
        rows.append(in_new_process(measure, *arguments))
    report.show(__doc__, rows)
    report.save("surrogates", rows, **vars(options))


if __name__ == "__main__":
    main()
