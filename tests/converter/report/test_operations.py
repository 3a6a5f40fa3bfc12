"""Counts of operations and spikes are those by hand, and those of Nengo."""

import math

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl

from nengo_dl.converter.report import Counts
from nengo_dl.converter.report.operations import total
from tests.converter.cases import FIRST
from tests.converter.report.helpers import (
    DT,
    N_STEPS,
    SPIKING,
    convert,
    numbers,
    positive_with_zeros,
    two_layers,
    with_zeros,
)

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


def test_totals_are_sums(classifier):
    report = classifier[-1]
    for name, value in vars(report.total).items():
        values = [getattr(layer, name) for layer in report.layers]
        if name == "max_rate":
            assert value == max(v for v in values if v is not None)
        else:
            assert value == pytest.approx(sum(values)), name
    assert total([]) == Counts()
