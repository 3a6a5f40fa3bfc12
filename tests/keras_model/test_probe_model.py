import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.keras_model.probe_model import ProbeModel, keras_inputs

BATCH, STEPS, IN = 4, 3, 2
RNG = np.random.RandomState(0)
X = RNG.uniform(-1, 1, size=(3 * BATCH, STEPS, IN)).astype("float32")
Y = {
    name: RNG.uniform(size=(len(X), STEPS, size)).astype("float32")
    for name, size in {"a": 3, "b": 1, "c": 2}.items()
}
LABELS = RNG.randint(3, size=(len(X), STEPS, 1))
FIT = {"batch_size": BATCH, "verbose": 0, "shuffle": False}


def dense(size, seed, **kwargs):
    init = keras.initializers.GlorotUniform(seed)
    layer = keras.layers.Dense(size, kernel_initializer=init, **kwargs)
    layer.supports_jit = False  # unless asked for: it would compile longer than it runs
    return layer


def build(cls, *names, **kwargs):
    """Make a model with the same weights each time, whatever its class."""
    inputs = keras_inputs({"x": (None, None, IN)}, dtype="float32")
    outputs = {
        name: dense(Y[name].shape[-1], seed, **kwargs)(inputs["x"])
        for seed, name in enumerate(names)
    }
    return cls(inputs=inputs, outputs=outputs)


def targets(*names):
    return {name: Y[name] for name in names}


def constant_error(y_true, y_pred):
    return 0 * y_pred[..., 0] + 7.0


