"""Converted operators compute what Keras computes, and messages name them."""

import re

import keras
import nengo
import numpy as np
import pytest
from keras import layers, ops

import nengo_dl
from nengo_dl.converter import operators
from nengo_dl.converter.registry import REGISTRY
from tests.converter.cases import random_inputs, seeded
from tests.converter.operators import GRADIENTS, JOINS, ONE, PAIRS, TWO, joined

ATOL = 1e-5


def converted(model, **options):
    """Convert a model, without fallback."""
    converter = nengo_dl.Converter(model, allow_fallback=False, **options)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    return converter


def outputs(converter, inputs):
    """Compute the outputs of a network for a minibatch, in TensorFlow."""
    n_items = len(inputs[0])
    feed = {
        converter.inputs[tensor]: x.reshape(n_items, 1, -1)
        for tensor, x in zip(converter.model.inputs, inputs, strict=True)
    }
    with nengo_dl.Simulator(
        converter.net, minibatch_size=n_items, progress_bar=False
    ) as sim:
        sim.run_steps(1, data=feed)
        return sim.data[converter.outputs[converter.model.output]][:, 0]


def reference(converter, inputs):
    """Compute the outputs for the first item, in ``nengo.Simulator``."""
    for tensor, x in zip(converter.model.inputs, inputs, strict=True):
        converter.inputs[tensor].output = x[0].ravel()
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1)
    return sim.data[converter.outputs[converter.model.output]][0]


def check(cases, *shapes):
    """Check the law for all cases that take inputs of the same shapes."""
    model, names = joined(cases, *shapes)
    inputs = random_inputs(model)
    wanted = keras.ops.convert_to_numpy(model(inputs if len(shapes) > 1 else inputs[0]))
    assert np.all(np.isfinite(wanted))
    converter = converted(model)
    for got, right in (
        (outputs(converter, inputs), wanted),
        (reference(converter, inputs), wanted[0]),
    ):
        wrong = np.abs(got - right) > ATOL + ATOL * np.abs(right)
        assert not set(np.array(names)[np.any(np.atleast_2d(wrong), axis=0)])


@pytest.mark.parametrize("shape", ONE, ids=str)
def test_operators(shape):
    check(ONE[shape], shape)


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_operators_of_two_tensors(shapes):
    check(TWO, *shapes)
    if shapes[0] != shapes[1]:
        check(TWO, *shapes[::-1])
    else:
        check(JOINS, *shapes)


@pytest.mark.parametrize("shape", ONE, ids=str)
def test_gradients_pass_operators(shape):
    names = GRADIENTS if shape == (4,) else ONE[shape]
    cases = {name: ONE[shape][name] for name in names}
    model, _ = joined(cases, shape, trained=True)
    converter = converted(seeded(model))
    assert converter.verify(training=True, inputs=random_inputs(model), atol=ATOL)


def residual(style):
    """Make a residual network, written with layers or with operators."""
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    y = layers.Conv2D(3, 3, padding="same")(x)
    if style == "layers":
        x = layers.ReLU()(layers.Add()([x, y]))
        x = layers.Concatenate()([x, layers.Activation("tanh")(y)])
        x = layers.Flatten()(layers.MaxPooling2D(6)(x))
    else:
        x = ops.relu(x + y)
        x = ops.concatenate([x, ops.tanh(y)], axis=-1)
        x = ops.reshape(ops.max(x, axis=(1, 2), keepdims=True), (-1, 6))
    return seeded(keras.Model(inputs, layers.Dense(2)(x)))


def test_operators_make_the_ensembles_of_layers():
    networks = {style: converted(residual(style)) for style in ("layers", "operators")}
    kinds = {
        style: [(ens.n_neurons, ens.neuron_type) for ens in converter.net.all_ensembles]
        for style, converter in networks.items()
    }
    assert kinds["layers"] == kinds["operators"]
    assert len(kinds["layers"]) == 3
    x = random_inputs(networks["layers"].model)
    results = [outputs(converter, x) for converter in networks.values()]
    np.testing.assert_allclose(*results, atol=ATOL)


