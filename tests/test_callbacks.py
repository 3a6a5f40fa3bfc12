"""Callbacks of this package, with the methods of a Simulator."""

import sys

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.callbacks import IsolateState, NengoSummaries, TensorBoard
from tests.simulator.helpers import filtered, make_sim


def trainable():
    """Build one object of each kind that has parameters, and some that have none."""
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.RectifiedLinear()
        net.stimulus = nengo.Node([0.5], label="in")
        net.ens = nengo.Ensemble(5, 1, label="a")
        net.unlabelled = nengo.Ensemble(4, 1)
        net.bare = nengo.Connection(net.stimulus, net.ens.neurons[:1], synapse=None)
        net.conn = nengo.Connection(net.ens, net.unlabelled, label="c", synapse=None)
        sparse = nengo.Sparse((4, 5), indices=[(0, 1), (3, 4)], init=[1.0, -1.0])
        net.sparse = nengo.Connection(
            net.ens.neurons, net.unlabelled.neurons, transform=sparse, synapse=None
        )
        net.probe = nengo.Probe(net.unlabelled)
    return net


def events(folder):
    """Return the values of all events below a folder: pairs of tag and step."""
    found = {}
    for path in sorted(folder.rglob("events.out.tfevents*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found[value.tag, event.step] = tf.make_ndarray(value.tensor)
    return found


def fit(sim, callbacks, **kwargs):
    sim.compile("sgd", loss="mse")
    data = np.ones((4, 2, 1))
    sim.fit(data, data, verbose=0, callbacks=callbacks, **{"epochs": 2, **kwargs})


def test_summaries_hold_all_parameters_after_every_epoch(tmp_path):
    net = trainable()
    sources = [
        (net.ens, "encoders"),
        (net.ens.neurons, "bias"),
        (net.conn, "weights"),
        (net.sparse, "weights"),
        (net.unlabelled, "encoders"),
    ]
    with make_sim(net, minibatch_size=2) as sim:
        summaries = NengoSummaries(tmp_path, sim, [obj for obj, _ in sources])
        assert summaries.tags == (
            "Ensemble_a_encoders",
            "Ensemble.neurons_a_bias",
            "Connection_c_weights",
            "Connection_None_weights",
            "Ensemble_None_encoders",
        )
        before = sim.data[net.ens].bias
        fit(sim, [summaries])
        found = events(tmp_path)
        assert set(found) == {
            (tag, epoch) for tag in summaries.tags for epoch in (0, 1)
        }
        assert not np.array_equal(before, sim.data[net.ens].bias)
        for tag, (obj, attribute) in zip(summaries.tags, sources, strict=True):
            value = getattr(sim.data[obj], attribute)
            value = value if isinstance(value, np.ndarray) else value.data
            left, right, count = found[tag, 1].T
            assert count.sum() == value.size
            np.testing.assert_allclose(left[0], value.min(), rtol=1e-6)
            np.testing.assert_allclose(right[-1], value.max(), rtol=1e-6)
        fit(sim, [summaries], epochs=3, initial_epoch=2)
        assert (summaries.tags[0], 2) in events(tmp_path)


def test_tags_are_unique(tmp_path):
    net = trainable()
    with make_sim(net) as sim:
        tags = NengoSummaries(tmp_path, sim, [net.ens, net.ens, net.ens]).tags
    stem = "Ensemble_a_encoders"
    assert tags == (stem, f"{stem}_1", f"{stem}_2")


def test_learned_weights_in_the_middle_of_a_call():
    """What a learning rule has changed is seen before the call ends."""
    with nengo.Network(seed=0) as net:
        pre = nengo.Ensemble(5, 1, neuron_type=nengo.RectifiedLinear())
        post = nengo.Node(size_in=1)
        conn = nengo.Connection(pre, post, learning_rule_type=nengo.PES(0.01))
        nengo.Connection(nengo.Node([1.0]), conn.learning_rule)
        nengo.Probe(post)
    seen = []
    with make_sim(net) as sim:
        watch = keras.callbacks.LambdaCallback(
            on_predict_batch_end=lambda batch, logs: seen.append(
                sim.data[conn].weights.copy()
            )
        )
        before = sim.data[conn].weights
        sim.predict(n_steps=5, verbose=0, callbacks=[watch])
        assert not np.array_equal(seen[0], before)
        np.testing.assert_array_equal(seen[0], sim.data[conn].weights)


REFUSED = [
    (lambda net: net.stimulus, "<Node 'in' at "),
    (lambda net: net.bare, "which has no weights"),
    (lambda net: "a", "'a'"),
]


@pytest.mark.parametrize("choose, message", REFUSED)
def test_objects_without_parameters(choose, message, tmp_path):
    net = trainable()
    with make_sim(net) as sim:
        with pytest.raises(
            ValidationError, match=f"objects: expected ensembles .*{message}.*Leave it"
        ):
            NengoSummaries(tmp_path, sim, [net.ens, choose(net)])
        with nengo.Network(), pytest.raises(ValidationError, match="not part of the"):
            NengoSummaries(tmp_path, sim, [nengo.Ensemble(3, 1)])
    assert not list(tmp_path.iterdir())


def test_summaries_need_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with make_sim(filtered()) as sim:
        with pytest.raises(ImportError, match="pip install tensorboard"):
            NengoSummaries(tmp_path, sim, [])


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_profiles(method, tmp_path):
    profiler = TensorBoard(tmp_path, profile_batch=(1, 2))
    with make_sim(filtered(), minibatch_size=1) as sim:
        if method == "fit":
            fit(sim, [profiler])
        else:
            for _ in range(2):
                sim.predict(np.ones((3, 4, 1)), verbose=0, callbacks=[profiler])
    assert list(tmp_path.rglob("*.xplane.pb"))


ISOLATED = {
    "fit": lambda sim, **kwargs: sim.fit(X, X, verbose=0, stateful=True, **kwargs),
    "evaluate": lambda sim, **k: sim.evaluate(X, X, verbose=0, stateful=True, **k),
    "predict": lambda sim, **kwargs: sim.predict(X, verbose=0, stateful=True, **kwargs),
}
X = np.ones((3, 4, 1))


@pytest.mark.parametrize("method", ISOLATED)
def test_isolated_minibatches(method):
    net = filtered()
    with make_sim(net, minibatch_size=1) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        sim.run_steps(2)
        state = sim.predict(X[:1], verbose=0)[net.probes[0]]
        ISOLATED[method](sim, callbacks=[IsolateState(sim)])
        assert sim.n_steps == 2
        after = sim.predict(X[:1], verbose=0)[net.probes[0]]
        np.testing.assert_array_equal(after, state)
        ISOLATED[method](sim)
        assert sim.n_steps == 2 + 3 * 4


def test_isolated_predictions_are_equal():
    net = filtered()
    with make_sim(net, minibatch_size=1) as sim:
        outputs = sim.predict(
            X, stateful=True, verbose=0, callbacks=[IsolateState(sim)]
        )[net.probes[0]]
    np.testing.assert_array_equal(outputs, outputs[:1].repeat(3, axis=0))
