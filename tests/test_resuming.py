"""Training that was interrupted ends where training without interruption ends."""

import subprocess
import sys
from pathlib import Path

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError, ValidationError

import nengo_dl

ROOT = Path(__file__).parents[1]
N_ITEMS, N_STEPS = 21, 3


def data():
    rng = np.random.RandomState(0)
    return rng.normal(size=(N_ITEMS, N_STEPS, 2)), rng.normal(size=(N_ITEMS, 1))


def make_model():
    """Make a model with dropout, a network and an optimizer with momenta."""
    keras.utils.set_random_seed(0)
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node(np.zeros(2))
        ens = nengo.Ensemble(8, 2, neuron_type=nengo.LIFRate())
        nengo.Connection(stimulus, ens)
        nengo.Probe(ens, synapse=0.01)
    layers = [keras.layers.Dropout(0.3, seed=1), nengo_dl.NengoLayer(net)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((N_STEPS, 2)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def train(path, epochs, **kwargs):
    model = make_model()
    history = nengo_dl.resume_fit(
        model, *data(), path, epochs=epochs, batch_size=8, seed=3, verbose=0, **kwargs
    )
    return history.history, model.get_weights()


def test_a_new_process_goes_on(tmp_path):
    history, weights = train(tmp_path / "whole", 4)
    assert list(map(len, history.values())) == [4, 4]
    code = (
        f"from tests.test_resuming import train; train({str(tmp_path / 'part')!r}, 2)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    resumed = train(tmp_path / "part", 4)
    assert resumed[0] == history
    for found, expected in zip(resumed[1], weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    again = train(tmp_path / "part", 4)  # all is there
    assert again[0] == history
    np.testing.assert_array_equal(again[1][0], weights[0])


def test_the_order_is_another_one_in_each_epoch():
    order = nengo_dl.resuming._Order(N_ITEMS, 8, 0, False)
    x = np.arange(N_ITEMS)
    batches = [b.numpy() for b in order.minibatches(x, 0, 3)]
    assert [len(b) for b in batches] == [8, 8, 5] * 3
    epochs = [np.concatenate(batches[i : i + 3]) for i in (0, 3, 6)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), x)
    assert not np.array_equal(epochs[0], epochs[1])
    resumed = [b.numpy() for b in order.minibatches(x, 2, 3)]
    np.testing.assert_array_equal(np.concatenate(resumed), epochs[2])


def test_simulators(tmp_path):
    def train(path, epochs):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(jit_compile=False)
            stimulus = nengo.Node(np.zeros(2))
            ens = nengo.Ensemble(8, 2)
            nengo.Connection(stimulus, ens, synapse=None)
            probe = nengo.Probe(ens)
        x, _ = data()
        with nengo_dl.Simulator(
            net, minibatch_size=4, progress_bar=False, device="/cpu:0"
        ) as sim:
            sim.compile(keras.optimizers.Adam(0.001), loss="mse")
            history = nengo_dl.resume_fit(sim, x, x, path, epochs=epochs, verbose=0)
            return history.history, sim.data[probe.target].encoders

    history, encoders = train(tmp_path / "whole", 3)
    assert len(history["loss"]) == 3
    train(tmp_path / "part", 1)
    resumed = train(tmp_path / "part", 3)
    assert resumed[0] == history
    np.testing.assert_array_equal(resumed[1], encoders)


def test_mistakes_are_named(tmp_path):
    x, y = data()
    model = make_model()
    for arguments, message in (
        ((x, y[:3]), "x: expected arrays with as many items"),
        ((x, y), "epochs: must be a whole number"),
    ):
        with pytest.raises(ValidationError, match=message):
            epochs = 0 if arguments[1] is y else 1
            nengo_dl.resume_fit(model, *arguments, tmp_path / "a", epochs=epochs)
    nengo_dl.resume_fit(model, x, y, tmp_path / "a", epochs=1, verbose=0)
    other = keras.Sequential([keras.Input((N_STEPS, 2)), keras.layers.Dense(1)])
    other.compile("adam", "mse")
    with pytest.raises(SimulationError):
        nengo_dl.resume_fit(other, x, y, tmp_path / "a", epochs=2)