def test_swaps_reach_operators():
    swaps = {keras.activations.relu: nengo.SpikingRectifiedLinear()}
    converter = converted(residual("operators"), swap_activations=swaps)
    kinds = [type(ens.neuron_type) for ens in converter.net.all_ensembles]
    assert kinds.count(nengo.SpikingRectifiedLinear) == 2
    assert converter.net.all_ensembles[-1].neuron_type == nengo.Tanh(tau_ref=1)


def test_spikes_pass_operators():
    """The average output is what Keras computes, for maxima of spikes as well."""
    inputs = keras.Input((4,))
    x = ops.relu(layers.Dense(12)(inputs))
    x = ops.reshape(0.5 * x[:, ::-1] + x, (-1, 4, 3))
    x = ops.stack([ops.max(x, axis=1), ops.mean(x, axis=1)], axis=1)
    model = seeded(keras.Model(inputs, ops.reshape(x, (-1, 6)) - 1))
    swaps = {keras.activations.relu: nengo.SpikingRectifiedLinear()}
    converter = converted(model, swap_activations=swaps, scale_firing_rates=500)
    (x,) = random_inputs(model)
    steps = np.tile(x[:, None], (1, 200, 1))
    with nengo_dl.Simulator(
        converter.net, minibatch_size=3, device="/cpu:0", progress_bar=False
    ) as sim:
        sim.run_steps(200, data={converter.inputs[inputs]: steps})
        average = sim.data[converter.outputs[model.output]].mean(axis=1)
    np.testing.assert_allclose(average, model(x), atol=0.02)


def test_operators_in_nested_and_shared_models():
    x, y = keras.Input((4,)), keras.Input((4,))
    inner = keras.Model([x, y], [ops.relu(x - y), ops.concatenate([x, y], -1) * 2])
    a, b = keras.Input((4,)), keras.Input((4,))
    first, joined_ = inner([a, b])
    second, _ = inner([b, first])
    model = keras.Model([a, b], [first + second, ops.abs(joined_)[:, ::3]])
    converter = converted(model)
    assert converter.verify(inputs=random_inputs(model), atol=ATOL)


# What treats each time step for itself.
STEPS = {
    "sums": lambda x: x + 1 - x * ops.mean(x, axis=(2, 3), keepdims=True),
    "activations": lambda x: ops.relu(x) + ops.softmax(x, axis=2) + ops.gelu(x),
    "parts": lambda x: x[:, :, 1:, ::2],
    "moves": lambda x: ops.transpose(x, (0, 1, 3, 2)),
    "joins": lambda x: ops.stack([x, ops.flip(x, 3)], axis=-1),
    "maxima": lambda x: ops.max(x, axis=-1) - ops.min(x, axis=3),
    "products": lambda x: x @ np.ones((2, 5), np.float32),
    "functions": lambda x: ops.sqrt(ops.square(x) + 1) / 2,
}
# What does not.
MIXES = {
    "sum over time": lambda x: ops.sum(x, axis=1, keepdims=True) + x,
    "last step": lambda x: x[:, -1:] + x,
    "backwards": lambda x: ops.flip(x, axis=1),
    "softmax over time": lambda x: ops.softmax(x, axis=1),
    "steps swapped": lambda x: ops.roll(x, 1, axis=1),
    "weights of steps": lambda x: x * np.arange(5.0).reshape(1, 5, 1, 1),
    "matrix of steps": lambda x: ops.einsum(
        "bthc,ts->bshc", x, np.ones((5, 5), np.float32)
    ),
}


@pytest.mark.parametrize("n_steps", [None, 5])
def test_operators_on_each_time_step(n_steps):
    inputs = keras.Input((n_steps, 3, 2))
    model = keras.Model(inputs, [make(inputs) for make in STEPS.values()])
    converter = converted(model, temporal_model=True)
    x = np.random.RandomState(0).uniform(-1, 1, size=(2, 5, 3, 2))
    assert converter.verify(inputs=[x], atol=ATOL)


@pytest.mark.parametrize("name", MIXES)
def test_operators_that_mix_time_steps(name):
    inputs = keras.Input((5, 3, 2))
    model = keras.Model(inputs, MIXES[name](inputs))
    with pytest.raises(TypeError, match="^Operator .*expected"):
        nengo_dl.Converter(model, temporal_model=True)


