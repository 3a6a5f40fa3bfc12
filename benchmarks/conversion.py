"""How much accuracy does a converted, spiking network lose, after how many steps?

Models are trained on scikit-learn's digits, enlarged to 16x16 (1,440 to train, 357 held
out), converted with rates from data, and run on the held-out images. Some settings are
tuned through spikes, on the images to train, without labels. Prints, for each setting,
the loss in points of accuracy against Keras, for the mean over T steps and for the last
of them, and what it costs: spikes per neuron and synaptic operations for each image in
32 steps, or as many as it is tuned to, and seconds (and processor seconds) of tuning.
``python -m benchmarks.conversion vgg --seeds 1 --settings "LIF, tuned"`` chooses.
"""

import argparse
import functools
import time
from dataclasses import dataclass

import keras
import nengo
import numpy as np
from keras import layers as kl
from sklearn.datasets import load_digits

import nengo_dl
from benchmarks.report import save, show

STEPS = (4, 8, 16, 32, 64, 100)
N_TRAIN, EPOCHS, N_CALIBRATION, MINIBATCH, COST_STEPS = 1440, 15, 320, 119, 32


@dataclass(frozen=True)
class Setting:
    """How a model is converted.

    Parameters
    ----------
    name : str
        In the table.
    neuron_type : NeuronType
        What rectified linear neurons become.
    target_rate : float
        In Hz.
    per_channel : bool
        Whether each channel is calibrated for itself.
    synapse : float or "auto", optional
        Behind neurons.
    n_steps : int
        For which it is tuned, and its costs are counted.
    is_tuned : bool
        Whether it is tuned.
    """

    name: str
    neuron_type: nengo.neurons.NeuronType
    target_rate: float = 2000.0
    per_channel: bool = False
    synapse: float | str | None = None
    n_steps: int = COST_STEPS
    is_tuned: bool = False


tuned = functools.partial(Setting, per_channel=True, is_tuned=True)
SETTINGS = (
    Setting("IF", nengo_dl.IntegrateAndFire()),
    Setting("IF, channels", nengo_dl.IntegrateAndFire(), per_channel=True),
    Setting("IF, frugal", nengo_dl.IntegrateAndFire(), 1250.0, per_channel=True),
    Setting("SpikingRectifiedLinear", nengo.SpikingRectifiedLinear()),
    Setting("LIF", nengo.LIF()),
    Setting("LIF, synapse", nengo.LIF(), synapse="auto"),
    Setting("LIF, channels, synapse", nengo.LIF(), per_channel=True, synapse="auto"),
    tuned("LIF, tuned", nengo.LIF(), synapse="auto"),
    tuned("IF, tuned", nengo_dl.IntegrateAndFire(), n_steps=4),
    tuned("IF, frugal, tuned", nengo_dl.IntegrateAndFire(), 1250.0, n_steps=8),
)


def plain():
    """Two convolutions with average pooling, and two dense layers."""
    x = inputs = keras.Input((16, 16, 1))
    for filters in (8, 16):
        x = kl.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = kl.AveragePooling2D(2)(x)
    x = kl.Dense(64, activation="relu")(kl.Flatten()(x))
    return keras.Model(inputs, kl.Dense(10)(x))


def conv(x, filters, kernel=3, strides=1, rectified=True):
    """A convolution with batch normalisation."""
    x = kl.Conv2D(filters, kernel, strides, padding="same", use_bias=False)(x)
    x = kl.BatchNormalization()(x)
    return kl.ReLU()(x) if rectified else x


def vgg():
    """Pairs of convolutions with maxima and dropout."""
    x = inputs = keras.Input((16, 16, 1))
    for filters in (8, 16):
        x = conv(conv(x, filters), filters)
        x = kl.Dropout(0.2)(kl.MaxPooling2D(2)(x))
    x = kl.Dense(64, activation="relu")(kl.Flatten()(x))
    return keras.Model(inputs, kl.Dense(10)(kl.Dropout(0.3)(x)))


