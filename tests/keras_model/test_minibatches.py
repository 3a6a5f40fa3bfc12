"""Arrays reach Keras minibatch by minibatch, as they are."""

import gc
import weakref

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.keras_model import minibatches as module
from nengo_dl.keras_model.minibatches import minibatches


@pytest.fixture(autouse=True, params=[0, 2**20], ids=["cut", "copied"])
def max_copied(request, monkeypatch):
    """Small arrays are copied, and others are cut when it is their turn."""
    monkeypatch.setattr(module, "MAX_COPIED", request.param)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return {
        "x": {"a": rng.normal(size=(12, 5, 2)), "b": np.arange(12).reshape(12, 1, 1)},
        "y": {"p": rng.normal(size=(12, 5, 1)).astype("float32")},
        "sample_weight": {"p": rng.uniform(size=12)},
    }


@pytest.mark.parametrize("size", [1, 4, 12])
def test_minibatches_are_the_arrays_in_their_order(data, size):
    with minibatches(data, size) as dataset:
        assert len(dataset) == 12 // size
        parts = list(dataset.as_numpy_iterator())
    found = [x["a"] for x, _, _ in parts]
    assert [x.shape for x in found] == [(size, 5, 2)] * len(parts)
    np.testing.assert_array_equal(
        np.concatenate(found), data["x"]["a"].astype("float32")
    )
    np.testing.assert_array_equal(
        np.concatenate([x["b"] for x, _, _ in parts]), data["x"]["b"]
    )
    np.testing.assert_array_equal(
        np.concatenate([y["p"] for _, y, _ in parts]), data["y"]["p"]
    )
    np.testing.assert_allclose(
        np.concatenate([w["p"] for _, _, w in parts]), data["sample_weight"]["p"]
    )


def test_shapes_and_types_are_known_beforehand(data):
    """Otherwise, functions would be compiled a second time."""
    with minibatches(data, 4) as dataset:
        x, y, _ = dataset.element_spec
    assert (x["a"].shape, x["a"].dtype) == ((4, 5, 2), keras.backend.floatx())
    assert (x["b"].shape, x["b"].dtype) == ((4, 1, 1), data["x"]["b"].dtype)
    assert y["p"].shape == (4, 5, 1)


def test_inputs_alone(data):
    with minibatches({"x": data["x"]}, 4) as dataset:
        (x,) = dataset.element_spec
    assert set(x) == {"a", "b"}


class Watched(np.ndarray):
    """An array that weak references can be made to."""


def test_arrays_are_not_kept():
    with nengo.Network() as net:
        stimulus = nengo.Node([0.0])
        probe = nengo.Probe(stimulus)
    x = Watched((4, 3, 1), dtype=np.float32)  # owns its memory: views keep it alive
    x[...] = 1
    watch = weakref.ref(x)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        assert np.all(sim.predict({stimulus: x}, verbose=0)[probe] == 1)
        sim.compile(loss="mse")
        sim.evaluate({stimulus: x}, {probe: np.zeros((4, 3, 1))}, verbose=0)
        del x
        gc.collect()
        assert watch() is None


class Watching(keras.callbacks.Callback):
    """Counts minibatches of predictions."""

    n_minibatches = 0

    def on_predict_batch_end(self, batch, logs=None):
        self.n_minibatches += 1


@pytest.mark.parametrize(
    "n_items, n_steps, dtype, stateful",
    [
        (2, 5, "float64", False),
        (2, 5, "float32", True),
        (6, 1, "float32", True),  # a single step, which is held
        (6, 5, "int64", False),
    ],
)
def test_outputs_are_those_of_kerass_loop(n_items, n_steps, dtype, stateful):
    """A callback needs Keras' loop around minibatches; without any, there is none."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.0, 0.0])
        ens = nengo.Ensemble(10, 2, neuron_type=nengo.LIF())
        nengo.Connection(stimulus, ens)
        probes = [nengo.Probe(ens), nengo.Probe(ens.neurons, sample_every=0.002)]
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, size=(n_items, n_steps, 2)).astype(dtype)
    found, times = [], []
    watching = Watching()
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        for kwargs in ({}, {"callbacks": [watching]}):
            sim.reset()
            arguments = {"n_steps": 5, "stateful": stateful, "verbose": 0, **kwargs}
            found.append([sim.predict({stimulus: x}, **arguments) for _ in range(2)])
            times.append(sim.n_steps)
    assert watching.n_minibatches == n_items  # minibatches of two items, twice
    assert times == [5 * n_items if stateful else 0] * 2
    for first, second in zip(*found, strict=True):
        for probe in probes:
            np.testing.assert_array_equal(first[probe], second[probe])