# What mixes the items of a minibatch can have no network.
ITEMS = {
    "sum": lambda x: x + ops.sum(x, axis=0, keepdims=True),
    "first": lambda x: x + x[:1, :],
    "concatenate": lambda x: ops.concatenate([x, x], axis=0),
    "reshape": lambda x: ops.reshape(x, (-1, 2)),
}


@pytest.mark.parametrize("name", ITEMS)
def test_operators_that_mix_items(name):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, ITEMS[name](inputs))
    with pytest.raises((TypeError, ValueError), match="^Operator .*expected"):
        nengo_dl.Converter(model)


# What users wrote, and how messages call it.
MESSAGES = {
    "keras.ops.cumsum": lambda x: ops.cumsum(x, axis=1),
    "keras.ops.sort": ops.sort,
    "keras.ops.softmax": lambda x: ops.softmax(x, axis=0),
    "keras.ops.layer_normalization": lambda x: ops.layer_normalization(x, axis=-1),
    "x @ y (keras.ops.matmul)": lambda x: x @ ops.transpose(x, (0, 2, 1)),
    "x[...] (keras.ops.get_item)": lambda x: x[::-1, :],
    "x + y (keras.ops.add)": lambda x: added_to_its_bias(x, layers.Dense(4)),
}


def added_to_its_bias(x, dense):
    """Use a weight twice, of which training changes one."""
    return dense(x) + dense.bias


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_name_operators_as_users_write_them(name):
    inputs = keras.Input((4, 4))
    model = keras.Model(inputs, MESSAGES[name](inputs))
    with pytest.raises(TypeError, match=f"^Operator {re.escape(name)} '"):
        nengo_dl.Converter(model, allow_fallback=False)
    with pytest.warns(UserWarning, match=f"^Operator {re.escape(name)} '.*TensorNode"):
        converter = nengo_dl.Converter(model)
    assert converter.verify(inputs=random_inputs(model), atol=ATOL)


def test_every_registered_operator_has_a_case():
    models = [joined(cases, shape)[0] for shape, cases in ONE.items()]
    models += [joined(cases, *PAIRS[0])[0] for cases in (TWO, JOINS)]
    used = {operators.function_of(op) for model in models for op in model.operations}
    registered = {
        key for key in REGISTRY if callable(key) and not isinstance(key, type)
    } - {ops.stop_gradient}  # has a test of its own
    assert {key.__name__ for key in registered - used} == set()
    assert all(operators.public_function(key) is key for key in registered)


def test_stop_gradient():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, ops.stop_gradient(inputs * 2))
    with pytest.raises(TypeError, match="expected inference_only=True"):
        nengo_dl.Converter(model, allow_fallback=False)
    converter = converted(model, inference_only=True)
    assert converter.verify(inputs=random_inputs(model), atol=ATOL)


def test_users_register_operators(monkeypatch):
    monkeypatch.setattr(nengo_dl.Converter, "converters", dict(REGISTRY))

    def convert_cumsum(call, build):
        node = build.node()
        build.connect(node, transform=np.tril(np.ones((4, 4))))
        return node

    inputs = keras.Input((4,))
    model = keras.Model(inputs, ops.cumsum(inputs, axis=1))
    nengo_dl.Converter.register(ops.cumsum)(convert_cumsum)
    assert converted(model).verify(inputs=random_inputs(model), atol=ATOL)
    with pytest.warns(UserWarning, match="keras.ops.cumsum had a converter"):
        nengo_dl.Converter.register(ops.cumsum)(convert_cumsum)


@pytest.mark.parametrize("key", [np.cumsum, 3, "Dense", int, lambda x: x])
def test_only_layers_and_operators_are_registered(key):
    with pytest.raises(TypeError, match="a function of keras.ops .got"):
        nengo_dl.Converter.register(key)


def test_constants_that_are_trained():
    inputs = keras.Input((4,))
    dense = layers.Dense(4)
    y = ops.matmul(dense(inputs), dense.kernel)
    model = seeded(keras.Model(inputs, y))
    with pytest.raises(TypeError, match="got a weight of a layer, which training"):
        nengo_dl.Converter(model, allow_fallback=False)
    converter = converted(model, inference_only=True)
    assert converter.verify(inputs=random_inputs(model), atol=ATOL)
