"""How accurate are digits and a memory on hardware, before and after training for it?

Networks are Keras models of scikit-learn's digits, trained and converted: "dense" has
two hidden layers of 64 rectified neurons (1,280 images to train, 512 held out), "conv"
is that of ``benchmarks.conversion`` (1,440 and 357). Prints three tables: weights of
few bits, without and with training for them; phase-change memory, after several ways of
training; and a memory in spiking neurons whose recurrent weights drift.
``python -m benchmarks.hardware_accuracy pcm --models dense --seeds 1`` chooses.
"""

import argparse

import keras
import nengo
import numpy as np
from keras import layers as kl
from sklearn.datasets import load_digits

import nengo_dl
from benchmarks.conversion import digits, plain
from benchmarks.report import save, show
from nengo_dl.hardware import PCM, Weights, convert

MINIBATCH, EPOCHS, RATE = 32, 15, 1e-3
DAY, YEAR = 86400.0, 31536000.0
FEW_BITS = {
    "8 bits, tensor": Weights(bits=8, per="tensor"),
    "4 bits, tensor": Weights(bits=4, per="tensor"),
    "4 bits, channel": Weights(bits=4),
    "3 bits, tensor": Weights(bits=3, per="tensor"),
    "3 bits, channel": Weights(bits=3),
    "2 bits, channel": Weights(bits=2),
    "3 bits, tensor, mse": Weights(bits=3, per="tensor", scale="mse"),
    "3 bits, channel, mse": Weights(bits=3, scale="mse"),
}
TRAINED = ("3 bits, tensor", "2 bits, channel")
# Arguments of the model in training. All are evaluated with the same devices; scales
# are shared in evaluation as in training.
TRAININGS = {
    "none, tensor": {"per": "tensor"},
    "none, channel": {"per": "channel"},
    "noise 0.1, clip 2.5, tensor": {"per": "tensor", "noise": 0.1, "clip": 2.5},
    "matched 6, tensor": {"per": "tensor", "device_noise": 6.0},
    "matched 6, channel": {"per": "channel", "device_noise": 6.0},
    "matched 6, clip 2.5, tensor": {"per": "tensor", "device_noise": 6.0, "clip": 2.5},
    "matched 6, clip 2.5, channel": {
        "per": "channel",
        "device_noise": 6.0,
        "clip": 2.5,
    },
    "matched 8, clip 2, channel": {"per": "channel", "device_noise": 8.0, "clip": 2.0},
    "noise 0.1, clip 2.5, channel": {"per": "channel", "noise": 0.1, "clip": 2.5},
}
# Factors on the noise of programming and reading, and times in seconds
AGES = {
    "x1 1 y": (1.0, YEAR),
    "x3 1 s": (3.0, 1.0),
    "x3 1 y": (3.0, YEAR),
    "x5 1 d": (5.0, DAY),
}


def dense():
    """Two hidden layers of rectified neurons."""
    x = inputs = keras.Input((64,))
    for _ in range(2):
        x = kl.Dense(64, activation="relu")(x)
    return keras.Model(inputs, kl.Dense(10)(x))


def data(name):
    """Return images and labels to train with, and those that are held out."""
    if name == "conv":
        x, y, n = *digits(), 1440
    else:
        found = load_digits()
        order = np.random.RandomState(0).permutation(len(found.data))
        x, y, n = found.data[order] / 16, found.target[order], 1280
    x, y = x.reshape(len(x), 1, -1), y[:, None, None]
    stop = n + (len(x) - n) // MINIBATCH * MINIBATCH
    return (x[:n], y[:n]), (x[n:stop], y[n:stop])


class Digits:
    """Networks of one structure, on hardware or not, each compiled once.

    What makes one network different from another are lists of its parameters.
    """

    def __init__(self, name):
        self.train, self.test = data(name)
        self.make = {"dense": dense, "conv": plain}[name]
        self.net = nengo_dl.Converter(self.make(), allow_fallback=False).net
        self.sims = {}

    def simulator(self, hardware, values):
        """Return the simulator for hardware, with parameters."""
        if hardware not in self.sims:
            net = self.net if hardware is None else convert(self.net, hardware)
            sim = self.sims[hardware] = nengo_dl.Simulator(
                net, minibatch_size=MINIBATCH, seed=0, progress_bar=False
            )
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            sim.compile(keras.optimizers.Adam(RATE), loss, metrics=["accuracy"])
        sim = self.sims[hardware]
        sim.keras_model.set_weights(values)
        return sim

    def initial(self, seed):
        """Return parameters as Keras draws them."""
        keras.utils.set_random_seed(seed)
        net = nengo_dl.Converter(self.make(), allow_fallback=False).net
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            return sim.keras_model.get_weights()

    def trained(self, hardware, values, epochs=EPOCHS, rate=RATE, seed=0):
        """Return parameters after more training."""
        sim = self.simulator(hardware, values)
        optimizer = sim.keras_model.optimizer
        for variable in optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        optimizer.learning_rate = rate
        keras.utils.set_random_seed(seed)
        sim.fit(*self.train, epochs=epochs, verbose=0)
        return sim.keras_model.get_weights()

    def networks(self, seeds):
        """Return the parameters of several networks, trained without hardware."""
        return [
            self.trained(None, self.initial(seed), 2 * EPOCHS, 2 * RATE, seed)
            for seed in range(seeds)
        ]

    def accuracy(self, hardware, values):
        """Return the accuracy on images that were held out, in percent."""
        sim = self.simulator(hardware, values)
        return 100 * sim.evaluate(*self.test, verbose=0)["probe_accuracy"]

    def aged(self, per, values, factor, t, programmings):
        """Return mean and lowest accuracy on phase-change memory, in percent."""
        device = PCM(programming=factor, reading=factor)
        sim = self.simulator(Weights(device=device, per=per), values)
        report = sim.evaluate_over_time(*self.test, (t,), programmings)
        found = report.mean["probe_accuracy"][0], report.min["probe_accuracy"][0]
        return 100 * np.array(found)

    def close(self):
        """Release what is compiled."""
        for sim in self.sims.values():
            sim.close()


