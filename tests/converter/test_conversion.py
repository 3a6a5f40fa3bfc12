"""Conversions as values: one plan, few simulators, and sources that are not Keras."""

import ast
from pathlib import Path

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter import presentation
from nengo_dl.converter.conversion import SourceLayer, TensorSpec
from nengo_dl.converter.objects import Objects
from nengo_dl.converter.plan import Planner
from nengo_dl.converter.registry import REGISTRY
from nengo_dl.converter.report.measure import measure
from nengo_dl.converter.rules import Rule, find_rule
from nengo_dl.simulator import Simulator
from tests.converter.cases import random_inputs, seeded

ROOT = Path(nengo_dl.__file__).parent / "converter"
# Modules that serve models of any library, and those that they may import.
WITHOUT_KERAS = (
    *("forms", "swaps", "tuning", "rules", "populations", "objects", "conversion"),
    *("presentation", "calibration", "report", "fan_out", "network_source"),
)
# Asks Keras which elements the windows of Nengo's convolutions have.
GEOMETRY = {"windows"}


def files(name):
    return sorted((ROOT / name).glob("*.py")) or [ROOT / f"{name}.py"]


def imported(path):
    """Yield the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("name", WITHOUT_KERAS)
def test_objects_and_reports_know_nothing_of_keras(name):
    for module in (module for path in files(name) for module in imported(path)):
        assert module.split(".")[0] != "keras"
        _, _, own = module.partition("nengo_dl.converter.")
        assert own.split(".")[0] in {"", *WITHOUT_KERAS, *GEOMETRY}, module


class Calls:
    """Counts how often a function is called."""

    def __init__(self, function):
        self.function, self.n = function, 0

    def __call__(self, *args, **kwargs):
        self.n += 1
        return self.function(*args, **kwargs)


@pytest.mark.parametrize("synapse, n_simulators", [("auto", 6), (0.002, 5)])
def test_four_leaky_layers_take_one_plan_and_few_simulators(
    monkeypatch, synapse, n_simulators
):
    x = inputs = keras.Input((6,))
    for _ in range(4):
        x = kl.Dense(8, activation="relu")(x)
    model = seeded(keras.Model(inputs, kl.Dense(2)(x)))
    plans, simulators = Calls(Planner), Calls(Simulator)
    monkeypatch.setattr("nengo_dl.converter.plan.Planner", plans)
    monkeypatch.setattr(presentation, "Simulator", simulators)
    converter = Converter(
        model,
        swap_activations={"relu": nengo.LIF()},
        scale_firing_rates="auto",
        synapse=synapse,
        calibration_data=random_inputs(model, 8)[0],
    )
    assert plans.n == 1 and simulators.n == n_simulators
    assert len(converter.tunings) == 4
    assert converter.recommended_steps is None or converter.recommended_steps > 1
    assert plans.n == 1


class Perceptron:
    """A model of no library: matrices, with rectifiers in between."""

    def __init__(self, *weights):
        self.weights = weights
        self.name, self.n_outer_axes = "perceptron", 1
        self.inputs = (TensorSpec("x", (None, len(weights[0]))),)
        self.outputs = (TensorSpec("y", (None, weights[-1].shape[1])),)
        self.layers = tuple(
            SourceLayer(f"layer{i}", "Matrix", w.size, (i,))
            for i, w in enumerate(weights)
        )

    def compute_all(self, inputs):
        (x,), found = inputs, {}
        for i, weights in enumerate(self.weights):
            x = x @ weights
            if i < len(self.weights) - 1:
                x = np.maximum(x, 0)
            found[i] = [x[:, None]]
        return found, found[i]

    def compute(self, inputs):
        return self.compute_all(inputs)[1]


def convert_matrix(call, build):
    """A rule of another library: a call is a matrix and its input."""
    weights, obj, form = call
    units = build.units(form, weights.shape[1:], "matrix")
    build.link(obj, units, weights.T, trainable=True)
    build.bias(units, np.zeros(weights.shape[1]), label="matrix")
    return units


def test_models_of_other_libraries_are_converted_and_reported():
    rng = np.random.RandomState(0)
    source = Perceptron(rng.normal(size=(4, 8)), rng.normal(size=(8, 3)))
    rule = find_rule({np.ndarray: Rule(convert_matrix)}, [np.ndarray])
    with nengo.Network() as net:
        objects = Objects(net, synapse=None)
        node = obj = nengo.Node(np.zeros(4))
        for i, weights in enumerate(source.weights):
            form = nengo_dl.IntegrateAndFire() if i == 0 else None
            call = (weights, obj, form)
            (obj,) = objects.make(
                i, lambda call=call: rule.convert(call, objects), scale=1000.0
            )
        conversion = objects.conversion(source, [node], [objects.probe(obj)])
    x = rng.uniform(-1, 1, size=(5, 4))
    labels = source.compute([x])[0][:, 0].argmax(axis=1)
    report = measure(conversion, x, labels, n_steps=50)
    first, second = report.layers
    assert (first.name, first.type, first.parameters) == ("layer0", "Matrix", 32)
    assert first.kind == second.kind == "native"
    assert first.effective_macs > 0 == first.effective_acs
    assert second.effective_acs == pytest.approx(3 * report.total.spikes)
    assert report.outputs[0].accuracy[-1] == report.outputs[0].keras_accuracy == 1
    assert max(first.error, second.error) < 0.05
    assert "layer1" in str(report)


class Double(kl.Layer):
    def call(self, x):
        return 2 * x


def convert_double(call, build):
    node = build.units()
    build.connect(node, transform=2)
    return node


def double_model():
    inputs = keras.Input((3,))
    return keras.Model(inputs, kl.ReLU()(Double()(inputs)))


def test_subclasses_may_have_a_registry_of_their_own():
    class Other(Converter):
        converters = dict(REGISTRY)

    Other.register(Double)(convert_double)
    assert Double in Other.converters and Double not in Converter.converters
    assert Other(double_model(), allow_fallback=False).verify()
    with pytest.raises(TypeError, match="Double has no native Nengo form"):
        Converter(double_model(), allow_fallback=False)


def test_registries_without_a_fallback_refuse_all_else():
    class Few(Converter):
        converters = {}

    Few.register(Double)(convert_double)
    with pytest.raises(TypeError, match="ReLU has no native Nengo form"):
        Few(double_model())


def test_tensors_of_wrapped_layers_are_keys():
    inputs = keras.Input((None, 3))
    x = kl.TimeDistributed(kl.Dense(2, name="inside"))(inputs)
    converter = Converter(keras.Model(inputs, x), temporal_model=True)
    layer = converter.model.layers[1]
    obj = converter.layers[x]
    assert obj is converter.layers[layer] is converter.layers[layer.layer]


def test_why_something_fell_back_is_recorded():
    inputs = keras.Input((3,))
    x = kl.UnitNormalization(name="norm")(inputs)
    model = keras.Model(inputs, kl.Dense(2, activation=keras.ops.sin, name="sine")(x))
    with pytest.warns(UserWarning, match="A TensorNode computes it"):
        made = list(Converter(model).conversion.made.values())
    norm, sine = made
    assert (
        norm.is_opaque and norm.reason == "UnitNormalization has no native Nengo form"
    )
    assert not sine.is_opaque
    assert sine.reason == "activation sin has no native Nengo form"


def test_automatic_synapses_with_layers_that_fall_back():
    inputs = keras.Input((6,))
    x = kl.Dense(8, activation="relu")(kl.UnitNormalization()(inputs))
    model = seeded(keras.Model(inputs, kl.GroupNormalization(1)(x)))
    with pytest.warns(UserWarning, match="A TensorNode computes it"):
        converter = Converter(
            model,
            swap_activations={"relu": nengo.LIF()},
            scale_firing_rates="auto",
            synapse="auto",
            calibration_data=random_inputs(model, 4)[0],
        )
    assert converter.synapse in (None, 0.002, 0.005)
