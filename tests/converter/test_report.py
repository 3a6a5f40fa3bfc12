"""Reports: counts equal those by hand and of Nengo, and all of it is data."""

import json
import math

import keras
import matplotlib
import nengo
import numpy as np
import pytest
from keras import layers as kl
from matplotlib import pyplot
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter import presentation
from nengo_dl.converter import report as reports
from nengo_dl.converter.report import DEVICES, Counts, Device
from nengo_dl.converter.report.outputs import latency
from nengo_dl.converter.report.report import DERIVED, total
from nengo_dl.converter.report.text import number
from tests.converter.cases import FIRST, random_inputs, seeded
from tests.converter.models import MODELS

DT = 1 / 1024  # exact in binary, as are the weights below: no rounding in any precision
N_STEPS = 16
HALF = nengo.dists.Choice([0.5])
SPIKING = {
    "integrate": nengo_dl.IntegrateAndFire(),
    "several_per_step": nengo_dl.IntegrateAndFire(amplitude=1 / 4096),
    "rectified": nengo.SpikingRectifiedLinear(initial_state={"voltage": HALF}),
    "leaky": nengo_dl.SpikingLeakyReLU(0.25, initial_state={"voltage": HALF}),
}

# One linear layer each; whatever its weights, an input reaches an output once at most.
LINEAR = {
    (7,): {"dense": kl.Dense(5)},
    (6, 4): {
        "dense": kl.Dense(3),
        "same": kl.Conv1D(4, 3, padding="same", strides=2),
        "causal": kl.Conv1D(3, 2, padding="causal", dilation_rate=2),
        "groups": kl.Conv1D(4, 2, groups=2),
        "groups_dilated": kl.Conv1D(4, 2, groups=2, dilation_rate=2),
        "transpose": kl.Conv1DTranspose(3, 3, strides=2, padding="same"),
        "average": kl.AveragePooling1D(2),
        "average_same": kl.AveragePooling1D(4, padding="same"),
    },
    (5, 4, 3): {
        "valid": kl.Conv2D(2, (2, 3)),
        "same": kl.Conv2D(2, 3, padding="same"),
        "depthwise": kl.DepthwiseConv2D(2, depth_multiplier=2),
        "transpose": kl.Conv2DTranspose(2, (2, 3)),
        "transpose_gaps": kl.Conv2DTranspose(2, (1, 2), strides=(2, 3)),
        "first": kl.Conv2D(2, 3, padding="same", data_format=FIRST),
        "first_dilated": kl.Conv2D(2, 2, dilation_rate=2, data_format=FIRST),
    },
    (3, 4, 2, 2): {"same": kl.Conv3D(2, 2, padding="same")},
}

# Each spike leads to one place at most, or to copies of itself.
MOVES = (
    *(kl.Permute((2, 1)), kl.Reshape((3, 8)), kl.ZeroPadding1D((1, 2))),
    *(kl.Cropping1D(1), kl.UpSampling1D(2), kl.AveragePooling1D(2)),
    *(kl.AveragePooling1D(4, padding="same"), kl.GlobalAveragePooling1D()),
    kl.DepthwiseConv1D(2, strides=2, use_bias=False),
    kl.Conv1D(1, 3, strides=3, use_bias=False),
    kl.Rescaling(0.5, offset=0.25),
    lambda x: kl.Concatenate(axis=1)([x, x]),
    lambda x: kl.Average()([kl.ZeroPadding1D(side)(x) for side in ((6, 0), (0, 6))]),
)


def positive_with_zeros(model, seed=0):
    """Give kernels zeros and positive weights, in multiples of 1/16; no biases."""
    rng = np.random.RandomState(seed)
    for variable in model.weights:
        value = rng.randint(-8, 8, size=variable.shape).clip(0) / 16
        variable.assign(0 * value if "bias" in variable.path else value)
    return model


def with_zeros(model, seed=0):
    """Give all weights of a model values in multiples of 1/16, many of them zero."""
    rng = np.random.RandomState(seed)
    for variable in model.weights:
        value = rng.randint(-8, 12, size=variable.shape) / 16
        variable.assign(np.where(rng.uniform(size=value.shape) < 0.3, 0, value))
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


