"""Losses and metrics over time in a simulator, and in Keras models."""

import keras
import nengo
import numpy as np
import pytest
from sklearn.datasets import load_digits

import nengo_dl
from nengo_dl.losses import CrossentropyOverTime, LossOverTime, RegularizeOverTime
from nengo_dl.metrics import AccuracyOverTime, MetricOverTime
from tests.simulator.helpers import make_sim

N_STEPS, MINIBATCH = 10, 40


def make_network():
    """Make a network of a layer of LIF neurons that classifies digits."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking", jit_compile=False)
        net.config[nengo.Connection].synapse = None
        net.config[nengo.Connection].transform = nengo_dl.dists.Glorot()
        image = nengo.Node(np.zeros(64), label="image")
        hidden = nengo.Ensemble(
            64,
            1,
            neuron_type=nengo.LIF(amplitude=0.01),
            gain=np.ones(64),
            bias=np.ones(64),
        ).neurons
        classes = nengo.Node(size_in=10)
        nengo.Connection(image, hidden)
        nengo.Connection(hidden, classes)
        nengo.Probe(classes, label="classes")
        nengo.Probe(hidden, label="spikes")
    return net


@pytest.fixture(scope="module")
def digits():
    """Return images that are shown for some steps, and one label for each."""
    images, labels = load_digits(return_X_y=True)
    images = np.repeat(images[:600, None] / 16, N_STEPS, axis=1).astype("float32")
    return images, labels[:600]


def test_a_spiking_network_learns_digits(digits):
    """With one label per item, while probes keep all steps; and its rates are kept."""
    x, y = digits[0], digits[1][:, None, None]
    net = make_network()
    classes, spikes = net.probes
    rates = RegularizeOverTime((5, 60), scale=100)
    with make_sim(net, minibatch_size=MINIBATCH) as sim:
        sim.compile(
            keras.optimizers.Adam(0.01),
            loss={classes: CrossentropyOverTime(), spikes: rates},
            loss_weights={classes: 1, spikes: 1e-4},
            metrics={
                classes: [AccuracyOverTime(), AccuracyOverTime("last", name="last")]
            },
        )
        targets = {"classes": y, "spikes": y}
        before = sim.evaluate(x[400:], {k: v[400:] for k, v in targets.items()})
        history = sim.fit(
            x[:400],
            {k: v[:400] for k, v in targets.items()},
            validation_data=(x[400:], {k: v[400:] for k, v in targets.items()}),
            epochs=6,
            verbose=0,
        ).history
        outputs = sim.predict(x[400:], verbose=0)
    decided = outputs[classes].mean(axis=1).argmax(axis=1)
    accuracy = np.mean(decided == y[400:, 0, 0])
    assert accuracy > 0.75 > 0.3 > before["classes_accuracy"]
    assert history["classes_accuracy"][-1] > 0.85
    np.testing.assert_allclose(history["val_classes_accuracy"][-1], accuracy, rtol=1e-5)
    expected = rates(y[400:], outputs[spikes])
    np.testing.assert_allclose(history["val_spikes_loss"][-1], expected, rtol=1e-4)
    last = np.mean(outputs[classes][:, -1].argmax(axis=1) == y[400:, 0, 0])
    np.testing.assert_allclose(history["val_classes_last"][-1], last, rtol=1e-5)


@pytest.mark.parametrize("as_class_weight", [False, True])
def test_weights_of_a_simulator(as_class_weight, digits):
    """Weights of steps, and of classes, reach the loss and weighted metrics."""
    x, y = digits[0][:80], digits[1][:80, None, None]
    mask = np.arange(N_STEPS) < np.random.RandomState(0).randint(3, 11, size=(80, 1))
    with make_sim(make_network(), minibatch_size=MINIBATCH) as sim:
        sim.compile(
            keras.optimizers.SGD(0.0),
            loss={"classes": CrossentropyOverTime("last")},
            metrics={"classes": AccuracyOverTime("last")},
            weighted_metrics={"classes": AccuracyOverTime("last", name="masked")},
        )
        outputs = sim.predict(x, verbose=0)[sim.model.probes[0]]
        if as_class_weight:
            given = {"class_weight": {3: 0.0, 4: 2.0}}
            weights = np.select([y == 3, y == 4], [0, 2], 1)[:, :, 0] * mask
            result = sim.fit(
                x, {"classes": y}, sample_weight=mask, verbose=0, **given
            ).history
            # neurons spike in training, too, and nothing is learned
            result = {key: value[0] for key, value in result.items()}
        else:
            weights = mask.astype(float)
            result = sim.evaluate(x, {"classes": y}, sample_weight=mask, verbose=0)
    loss = CrossentropyOverTime("last")(y, outputs, weights)
    masked, plain = AccuracyOverTime("last"), AccuracyOverTime("last")
    masked.update_state(y, outputs, weights)
    plain.update_state(y, outputs)
    np.testing.assert_allclose(result["classes_loss"], loss, rtol=1e-4)
    np.testing.assert_allclose(result["classes_masked"], masked.result(), rtol=1e-5)
    np.testing.assert_allclose(result["classes_accuracy"], plain.result(), rtol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
def make_small_network():
    with nengo.Network(seed=0) as net:
        a = nengo.Node(np.zeros(3), label="a")
        ens = nengo.Ensemble(20, 3, neuron_type=nengo.LIFRate(), seed=1)
        nengo.Connection(a, ens, synapse=None)
        nengo.Probe(ens, synapse=0.002, label="out")
    return net


def make_model(jit_compile=False):
    """Make a Keras model of sequences, padded with zeros, around a network."""
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            keras.layers.Masking(),
            nengo_dl.NengoLayer(make_small_network),
            keras.layers.Dense(4),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        loss=CrossentropyOverTime("last"),
        metrics=[
            AccuracyOverTime("last"),
            MetricOverTime(
                keras.metrics.SparseTopKCategoricalAccuracy(k=2, name="top")
            ),
        ],
        jit_compile=jit_compile,
    )
    return model


def padded_sequences():
    rng = np.random.RandomState(0)
    lengths = rng.randint(1, 7, size=32)
    mask = np.arange(8) < lengths[:, None]
    x = rng.uniform(0.1, 1, size=(32, 8, 3)) * mask[..., None]
    return x.astype("float32"), lengths % 4, mask


@pytest.mark.parametrize("jit_compile", [False, True])
def test_masks_in_a_keras_model(jit_compile):
    """That is one of all lengths: each item as by itself, without its padding."""
    keras.utils.set_random_seed(0)
    x, y, mask = padded_sequences()
    model = make_model(jit_compile)
    result = model.evaluate(x, y, verbose=0, return_dict=True)
    outputs = model.predict(x, verbose=0)
    last = outputs[np.arange(32), mask.sum(axis=1) - 1]
    expected = keras.losses.sparse_categorical_crossentropy(y, last, from_logits=True)
    np.testing.assert_allclose(result["loss"], np.mean(expected), rtol=1e-4)
    np.testing.assert_allclose(
        result["accuracy"], np.mean(last.argmax(axis=1) == y), rtol=1e-5
    )
    for length in () if jit_compile else (1, 5):  # it would compile again
        alone = model.predict(x[:4, :length], verbose=0)
        np.testing.assert_allclose(alone, outputs[:4, :length], rtol=1e-4, atol=1e-5)
    plain = keras.Sequential(model.layers[1:])  # without the masks
    metrics = [AccuracyOverTime("last")]
    plain.compile(loss=model.loss, weighted_metrics=metrics, jit_compile=False)
    weighted = plain.evaluate(x, y, sample_weight=mask, verbose=0, return_dict=True)
    for key in ("loss", "accuracy"):
        np.testing.assert_allclose(weighted[key], result[key], rtol=1e-5)


def test_a_saved_model_has_its_losses(tmp_path):
    keras.utils.set_random_seed(0)
    x, y, _ = padded_sequences()
    model = make_model()
    stop = keras.callbacks.EarlyStopping("accuracy", patience=20)  # mode "auto"
    history = model.fit(x, y, epochs=4, verbose=0, callbacks=[stop])
    assert history.history["loss"][-1] < history.history["loss"][0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == model.loss.get_config()
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    found = loaded.evaluate(x, y, verbose=0, return_dict=True)
    assert list(found) == ["accuracy", "loss", "top"]
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-5)


@pytest.mark.parametrize("as_dict", [False, True])
def test_masks_of_several_inputs_and_outputs(as_dict):
    """What counts is what all of them have, and only where all steps are kept."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(keep_history=True)
        a, b = nengo.Node([0], label="a"), nengo.Node([0], label="b")
        kept, last = nengo.Probe(a, label="kept"), nengo.Probe(b, label="last")
        net.config[last].keep_history = False
    layer = nengo_dl.NengoLayer(net)
    x = np.float32([[1, 2, 0], [1, 0, 0]])[..., None]
    z = np.float32([[1, 0, 0], [1, 3, 4]])[..., None]
    masking = keras.layers.Masking()
    inputs = [masking(x), masking(z)]
    outputs = layer({"a": inputs[0], "b": inputs[1]} if as_dict else inputs)
    wanted = [[[1, 0, 0], [1, 0, 0]], None]
    masks = layer.compute_mask(None, [np.any(x, axis=-1), np.any(z, axis=-1)])
    np.testing.assert_array_equal(masks["kept"], wanted[0])
    assert masks["last"] is None
    # the first step alone counts
    loss = LossOverTime("mae")(np.zeros((2, 1)), outputs["kept"])
    np.testing.assert_allclose(loss, 1)
    loss = LossOverTime("mae")(np.zeros((2, 1)), outputs["last"])
    np.testing.assert_allclose(loss, 2)
    assert kept in net.probes
