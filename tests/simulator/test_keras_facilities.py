"""What Keras offers for models works on simulations, as on any model."""

import csv
import shutil

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import NengoLayer
from tests.simulator.helpers import make_sim
from tests.simulator.layered import (
    BATCH,
    ITEMS,
    QUIET,
    STEPS,
    X,
    Y,
    dense,
    draw,
    layered,
)
from tests.versions import KERAS

TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def keras_model(**kwargs):
    """Make the same layer as a Keras model, with equal initial weights."""
    inputs = keras.Input((STEPS, 2))
    return keras.Model(inputs, dense(3, **kwargs)(inputs))


def compiled(net=None, optimizer="adam", minibatch_size=BATCH):
    sim = make_sim(layered() if net is None else net, minibatch_size=minibatch_size)
    sim.compile(optimizer, loss="mse")
    return sim


def assert_same_weights(actual, expected):
    for weight, desired in zip(actual, expected, strict=True):
        np.testing.assert_allclose(weight, desired, **TOLERANCE)


# --- optimizers, and what they do -------------------------------------------------

optimizers = keras.optimizers
schedules = keras.optimizers.schedules
OPTIMIZERS = {
    "name": lambda: "rmsprop",
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: optimizers.Adam(0.1, amsgrad=True),
    "weight decay": lambda: optimizers.AdamW(0.1, weight_decay=0.1),
    "lion": lambda: optimizers.Lion(0.01),
    "average": lambda: optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: optimizers.SGD(0.1, gradient_accumulation_steps=2),
    "decay": lambda: optimizers.SGD(schedules.ExponentialDecay(0.5, 1, 0.5)),
    "cosine": lambda: optimizers.Adam(schedules.CosineDecay(0.1, 4)),
    "clipvalue": lambda: optimizers.SGD(0.5, clipvalue=0.01),
    "clipnorm": lambda: optimizers.SGD(0.5, clipnorm=0.05),
    "global_clipnorm": lambda: optimizers.SGD(0.5, global_clipnorm=0.05),
    "loss scale": lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.1)),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimizers(make):
    """Weights and losses are those of the same Keras model."""
    model = keras_model()
    model.compile(make(), loss="mse", jit_compile=False)
    expected = model.fit(X, Y, batch_size=BATCH, epochs=2, **QUIET).history["loss"]
    net = layered()
    with compiled(net, make()) as sim:
        history = sim.fit(X, Y, epochs=2, **QUIET).history["loss"]
        np.testing.assert_allclose(history, expected, rtol=1e-5)
        assert_same_weights(net.layer.get_weights(), model.get_weights())


LAYERS = {
    "regularizers": {
        "kernel_regularizer": "l2",
        "bias_regularizer": keras.regularizers.L1(1.0),
    },
    "constraints": {"kernel_constraint": "non_neg", "bias_constraint": "unit_norm"},
    "frozen": {"trainable": False},
}


@pytest.mark.parametrize("kwargs", LAYERS.values(), ids=LAYERS)
def test_arguments_of_layers(kwargs):
    model = keras_model(**kwargs)
    net = layered(dense(3, **kwargs))
    with compiled(net, optimizers.SGD(0.5)) as sim:
        model.compile(optimizers.SGD(0.5), loss="mse", jit_compile=False)
        logs = [
            *(model.fit(X, Y, batch_size=BATCH, epochs=2, **QUIET).history["loss"]),
            model.evaluate(X, Y, batch_size=BATCH, verbose=0),
        ]
        actual = [
            *sim.fit(X, Y, epochs=2, **QUIET).history["loss"],
            sim.evaluate(X, Y, verbose=0)["loss"],
        ]
        np.testing.assert_allclose(actual, logs, rtol=1e-5)
        assert_same_weights(net.layer.get_weights(), model.get_weights())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    """Layers compute in half precision, with weights and results in full precision."""
    net = layered(dense(3, dtype=policy))
    expected = layered()
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1))
    with (
        compiled(net, optimizer) as sim,
        compiled(expected, optimizers.SGD(0.1)) as full,
    ):
        outputs = sim.predict(X, verbose=0)[net.probe]
        desired = full.predict(X, verbose=0)[expected.probe]
        assert outputs.dtype == "float32"
        assert 1e-6 < np.abs(outputs - desired).max() < 0.02
        sim.fit(X, Y, **QUIET)
        full.fit(X, Y, **QUIET)
        assert {weight.dtype for weight in net.layer.weights} == {"float32"}
        for weight, other in zip(
            net.layer.get_weights(), expected.layer.get_weights(), strict=True
        ):
            np.testing.assert_allclose(weight, other, atol=0.01)


