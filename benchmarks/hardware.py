"""What do weights on hardware cost in training, and how accurate are digits on it?

Times are processor time and wall time of training steps with hardware, as ratios to
those without, in turns. Accuracies are those of scikit-learn's digits.
"""

import argparse
import time

import keras
import nengo
import numpy as np
from sklearn.datasets import load_digits

import nengo_dl
from benchmarks.report import save, show
from nengo_dl.hardware import PCM, Weights, convert

ROUNDS, ITEMS = 9, 64
YEAR = 365 * 86400
MODELS = {
    "none": None,
    "8 bits": Weights(bits=8),
    "4 bits, mse": Weights(bits=4, scale="mse"),
    "8 bits, noise": Weights(bits=8, noise=0.1),
    "PCM, matched noise": Weights(device=PCM(), device_noise=6.0),
}
ACCURACIES = {
    "8 bits per tensor": Weights(bits=8, per="tensor"),
    "3 bits per tensor": Weights(bits=3, per="tensor"),
    "3 bits per tensor, mse": Weights(bits=3, per="tensor", scale="mse"),
    "2 bits per channel": Weights(bits=2),
}


def network(model, sizes):
    """Make layers of rectified neurons."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(keep_history=False, trainable=None)
        net.inputs = last = nengo.Node(np.zeros(sizes[0]), label="inputs")
        for i, size in enumerate(sizes[1:]):
            is_last = i == len(sizes) - 2
            layer = nengo.Node(size_in=size)
            if not is_last:
                ens = nengo.Ensemble(
                    size,
                    1,
                    neuron_type=nengo.RectifiedLinear(),
                    gain=nengo.dists.Choice([1]),
                    bias=nengo.dists.Choice([0]),
                )
                net.config[ens].trainable = False
                net.config[ens.neurons].trainable = True
                layer = ens.neurons
            glorot = nengo_dl.dists.Glorot()
            nengo.Connection(last, layer, transform=glorot, synapse=None)
            last = layer
        net.output = nengo.Probe(last, label="output")
    return net if model is None else convert(net, model, inplace=True)


def costs(sizes):
    """Print the time of a training step with each model."""
    x = np.random.RandomState(0).uniform(size=(8 * ITEMS, 1, sizes[0]))
    y = np.zeros((8 * ITEMS, 1, 1))
    sims, times = {}, {name: [] for name in MODELS}
    for name, model in MODELS.items():
        net = network(model, sizes)
        sim = sims[name] = nengo_dl.Simulator(
            net, minibatch_size=ITEMS, progress_bar=False
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile("sgd", loss=loss)
        sim.fit({net.inputs: x}, {net.output: y}, verbose=0)
        sims[name] = (sim, net)
    for _ in range(ROUNDS):
        for name, (sim, net) in sims.items():
            start = time.perf_counter(), time.process_time()
            sim.fit({net.inputs: x}, {net.output: y}, verbose=0)
            times[name].append(
                (time.perf_counter() - start[0], time.process_time() - start[1])
            )
    base = np.array(times["none"])
    n_weights = sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))
    rows = []
    for name, found in times.items():
        found = np.array(found)
        wall, cpu = np.median(found / base, axis=0)
        extra = np.median(found[:, 1] - base[:, 1]) / 8 / n_weights * 1e9
        rows.append((name, f"{wall:.2f}", f"{cpu:.2f}", f"{extra:.1f}"))
    for sim, _ in sims.values():
        sim.close()
    head = ("hardware", "wall time", "processor time", "ns per weight and minibatch")
    return head, rows


def accuracies(epochs):
    """Print accuracies after training without hardware, and after more with it."""
    digits = load_digits()
    x, y = digits.data[:, None] / 16, digits.target[:, None, None]
    train, test = slice(0, 1280), slice(1280, 1792)
    sizes, rows = (64, 64, 64, 10), []
    net = network(None, sizes)
    ideal = _trained(net, x[train], y[train], epochs)
    rows.append(("none", f"{_accuracy(net, ideal, x[test], y[test]):.1f}", ""))
    for name, model in ACCURACIES.items():
        chip = network(model, sizes)
        before = _accuracy(chip, ideal, x[test], y[test])
        after = _trained(chip, x[train], y[train], epochs // 2, ideal)
        rows.append(
            (name, f"{before:.1f}", f"{_accuracy(chip, after, x[test], y[test]):.1f}")
        )
    for factor in (1.0, 3.0):
        device = PCM(programming=factor, reading=factor)
        model = Weights(device=device, device_noise=6.0 / factor)
        chip = network(model, sizes)
        found = [ideal, _trained(chip, x[train], y[train], epochs // 2, ideal)]
        found = [_aged(chip, values, x[test], y[test]) for values in found]
        rows.append((f"PCM x{factor:g}, a year", *(f"{a:.1f}" for a in found)))
    return ("hardware", "accuracy in %", "trained with it"), rows


def _simulator(net, values):
    sim = nengo_dl.Simulator(net, minibatch_size=ITEMS, seed=0, progress_bar=False)
    if values is not None:
        sim.keras_model.set_weights(values)
    return sim


def _trained(net, x, y, epochs, values=None):
    with _simulator(net, values) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile(keras.optimizers.Adam(0.003), loss=loss)
        sim.fit({net.inputs: x}, {net.output: y}, epochs=epochs, verbose=0)
        return sim.keras_model.get_weights()


def _accuracy(net, values, x, y):
    with _simulator(net, values) as sim:
        return _correct(sim, net, x, y)


def _correct(sim, net, x, y):
    scores = sim.predict({net.inputs: x}, verbose=0)[net.output]
    return 100 * np.mean(np.argmax(scores, axis=-1) == y[..., 0])


def _aged(net, values, x, y):
    found = []
    with _simulator(net, values) as sim:
        for seed in range(10):
            with sim.program(seed).at(YEAR):
                found.append(_correct(sim, net, x, y))
    return np.mean(found)


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    epochs = parser.parse_args().epochs
    for name, (head, found) in (
        ("costs", costs((784, 300, 100, 10))),
        ("accuracies", accuracies(epochs)),
    ):
        rows = [dict(zip(head, row, strict=True)) for row in found]
        show(f"Weights on hardware: {name}", rows)
        save(f"hardware-{name}", rows, epochs=epochs)


if __name__ == "__main__":
    main()