def jacobian(model):
    """Return which inputs reach which outputs of a linear model, (n_in, n_out)."""
    shape = model.input.shape[1:]
    units = np.eye(math.prod(shape)).reshape(-1, *shape)
    pairs = zip(_listed(model(units)), _listed(model(0 * units)), strict=True)
    return [np.reshape(y - y0, (len(units), -1)) != 0 for y, y0 in pairs]


def _listed(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def simulate(converter, x):
    """Run the network on ``nengo.Simulator``; return what all neurons put out."""
    (node,) = converter.inputs.values()
    node.output = x.ravel()
    with converter.net:
        probes = [nengo.Probe(ens.neurons) for ens in converter.net.all_ensembles]
    with nengo.Simulator(converter.net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
    del converter.net.probes[-len(probes) :]
    node.output = 0 * x.ravel()
    return [sim.data[probe] for probe in probes]


@pytest.mark.parametrize("shape", LINEAR, ids=str)
def test_each_weight_counts_wherever_it_is_used(shape):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, [layer(inputs) for layer in LINEAR[shape].values()])
    positive_with_zeros(model)
    report = convert(model).report(np.ones((1, *shape)), n_steps=1)
    found = [layer.effective_macs for layer in report.layers]
    np.testing.assert_array_equal(found, [np.sum(m) for m in jacobian(model)])
    for variable in model.weights:
        variable.assign(np.full(variable.shape, 0.0 if "bias" in variable.path else 1))
    dense = [layer.dense for layer in report.layers]
    np.testing.assert_array_equal(dense, [np.sum(m) for m in jacobian(model)])
    assert 0 < report.total.connection_sparsity < 1


def by_hand(events, kernel):
    """Count operations: events times nonzero weights, at all places in the image."""
    if kernel.ndim == 2:
        return events @ np.count_nonzero(kernel, axis=1)
    height, width, channels = events.shape
    n = 0
    for y, x, c in np.ndindex(height, width, channels):
        for i, j in np.ndindex(3, 3):  # reads (y, x) from the position at (p, q)
            p, q = y - i + 1, x - j + 1
            if 0 <= p < height and 0 <= q < width:
                n += events[y, x, c] * np.count_nonzero(kernel[i, j, c])
    return n


def kernels(model):
    return [np.asarray(layer.kernel) for layer in model.layers[1:]]


def test_counts_of_a_network_of_a_few_numbers():
    inputs = keras.Input((3,))
    hidden = kl.Dense(2, activation="relu")(inputs)
    model = keras.Model(inputs, kl.Dense(3)(hidden))
    first, second = [[1, 0], [2, 2], [0, -1]], [[1, 0, 3], [1, 1, 1]]
    model.set_weights([np.array(first), np.zeros(2), np.array(second), np.ones(3)])
    report = convert(model).report([[1, 0, 2]], n_steps=4)
    assert report.total == Counts(
        parameters=6 + 2 + 6 + 3,
        neurons=2,
        weights=12,
        zero_weights=3,
        effective_macs=4 * (2 + 2),  # (1, 0, 2) becomes (1, -2), of which 1 is left
        dense=4 * 12,
        neuron_updates=8,
        zero_activations=4,
        max_rate=1.0,
        rate_sum=1.0,
    )
    assert report.total.activation_sparsity == 0.5
    assert report.total.connection_sparsity == 0.25
    assert report.total.mean_rate == 0.5


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_operations_are_those_of_values_and_weights_that_are_not_zero(kind):
    model = two_layers(kind)
    x = numbers((3, *model.input_shape[1:]))
    report = convert(model).report(x, n_steps=2)
    hidden = np.asarray(keras.Model(model.input, model.layers[1].output)(x))
    for layer, values, kernel in zip(
        report.layers, (x, hidden), kernels(model), strict=True
    ):
        n = sum(by_hand((item != 0).astype(float), kernel) for item in values)
        assert layer.effective_macs == pytest.approx(2 * n / 3)
        assert layer.effective_acs == 0
        assert layer.connection_sparsity == np.mean(kernel == 0)
        most = by_hand(np.ones_like(values[0]), np.ones_like(kernel))
        assert layer.dense == 2 * most
    assert report.layers[0].activation_sparsity == pytest.approx(np.mean(hidden == 0))


@pytest.mark.parametrize("kind", ["dense", "conv"])
@pytest.mark.parametrize("name", SPIKING)
def test_spikes_are_those_of_nengo(name, kind):
    model, neuron_type = two_layers(kind), SPIKING[name]
    converter = convert(model, neuron_type, scale=2048.0)
    x = numbers((1, *model.input_shape[1:]))
    (output,) = simulate(converter, x)
    n_spikes = np.rint(np.abs(output) * DT / converted_amplitude(converter))
    assert n_spikes.sum() > N_STEPS
    report = converter.report(x, n_steps=N_STEPS, dt=DT)
    first, second = report.layers
    assert first.spikes == report.total.spikes == n_spikes.sum()
    assert first.zero_activations == np.sum(n_spikes == 0)
    rates = n_spikes.sum(axis=0) / (N_STEPS * DT)
    assert first.mean_rate == pytest.approx(rates.mean())
    assert first.max_rate == pytest.approx(rates.max())
    events = n_spikes.sum(axis=0).reshape(model.layers[1].output.shape[1:])
    assert second.effective_acs == by_hand(events, kernels(model)[1])
    assert second.effective_macs == first.effective_acs == 0
    (raster,) = report.rasters
    found = np.abs(raster.spikes)
    np.testing.assert_array_equal(found, n_spikes[:, list(raster.neurons)])


def converted_amplitude(converter):
    (ensemble,) = converter.net.all_ensembles
    return ensemble.neuron_type.amplitude


def test_spikes_that_are_passed_on_stay_spikes():
    inputs = keras.Input((6, 4))
    spikes = kl.ReLU()(inputs)
    moved = [move(spikes) for move in MOVES]
    summed = [kl.Dense(1, use_bias=False)(kl.Flatten()(x)) for x in moved]
    model = keras.Model(inputs, summed)
    for weights in model.weights:
        weights.assign(np.ones(weights.shape))
    converter = convert(model, SPIKING["integrate"])
    x = numbers((1, 6, 4)) * 500
    n_spikes = simulate(converter, x)[0].sum(axis=0) * DT
    reached = jacobian(keras.Model(spikes, moved))
    report = converter.report(x, n_steps=N_STEPS, dt=DT)
    found = [row for row in report.layers if row.type == "Dense"]
    expected = [np.sum(n_spikes @ pairs) for pairs in reached]
    assert min(expected) > 0
    assert [row.effective_acs for row in found] == pytest.approx(expected)
    assert report.total.effective_macs == 0


AUTO = {"scale": "auto", "calibration_data": numbers((4, 4, 4, 1)), "per_channel": True}


@pytest.mark.parametrize(
    "activation, options",
    [("relu6", {"scale": 2048}), ("relu", AUTO), ("relu", {**AUTO, "synapse": 0.01})],
)
def test_other_heights_of_spikes_cost_nothing(activation, options):
    inputs = keras.Input((4, 4, 1))
    x = kl.Conv2D(3, 2, activation=activation, name="conv")(inputs)
    model = positive_with_zeros(keras.Model(inputs, kl.Dense(2)(kl.Flatten()(x))))
    model.layers[-1].set_weights([np.ones((27, 2)), np.zeros(2)])
    converter = convert(model, SPIKING["integrate"], **options)
    conv, *_, dense = converter.report(numbers((2, 4, 4, 1))).layers
    assert dense.effective_acs == pytest.approx(2 * conv.spikes)
    assert dense.effective_acs > conv.effective_acs == dense.effective_macs == 0
    assert (conv.weights, dense.weights) == (12, 54)


def test_sums_of_spikes_that_overlap_are_values():
    inputs = keras.Input((6, 4))
    x = kl.AveragePooling1D(3, strides=1)(kl.ReLU()(inputs))
    model = with_zeros(keras.Model(inputs, kl.Conv1D(2, 1)(x)))
    converter = convert(model, SPIKING["integrate"])
    _, average, conv = converter.report(numbers((2, 6, 4)) * 500).layers
    assert average.effective_acs > 0 == average.effective_macs
    assert conv.effective_macs > 0 == conv.effective_acs


def test_maxima_of_spikes_are_zero_without_spikes():
    inputs = keras.Input((6, 2))
    x = kl.MaxPooling1D(3)(kl.ReLU()(inputs))
    model = with_zeros(keras.Model(inputs, kl.Conv1D(1, 1, use_bias=False)(x)))
    model.layers[-1].set_weights([np.ones((1, 2, 1))])
    converter = convert(model, SPIKING["integrate"])
    x = np.zeros((1, 6, 2))
    x[:, 0] = 300.3
    report = converter.report(x, n_steps=50)
    pooled, conv = report.layers[1:]
    assert conv.effective_macs == report.total.spikes > 0
    assert pooled.dense == 0


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


@pytest.fixture(scope="module")
def classifier():
    """A spiking classifier, its data, and a report on it."""
    model = two_layers()
    converter = convert(model, SPIKING["integrate"], scale=2048.0)
    x, y = numbers((7, 6), seed=3), np.arange(7) % 4
    return converter, x, y, converter.report(x, y, n_steps=N_STEPS, dt=DT)


def test_totals_are_sums(classifier):
    report = classifier[-1]
    for name, value in vars(report.total).items():
        values = [getattr(layer, name) for layer in report.layers]
        if name == "max_rate":
            assert value == max(v for v in values if v is not None)
        else:
            assert value == pytest.approx(sum(values)), name
    assert total([]) == Counts()


def test_accuracy_over_time(classifier):
    converter, x, y, report = classifier
    (node,), (probe,) = converter.inputs.values(), converter.outputs.values()
    steps = np.repeat(x[:, None], N_STEPS, axis=1)
    with nengo_dl.Simulator(
        converter.net, dt=DT, minibatch_size=7, progress_bar=False, device="/cpu:0"
    ) as sim:
        found = sim.predict({node: steps}, verbose=0)[probe]
    (output,) = report.outputs
    wanted = np.asarray(converter.model(x))
    assert output.keras_accuracy == np.mean(wanted.argmax(axis=1) == y)
    for t in (1, 5, N_STEPS):
        mean = found[:, :t].mean(axis=1)
        assert output.accuracy[t - 1] == np.mean(mean.argmax(axis=1) == y)
        last = found[:, t - 1].argmax(axis=1)
        assert output.last_accuracy[t - 1] == np.mean(last == y)
        error = np.linalg.norm(mean - wanted) / np.linalg.norm(wanted)
        assert output.error[t - 1] == pytest.approx(error, rel=1e-4)
    assert report.layers[-1].error == pytest.approx(output.error[-1], rel=1e-4)
    assert output.latency == latency(np.array(output.accuracy), output.keras_accuracy)
    if output.latency is not None:
        assert output.latency_seconds == output.latency * DT


@pytest.mark.parametrize(
    "accuracy, steps",
    [
        *(([1.0], 1), ([0, 0, 1], 3), ([0.99, 1, 1], 1), ([1, 0.9, 1, 1], 3)),
        *(([0, 0], None), ([1, 1, 0.5], None)),
    ],
)
def test_latency_is_when_accuracy_stays(accuracy, steps):
    """Near to that of Keras."""
    assert latency(np.array(accuracy), 1.0) == steps
    assert latency(np.array(accuracy), 0.0) == 1


@pytest.mark.parametrize("minibatch_size, max_values", [(3, 2**25), (100, 1), (2, 900)])
def test_items_and_steps_may_be_split(
    classifier, monkeypatch, minibatch_size, max_values
):
    converter, x, y, report = classifier
    monkeypatch.setattr(presentation, "MAX_VALUES", max_values)
    one_hot = np.eye(4)[y]
    other = converter.report(
        x, one_hot, n_steps=N_STEPS, dt=DT, minibatch_size=minibatch_size
    )
    assert other.rasters == report.rasters
    assert other.outputs[0].accuracy == report.outputs[0].accuracy
    for name, value in vars(report.total).items():
        assert getattr(other.total, name) == pytest.approx(value), name
    for mine, theirs in zip(other.layers, report.layers, strict=True):
        assert mine.error == pytest.approx(theirs.error, rel=1e-4)


def test_energy_until_the_accuracy_of_keras(classifier):
    report = classifier[-1]
    steps = report.latency
    assert steps == report.outputs[0].latency
    if steps is None:
        assert report.energy_at_latency == ()
    for whole, part in zip(report.energy, report.energy_at_latency, strict=False):
        assert part.total == pytest.approx(whole.total * steps / N_STEPS, rel=0.01)
        assert part.keras == pytest.approx(whole.keras) or whole.keras is None


def test_rasters_by_layer(classifier):
    report = classifier[-1]
    assert report.raster("first") is report.rasters[0]
    with pytest.raises(KeyError, match="got 'frist'.*Did you mean 'first'"):
        report.raster("frist")


def test_advice():
    inputs = keras.Input((6,))
    x = kl.Dense(5, activation="relu", name="first")(inputs)
    x = kl.Dense(5, activation="tanh", name="second")(x)
    model = seeded(keras.Model(inputs, kl.Dense(4, "softmax", name="last")(x)))
    x, y = numbers((7, 6)), np.arange(7) % 4
    options = {"neuron_type": SPIKING["integrate"], "output": "each_step"}
    with pytest.warns(UserWarning, match="Tanh"):
        text = " ".join(convert(model, scale=2048.0, **options).report(x, y, 4).advice)
    assert "Output 'last' is computed from the spikes of single steps" in text
    assert "Neurons of second put out rates" in text
    with pytest.warns(UserWarning, match="Tanh"):
        report = convert(model, scale=1e-3, **options).report(x, y, 4)
    assert "No neuron of first fires" in str(report)


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


@pytest.mark.filterwarnings("ignore:Layer")
def test_reports_are_json(classifier):
    model, options = branched()
    other = convert(model, **options).report(list(np.zeros((2, 1, 4))), n_steps=1)
    for report in (classifier[-1], other):
        found = json.loads(report.to_json())
        assert found == report.to_dict()
        assert list(found["total"]) == [*vars(report.total), *DERIVED]
        assert len(found["layers"]) == len(report.layers)


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


def test_energies():
    counts = Counts(
        effective_macs=10.0, effective_acs=100.0, dense=60.0, neuron_updates=1000
    )
    chips = [
        Device("analog", "7 nm", mac=2.0, ac=1.0),
        Device("spiking", "5 nm", mac=None, ac=3.0, update=0.5, source="me"),
    ]
    analog, spiking = reports.devices.energies(counts, 2, chips)
    assert (analog.synapses, analog.updates, analog.total) == (120, 0, 120)
    assert (analog.macs_left_out, analog.keras) == (0, 60)
    assert (spiking.synapses, spiking.updates, spiking.total) == (300, 500, 800)
    assert (spiking.macs_left_out, spiking.keras) == (10, None)
    assert spiking.source == "me"


def test_every_device_says_where_its_numbers_are_from():
    for device in DEVICES:
        assert "https://doi.org/" in device.source
        assert 0 < device.ac < 1e-9


@pytest.mark.filterwarnings("ignore:Layer")
def test_printed_reports_are_readable(classifier):
    model, options = branched()
    other = convert(model, **options).report(list(np.zeros((2, 1, 4))), n_steps=1)
    for report in (classifier[-1], other):
        text = str(report)
        assert max(map(len, text.splitlines())) <= 100
        for layer in report.layers:
            assert layer.name in text
            assert layer.reason in " ".join(text.split())
        for energy in report.energy:
            assert energy.source in text
        assert "estimates of arithmetic alone" in text
        assert text.isascii()


@pytest.mark.parametrize(
    "value, text",
    [
        *((None, "-"), (0, "0"), (7, "7"), (0.123, "0.12"), (12.34, "12.3")),
        *((999.4, "999"), (999.6, "1.00k"), (12345, "12.3k"), (3.2e15, "3200T")),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    "value, text", [(0, "0 J"), (4.6e-12, "4.60 pJ"), (2.5e-7, "250 nJ"), (3, "3.00 J")]
)
def test_units_have_prefixes(value, text):
    assert number(value, "J") == text


@pytest.mark.filterwarnings("ignore:Layer")
def test_pictures(classifier):
    matplotlib.use("Agg")
    model, options = branched()
    other = convert(model, **options).report(list(np.ones((2, 1, 4))), n_steps=2)
    for report, course in ((classifier[-1], "Accuracy"), (other, "Error")):
        figure = report.plot()
        raster, rates, over_time, errors = figure.axes
        assert len(rates.get_yticks()) == sum(bool(x.neurons) for x in report.layers)
        assert len(errors.get_yticks()) == len(report.layers)
        assert over_time.get_title().startswith(course)
        assert bool(raster.lines) == bool(report.rasters)
        assert raster.get_xlim() == over_time.get_xlim()
        figure.canvas.draw()
        pyplot.close(figure)


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
