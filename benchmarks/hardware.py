"""What do hardware and tiles cost, and how accurate are digits on them?

Times are processor time and wall time with hardware, as ratios to those without, in
turns: of training steps of LeNet-300-100 and LeNet-5, and of steps of a spiking
convolution. Accuracies are those of scikit-learn's digits.
``python -m benchmarks.hardware tiles`` chooses.
"""

import argparse
import functools
import time

import keras
import nengo
import numpy as np
from keras import layers as kl
from sklearn.datasets import load_digits

import nengo_dl
from benchmarks import conversion
from benchmarks.report import save, show
from nengo_dl.hardware import PCM, Hardware, Tile, Weights, convert

ROUNDS, ITEMS, PIXELS = 9, 64, 784
DENSE = (PIXELS, 300, 100, 10)
YEAR = 365 * 86400
MODELS = {
    "none": None,
    "8 bits": Weights(bits=8),
    "4 bits, mse": Weights(bits=4, scale="mse"),
    "8 bits, noise": Weights(bits=8, noise=0.1),
    "PCM, matched noise": Weights(device=PCM(), device_noise=6.0),
}
TILES = {
    "none": None,
    "DAC and ADC": Hardware(tile=Tile(output_noise=0.0)),
    "output noise": Hardware(tile=Tile()),
    "read noise, too": Hardware(tile=Tile(read_noise=0.02)),
    "bound management": Hardware(tile=Tile(output_noise=0.0, bound_management=True)),
}
NOISY = {
    "exact": None,
    "noise 0.04": Hardware(tile=Tile()),
    "noise 0.3": Hardware(tile=Tile(output_noise=0.3)),
    "noise 1.0": Hardware(tile=Tile(output_noise=1.0)),
    "noise 1.0, per tensor": Hardware(Weights(per="tensor"), Tile(output_noise=1.0)),
    "noise 0.3, 5 bits": Hardware(tile=Tile(5, None, 5, output_noise=0.3)),
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


def lenet_5(model):
    """Convert a convolutional network of rectified neurons."""
    layers = [
        kl.Conv2D(6, 5, padding="same", activation="relu"),
        kl.AveragePooling2D(2),
        kl.Conv2D(16, 5, activation="relu"),
        kl.AveragePooling2D(2),
        kl.Flatten(),
        kl.Dense(120, activation="relu"),
        kl.Dense(84, activation="relu"),
        kl.Dense(10),
    ]
    keras_model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    converter = nengo_dl.Converter(keras_model)
    net = converter.net
    net.inputs = converter.inputs[keras_model.inputs[0]]
    net.output = converter.outputs[keras_model.outputs[0]]
    return net if model is None else convert(net, model, inplace=True)


NETWORKS = {
    "dense": (lambda model: network(model, DENSE), 266_200),
    "convolutional": (lenet_5, 61_470),
}


def costs(name, models=MODELS):
    """Print the time of a training step with each model."""
    make, n_weights = NETWORKS[name]
    x = np.random.RandomState(0).uniform(size=(8 * ITEMS, 1, PIXELS))
    y = np.zeros((8 * ITEMS, 1, 1))
    sims, runs = [], {}
    for name, model in models.items():
        net = make(model)
        sim = nengo_dl.Simulator(net, minibatch_size=ITEMS, progress_bar=False)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile("sgd", loss=loss)
        data = {net.inputs: x}, {net.output: y}
        runs[name] = functools.partial(sim.fit, *data, verbose=0)
        sims.append(sim)
    times = _times(runs)
    base = times["none"]
    rows = []
    for name, found in times.items():
        wall, cpu = np.median(found / base, axis=0)
        extra = np.median(found[:, 1] - base[:, 1]) / 8 / n_weights * 1e9
        rows.append((name, f"{wall:.2f}", f"{cpu:.2f}", f"{extra:.1f}"))
    for sim in sims:
        sim.close()
    head = ("hardware", "wall time", "processor time", "ns per weight and minibatch")
    return head, rows


def costs_of_steps(models, n_steps=32):
    """Print the time of a step of a spiking convolutional network on tiles."""
    keras.utils.set_random_seed(0)
    model, sims, runs = conversion.plain(), [], {}
    x = np.random.RandomState(0).uniform(size=(ITEMS, n_steps, 256))
    for name, tile in models.items():
        converter = _converter(model, x[:, 0], tile)
        net = converter.net
        sim = nengo_dl.Simulator(net, minibatch_size=ITEMS, progress_bar=False)
        data = {converter.inputs[model.inputs[0]]: x}
        runs[name] = functools.partial(sim.predict, data, verbose=0)
        sims.append(sim)
    times = _times(runs)
    rows = []
    for name, found in times.items():
        wall, cpu = np.median(found / times["none"], axis=0)
        step = np.median(found[:, 1]) / n_steps * 1e3
        rows.append((name, f"{wall:.2f}", f"{cpu:.2f}", f"{step:.2f}"))
    for sim in sims:
        sim.close()
    return ("hardware", "wall time", "processor time", "ms per step"), rows


def _times(runs):
    """Return wall and processor times of functions, in turns, after a first call."""
    times = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter(), time.process_time()
            run()
            times[name].append(
                (time.perf_counter() - start[0], time.process_time() - start[1])
            )
    return {name: np.array(found) for name, found in times.items()}


def _converter(model, x, hardware, neuron_type=None):
    """Convert a model into spiking neurons, or others, on hardware."""
    neuron_type = neuron_type or nengo_dl.IntegrateAndFire()
    converter = nengo_dl.Converter(
        model,
        swap_activations={"relu": neuron_type},
        scale_firing_rates="auto",
        calibration_data=np.reshape(x, (-1, *model.inputs[0].shape[1:])),
    )
    if hardware is not None:
        convert(converter.net, hardware, inplace=True)
    return converter


def accuracies_on_tiles(n_seeds):
    """Print accuracies of rates and spikes on tiles with noise."""
    x, y = conversion.digits()
    train, test = slice(0, conversion.N_TRAIN), slice(conversion.N_TRAIN, None)
    forms = {
        "rates, 1 step": (nengo.RectifiedLinear(), 1),
        "rates, 16 steps": (nengo.RectifiedLinear(), 16),
        "spikes, 32 steps": (nengo_dl.IntegrateAndFire(), 32),
    }
    found = {name: {form: [] for form in forms} for name in NOISY}
    for seed in range(n_seeds):
        model = conversion.trained("plain", seed, x, y)
        for name, hardware in NOISY.items():
            for form, (neuron_type, n_steps) in forms.items():
                converter = _converter(model, x[train][:320], hardware, neuron_type)
                scores = converter.predict(x[test], n_steps)
                is_right = np.argmax(scores, axis=-1) == y[test]
                found[name][form].append(100 * np.mean(is_right))
    rows = [
        (name, *(f"{np.mean(found[name][form]):.1f}" for form in forms))
        for name in NOISY
    ]
    return ("tile", *forms), rows


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
    parser.add_argument("--seeds", type=int, default=3)
    parts = {
        "costs of weights, dense": lambda: costs("dense"),
        "costs of weights, convolutional": lambda: costs("convolutional"),
        "accuracies": lambda: accuracies(arguments.epochs),
        "costs of tiles in training": lambda: costs("dense", TILES),
        "costs of tiles in steps": lambda: costs_of_steps(TILES),
        "accuracies on tiles": lambda: accuracies_on_tiles(arguments.seeds),
    }
    parser.add_argument("words", nargs="*", help=f"words of {', '.join(parts)}")
    arguments = parser.parse_args()
    for name, measure in parts.items():
        if all(word in name.replace(",", "").split() for word in arguments.words):
            head, found = measure()
            rows = [dict(zip(head, row, strict=True)) for row in found]
            show(f"Weights on hardware: {name}", rows)
            save(
                f"hardware-{name.replace(',', '').replace(' ', '-')}",
                rows,
                epochs=arguments.epochs,
            )


if __name__ == "__main__":
    main()
