"""Weights and blocks hold the same parameters, whatever goes where."""

from dataclasses import replace

import nengo
import numpy as np
import pytest

from nengo_dl.keras_model import weights
from nengo_dl.keras_model.weights import MAX_SEPARATE, stored_shape
from tests import small_networks
from tests.keras_model.layers import make_layer


def wide():
    """Build more equal parameters than are kept apart, and some of other shapes."""
    with nengo.Network(seed=0) as net:
        array = nengo.networks.EnsembleArray(5, MAX_SEPARATE + 3)
        other = nengo.Ensemble(7, 2)
        nengo.Connection(array.output[:2], other)
        nengo.Connection(other, array.input[1:3], transform=[[0.1, 0], [0.5, 1]])
        nengo.Probe(other)
    return net


NETWORKS = [
    wide,
    small_networks.feedforward,
    small_networks.integrator,
    small_networks.passthrough,
    small_networks.learning,
    small_networks.sparse,
    small_networks.subnetworks,
]


@pytest.mark.parametrize(
    "max_ranges", [0, weights.MAX_RANGES], ids=["gather", "slices"]
)
@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_weights_make_the_blocks_that_the_network_was_built_with(
    make, max_ranges, monkeypatch
):
    monkeypatch.setattr(weights, "MAX_RANGES", max_ranges)
    layer = make_layer(make())
    for block, expected in zip(
        layer.parameters.blocks(), layer.engine.values.initial().params, strict=True
    ):
        np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_every_parameter_is_found_under_its_name(make):
    layer = make_layer(make(), minibatch_size=1)
    parts = layer.named_variables()
    rng = np.random.RandomState(0)
    expected = {}
    for name, part in parts.items():
        expected[name] = rng.normal(size=part.numpy().shape)
        part.assign(expected[name])
    engine = layer.engine
    values = replace(engine.values.initial(), params=layer.parameters.blocks())
    found = 0
    for parameter in engine.program.parameters:
        if parameter.name in expected:
            value = engine.values.get(values, parameter.signal)[0]
            assert value.shape == stored_shape(parameter.signal)
            np.testing.assert_array_equal(value, expected[parameter.name])
            found += 1
    assert found == len(parts)


def test_equal_parameters_are_stacked():
    layer = make_layer(wide())
    n_ensembles = MAX_SEPARATE + 3
    shapes = [tuple(v.shape) for v in layer.trainable_variables]
    assert (n_ensembles, 5, 1) in shapes
    assert (7, 2) in shapes
    assert len(layer.weights) < n_ensembles
    assert len(layer.named_variables()) > 2 * n_ensembles


def test_trainable_weights_come_first():
    layer = make_layer(small_networks.feedforward())
    flags = [weight.trainable for weight in layer.parameters.variables]
    assert flags == sorted(flags, reverse=True)
    assert True in flags
    assert False in flags