def test_global_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        net = layered(keras.layers.Dense(3))
        with compiled(net, optimizers.SGD(0.1)) as sim:
            history = sim.fit(X, Y, epochs=3, **QUIET).history["loss"]
            assert np.isfinite(history).all()
            assert sim.predict(X, verbose=0)[net.probe].dtype == "float32"
        assert net.layer.compute_dtype == "float16"
        assert history[-1] < history[0]
    finally:
        keras.config.set_dtype_policy("float32")


# --- callbacks --------------------------------------------------------------------

callbacks = keras.callbacks


def test_early_stopping():
    with compiled(optimizer=optimizers.SGD(0.0)) as sim:
        stop = callbacks.EarlyStopping("probe_loss", mode="min", patience=2)
        history = sim.fit(X, Y, epochs=9, callbacks=[stop], **QUIET)
    assert len(history.epoch) == 3


def test_early_stopping_restores_the_best_weights():
    with compiled(optimizer=optimizers.SGD(0.1)) as sim:
        start = sim.keras_model.get_weights()
        stop = callbacks.EarlyStopping(
            "loss", mode="max", patience=2, restore_best_weights=True
        )
        history = sim.fit(X, Y, epochs=9, callbacks=[stop], **QUIET).history["loss"]
        score = sim.evaluate(X, Y, verbose=0)["loss"]
        assert len(history) == 3
        assert not np.array_equal(sim.keras_model.get_weights()[0], start[0])
        assert score > history[1]


def test_stop_training():
    with compiled() as sim:

        def stop(batch, logs):
            sim.keras_model.stop_training = batch == 1

        callback = callbacks.LambdaCallback(on_train_batch_end=stop)
        history = sim.fit(X, Y, epochs=9, callbacks=[callback], **QUIET)
    assert len(history.epoch) == 1


def test_learning_rate_callbacks():
    rates = []
    watch = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(logs["learning_rate"])
    )
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=9)
    with compiled(optimizer=optimizers.SGD(0.4)) as sim:
        schedule = callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
        sim.fit(X, Y, epochs=3, callbacks=[schedule, watch], **QUIET)
        np.testing.assert_allclose(rates, [0.1, 0.05, 0.1 / 3], rtol=1e-6)
        rates.clear()
        sim.keras_model.optimizer.learning_rate = 0.4
        sim.fit(X, Y, epochs=4, callbacks=[plateau, watch], **QUIET)
        assert rates[0] > rates[-1]


def test_checkpoints(tmp_path):
    path = str(tmp_path / "{epoch}.weights.h5")
    weights = []
    with compiled() as sim:
        save = callbacks.ModelCheckpoint(path, save_weights_only=True)
        watch = callbacks.LambdaCallback(
            on_epoch_end=lambda *_, **__: weights.append(sim.keras_model.get_weights())
        )
        sim.fit(X, Y, epochs=3, callbacks=[save, watch], **QUIET)
        for epoch, expected in enumerate(weights):
            sim.keras_model.load_weights(path.format(epoch=epoch + 1))
            assert_same_weights(sim.keras_model.get_weights(), expected)


class Killed(Exception):
    pass


def test_a_fit_that_was_killed_goes_on(tmp_path):
    """With weights, and with what the optimizer remembers."""

    def kill(epoch, logs):
        if epoch == 2:
            raise Killed

    def fit(*more):
        backup = callbacks.BackupAndRestore(str(tmp_path))
        with compiled() as sim:
            history = sim.fit(X, Y, epochs=4, callbacks=[backup, *more], **QUIET)
            return history.epoch, sim.keras_model.get_weights()

    with compiled() as sim:
        sim.fit(X, Y, epochs=4, **QUIET)
        expected = sim.keras_model.get_weights()
    with pytest.raises(Killed):
        fit(callbacks.LambdaCallback(on_epoch_begin=kill))
    epochs, weights = fit()
    assert epochs == [2, 3]
    assert_same_weights(weights, expected)


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    with compiled() as sim:
        logger = callbacks.CSVLogger(path)
        history = sim.fit(X, Y, epochs=2, callbacks=[logger], **QUIET).history
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for key, values in history.items():
        np.testing.assert_allclose([float(row[key]) for row in rows], values)


