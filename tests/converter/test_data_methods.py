"""Predicting and evaluating as Keras does, and looking things up."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from tests.converter.cases import random_inputs, seeded


def image_model():
    inputs = keras.Input((6, 6, 1))
    x = kl.Conv2D(2, 3, activation="relu", name="conv")(inputs)
    y = kl.Dense(3, activation="softmax", name="classes")(kl.Flatten()(x))
    return keras.Model(inputs, y)


def dict_model():
    a, b = keras.Input((3,), name="a"), keras.Input((2, 3), name="b")
    x = kl.Concatenate()([a, kl.Flatten()(b)])
    x, y = kl.Dense(2, name="x")(x), kl.ReLU(name="y")(x)
    return keras.Model([a, b], {"x": x, "y": y})


def series_model():
    inputs = keras.Input((None, 3))
    x = kl.GRU(4, return_sequences=True)(inputs)
    return keras.Model(inputs, [kl.Dense(2)(x), kl.SimpleRNN(2)(x)])


def sequential_model():
    return keras.Sequential([keras.Input((4,)), kl.Dense(3), kl.ReLU()])


MODELS = {
    "image": (image_model, {}),
    "dict": (dict_model, {}),
    "series": (series_model, {"temporal_model": True}),
    "sequential": (sequential_model, {}),
}


def make(name):
    function, options = MODELS[name]
    model = seeded(function())
    converter = Converter(model, **options)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    x = random_inputs(model, 5, n_steps=3 if options else None)
    return model, converter, x if len(x) > 1 else x[0]


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_keras(name):
    """Those of rate neurons do not depend on the number of steps."""
    model, converter, x = make(name)
    wanted = model.predict(x, verbose=0)
    found = converter.predict(x, minibatch_size=2)  # the last minibatch is smaller
    keras.tree.assert_same_structure(found, wanted)
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, wanted
    )


@pytest.mark.parametrize("compiled", ["classes", "several", "weights"])
def test_evaluation_is_that_of_keras(compiled):
    model, converter, x = make("dict" if compiled == "several" else "image")
    y = np.arange(5) % 3
    arguments = {}
    if compiled == "several":
        y = {"x": np.ones((5, 2)), "y": np.zeros((5, 9))}
        model.compile(loss={"x": "mse", "y": "mae"}, metrics={"x": ["mae"]})
    else:
        loss = "sparse_categorical_crossentropy"
        model.compile(loss=loss, weighted_metrics=["accuracy"])
    if compiled == "weights":
        arguments["sample_weight"] = np.array([0, 1, 2, 3, 4.0])
    wanted = model.evaluate(x, y, verbose=0, batch_size=5, **arguments)
    found = converter.evaluate(x, y, **arguments)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    wanted = model.evaluate(
        x, y, verbose=0, batch_size=5, return_dict=True, **arguments
    )
    found = converter.evaluate(x, y, return_dict=True, **arguments)
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, rel=1e-4)


def test_spiking_networks_average_over_the_steps():
    model, _, x = make("image")
    options = {"swap_activations": {"relu": nengo_dl.IntegrateAndFire()}}
    converter = Converter(model, calibration_data=x, **options)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False, keep_history=False)
    wanted = model.predict(x, verbose=0)
    np.testing.assert_allclose(converter.predict(x, 100), wanted, atol=0.02)
    # as many as are recommended, if there is calibration data
    wanted = converter.predict(x, converter.recommended_steps)
    np.testing.assert_allclose(converter.predict(x), wanted)


BAD = [
    ({"x": np.ones((5, 6))}, "predict: expected shape"),
    ({"n_steps": 0}, "predict: expected n_steps to be a whole"),
    ({"minibatch_size": 1.5}, "predict: expected minibatch_size to be a whole"),
]


@pytest.mark.parametrize("arguments, message", BAD)
def test_bad_arguments(arguments, message):
    _, converter, x = make("image")
    with pytest.raises(ValueError, match=message):
        converter.predict(**{"x": x, **arguments})


def test_bad_data_for_evaluation():
    model, converter, x = make("image")
    with pytest.raises(ValueError, match="expected a model with a loss"):
        converter.evaluate(x, np.zeros(5))
    _, series, x = make("series")
    with pytest.raises(ValueError, match="expected n_steps=3"):
        series.predict(x, n_steps=5)


def test_look_up_by_name_and_number():
    for name in MODELS:
        model, converter, _ = make(name)
        for i, layer in enumerate(model.layers):
            if layer in converter.layers:
                assert converter.layers[layer.name] is converter.layers[layer]
                assert converter.layers[i] is converter.layers[layer]
        for objs, tensors in (
            (converter.inputs, model.inputs),
            (converter.outputs, model.outputs),
        ):
            for i, tensor in enumerate(tensors):
                assert objs[i] is objs[i - len(tensors)] is objs[tensor]
        for name, probe in zip(
            converter.model.output_names, converter.net.probes, strict=True
        ):
            assert converter.outputs[name] is probe
        for layer in converter.model.layers:
            if isinstance(layer, kl.InputLayer):
                assert converter.inputs[layer.name] is converter.layers[layer]


def test_keys_that_are_not_there():
    _, converter, _ = make("image")
    with pytest.raises(KeyError, match="got 'cnov'.*Did you mean 'conv'"):
        converter.layers["cnov"]
    with pytest.raises(KeyError, match="expected a number from -1 to 0"):
        converter.outputs[1]
    inner = keras.Sequential([keras.Input((4,)), kl.Dense(4, name="same")])
    inputs = keras.Input((4,))
    outer = keras.Model(inputs, kl.Dense(4, name="same")(inner(inputs)))
    with pytest.raises(KeyError, match="'same', which 2 layers have"):
        Converter(outer).layers["same"]


def test_the_representation_is_a_table():
    model, converter, _ = make("image")
    lines = repr(converter).splitlines()
    assert "image" in lines[0] or model.name in lines[0]
    (row,) = (line for line in lines if line.startswith("conv"))
    assert "Conv2D" in row and "(4, 4, 2)" in row and "32 RectifiedLinear" in row
    assert all(len(line) <= 100 for line in lines)
