"""Noise on weights: in training alone, and reproducible whatever else there is."""

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.graph.plan import plan_unmerged
from nengo_dl.hardware import Weights

SHAPE = (60, 40)
WEIGHTS = np.random.RandomState(0).uniform(-1, 1, size=SHAPE)
LABELS = ("first", "second")


def network(model, labels=LABELS, **settings):
    """Make a network with two matrices of the same values."""
    settings = {"jit_compile": False, "dtype": "float64"} | settings
    with nengo.Network() as net:
        nengo_dl.configure_settings(hardware=model, **settings)
        node = nengo.Node(np.zeros(SHAPE[1]), label="node")
        for label in labels:
            out = nengo.Node(size_in=SHAPE[0])
            nengo.Connection(node, out, transform=WEIGHTS, synapse=None, label=label)
            nengo.Probe(out, label=f"{label} probe")
    return net


def weights(net, n_calls=1, training=True):
    """Return the matrices that each call computes with, by label."""
    columns = np.eye(SHAPE[1])[None]  # one in each step
    with nengo_dl.Simulator(net, seed=3, progress_bar=False) as sim:
        outputs = [
            sim.keras_model({"node": columns}, training=training)
            for _ in range(n_calls)
        ]
        return [
            {label: np.array(found[f"{label}_probe"])[0].T for label in LABELS}
            for found in outputs
        ]


@pytest.mark.parametrize("bits", [None, 4])
@pytest.mark.parametrize("per", ["channel", "tensor"])
def test_noise_has_the_standard_deviation_of_the_formula(bits, per):
    (exact,) = weights(network(Weights(bits, per, noise=0.1)), training=False)
    found = weights(network(Weights(bits, per, noise=0.1)), n_calls=2)
    largest = np.max(np.abs(WEIGHTS), axis=1 if per == "channel" else None)
    xi = [
        (call[label] - exact[label]) / (0.1 * np.reshape(largest, (-1, 1)))
        for call in found
        for label in LABELS
    ]
    np.testing.assert_allclose(np.std(xi, axis=(1, 2)), 1, atol=0.05)
    np.testing.assert_allclose(np.mean(xi, axis=(1, 2)), 0, atol=0.07)
    # other numbers for each call and each parameter
    correlations = np.corrcoef(np.reshape(xi, (4, -1))) - np.eye(4)
    assert np.max(np.abs(correlations)) < 0.07


def test_dropped_weights_are_zero_and_others_stay():
    (exact,) = weights(network(Weights(drop=0.3)), training=False)
    (found,) = weights(network(Weights(drop=0.3)))
    dropped = found["first"] == 0
    assert 0.25 < np.mean(dropped) < 0.35
    np.testing.assert_array_equal(found["first"], np.where(dropped, 0, exact["first"]))


MODEL = Weights(bits=8, noise=0.1, drop=0.1)
SAME = {
    "another order of objects": {"labels": ("other", *reversed(LABELS))},
    "not stacked": {"planner": plan_unmerged},
    "compiled": {"jit_compile": True},
}


@pytest.mark.parametrize("name", SAME)
def test_numbers_depend_on_seed_and_names_alone(name):
    expected = weights(network(MODEL), n_calls=2)
    found = weights(network(MODEL, **SAME[name]), n_calls=2)
    for one, other in zip(expected, found, strict=True):
        for label in LABELS:
            np.testing.assert_allclose(one[label], other[label], atol=1e-9)


def test_gradients_by_inputs_are_those_with_the_same_noise():
    with nengo.Network() as net:
        nengo_dl.configure_settings(hardware=MODEL, jit_compile=False)
        node, out = nengo.Node(np.zeros(3)), nengo.Node(size_in=2)
        nengo.Connection(node, out, transform=WEIGHTS[:2, :3], synapse=None)
        nengo.Probe(out)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.check_gradients()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"noise": -0.1}, "Weights.noise: must be a finite number of at least 0.*-0.1"),
        ({"noise": np.nan}, "Weights.noise: .*got nan"),
        ({"noise": True}, "Weights.noise: .*got True"),
        ({"drop": 1}, "Weights.drop: must be a number from 0 to less than 1.*got 1"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(nengo.exceptions.ValidationError, match=message):
        Weights(**arguments)