def few_bits(models, seeds, programmings):
    """Return accuracies with weights of few bits."""
    del programmings
    rows = []
    for name in models:
        case = Digits(name)
        networks = case.networks(seeds)
        exact = np.mean([case.accuracy(None, values) for values in networks])
        row = {"accuracy": exact, "trained": None}
        rows.append({"network": name, "weights": "float", **row})
        for label, model in FEW_BITS.items():
            before = np.mean([case.accuracy(model, values) for values in networks])
            row = {"accuracy": before, "trained": None}
            if label in TRAINED:
                after = [case.trained(model, values) for values in networks]
                found = [case.accuracy(model, values) for values in after]
                row["trained"] = np.mean(found)
            rows.append({"network": name, "weights": label, **row})
            print(*rows[-1].values(), flush=True)
        case.close()
    return rows


def pcm(models, seeds, programmings, trainings=tuple(TRAININGS)):
    """Return accuracies on phase-change memory."""
    rows = []
    for name in models:
        case = Digits(name)
        networks = case.networks(seeds)
        for label in trainings:
            model = Weights(device=PCM(), **TRAININGS[label])
            after = networks
            if not label.startswith("none"):
                after = [case.trained(model, values) for values in networks]
            exact = np.mean([case.accuracy(None, values) for values in after])
            row = {"network": name, "training": label, "float": exact}
            for age, (factor, t) in AGES.items():
                found = [
                    case.aged(model.per, values, factor, t, programmings)
                    for values in after
                ]
                mean, worst = np.mean(found, axis=0)[0], np.min(found, axis=0)[1]
                row |= {age: mean, f"{age} worst": worst}
            rows.append(row)
            print(*row.values(), flush=True)
        case.close()
    return rows


def memory(models, seeds, programmings):
    """Return what 200 spiking neurons remember after two seconds of 0.5."""
    del models, programmings
    times = {"1 s": 1.0, "1 h": 3600.0, "1 d": DAY}
    columns = [
        ("ideal", None, None),
        *((f"{name} none", t, None) for name, t in times.items()),
        *((f"{name} global", t, "global") for name, t in times.items()),
    ]
    found = {name: [] for name, _, _ in columns}
    for seed in range(seeds):
        with nengo.Network(seed=seed) as net:
            stimulus = nengo.Node(lambda t: float(t < 0.5))
            ens = nengo.Ensemble(200, 1)
            nengo.Connection(stimulus, ens, transform=0.1, synapse=0.1)
            nengo.Connection(ens, ens, synapse=0.1)
            nengo.Probe(ens, synapse=0.05)
        net = convert(net, Weights(device=PCM()), exclude=[ens])
        with nengo_dl.Simulator(net, seed=seed, progress_bar=False) as sim:
            chip = sim.program(seed)
            for name, t, compensation in columns:
                sim.reset()
                if t is None:
                    sim.run(2.0)
                else:
                    with chip.at(t, compensation):
                        sim.run(2.0)
                found[name].append(float(np.mean(sim.data[net.probes[0]][-100:])))
    return [
        {"what": what, **{name: float(f(values)) for name, values in found.items()}}
        for what, f in (("mean", np.mean), ("sd", np.std))
    ]


TABLES = {"bits": few_bits, "pcm": pcm, "memory": memory}


def main():
    """Parse the command line, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--models", nargs="*", default=["dense", "conv"])
    parser.add_argument("--seeds", type=int, help="3 networks, 10 memories by default")
    parser.add_argument("--programmings", type=int, default=20)
    arguments = parser.parse_args()
    for name in arguments.tables:
        seeds = arguments.seeds or (10 if name == "memory" else 3)
        rows = TABLES[name](arguments.models, seeds, arguments.programmings)
        show(f"{__doc__.splitlines()[0]} ({name})", rows)
        save(f"hardware-accuracy-{name}", rows, seeds=seeds)


if __name__ == "__main__":
    main()
