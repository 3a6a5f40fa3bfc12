"""Small models with weights of a few bits, and their conversions."""

import keras
import nengo
import numpy as np
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from tests.converter.cases import seeded

DT = 1 / 1024  # exact in binary, as are the weights below: no rounding in any precision
N_STEPS = 16
HALF = nengo.dists.Choice([0.5])
SPIKING = {
    "integrate": nengo_dl.IntegrateAndFire(),
    "several_per_step": nengo_dl.IntegrateAndFire(amplitude=1 / 4096),
    "rectified": nengo.SpikingRectifiedLinear(initial_state={"voltage": HALF}),
    "leaky": nengo_dl.SpikingLeakyReLU(0.25, initial_state={"voltage": HALF}),
}


def with_zeros(model, seed=0):
    """Give all weights of a model values in multiples of 1/16, many of them zero."""
    rng = np.random.RandomState(seed)
    for variable in model.weights:
        value = rng.randint(-8, 12, size=variable.shape) / 16
        variable.assign(np.where(rng.uniform(size=value.shape) < 0.3, 0, value))
    return model


def positive_with_zeros(model, seed=0):
    """Give kernels zeros and positive weights, in multiples of 1/16; no biases."""
    rng = np.random.RandomState(seed)
    for variable in model.weights:
        value = rng.randint(-8, 8, size=variable.shape).clip(0) / 16
        variable.assign(0 * value if "bias" in variable.path else value)
    return model


def two_layers(kind="dense"):
    inputs = keras.Input((5, 5, 1) if kind == "conv" else (6,))
    if kind == "conv":
        x = kl.Conv2D(3, 3, padding="same", activation="relu", name="first")(inputs)
        x = kl.Conv2D(2, 3, padding="same", name="second")(x)
    else:
        x = kl.Dense(5, activation="relu", name="first")(inputs)
        x = kl.Dense(4, name="second")(x)
    return with_zeros(keras.Model(inputs, x))


def numbers(shape, seed=1):
    """Draw inputs in multiples of 1/16, a part of them zero."""
    rng = np.random.RandomState(seed)
    return rng.randint(-4, 16, size=shape).clip(0) / 16


def convert(model, neuron_type=None, scale=None, **kwargs):
    swaps = {nengo.RectifiedLinear(): neuron_type} if neuron_type else None
    converter = Converter(
        model, swap_activations=swaps, scale_firing_rates=scale, **kwargs
    )
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    return converter


def branched():
    """Is nested, shares a layer, falls back, and has several inputs and outputs."""
    shared = kl.Dense(4, activation="relu", name="shared")
    x = keras.Input((4,))
    inner = keras.Model(x, kl.Dense(4, name="inside")(shared(x)), name="nested")
    a, b = keras.Input((4,)), keras.Input((4,))
    y = kl.UnitNormalization(name="norm")(kl.Add(name="sum")([inner(a), shared(b)]))
    z = kl.Dense(2, activation=keras.ops.sin, name="sine")(y)
    model = keras.Model([a, b], [kl.Dense(3, name="last")(z), y])
    return seeded(model), {"split_shared_weights": True}


def temporal():
    """Has a recurrent layer, and a model at each step."""
    x = keras.Input((3,))
    inner = keras.Model(x, kl.Dense(4, activation="tanh", name="inside")(x))
    inputs = keras.Input((None, 3))
    y = kl.TimeDistributed(inner, name="each")(inputs)
    y = kl.SimpleRNN(5, return_sequences=True, name="recurrent")(y)
    y = kl.TimeDistributed(kl.Dense(4, name="unseen"), name="read")(y)
    return seeded(keras.Model(inputs, y)), {"temporal_model": True}


def named(report):
    return {layer.name: layer for layer in report.layers}
