"""Reports have all layers of a model, or all objects of a network."""

import json

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import Converter
from tests.converter.cases import random_inputs, seeded
from tests.converter.models import MODELS
from tests.converter.report.helpers import (
    branched,
    convert,
    named,
    numbers,
    temporal,
    two_layers,
)


@pytest.mark.filterwarnings("ignore:Layer")
def test_every_layer_has_a_row():
    model, options = branched()
    converter = convert(model, **options)
    report = converter.report(random_inputs(model), n_steps=1)
    rows = named(report)
    names = ["nested/shared", "nested/inside", "sum", "norm", "sine", "last"]
    assert list(rows) == names
    kinds = {name: row.kind for name, row in rows.items() if row.kind != "native"}
    assert kinds == {"norm": "fallback", "sine": "fallback"}
    assert rows["norm"].reason == "UnitNormalization has no native Nengo form"
    assert rows["sine"].reason == "activation sin has no native Nengo form"
    assert report.uncounted == ("norm",)
    assert rows["norm"].effective_macs is None
    assert rows["sine"].dense == 8
    assert rows["nested/shared"].neurons == 8
    assert rows["nested/shared"].dense == 32
    assert report.total.parameters == model.count_params()
    assert [output.name for output in report.outputs] == model.output_names


@pytest.mark.filterwarnings("ignore:Layer")
@pytest.mark.parametrize("make", [branched, temporal, MODELS["autoencoder"]])
def test_rate_neurons_have_no_error(make):
    model, options = made if isinstance(made := make(), tuple) else (seeded(made), {})
    converter = convert(model, **options)
    is_temporal = converter.temporal_model
    n_steps = None if is_temporal else 2
    x = np.ones((3, 5, 3)) if is_temporal else random_inputs(model)
    report = converter.report(x, n_steps=n_steps, minibatch_size=2)
    assert report.n_steps == (n_steps or 5)
    assert all(layer.error < 1e-4 for layer in report.layers)
    assert all(max(output.error) < 1e-4 for output in report.outputs)


def test_recurrent_connections_count():
    model, options = temporal()
    report = convert(model, **options).report(np.ones((2, 6, 3)))
    rows = named(report)
    assert list(rows) == ["each/inside", "recurrent", "read"]
    assert rows["recurrent"].dense == 6 * (4 * 5 + 5 * 5)
    assert rows["recurrent"].effective_macs == rows["recurrent"].dense
    assert rows["read"].type == "TimeDistributed"


@pytest.mark.parametrize("name", MODELS)
def test_layers_share_out_all_neurons_and_connections(name):
    converter = Converter(seeded(MODELS[name]()), inference_only=True)
    conversion = converter.conversion
    layers = conversion.source.layers
    made = [conversion.made[call] for layer in layers for call in layer.calls]
    found = [conn for each in made for conn in each.connections]
    wanted = [conn for conn in converter.net.all_connections if not is_constant(conn)]
    assert len(found) == len(set(found)) and set(found) == set(wanted)
    neurons = [obj for each in made for obj in each.neurons]
    assert len(neurons) == len(set(neurons))
    assert set(neurons) == {each.neurons for each in conversion.populations}
    n_parameters = sum(layer.n_parameters for layer in layers)
    assert n_parameters == converter.model.count_params()


def is_constant(conn):
    """Constants reach their layers by way of relays."""
    label = getattr(conn.pre_obj, "label", None) or ""
    return label == "one" or label.endswith(".bias")


def test_reports_on_any_network():
    """Spikes and operations are those by hand; what cannot be seen is said."""
    with nengo.Network(seed=0, label="any") as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([1.0], label="stimulus")
        ens = nengo.Ensemble(10, 1, label="a")
        out = nengo.Node(size_in=2, label="b")
        python = nengo.Node(lambda t, x: x, size_in=1)
        direct = nengo.Ensemble(1, 1, neuron_type=nengo.Direct(), label="c")
        nengo.Connection(node, ens)
        nengo.Connection(ens.neurons, out, transform=np.eye(2, 10))
        nengo.Connection(ens, python)
        nengo.Connection(ens, direct)
        nengo.Connection(direct, out[0])
        probe = nengo.Probe(ens.neurons)
    before = list(net.probes)
    report = nengo_dl.report(net, n_steps=20)
    assert net.probes == before
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(20)
    spikes = np.count_nonzero(sim.data[probe], axis=0)
    a, c, b, node = report.layers
    assert [layer.name for layer in report.layers] == ["a", "c", "b", "node"]
    assert a.spikes == spikes.sum() > 0
    assert b.effective_acs == spikes[:2].sum()
    assert report.uncounted == ("c", "node")
    assert a.error is None and report.outputs == ()
    assert (
        "calls Python" in str(report) and "Keras" not in str(report).split("device")[0]
    )
    # data of several items, of which the last minibatch is not full
    x = np.zeros((3, 20, 1))
    x[0] = 1
    some = nengo_dl.report(net, {"stimulus": x}, minibatch_size=2)
    assert some.n_items == 3
    assert json.loads(some.to_json()) == some.to_dict()
    with pytest.raises(ValidationError, match="n_steps"):
        nengo_dl.report(net)


