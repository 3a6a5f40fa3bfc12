"""What learning rules change, in all that Keras does with weights."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from tests.simulator.helpers import make_sim

pytestmark = pytest.mark.filterwarnings("ignore:The model does not have any trainable")
N_STEPS = 10
RATE = nengo.LIFRate()


# --- networks ---------------------------------------------------------------------


def network(rule, **settings):
    """Build weights that a learning rule changes, with inputs that differ by item."""
    with nengo.Network(seed=1) as net:
        nengo_dl.configure_settings(jit_compile=False, **settings)
        net.stimulus = nengo.Node([0.5], label="stimulus")
        pre = nengo.Ensemble(8, 1, neuron_type=RATE, label="pre")
        post = nengo.Ensemble(7, 1, neuron_type=RATE, label="post")
        nengo.Connection(net.stimulus, pre, synapse=None)
        net.learned = rule(net, pre, post)
        net.probe = nengo.Probe(post, label="out")
    return net


def pes(net, pre, post):
    conn = nengo.Connection(
        pre, post, function=lambda x: 0, learning_rule_type=nengo.PES(1e-2)
    )
    nengo.Connection(net.stimulus, conn.learning_rule)
    return conn


def rls(net, pre, post):
    conn = nengo.Connection(pre, post, learning_rule_type=nengo.RLS(1e-3))
    nengo.Connection(net.stimulus, conn.learning_rule)
    return conn


def voja(net, pre, post):
    rule = nengo.Voja(learning_rate=1)
    return nengo.Connection(pre, post, learning_rule_type=rule)


def oja(net, pre, post):
    return nengo.Connection(
        pre.neurons,
        post.neurons,
        transform=np.ones((7, 8)) / 50,
        learning_rule_type=nengo.Oja(learning_rate=1e-4),
    )


RULES = [pes, rls, voja, oja]


def learned(sim):
    """Return what the rule of the network has changed, whichever it is."""
    net = sim.model.toplevel
    (rule,) = [c.learning_rule_type for c in net.all_connections if c.learning_rule]
    if isinstance(rule, nengo.Voja):
        return sim.data[net.learned.post_obj].scaled_encoders
    return sim.data[net.learned].weights


def data(n_items, differ=True):
    items = np.arange(1, n_items + 1) if differ else np.ones(n_items)
    return np.tile(0.2 * items[:, None, None], (1, N_STEPS, 1))


def compiled(net, minibatch_size=2):
    sim = make_sim(net, minibatch_size=minibatch_size)
    sim.compile(keras.optimizers.SGD(0.0), loss="mse")
    return sim


# --- ways to learn something, and to keep it ----------------------------------------


def by_run(sim, x):
    sim.run_steps(N_STEPS, data=x, stateful=False)


def by_fit(sim, x):
    sim.fit(x, np.zeros_like(x), shuffle=False, verbose=0)


def by_predict(sim, x):
    sim.predict(x, verbose=0)


def by_the_model(sim, x):
    name = sim.get_name(sim.model.toplevel.stimulus)
    sim.keras_model.predict_on_batch({name: tf.constant(x, tf.float32)})


WAYS = [by_run, by_fit, by_predict, by_the_model]


def through_a_file(sim, other, path):
    sim.keras_model.save_weights(path / "a.weights.h5")
    other.keras_model.load_weights(path / "a.weights.h5")


def through_arrays(sim, other, path):
    other.keras_model.set_weights(sim.keras_model.get_weights())


def through_parameters(sim, other, path):
    sim.save_params(path / "a")
    other.load_params(path / "a")


KEEPERS = [through_a_file, through_arrays, through_parameters]


@pytest.mark.parametrize("learn", WAYS)
def test_learned_weights_are_weights_of_the_model(learn, tmp_path):
    net = network(pes)
    x = data(2)
    with compiled(net) as sim:
        initial = learned(sim)
        learn(sim, x)
        after = learned(sim)
        assert not np.allclose(after[0], after[1])
        assert not np.allclose(after, initial)
        (weight,) = sim.tensor_graph.learned.variables
        np.testing.assert_array_equal(np.reshape(weight, after.shape), after)
        assert any(weight is w for w in sim.keras_model.non_trainable_weights)
        for keep in KEEPERS if learn is by_run else KEEPERS[:1]:
            with compiled(net) as other:
                keep(sim, other, tmp_path)
                np.testing.assert_array_equal(learned(other), learned(sim))
                # and that is where the next call starts from
                for one in (sim, other):
                    one.reset(include_trainable=False)
                    one.run_steps(3, data=x[:, :3])
                expected = sim.data[net.probe]
                np.testing.assert_allclose(other.data[net.probe], expected, rtol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_all_rules(rule, tmp_path):
    net = network(rule)
    with compiled(net) as sim, compiled(net) as other:
        initial = learned(sim)
        by_run(sim, data(2))
        assert not np.allclose(learned(sim), initial)
        through_a_file(sim, other, tmp_path)
        np.testing.assert_array_equal(learned(other), learned(sim))
        sim.reset()
        np.testing.assert_array_equal(learned(sim), initial)
        weights = zip(
            sim.keras_model.weights, sim.keras_model.get_weights(), strict=True
        )
        assert all(np.array_equal(weight, value) for weight, value in weights)


@pytest.mark.parametrize("differ", [True, False])
def test_another_minibatch_size(differ, tmp_path):
    net, path = network(pes), tmp_path / "a.weights.h5"
    with compiled(net, 3) as sim, compiled(net, None) as one, compiled(net, 2) as two:
        by_run(sim, data(3, differ))
        sim.keras_model.save_weights(path)
        before = one.keras_model.get_weights()
        for other in (one, two):
            if differ:
                message = "_to_post.weights'.*got 3 that differ.*minibatch_size=3"
                with pytest.raises(ValueError, match=message):
                    other.keras_model.load_weights(path)
            else:
                other.keras_model.load_weights(path)
                for item in learned(other).reshape(-1, 1, 8):
                    np.testing.assert_array_equal(item, learned(sim)[0])
        if differ:
            for old, new in zip(before, one.keras_model.get_weights(), strict=True):
                np.testing.assert_array_equal(old, new)


def test_files_of_other_networks_change_nothing(tmp_path):
    path = tmp_path / "a.weights.h5"
    with compiled(network(oja)) as sim:
        sim.keras_model.save_weights(path)
    with compiled(network(pes)) as sim:
        before = sim.keras_model.get_weights()
        with pytest.raises(ValueError):
            sim.keras_model.load_weights(path)
        for old, new in zip(before, sim.keras_model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


def test_callbacks_keep_what_is_learned(tmp_path):
    """Checkpoints, and the weights of the best epoch."""
    net, path = network(pes), str(tmp_path / "{epoch}.weights.h5")
    seen = []
    with compiled(net) as sim:
        watch = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_, **__: seen.append(learned(sim))
        )
        stop = keras.callbacks.EarlyStopping(
            "loss", mode="max", patience=5, restore_best_weights=True
        )
        save = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
        history = sim.fit(
            data(2), 0 * data(2), epochs=3, callbacks=[watch, stop, save], verbose=0
        )
        best = int(np.argmax(history.history["loss"]))
        assert not np.array_equal(seen[0], seen[-1])
        np.testing.assert_array_equal(learned(sim), seen[best])
        for epoch in (1, 2, 3):
            sim.keras_model.load_weights(path.format(epoch=epoch))
            np.testing.assert_array_equal(learned(sim), seen[epoch - 1])


def test_networks_without_a_state_learn_all_the_same():
    net = network(pes, stateful=False)
    with compiled(net) as sim, compiled(network(pes)) as expected:
        for one in (sim, expected):
            by_run(one, data(2))
            by_fit(one, data(2))
        np.testing.assert_allclose(learned(sim), learned(expected), rtol=1e-5)


def test_under_a_strategy(tmp_path):
    """Replicas share one value; where items have learned others, Keras cannot save."""
    path = tmp_path / "a.weights.h5"
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        with make_sim(network(pes), minibatch_size=2) as sim:
            by_run(sim, data(2, differ=False))
            sim.keras_model.save_weights(path)
            kept = learned(sim)
            by_run(sim, data(2))
            with pytest.raises(Exception, match="_to_post.weights.*save_params"):
                sim.keras_model.save_weights(tmp_path / "b.weights.h5")
            sim.keras_model.load_weights(path)
            sim.keras_model.save_weights(path)
    with compiled(network(pes)) as sim:
        sim.keras_model.load_weights(path)
        np.testing.assert_array_equal(learned(sim), kept)


# --- networks in Keras models -------------------------------------------------------


@keras.saving.register_keras_serializable(package="tests")
def learning_network():
    return network(pes)


def model(**kwargs):
    inputs = keras.Input((N_STEPS, 1), batch_size=kwargs.get("minibatch_size"))
    layer = nengo_dl.NengoLayer(learning_network, name="net", **kwargs)
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize("as_model", [True, False], ids=["keras", "weights"])
def test_layers_in_models(as_model, tmp_path):
    stateful = model(stateful=True, minibatch_size=2)
    before = stateful.get_weights()
    stateful.predict(data(2), verbose=0)
    (weight,) = stateful.get_layer("net").learned.variables
    after = weight.numpy()
    assert not np.allclose(after[0], after[1])
    if as_model:
        stateful.save(tmp_path / "a.keras")
        loaded = keras.saving.load_model(tmp_path / "a.keras")
    else:
        stateful.save_weights(tmp_path / "a.weights.h5")
        loaded = model(stateful=True, minibatch_size=2)
        loaded.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(loaded.get_layer("net").learned.variables[0], after)
    loaded.get_layer("net").reset_state()
    for one, other in zip(loaded.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_without_a_state_start_from_what_is_loaded(tmp_path):
    source = model(stateful=True, minibatch_size=2)
    source.predict(data(2, differ=False), verbose=0)
    source.save_weights(tmp_path / "a.weights.h5")
    loaded, fresh = model(), model()
    loaded.load_weights(tmp_path / "a.weights.h5")
    kept = loaded.get_weights()
    x = data(3)
    outputs = loaded.predict(x, verbose=0)
    assert not np.allclose(outputs, fresh.predict(x, verbose=0))
    np.testing.assert_array_equal(outputs, loaded.predict(x, verbose=0))
    for one, other in zip(loaded.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(one, other)
    loaded.get_layer("net").reset_state()
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), fresh.predict(x, verbose=0), rtol=1e-6
    )
