"""How much accuracy does a converted, spiking network lose, after how many steps?

Models are trained on scikit-learn's digits, enlarged to 16x16 (1,440 to train, 357 held
out), converted with ``scale_firing_rates="auto"``, and run on the held-out images.
Prints the loss in points of accuracy against Keras, for the mean over T steps and for
the last step, and spikes per neuron and step. ``python -m benchmarks.conversion vgg
--seeds 1`` chooses.
"""

import argparse

import keras
import nengo
import numpy as np
from keras import layers as kl
from sklearn.datasets import load_digits

import nengo_dl
from benchmarks.report import save, show

STEPS = (8, 16, 32, 64, 100)
N_TRAIN, EPOCHS, MINIBATCH, DT = 1440, 15, 51, 0.001
SETTINGS = (
    (nengo_dl.IntegrateAndFire(), 1000),
    (nengo_dl.IntegrateAndFire(), 2000),
    (nengo.SpikingRectifiedLinear(), 2000),
    (nengo.LIF(), 2000),
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


def run(model, neuron_type, rate, x):
    """Return the output over time, and the spikes per neuron and step."""
    converter = nengo_dl.Converter(
        model,
        inference_only=True,
        allow_fallback=False,
        swap_activations={nengo.RectifiedLinear(): neuron_type},
        scale_firing_rates="auto",
        calibration_data=x[:320],
        target_rate=rate,
    )
    held_out = x[N_TRAIN:].reshape(len(x) - N_TRAIN, 1, -1)
    steps = np.repeat(held_out, max(STEPS), axis=1)
    node, output = converter.inputs[model.input], converter.outputs[model.output]
    found = simulate(converter.net, {node: steps})[output]
    with converter.net:
        probes = [nengo.Probe(neurons) for neurons in converter.populations]
    few = simulate(converter.net, {node: steps[:MINIBATCH, : STEPS[1]]})
    n_spikes = [
        np.sum(few[probe]) * DT / neurons.ensemble.neuron_type.amplitude
        for probe, neurons in zip(probes, converter.populations, strict=True)
    ]
    n_values = sum(few[probe].size for probe in probes)
    return found, sum(n_spikes) / n_values


def simulate(net, data):
    """Return the outputs of all probes."""
    with nengo_dl.Simulator(
        net, dt=DT, minibatch_size=MINIBATCH, progress_bar=False
    ) as sim:
        return sim.predict(data, verbose=0)


def losses(name, seed, x, y):
    """Yield one row of the table for each setting."""
    model, labels = trained(name, seed, x, y), y[N_TRAIN:]
    keras_accuracy = np.mean(
        np.argmax(model.predict(x[N_TRAIN:], verbose=0), 1) == labels
    )
    for neuron_type, rate in SETTINGS:
        output, spikes = run(model, neuron_type, rate, x)
        row = {
            "model": name,
            "seed": seed,
            "Keras": float(100 * keras_accuracy),
            "neurons": type(neuron_type).__name__,
            "rate": rate,
            "spikes": float(spikes),
        }
        for kind in ("mean", "last"):
            for n in STEPS:
                decided = output[:, :n].mean(1) if kind == "mean" else output[:, n - 1]
                accuracy = np.mean(np.argmax(decided, axis=1) == labels)
                row[f"{kind} {n}"] = float(100 * (keras_accuracy - accuracy))
        yield row


def main():
    """Parse the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    x, y = digits()
    rows = [
        row
        for name in arguments.models
        for seed in range(arguments.seeds)
        for row in losses(name, seed, x, y)
    ]
    show(__doc__.splitlines()[0], rows)
    save("conversion", rows)


if __name__ == "__main__":
    main()