def resnet():
    """Three stages of residual blocks, with strided shortcuts."""
    inputs = keras.Input((16, 16, 1))
    x = conv(inputs, 8)
    for filters, strides in ((8, 1), (16, 2), (32, 2)):
        y = conv(conv(x, filters, 3, strides), filters, rectified=False)
        if strides > 1:
            x = conv(x, filters, 1, strides, rectified=False)
        x = kl.ReLU()(kl.Add()([x, y]))
    return keras.Model(inputs, kl.Dense(10)(kl.GlobalAveragePooling2D()(x)))


MODELS = {"plain": plain, "vgg": vgg, "resnet": resnet}


def digits():
    """Return images and labels, in a fixed order."""
    found = load_digits()
    x = np.kron(found.images / 16, np.ones((2, 2)))[..., None].astype("float32")
    order = np.random.RandomState(0).permutation(len(x))
    return x[order], found.target[order]


def trained(name, seed, x, y):
    """Return a trained model."""
    keras.utils.set_random_seed(seed)
    model = MODELS[name]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss)
    model.fit(x[:N_TRAIN], y[:N_TRAIN], epochs=EPOCHS, batch_size=32, verbose=0)
    return model


def row(model, setting, x, y):
    """Return one row of the table."""
    converter = nengo_dl.Converter(
        model,
        inference_only=True,
        allow_fallback=False,
        swap_activations={nengo.RectifiedLinear(): setting.neuron_type},
        scale_firing_rates="auto",
        calibration_data=x[:N_CALIBRATION],
        target_rate=setting.target_rate,
        per_channel=setting.per_channel,
        synapse=setting.synapse,
    )
    wall, processor = time.perf_counter(), time.process_time()
    if setting.is_tuned:
        converter.tune(x[:N_TRAIN], n_steps=setting.n_steps)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    n_steps = setting.n_steps if setting.is_tuned else max(STEPS)
    report = converter.report(
        x[N_TRAIN:], y[N_TRAIN:], n_steps, minibatch_size=MINIBATCH
    )
    (output,), total = report.outputs, report.total
    part = setting.n_steps / n_steps
    found = {
        "Keras": 100 * output.keras_accuracy,
        "setting": setting.name,
        "synapse": str(converter.synapse),
        "spikes": part * total.spikes / total.neurons,
        "operations": part * total.effective_acs,
        "seconds": wall,
        "processor seconds": processor,
    }
    for kind, over_time in (
        ("mean", output.accuracy),
        ("last", output.last_accuracy),
    ):
        for n in STEPS:
            found[f"{kind} {n}"] = None
            if n <= n_steps:
                loss = 100 * (output.keras_accuracy - over_time[n - 1])
                found[f"{kind} {n}"] = round(loss, 2)
    return found


def averages(rows):
    """Return the rows averaged over seeds, one for each model and setting."""
    groups = {}
    for found in rows:
        groups.setdefault((found["model"], found["setting"]), []).append(found)
    return [
        {key: _average([found[key] for found in group]) for key in group[0]}
        for group in groups.values()
    ]


def _average(values):
    """Return the mean of numbers, and all that is there of anything else."""
    if values[0] is None:
        return None
    if isinstance(values[0], float):
        return float(np.mean(values))
    return ", ".join(dict.fromkeys(map(str, values)))


def main():
    """Parse the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    names = [setting.name for setting in SETTINGS]
    parser.add_argument("--settings", nargs="*", default=names, choices=names)
    arguments = parser.parse_args()
    x, y = digits()
    rows = []
    for name in arguments.models:
        for seed in range(arguments.seeds):
            model = trained(name, seed, x, y)
            for setting in (s for s in SETTINGS if s.name in arguments.settings):
                found = {"model": name, "seed": seed} | row(model, setting, x, y)
                print(*found.values(), flush=True)
                rows.append(found)
    rows += averages(rows)
    show(__doc__.splitlines()[0], rows)
    save("conversion", rows)


if __name__ == "__main__":
    main()