def test_the_network_stays_as_it_was():
    model = two_layers()
    converter = convert(model)
    with converter.net:
        nengo_dl.configure_settings(keep_history=False)
    before = list(converter.net.probes)
    report = converter.report(numbers((2, 6)), n_steps=3)
    assert converter.net.probes == before
    assert max(report.outputs[0].error) < 1e-5


def test_labels_of_some_outputs():
    inputs = keras.Input((3,))
    image = kl.Reshape((2, 2))(kl.Dense(4)(inputs))
    model = seeded(keras.Model(inputs, [kl.Dense(2)(inputs), image]))
    x = random_inputs(model, 4)[0]
    y = np.asarray(model(x)[1]).argmax(axis=-1)
    y[0] = 1 - y[0]
    report = convert(model).report(x, [None, y], n_steps=1)
    assert report.outputs[0].accuracy is None
    assert report.outputs[1].accuracy == (0.75,)
    assert report.outputs[1].keras_accuracy == 0.75


X, Y = np.ones((3, 6)), np.zeros(3)
WRONG = {
    "no minibatch": ((X[0],), r"shape \(n_items, 6\).*got \(6,\).*x\[None\]"),
    "other size": ((X[:, :5],), r"expected shape \(n_items, 6\).*got \(3, 5\)"),
    "no items": ((X[:0],), r"at least one item \(got \(0, 6\)\)"),
    "two inputs": (([X, X],), r"each of the 1 inputs of the model \(got 2\)"),
    "nan": ((X * np.nan,), r"finite values for input .*got 18 that are NaN"),
    "no steps": ((X, Y, 0), r"n_steps to be a whole number.*got 0"),
    "part of a step": ((X, Y, 1.5), r"n_steps to be a whole number.*got 1.5"),
    "few labels": ((X, Y[:2]), r"of shape \(3,\).*one-hot.*\(3, 4\).*got \(2,\)"),
    "no such class": ((X, Y + 4), r"whole numbers from 0 to 3 \(got 4.0\)"),
    "part of a class": ((X, Y + 0.5), r"whole numbers from 0 to 3 \(got 0.5\)"),
}


@pytest.mark.parametrize("arguments, message", WRONG.values(), ids=WRONG)
def test_wrong_data(classifier, arguments, message):
    with pytest.raises(ValueError, match=f"Converter.report: .*{message}"):
        classifier[0].report(*arguments)


def test_wrong_data_of_several_inputs():
    model = MODELS["two_inputs"]()
    converter = convert(model)
    x, y = random_inputs(model)
    with pytest.raises(ValueError, match="as many items for all inputs.*got .3,.*2,"):
        converter.report([x, y[:2]])
    with pytest.raises(ValueError, match="each of the 2 inputs .*got 1.*in the order"):
        converter.report(x)
    with pytest.raises(ValueError, match="minibatch_size to be a whole number"):
        converter.report([x, y], minibatch_size=0)
    names = [tensor.name for tensor in model.inputs]
    with pytest.raises(ValueError, match=f"keys, {', '.join(names)} .got other"):
        converter.report({"other": x})


def test_data_and_labels_by_name():
    model = MODELS["two_inputs"]()
    converter = convert(model)
    x = random_inputs(model)
    labels = np.zeros(len(x[0]), dtype=int)
    by_order = converter.report(x, labels)
    by_name = converter.report(
        {tensor.name: values for tensor, values in zip(model.inputs, x, strict=True)},
        {model.output_names[0]: labels},
    )
    assert by_name.to_dict() == by_order.to_dict()
    with pytest.raises(ValueError, match="outputs of the model as keys.*got other"):
        converter.report(x, {"other": labels})


@pytest.mark.filterwarnings("ignore:Layer")
def test_layers_that_put_out_nan():
    inputs = keras.Input((3,))
    x = kl.Activation(keras.ops.log, name="log")(inputs)
    converter = convert(keras.Model(inputs, kl.Dense(2)(x)))
    with pytest.raises(ValueError, match="finite outputs of layer 'log'.*weights"):
        converter.report(-np.ones((2, 3)))


def test_wrong_number_of_steps_in_time():
    model, options = temporal()
    converter = convert(model, **options)
    with pytest.raises(ValueError, match="expected n_steps=4.*got 5.*Leave it out"):
        converter.report(np.ones((2, 4, 3)), n_steps=5)
    with pytest.raises(ValueError, match=r"shape \(n_items, n_steps, 3\)"):
        converter.report(np.ones((2, 3)))


def test_labels_need_classes():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, kl.Dense(1)(inputs))
    with pytest.raises(ValueError, match="two classes or more.*Leave y out"):
        convert(model).report(np.ones((2, 3)), [0, 1])
    two = keras.Model(inputs, [kl.Dense(2)(inputs), kl.Dense(2)(inputs)])
    with pytest.raises(ValueError, match="each of the 2 outputs .*got 1.*with None"):
        convert(two).report(np.ones((2, 3)), np.array([0, 1]))