class Deviation(keras.metrics.Metric):
    """Has two values, and no arguments."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.total = self.add_variable((), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(keras.ops.sum(abs(y_true - y_pred)))

    def result(self):
        return {"sum": 1 * self.total, "double": 2 * self.total}


# outputs, arguments of compile, keys of logs
KEYS = [
    (["a"], {"loss": "mse"}, ["loss", "a_loss"]),
    (["a"], {"loss": keras.losses.MeanSquaredError()}, ["loss", "a_loss"]),
    (["a"], {"loss": ["mse"], "metrics": "mae"}, ["loss", "a_loss", "a_mae"]),
    (
        ["a"],
        {"loss": {"a": "mse"}, "metrics": ["mean_squared_error", constant_error]},
        ["loss", "a_loss", "a_mean_squared_error", "a_constant_error"],
    ),
    (
        ["a"],
        {"loss": "mse", "metrics": [["mae", keras.metrics.MeanSquaredError()]]},
        ["loss", "a_loss", "a_mae", "a_mean_squared_error"],
    ),
    (
        ["a"],
        {"loss": "mse", "metrics": lambda y_true, y_pred: y_pred[..., 0]},
        ["loss", "a_loss", "a_<lambda>"],
    ),
    (
        ["a"],
        {"loss": "mse", "metrics": ["mae", "mae"], "weighted_metrics": ["mae"]},
        ["loss", "a_loss", "a_mae", "a_mae_1", "a_weighted_mae"],
    ),
    (
        ["a"],
        {"loss": "mse", "metrics": Deviation(name="d")},
        ["loss", "a_loss", "a_d_sum", "a_d_double"],
    ),
    (["b", "a"], {"loss": "mse"}, ["loss", "b_loss", "a_loss"]),
    (["b", "a"], {"loss": {"a": "mse", "b": "mae"}}, ["loss", "b_loss", "a_loss"]),
    (["b", "a"], {"loss": {"a": "mse"}}, ["loss", "a_loss"]),
    (["b", "a"], {"loss": {"a": "mse", "b": None}}, ["loss", "a_loss"]),
    (["b", "a"], {"loss": [None, "mse"]}, ["loss", "a_loss"]),
    (
        ["b", "a"],
        {"loss": {"a": "mse"}, "metrics": {"b": "mae"}},
        ["loss", "a_loss", "b_mae"],
    ),
    (
        ["b", "a"],
        {"loss": "mse", "metrics": ["mae", "mse"]},
        ["loss", "b_loss", "a_loss", "b_mae", "a_mse"],
    ),
    (
        ["b", "a"],
        {"loss": "mse", "metrics": ["mae"]},
        ["loss", "b_loss", "a_loss", "b_mae", "a_mae"],
    ),
    (
        ["b", "a"],
        {"loss": "mse", "metrics": [None, ["mae", "mse"]]},
        ["loss", "b_loss", "a_loss", "a_mae", "a_mse"],
    ),
    (
        ["b", "a"],
        {"loss": "mse", "metrics": keras.metrics.MeanSquaredError(name="m")},
        ["loss", "b_loss", "a_loss", "b_m", "a_m"],
    ),
]


@pytest.mark.parametrize("names, arguments, keys", KEYS)
def test_keys(names, arguments, keys):
    model = build(ProbeModel, *names)
    model.compile("sgd", run_eagerly=True, **arguments)
    y = targets(*model.targets)
    history = model.fit({"x": X}, y, validation_data=({"x": X}, y), **FIT).history
    assert list(history) == [*keys, *(f"val_{key}" for key in keys)]
    result = model.evaluate({"x": X}, y, verbose=0, return_dict=True)
    assert list(result) == keys
    assert all(isinstance(value, float) for value in result.values())


# arguments of compile that mean the same in both classes, with their other arguments
AS_KERAS = [
    (["a"], {"loss": "mse"}, {}),
    (["a"], {"loss": constant_error}, {}),
    (["a"], {"loss": keras.losses.Huber(reduction="sum")}, {}),
    (["a", "b", "c"], {"loss": ["mse"] * 3, "loss_weights": [0.5, 2, 3]}, {}),
    (
        ["b", "a"],
        {"loss": {"a": "mse", "b": "mae"}, "loss_weights": {"b": 2.0, "a": 0}},
        {},
    ),
    (["b", "a"], {"loss": "mse"}, {"kernel_regularizer": "l2"}),
    (["a"], {"loss": "mse"}, {"activity_regularizer": "l2"}),
]


def optimizer():
    return keras.optimizers.Adam(0.1, clipnorm=0.5)


@pytest.mark.parametrize("names, arguments, layer", AS_KERAS)
@pytest.mark.parametrize("weighted", [False, True])
def test_same_as_keras(names, arguments, layer, weighted):
    weight = np.linspace(0, 2, len(X))[:, None] if weighted else None
    results = []
    for cls in (ProbeModel, keras.Model):
        model = build(cls, *names, **layer)
        model.compile(optimizer(), **arguments)
        history = model.fit(X, targets(*names), sample_weight=weight, epochs=2, **FIT)
        results.append((history.history["loss"], model.get_weights()))
    (ours, weights), (theirs, expected) = results
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for actual, desired in zip(weights, expected, strict=True):
        np.testing.assert_allclose(actual, desired, rtol=1e-5, atol=1e-7)


def test_layer_losses_count_in_the_total_alone():
    model = build(ProbeModel, "a", kernel_regularizer=keras.regularizers.L2(0.3))
    model.compile(loss="mse")
    result = model.evaluate(X, Y["a"], verbose=0, return_dict=True)
    kernel = model.get_weights()[0]
    expected = result["a_loss"] + 0.3 * np.sum(kernel**2)
    np.testing.assert_allclose(result["loss"], expected, rtol=1e-5)


def test_layer_losses_are_enough():
    model = build(ProbeModel, "a", kernel_regularizer="l2")
    model.compile()
    assert list(model.fit(X, **FIT).history) == ["loss"]


def test_nothing_to_train_for():
    model = build(ProbeModel, "a")
    model.compile()
    with pytest.raises(ValueError, match="No loss to compute"):
        model.fit(X, Y["a"], **FIT)


# word, targets and the metric that it stands for
WORDS = [
    ("accuracy", Y["a"].round(), keras.metrics.CategoricalAccuracy()),
    ("acc", LABELS, keras.metrics.SparseCategoricalAccuracy()),
    ("Accuracy", Y["b"].round(), keras.metrics.BinaryAccuracy()),
]


@pytest.mark.parametrize("word, y, metric", WORDS)
def test_accuracy_by_kind_of_labels(word, y, metric):
    name = "b" if y is WORDS[2][1] else "a"
    model = build(ProbeModel, name)
    model.compile(metrics=[word, metric], loss="mse", run_eagerly=True)
    result = model.evaluate(X, y, verbose=0, return_dict=True)
    assert result[f"{name}_{word}"] == result[f"{name}_{metric.name}"]
    assert 0 < result[f"{name}_{word}"] < 1


CROSSENTROPIES = [
    ("a", LABELS, keras.losses.SparseCategoricalCrossentropy()),
    ("a", np.eye(3)[LABELS[..., 0]], keras.losses.CategoricalCrossentropy()),
    ("b", Y["b"].round(), keras.losses.BinaryCrossentropy()),
]


@pytest.mark.parametrize("name, y, loss", CROSSENTROPIES)
def test_crossentropy_by_kind_of_labels(name, y, loss):
    values = []
    for each in ("crossentropy", loss):
        model = build(ProbeModel, name, activation="sigmoid")
        model.compile(loss=each, run_eagerly=True)
        values.append(model.evaluate(X, y, verbose=0))
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_reported_losses_are_means_before_weighting():
    model = build(ProbeModel, "a", "b")
    model.compile(loss={"a": "mse", "b": "mae"}, loss_weights={"a": 3}, metrics=["mae"])
    result = model.evaluate(X, targets("a", "b"), 5, verbose=0, return_dict=True)
    outputs = model.predict(X, verbose=0)
    np.testing.assert_allclose(
        result["a_loss"], np.mean((outputs["a"] - Y["a"]) ** 2), rtol=1e-5
    )
    np.testing.assert_allclose(result["b_loss"], result["b_mae"], rtol=1e-6)
    np.testing.assert_allclose(
        result["loss"], 3 * result["a_loss"] + result["b_loss"], rtol=1e-5
    )


def test_metrics_of_several_outputs_do_not_mix():
    metric = keras.metrics.MeanAbsoluteError(name="m")
    model = build(ProbeModel, "a", "b")
    model.compile(loss="mse", metrics=[metric])
    result = model.evaluate(X, targets("a", "b"), verbose=0, return_dict=True)
    outputs = model.predict(X, verbose=0)
    for name in ("a", "b"):
        expected = np.mean(np.abs(outputs[name] - Y[name]))
        np.testing.assert_allclose(result[f"{name}_m"], expected, rtol=1e-5)
    assert float(metric.result()) == result["a_m"]


W = np.linspace(0, 2, len(X)).astype("float32")
# sample weights, and what they are for each output
WEIGHTS = [
    (W, {"a": W, "b": W}),
    ({"a": W, "b": 2 * W}, {"a": W, "b": 2 * W}),
    ((W, 2 * W), {"a": W, "b": 2 * W}),
    ({"a": W[:, None] * [1, 2, 3], "b": W}, {"a": W[:, None] * [1, 2, 3], "b": W}),
]


@pytest.mark.parametrize("weight, expected", WEIGHTS)
def test_sample_weights(weight, expected):
    model = build(ProbeModel, "a", "b")
    arguments = {"metrics": "mse", "weighted_metrics": "mse", "run_eagerly": True}
    model.compile(loss="mse", **arguments)
    y = targets("a", "b")
    y = tuple(y.values()) if isinstance(weight, tuple) else y
    result = model.evaluate(X, y, sample_weight=weight, verbose=0, return_dict=True)
    outputs = model.predict(X, verbose=0)
    for name in ("a", "b"):
        errors = np.mean((outputs[name] - Y[name]) ** 2, axis=-1)
        w = expected[name].reshape(len(X), -1) * np.ones_like(errors)
        np.testing.assert_allclose(result[f"{name}_mse"], np.mean(errors), rtol=1e-5)
        np.testing.assert_allclose(
            result[f"{name}_loss"], np.mean(w * errors), rtol=1e-5
        )
        np.testing.assert_allclose(
            result[f"{name}_weighted_mse"], np.sum(w * errors) / np.sum(w), rtol=1e-5
        )


def test_missing_sample_weights_mean_one():
    model = build(ProbeModel, "a", "b")
    model.compile(loss="mse")
    data = tf.data.Dataset.from_tensors((X, targets("a", "b"), {"b": 0 * W}))
    result = model.evaluate(data, verbose=0, return_dict=True)
    assert result["b_loss"] == 0 < result["a_loss"]


@pytest.mark.parametrize(
    "options",
    [
        {"run_eagerly": True},
        {"jit_compile": True},
        {"steps_per_execution": 2},
        {"auto_scale_loss": False},
    ],
)
def test_options_of_keras(options):
    histories = []
    for kwargs in ({}, options):
        model = build(ProbeModel, "a", "b")
        model.compile(optimizer(), loss="mse", metrics=["mae"], **kwargs)
        histories.append(model.fit(X, targets("a", "b"), epochs=2, **FIT).history)
    for name in histories[0]:
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-4)


def test_mixed_precision():
    inputs = keras_inputs({"x": (None, None, IN)}, dtype="float32")
    outputs = {"a": dense(3, 0, dtype="mixed_float16")(inputs["x"])}
    model = ProbeModel(inputs, outputs)
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer()), loss="mse")
    assert model(X)["a"].dtype == "float16"
    losses = model.fit(X, targets("a"), epochs=20, **FIT).history["a_loss"]
    assert losses[-1] < losses[0]


def test_callbacks(tmp_path):
    path = str(tmp_path / "best.weights.h5")
    callbacks = [
        keras.callbacks.EarlyStopping("a_mae", mode="max", patience=1),
        keras.callbacks.ModelCheckpoint(
            path, "val_a_loss", mode="min", save_best_only=True, save_weights_only=True
        ),
    ]
    model = build(ProbeModel, "a")
    model.compile(optimizer(), loss="mse", metrics=["mae"])
    val = (X, Y["a"])
    history = model.fit(
        X, Y["a"], validation_data=val, callbacks=callbacks, epochs=9, **FIT
    )
    assert 1 < len(history.epoch) < 9
    weights = model.get_weights()
    model.load_weights(path)
    for actual, desired in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(actual, desired)


def test_stop_training():
    model = build(ProbeModel, "a")
    model.compile(loss="mse")

    def stop(epoch, logs):
        assert set(logs) == {"loss", "a_loss"}
        model.stop_training = True

    callback = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    history = model.fit(X, Y["a"], callbacks=[callback], epochs=9, **FIT)
    assert len(history.epoch) == 1


def test_single_batches():
    model = build(ProbeModel, "a")
    model.compile(optimizer(), loss="mse", metrics=["mae"])
    logs = model.train_on_batch(X, Y["a"], return_dict=True)
    assert set(logs) == {"loss", "a_loss", "a_mae"}
    assert model.test_on_batch(X, Y["a"])[0] < logs["loss"]
    assert model.predict_on_batch({"x": X})["a"].shape == Y["a"].shape


def test_compiling_again():
    model = build(ProbeModel, "a")
    assert model.targets == ()
    for metric, keys in (("mae", ["a_mae"]), ("mse", ["a_mse"])):
        model.compile(loss="mse", metrics=[metric])
        result = model.evaluate(X, Y["a"], verbose=0, return_dict=True)
        assert list(result) == ["loss", "a_loss", *keys]
        assert [m.name for m in model.metrics] == list(result)
    assert model.evaluate(X, Y["a"], verbose=0) == list(result.values())


def test_distribution():
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        model = build(ProbeModel, "a")
        model.compile(optimizer(), loss="mse", metrics=["accuracy"])
    history = model.fit(X, Y["a"], **FIT).history
    assert list(history) == ["loss", "a_loss", "a_accuracy"]


N = np.full((len(X), 1), STEPS)
ELEMENTS = [
    (X, Y["a"]),
    ({"x": X}, {"a": Y["a"]}),
    ({"x": X, "n_steps": N}, (Y["a"],)),
    ((X, N), Y["a"]),
    ((X,), Y["a"], W),
]


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("kind", ["dataset", "generator"])
def test_forms_of_dataset_elements(element, kind):
    def data(stop):
        if kind == "dataset":
            return tf.data.Dataset.from_tensors(element[:stop])
        return (item for item in [element[:stop]] * 2)

    model = build(ProbeModel, "a", "b")
    model.compile(loss={"a": "mse"})
    model.fit(data(None), verbose=0)
    loss = model.evaluate(data(2), verbose=0, return_dict=True)["a_loss"]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The structure")
        outputs = model.predict(data(1), verbose=0)["a"][: len(X)]
    np.testing.assert_allclose(loss, np.mean((outputs - Y["a"]) ** 2), rtol=1e-5)


def test_steps_of_an_input_of_width_0():
    inputs = keras_inputs({"time": (None, None, 0)}, dtype="float32")
    outputs = {"a": dense(2, 0, use_bias=False)(inputs["time"])}
    model = ProbeModel(inputs, outputs)
    x = np.zeros((4, 5, 0))
    assert model.predict({"time": x}, verbose=0)["a"].shape == (4, 5, 2)
    for steps in ({"n_steps": np.full((4, 1), 6)}, (np.full((4, 1), 6),)):
        data = tf.data.Dataset.from_tensors((steps,))
        assert model.predict(data, verbose=0)["a"].shape == (4, 6, 2)


def test_names_of_all_kinds():
    names = ["b/x", "a", "A.y", "-q_", "b"]
    shapes = {name: (None, None, i + 1) for i, name in enumerate(names)}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        inputs = keras_inputs(shapes, dtype="float32")
        assert [tensor.name for tensor in inputs.values()] == names
        outputs = {
            f"{name}/out": dense(1, i, use_bias=False)(x)
            for i, (name, x) in enumerate(inputs.items())
        }
        model = ProbeModel(inputs, outputs)
        model.compile(loss="mse", metrics=["mae"])
        data = {name: np.ones((4, 2, shapes[name][-1])) for name in names}
        y = {name: np.ones((4, 2, 1)) for name in outputs}
        logs = model.fit(data, y, verbose=0).history
        predictions = model.predict(data, verbose=0)
    assert list(logs) == [
        "loss",
        *(f"{name}/out_loss" for name in names),
        *(f"{name}/out_mae" for name in names),
    ]
    assert list(predictions) == list(outputs)
    kernels = {len(w): w for w in model.get_weights()}
    for name, size in shapes.items():
        expected = kernels[size[-1]].sum()
        np.testing.assert_allclose(predictions[f"{name}/out"], expected, rtol=1e-5)


# arguments of compile, and the message
REFUSED = [
    ({"loss": {"aa": "mse"}}, "loss: expected names among 'a', 'b' .*'aa'.*mean 'a'"),
    ({"loss": {0: "mse"}}, r"loss: expected names among 'a', 'b' \(got 0\)"),
    ({"loss": ["mse"]}, "loss: expected one element for each of the 2 .*got 1. Put"),
    ({"loss_weights": [1]}, "loss_weights: expected one element for each of the 2"),
    ({"loss_weights": {"q": 1}}, "loss_weights: expected names among .*got 'q'"),
    ({"loss_weights": {"a": "1"}}, "loss_weights: expected numbers .*got '1'"),
    ({"metrics": {"q": "mse"}}, "metrics: expected names among .*got 'q'"),
    ({"metrics": [["mse"]]}, "metrics: expected one element for each of the 2 outp"),
    ({"weighted_metrics": {"q": "mse"}}, "weighted_metrics: expected names among"),
    ({"loss": "abc"}, "abc"),
    ({"metrics": ["abc"]}, "abc"),
]


@pytest.mark.parametrize("arguments, message", REFUSED)
def test_refused_by_compile(arguments, message):
    model = build(ProbeModel, "a", "b")
    with pytest.raises(ValueError, match=message):
        model.compile(**{"loss": "mse", **arguments})


def test_metrics_that_cannot_be_copied():
    class Special(keras.metrics.Mean):
        def __init__(self, argument):
            super().__init__()

    model = build(ProbeModel, "a", "b")
    with pytest.raises(ValidationError, match="metrics: .*copied.*Special.*get_config"):
        model.compile(loss="mse", metrics=Special(1))


X_MESSAGE = "x: expected an array for each of 'x' .*got none for 'x'"
# data for a model with the outputs a and b, and the message
INCOMPLETE = [
    ((X, {"a": Y["a"]}), "y: expected an array for each of 'a', 'b' .*none for 'b'"),
    ((X, Y["a"]), "y: expected an array for each of 'a', 'b' .*got none for 'b'"),
    ((X,), "y: expected an array for each of 'a', 'b' .*none for 'a', 'b'.. Add"),
    ((X, {"a": Y["a"], "d": Y["b"]}), "y: expected names among 'a', 'b' .*got 'd'"),
    ((X, (Y["a"],) * 3), "y: expected at most 2 elements .'a', 'b'., got 3"),
    ((X, targets("a", "b"), {"q": W}), "sample_weight: expected names among 'a', 'b'"),
    (({"n_steps": N}, targets("a", "b")), X_MESSAGE),
    (({"x": X, "z": X}, targets("a", "b")), "x: expected names among 'x' .got 'z'"),
    (((X, X, X), targets("a", "b")), "x: expected at most 1 element"),
]


@pytest.mark.parametrize("element, message", INCOMPLETE)
def test_incomplete_data(element, message):
    model = build(ProbeModel, "a", "b")
    model.compile(loss="mse")
    with pytest.raises(ValidationError, match=message):
        model.evaluate(tf.data.Dataset.from_tensors(element), verbose=0)