@pytest.mark.parametrize("cls", [callbacks.TensorBoard, nengo_dl.callbacks.TensorBoard])
def test_tensorboard(cls, tmp_path):
    board = cls(tmp_path, histogram_freq=1, update_freq=1, profile_batch=0)
    with compiled() as sim:
        sim.fit(X, Y, validation_data=(X, Y), callbacks=[board], epochs=2, **QUIET)
        sim.evaluate(X, Y, callbacks=[board], verbose=0)
    assert {path.name for path in tmp_path.iterdir()} == {"train", "validation"}
    assert all(list(path.glob("*.tfevents*")) for path in tmp_path.iterdir())


class Recorder(callbacks.Callback):
    """Notes which hooks are called, with which keys of logs."""

    def __init__(self):
        super().__init__()
        self.events = []

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(("epoch", sorted(logs)))

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(("train", sorted(logs)))

    def on_test_batch_end(self, batch, logs=None):
        self.events.append(("test", sorted(logs)))

    def on_predict_batch_end(self, batch, logs=None):
        self.events.append(("predict", sorted(logs)))


def test_hooks_of_callbacks():
    recorder, keys = Recorder(), ["loss", "probe_loss"]
    arguments = {"callbacks": [recorder], "verbose": 0}
    x, y = X[:BATCH], Y[:BATCH]
    with compiled() as sim:
        sim.fit(x, y, validation_data=(x, y), **arguments)
        sim.predict(x, **arguments)
    both = [*keys, *(f"val_{key}" for key in keys)]
    events = [("train", keys), ("test", keys), ("epoch", both), ("predict", ["probe"])]
    assert recorder.events == events


# --- models -----------------------------------------------------------------------


def test_summary():
    lines = []
    with compiled() as sim:
        sim.keras_model.summary(print_fn=lambda line, **_: lines.append(line))
        assert sim.keras_model.count_params() == 9
    text = "\n".join(lines)
    for part in ("in (InputLayer)", "(2, None, 3)", "Trainable params: 9"):
        assert part in text


OPTIONS = [{}, {"show_shapes": True, "show_dtype": True, "expand_nested": True}]


@pytest.mark.parametrize("options", OPTIONS)
def test_graphs_of_layers(options):
    with compiled() as sim:
        dot = keras.utils.model_to_dot(sim.keras_model, **options).to_string()
        assert "InputLayer" in dot
        assert dot.count("->") == 1


@pytest.mark.skipif(shutil.which("dot") is None, reason="no graphviz")
def test_plots(tmp_path):
    with compiled() as sim:
        keras.utils.plot_model(sim.keras_model, tmp_path / "a.png", show_shapes=True)
    assert (tmp_path / "a.png").stat().st_size


@pytest.mark.parametrize("minibatch_size", [1, BATCH, 7])
def test_weights_in_files(minibatch_size, tmp_path):
    """They go from one simulator to another, whatever its minibatch size."""
    path = tmp_path / "a.weights.h5"
    expected, net = mixed(), mixed()
    x = draw(7, STEPS, 2)
    with compiled(expected) as sim:
        sim.fit(X, Y, **QUIET)
        sim.keras_model.save_weights(path)
        weights = sim.keras_model.get_weights()
        outputs = [
            sim.predict(np.tile(x[i : i + 1], (BATCH, 1, 1)), verbose=0)[
                expected.probe
            ][0]
            for i in range(7)
        ]
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        assert not np.array_equal(sim.keras_model.get_weights()[0], weights[0])
        sim.keras_model.load_weights(path)
        assert_same_weights(sim.keras_model.get_weights(), weights)
        n_items = 7 // minibatch_size * minibatch_size
        actual = sim.predict(x[:n_items], verbose=0)[net.probe]
        np.testing.assert_allclose(actual, outputs[:n_items], **TOLERANCE)


