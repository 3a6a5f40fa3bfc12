"""`swap_activations` means every use of an activation, whatever it is called."""

import itertools
import warnings
from functools import partial

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter.activations import DEFAULT_MAP, FORMS, canonical
from nengo_dl.neurons import LeakyReLU, Pointwise
from tests.converter.cases import random_inputs, seeded

SPIKING = nengo.SpikingRectifiedLinear()

# Names of one activation, and layers that apply it, whatever their parameters.
KEYS = {
    "relu": [
        *("relu", tf.nn.relu, tf.keras.activations.relu, keras.activations.relu),
        *(keras.ops.relu, nengo.RectifiedLinear(), kl.ReLU()),
    ],
    "leaky_relu": [
        *("leaky_relu", tf.nn.leaky_relu, keras.activations.leaky_relu),
        keras.ops.leaky_relu,
    ],
    "elu": ["elu", tf.nn.elu, keras.activations.elu, keras.ops.elu],
    "softmax": ["softmax", tf.nn.softmax, keras.activations.softmax, keras.ops.softmax],
    "sigmoid": [
        *("sigmoid", tf.nn.sigmoid, tf.sigmoid, keras.activations.sigmoid),
        *(keras.ops.sigmoid, nengo.Sigmoid(tau_ref=1)),
    ],
    "tanh": [
        *("tanh", tf.nn.tanh, tf.math.tanh, keras.activations.tanh, keras.ops.tanh),
        nengo.Tanh(tau_ref=1),
    ],
    "relu6": ["relu6", tf.nn.relu6, keras.activations.relu6, kl.ReLU(max_value=6)],
    "silu": [
        "silu",
        "swish",
        tf.nn.silu,
        tf.nn.swish,
        keras.ops.silu,
    ],
    "gelu": ["gelu", tf.nn.gelu, keras.activations.gelu, keras.ops.gelu],
    "hard_silu": ["hard_silu", "hard_swish", keras.ops.hard_swish],
    "exponential": ["exponential", tf.exp, keras.ops.exp],
    "softplus": ["softplus", tf.nn.softplus, keras.ops.softplus],
}
LAYERS = {
    "relu": [kl.ReLU()],
    "leaky_relu": [
        *(kl.LeakyReLU(), kl.LeakyReLU(0.1), kl.ReLU(negative_slope=0.2)),
        *(
            kl.Dense(3, partial(tf.nn.leaky_relu, alpha=0.4)),
            kl.Dense(3, kl.LeakyReLU()),
        ),
    ],
    "elu": [kl.ELU(), kl.ELU(0.5), kl.Activation(partial(keras.ops.elu, alpha=2.0))],
    "softmax": [kl.Softmax(), kl.Softmax(axis=1)],
    "relu6": [kl.ReLU(max_value=6), kl.ReLU(6.0, threshold=0)],
    "gelu": [kl.Activation(partial(keras.activations.gelu, approximate=True))],
}


def name_of(key):
    return key if isinstance(key, str) else getattr(key, "__name__", str(key))


def model_with(activation):
    """Apply an activation in all ways that there are, between dense layers."""
    functions = [key for key in KEYS[activation] if callable(key)]
    layers = [kl.Dense(3, activation=activation), kl.Activation(activation)]
    layers += [kl.Dense(3, activation=function) for function in functions]
    layers += LAYERS.get(activation, ())
    x = inputs = keras.Input((3,))
    for layer in layers:
        x = layer(kl.Dense(3)(x))
    return seeded(keras.Model(inputs, x)), len(layers)


