"""Models of every precision: what a layer does is learned exactly, whatever it rounds.

Converted networks compute in the precision of the simulation, so that they differ from
a model with half precision by what that rounds.
"""

import keras
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter.numbering import positions
from tests.converter.cases import (
    ACTIVATIONS,
    INFERENCE,
    MERGES,
    NATIVE,
    random_inputs,
    seeded,
)

# Relative to the largest output: several times what rounding does.
TOLERANCES = {"mixed_float16": 4e-3, "mixed_bfloat16": 3e-2, "float64": 1e-5}
LARGE = (70, 33, 2)
MOVES = {
    "permute": (kl.Permute((2, 3, 1)), LARGE),
    "cropping": (kl.Cropping2D(((1, 2), (0, 3))), LARGE),
    "padding": (kl.ZeroPadding2D(3), LARGE),
    "up_sampling": (kl.UpSampling2D((2, 1)), LARGE),
    "repeat": (kl.RepeatVector(3), (3000,)),
    "reshape": (kl.Reshape((-1, 33)), LARGE),
}


def in_policy(layer, policy):
    """Return a layer of another precision."""
    return type(layer).from_config({**layer.get_config(), "dtype": policy})


def predicted(model):
    """Return inputs, and what a converted network puts out for them."""
    converter = Converter(model, allow_fallback=False, inference_only=True)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    x = [value.astype(np.float32) for value in random_inputs(model)]
    with nengo_dl.Simulator(
        converter.net, minibatch_size=3, progress_bar=False, device="/cpu:0"
    ) as sim:
        found = sim.predict([value.reshape(3, 1, -1) for value in x], verbose=0)
    return x, [found[probe].reshape(3, -1) for probe in converter.net.probes]


def check(model, policy):
    """Check that a network computes what Keras predicts, up to rounding."""
    x, found = predicted(model)
    wanted = keras.tree.flatten(model.predict(x, verbose=0))
    for name, got, y in zip(model.output_names, found, wanted, strict=True):
        y = np.asarray(y).astype(np.float64).reshape(3, -1)
        atol = TOLERANCES[policy] * max(1, np.abs(y).max())
        np.testing.assert_allclose(got, y, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("shape", NATIVE, ids=str)
def test_layers(shape):
    """Half precision of the model is none of the network, whose weights are exact."""
    x = keras.Input(shape)
    cases = NATIVE[shape] | INFERENCE.get(shape, {})
    models = [
        seeded(keras.Model(x, [in_policy(y, policy)(x) for y in cases.values()]))
        for policy in ("mixed_bfloat16", "float32")
    ]
    inputs, found = predicted(models[0])
    for name, got, y in zip(cases, found, models[1](inputs[0]), strict=True):
        wanted = np.reshape(y, (3, -1))
        np.testing.assert_allclose(got, wanted, atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_moves_activations_and_merges(policy):
    inputs = [keras.Input(shape) for _, shape in MOVES.values()]
    outputs = [
        kl.Flatten(dtype=policy)(in_policy(layer, policy)(x))
        for (layer, _), x in zip(MOVES.values(), inputs, strict=True)
    ]
    x, y = keras.Input((4, 3)), keras.Input((4, 3))
    outputs += [in_policy(layer, policy)(x) for layer in ACTIVATIONS.values()]
    outputs += [in_policy(layer, policy)([x, y]) for layer in MERGES.values()]
    outputs += [kl.Dense(5, dtype=policy)(x), kl.Conv1D(3, 2, dtype=policy)(x)]
    check(keras.Model([*inputs, x, y], outputs), policy)


@pytest.mark.parametrize("policy", [*TOLERANCES, "float16", "bfloat16"])
@pytest.mark.parametrize("name", MOVES)
def test_positions(name, policy):
    layer, shape = MOVES[name]
    numbers = np.arange(1, np.prod(shape) + 1).reshape(1, *shape)
    wanted = in_policy(layer, "float64")(numbers.astype(float))
    index = positions(in_policy(layer, policy), shape)
    np.testing.assert_array_equal(index + 1, wanted[0])


@pytest.mark.parametrize("n", [1, 127, 128, 16384, 2**24 + 3])
def test_positions_of_many_elements(n):
    index = positions(lambda x: np.pad(x[:, ::-1], ((0, 0), (1, 0))), (n,))
    np.testing.assert_array_equal(index, [-1, *range(n)[::-1]])


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_half_precision_alone(policy):
    x = keras.Input((6, 6, 2))
    layers = [
        kl.Conv2D(3, 3, activation="relu", dtype=policy),
        kl.Flatten(dtype=policy),
    ]
    y = kl.Dense(4, dtype=policy)(layers[1](layers[0](x)))
    model = seeded(keras.Model(x, y))
    check(model, f"mixed_{policy}")
    atol = TOLERANCES[f"mixed_{policy}"] * 5
    assert Converter(model).verify(inputs=random_inputs(model), atol=atol)