def mixed():
    """Build neurons and weights of Nengo after a layer of Keras."""
    net = layered()
    with net:
        ens = nengo.Ensemble(5, 3, neuron_type=nengo.Tanh())
        nengo.Connection(net.output, ens, synapse=None)
        net.probes.remove(net.probe)
        net.probe = nengo.Probe(ens)
    return net


def test_whole_models_of_simulators_are_not_saved(tmp_path):
    """Networks are made by code, which a file cannot describe."""
    with compiled() as sim:
        calls = [lambda: keras.models.clone_model(sim.keras_model)]
        if KERAS >= (3, 15):  # before, Keras drops the error, and saves no layers
            calls.append(lambda: sim.keras_model.save(tmp_path / "a.keras"))
            calls.append(sim.keras_model.to_json)
        for call in calls:
            with pytest.raises(
                NotImplementedError,
                match="nengo>network.*save_params.*NengoL",
            ):
                call()


@keras.saving.register_keras_serializable(package="tests")
def make_network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node(np.zeros(2))
        ens = nengo.Ensemble(5, 2, neuron_type=nengo.Tanh())
        nengo.Connection(stimulus, ens, synapse=None)
        nengo.Probe(nengo_dl.Layer(dense(3))(ens))
    return net


def test_whole_models_with_a_network(tmp_path):
    """With weights, and what the optimizer remembers: training goes on."""
    inputs = keras.Input((STEPS, 2))
    model = keras.Model(inputs, dense(3)(NengoLayer(make_network)(inputs)))
    model.compile("adam", loss="mse")
    model.fit(X, Y, batch_size=ITEMS, **QUIET)
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    for each in (model, loaded):
        each.fit(X, Y, batch_size=ITEMS, **QUIET)
    assert_same_weights(loaded.get_weights(), model.get_weights())
    np.testing.assert_allclose(
        loaded.predict(X, verbose=0), model.predict(X, verbose=0), **TOLERANCE
    )


def test_whole_models_with_a_network_that_was_made_before(tmp_path):
    inputs = keras.Input((STEPS, 2))
    model = keras.Model(inputs, NengoLayer(make_network())(inputs))
    with pytest.raises(NotImplementedError, match="expected a function that makes the"):
        model.save(tmp_path / "a.keras")


def test_the_layer_in_other_models():
    """``tensor_graph`` shares its weights with the simulator."""
    net = layered()
    with compiled(net) as sim:
        inputs = keras.Input(batch_shape=(BATCH, STEPS, 2))
        outputs = sim.tensor_graph({"in": 2 * inputs})["probe"]
        model = keras.Model(inputs, outputs)
        expected = sim.predict(2 * X, verbose=0)[net.probe]
        actual = model.predict(X, batch_size=BATCH, verbose=0)
        np.testing.assert_allclose(actual, expected, **TOLERANCE)
        model.compile("sgd", loss="mse")
        model.fit(X, Y, batch_size=BATCH, **QUIET)
        after = sim.predict(2 * X, verbose=0)[net.probe]
        assert not np.allclose(after, expected, **TOLERANCE)


def test_training_batch_by_batch():
    """A loop of one's own, on the model of the simulator."""
    net, expected = layered(), layered()
    with compiled(net) as sim, compiled(expected) as other:
        for start in range(0, ITEMS, BATCH):
            rows = slice(start, start + BATCH)
            logs = sim.keras_model.train_on_batch(X[rows], Y[rows], return_dict=True)
            assert set(logs) == {"loss", "probe_loss"}
        other.fit(X, Y, **QUIET)
        assert_same_weights(net.layer.get_weights(), expected.layer.get_weights())
        sim.keras_model.reset_metrics()  # which older versions of Keras leave to users
        score = sim.keras_model.test_on_batch(X[:BATCH], Y[:BATCH], return_dict=True)
        np.testing.assert_allclose(
            score["loss"],
            sim.evaluate(X[:BATCH], Y[:BATCH], verbose=0)["loss"],
            rtol=1e-5,
        )