def caught(make):
    """Return what is made, and the warnings on the way."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always", UserWarning)
        result = make()
    return result, [str(w.message) for w in record if w.category is UserWarning]


def neuron_types(converter):
    return [ens.neuron_type for ens in converter.net.all_ensembles]


@pytest.mark.parametrize("activation", KEYS)
def test_a_name_means_every_use(activation):
    model, n = model_with(activation)
    for key in KEYS[activation]:
        converter, messages = caught(
            lambda key=key: Converter(
                model,
                allow_fallback=False,
                swap_activations={key: SPIKING},
                scale_firing_rates=1,
            )
        )
        assert neuron_types(converter) == [SPIKING] * n, name_of(key)
        assert messages == [], name_of(key)


@pytest.mark.parametrize(
    "function", DEFAULT_MAP, ids=lambda f: f"{f.__module__}.{f.__name__}"
)
def test_every_function_of_the_map_computes_its_form(function):
    x = np.linspace(-8, 8, 41).reshape(1, -1)
    form = DEFAULT_MAP[function]
    wanted = keras.ops.convert_to_numpy(function(tf.constant(x, tf.float32)))
    if form is None:
        got = x
    elif isinstance(form, nengo.neurons.NeuronType):
        got = np.zeros_like(x)
        form.step(0.001, x, got)
    else:
        inputs = keras.Input((x.size,))
        converter = Converter(keras.Model(inputs, kl.Activation(function)(inputs)))
        for node in converter.inputs.values():
            node.output = x[0]
        with nengo.Simulator(converter.net, progress_bar=False) as sim:
            sim.run_steps(1)
        got = sim.data[converter.net.probes[0]]
    np.testing.assert_allclose(got, wanted, atol=1e-5, rtol=1e-4)


def test_canonical_forms():
    assert canonical(None) is canonical("linear") is canonical(tf.identity) is None
    assert canonical(tf.sin) is tf.sin
    function = keras.activations.log_softmax
    for name in ("log_softmax", tf.nn.log_softmax, keras.ops.log_softmax):
        assert canonical(name) is function
    assert canonical("relu", max_value=6) == canonical("relu6")
    assert canonical("leaky_relu", negative_slope=0) == nengo.RectifiedLinear()
    assert canonical(keras.ops.gelu, approximate=False) == canonical("gelu")
    assert canonical(partial(tf.nn.elu, name="elu")).func is tf.nn.elu
    x = keras.KerasTensor((2, 3))
    for name, operation in {
        "leaky_relu": keras.ops.leaky_relu(x, 0.2),
        "relu": keras.activations.relu(x),
        "relu6": keras.activations.relu(x, max_value=6),
        "hard_silu": keras.ops.hard_silu(x),
        "exponential": keras.ops.exp(x),
        "softmax": keras.ops.softmax(x),
    }.items():
        assert canonical(operation._keras_history.operation) == canonical(name)
    with pytest.raises(TypeError, match="negative"):
        canonical("elu", negative_slope=1)

    class Relu(kl.Layer):
        pass

    own = Relu()
    assert canonical(own) is own


def test_names_mean_all_parameters_and_neuron_types_those_that_are_equal():
    inputs = keras.Input((3,))
    x = kl.LeakyReLU(0.1)(kl.LeakyReLU(0.3)(kl.LeakyReLU(0.2)(inputs)))
    model = keras.Model(inputs, x)
    swaps = {"leaky_relu": SPIKING, LeakyReLU(0.3): nengo.LIF()}
    for items in itertools.permutations(swaps.items()):
        converter = Converter(model, swap_activations=dict(items))
        assert neuron_types(converter) == [SPIKING, nengo.LIF(), SPIKING]


@pytest.mark.parametrize("activation", KEYS)
def test_two_values_of_one_activation(activation):
    model, n = model_with("tanh")
    first = KEYS[activation][0]
    for key in (k for k in KEYS[activation][1:] if canonical(k) == canonical(first)):
        with pytest.raises(ValueError, match="swap_activations: expected one value"):
            Converter(model, swap_activations={first: SPIKING, key: nengo.LIF()})
        same = {first: SPIKING, key: nengo.SpikingRectifiedLinear(), "tanh": SPIKING}
        if activation != "tanh":
            types = neuron_types(Converter(model, swap_activations=same))
            assert types == [SPIKING] * n


@pytest.mark.parametrize(
    "key, value, wanted",
    [
        (keras.activations.relu, nengo.LIF(), nengo.LIF()),
        (nengo.RectifiedLinear(), nengo.LIF(), nengo.LIF()),
        ("relu", keras.activations.tanh, nengo.Tanh(tau_ref=1)),
        (keras.activations.relu, tf.nn.sigmoid, nengo.Sigmoid(tau_ref=1)),
        (tf.nn.relu, "elu", Pointwise("elu")),
        (nengo.RectifiedLinear(), kl.LeakyReLU(0.2), LeakyReLU(0.2)),
        ("tanh", "relu", nengo.RectifiedLinear()),
    ],
)
def test_values(key, value, wanted):
    inputs = keras.Input((3,))
    activation = "tanh" if key == "tanh" else "relu"
    model = keras.Model(inputs, kl.Dense(4, activation=activation)(inputs))
    converter = Converter(model, swap_activations={key: value})
    assert neuron_types(converter) == [wanted]


def test_swap_reaches_all_rectifiers():
    inputs = keras.Input((3,))
    x = kl.PReLU()(kl.ReLU(max_value=6)(kl.ReLU()(inputs)))
    for key in KEYS["relu"]:
        model = keras.Model(inputs, x)
        converter = Converter(model, swap_activations={key: SPIKING})
        assert neuron_types(converter) == [SPIKING] * 5


@pytest.mark.parametrize("value", [None, "softmax", tf.sin])
def test_parts_of_activations_stay_neurons(value):
    inputs = keras.Input((3,))
    x = kl.PReLU()(kl.ReLU(max_value=0.4)(inputs))
    model = seeded(keras.Model(inputs, x))
    converter = Converter(model, swap_activations={"relu": value})
    assert neuron_types(converter) == [nengo.RectifiedLinear()] * 4
    assert converter.verify(inputs=random_inputs(model), atol=1e-5)


def test_swap_to_nothing_and_twice():
    swaps = {
        keras.activations.softmax: None,
        keras.activations.relu: keras.activations.tanh,
        nengo.Tanh(tau_ref=1): nengo.LIFRate(),
    }
    inputs = keras.Input((3,))
    x = kl.Dense(3, activation="softmax")(kl.Dense(3, activation="relu")(inputs))
    converter = Converter(keras.Model(inputs, x), swap_activations=swaps)
    assert neuron_types(converter) == [nengo.LIFRate()]


def test_exchange():
    inputs = keras.Input((3,))
    x = kl.Dense(3, activation="tanh")(kl.Dense(3, activation="relu")(inputs))
    swaps = {"relu": "tanh", tf.nn.tanh: tf.nn.relu}
    converter = Converter(keras.Model(inputs, x), swap_activations=swaps)
    assert neuron_types(converter) == [nengo.Tanh(tau_ref=1), nengo.RectifiedLinear()]


@pytest.mark.parametrize(
    "layer", [kl.ReLU(), kl.Dense(3, "relu"), kl.Activation("relu")]
)
def test_swap_to_what_has_no_native_form(layer):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    with pytest.raises(TypeError, match="activation sin has no native Nengo form"):
        Converter(model, allow_fallback=False, swap_activations={"relu": tf.sin})
    with pytest.warns(UserWarning, match="activation sin has no native Nengo form"):
        converter = Converter(model, swap_activations={"relu": tf.sin})
    assert converter.layers[layer].tensor_func is tf.sin


def test_unused_swaps():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, kl.Dense(3, activation="relu")(inputs))
    swaps = {keras.activations.tanh: nengo.LIF(), keras.activations.relu: nengo.LIF()}
    with pytest.warns(UserWarning, match="swap_activations.*got tanh, which"):
        Converter(model, swap_activations=swaps)


@pytest.mark.parametrize(
    "swaps, error, match",
    [
        ({3: nengo.LIF()}, TypeError, "expected activation functions and neuron types"),
        ({"relu": nengo.LIF}, TypeError, "expected activation functions and neuron"),
        ({"rellu": nengo.LIF()}, ValueError, "got 'rellu'.*Did you mean 'relu'"),
        ({"relu": "lif"}, ValueError, "the name of a function in keras.activations"),
        ({"relu": nengo_dl.LoihiLIF()}, ValueError, "LoihiLIF.*hardware.loihi"),
    ],
)
def test_wrong_swaps(swaps, error, match):
    inputs = keras.Input((3,))
    with pytest.raises(error, match=match):
        Converter(keras.Model(inputs, kl.ReLU()(inputs)), swap_activations=swaps)


def residual():
    inputs = keras.Input((3,))
    x = kl.Dense(3, activation="relu", name="first")(inputs)
    y = kl.Dense(3, activation="tanh", name="gate")(x)
    x = kl.ReLU(name="sum")(kl.Add()([x, y]))
    x = kl.ReLU(threshold=0.5, name="late")(kl.ELU(name="elu")(x))
    return seeded(keras.Model(inputs, kl.Dense(2, activation="softmax")(x)))


@pytest.mark.parametrize(
    "swaps, still",
    [
        (None, None),
        ({"softmax": None}, None),
        ({"relu": SPIKING}, "Tanh: 'gate'; elu: 'elu'; relu: 'late'"),
        ({"tanh": nengo.Tanh()}, "RectifiedLinear: 'first', 'sum'; elu: 'elu'; relu:"),
        (
            {"relu": nengo.LIFRate(), "tanh": SPIKING},
            "neurons, elu: 'elu'; relu: 'late'",
        ),
        (dict.fromkeys(["relu", "tanh", "elu", kl.ReLU(threshold=0.5)], SPIKING), None),
    ],
)
def test_populations_that_are_still_rate_neurons(swaps, still):
    """One warning names them, where others have been swapped."""
    options = {"swap_activations": swaps, "scale_firing_rates": {}}
    _, messages = caught(lambda: Converter(residual(), **options))
    assert len(messages) == (still is not None)
    if still is not None:
        assert "still rate neurons" in messages[0] and still in messages[0]


def test_calibrated_conversions_warn_once():
    model = residual()
    _, messages = caught(
        lambda: Converter(
            model,
            swap_activations={"relu": nengo_dl.IntegrateAndFire()},
            scale_firing_rates="auto",
            calibration_data=random_inputs(model)[0],
        )
    )
    assert len([m for m in messages if "still rate neurons" in m]) == 1


def test_all_activations_have_a_form():
    assert set(FORMS) <= set(dir(keras.activations))
