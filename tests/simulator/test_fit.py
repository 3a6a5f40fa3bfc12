"""Training, evaluation and prediction: what goes in, and what comes out."""

import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from keras.losses import CategoricalCrossentropy, SparseCategoricalCrossentropy
from nengo.exceptions import ValidationError

import nengo_dl
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


def two_layers():
    """Build two inputs, each with a layer and a probe."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node([0.5, -0.5], label="a")
        net.b = nengo.Node(lambda t: np.sin(1000 * t), label="b")
        x, y = nengo_dl.Layer(dense(3))(net.a), nengo_dl.Layer(dense(1))(net.b)
        net.p, net.q = nengo.Probe(x, label="p"), nengo.Probe(y, label="q")
    return net


# The nodes themselves put out B, and A for all items but the first
TIMES = 0.001 * np.arange(1, STEPS + 1)
A = np.tile(np.float32([0.5, -0.5]), (ITEMS, STEPS, 1))
A[0] = draw(STEPS, 2)
B = np.tile(np.sin(1000 * TIMES).astype("float32")[:, None], (ITEMS, 1, 1))
P, Q = draw(ITEMS, STEPS, 3, seed=1), draw(ITEMS, STEPS, 1, seed=2)
N_STEPS = np.full((ITEMS, 1), STEPS)


@pytest.fixture(scope="module")
def trained():
    """Make a simulator, and a function that tells what training and so on give."""
    net = two_layers()
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
        start = sim.keras_model.get_weights()

        def results(fit, evaluate, predict):
            sim.keras_model.set_weights(start)
            history = fit(sim).history
            scores = evaluate(sim)
            outputs = predict(sim)
            arrays = [*sim.keras_model.get_weights(), outputs[net.p], outputs[net.q]]
            return history, scores, arrays

        x, y = {net.a: A, net.b: B}, {net.p: P, net.q: Q}
        expected = results(*calls(x, y))
        assert not any(
            np.array_equal(old, new)
            for old, new in zip(start, expected[2], strict=False)
        )
        yield net, results, expected


def calls(x, y):
    """Return functions that pass arrays to the methods."""
    return (
        lambda sim: sim.fit(x, y, **QUIET),
        lambda sim: sim.evaluate(x, y, verbose=0),
        lambda sim: sim.predict(x, verbose=0),
    )


def assert_same(actual, expected):
    for logs, desired in zip(actual[:2], expected[:2], strict=True):
        assert list(logs) == list(desired)
        for key, value in desired.items():
            np.testing.assert_allclose(logs[key], value, rtol=1e-5, err_msg=key)
    for array, desired in zip(actual[2], expected[2], strict=True):
        np.testing.assert_allclose(array, desired, rtol=1e-5, atol=1e-6)


# --- forms of data ----------------------------------------------------------------

INPUTS = {
    "dict by object": lambda net: {net.b: B, net.a: A},
    "dict by name": lambda net: {"a": A, "b": B},
    "dict of lists": lambda net: {"a": A.tolist(), net.b: B},
    "partial dict": lambda net: {net.a: A},
    "dict of tensors": lambda net: {"a": tf.constant(A), "b": tf.constant(B)},
    "dict with n_steps": lambda net: {"a": A, "b": B, "n_steps": N_STEPS},
    "list": lambda net: [A, B],
    "tuple": lambda net: (A, B),
    "list with n_steps": lambda net: [A, B, N_STEPS],
    "float64": lambda net: [A.astype("float64"), B.astype("float64")],
    "first input": lambda net: A,
    "tensor": lambda net: tf.constant(A),
    "short list": lambda net: [A],
}
WARN = ("first input", "tensor", "short list")


@pytest.mark.parametrize("form", INPUTS)
def test_forms_of_inputs(form, trained):
    net, results, expected = trained
    functions = calls(INPUTS[form](net), {net.p: P, net.q: Q})
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always", UserWarning)
        actual = results(*functions)
    assert_same(actual, expected)
    assert bool(record) == (form in WARN), [str(w.message) for w in record]


TARGETS = {
    "dict by name": lambda net: {"q": Q, "p": P},
    "dict of tensors": lambda net: {net.p: tf.constant(P), "q": tf.constant(Q)},
    "list": lambda net: [P, Q],
    "tuple": lambda net: (P, Q),
}


@pytest.mark.parametrize("form", TARGETS)
def test_forms_of_targets(form, trained):
    net, results, expected = trained
    assert_same(results(*calls([A, B], TARGETS[form](net))), expected)


class Minibatches(keras.utils.PyDataset):
    def __init__(self, elements):
        super().__init__()
        self.elements = elements

    def __len__(self):
        return len(self.elements)

    def __getitem__(self, index):
        return self.elements[index]


def part(data, rows):
    """Take some items of nested tuples and dicts."""
    if isinstance(data, dict):
        return {key: part(value, rows) for key, value in data.items()}
    if isinstance(data, tuple):
        return tuple(part(value, rows) for value in data)
    return data[rows]


def minibatches(element):
    return [part(element, slice(i, i + BATCH)) for i in range(0, ITEMS, BATCH)]


DATASETS = {
    "generator": lambda element: (each for each in minibatches(element)),
    "tf.data": lambda element: tf.data.Dataset.from_tensor_slices(element).batch(BATCH),
    "PyDataset": lambda element: Minibatches(minibatches(element)),
}
ELEMENTS = {
    "dicts": ({"a": A, "b": B}, {"p": P, "q": Q}),
    "dicts with n_steps": ({"a": A, "b": B, "n_steps": N_STEPS}, {"q": Q, "p": P}),
    "tuples": ((A, B), (P, Q)),
    "tuples with n_steps": ((A, B, N_STEPS), (P, Q)),
}


@pytest.mark.parametrize(
    "kind, form",
    [
        *(("tf.data", form) for form in ELEMENTS),
        *(("generator", "dicts"), ("generator", "tuples with n_steps")),
        *(("PyDataset", "tuples"), ("PyDataset", "dicts with n_steps")),
    ],
)
def test_datasets(kind, form, trained):
    _, results, expected = trained
    element = ELEMENTS[form]
    make = DATASETS[kind]
    actual = results(
        lambda sim: sim.fit(make(element), **QUIET),
        lambda sim: sim.evaluate(make(element), verbose=0),
        lambda sim: sim.predict(make(element[:1]), verbose=0),
    )
    assert_same(actual, expected)


def test_generated_inputs(trained):
    net, results, _ = trained
    x = [np.tile(A[1:2], (ITEMS, 1, 1)), B]
    y = {net.p: P, net.q: Q}
    actual = results(
        lambda sim: sim.fit(y=y, n_steps=STEPS, **QUIET),
        lambda sim: sim.evaluate(None, y, n_steps=STEPS, verbose=0),
        lambda sim: sim.predict({"a": x[0]}, n_steps=STEPS, verbose=0),
    )
    assert_same(actual, results(*calls(x, y)))


def test_predictions(trained):
    """Keys are probes; without data, there is one minibatch."""
    net, results, expected = trained

    def predict(sim):
        for outputs in (
            sim.predict(n_steps=STEPS, verbose=0),
            sim.predict_on_batch(n_steps=STEPS),
            sim.predict_on_batch({net.a: A[1:3]}),
            sim.predict_on_batch([A[1:3], B[1:3], N_STEPS[1:3]]),
        ):
            assert list(outputs) == [net.p, net.q]
            assert all(isinstance(array, np.ndarray) for array in outputs.values())
            for probe, desired in zip(outputs, expected[2][-2:], strict=True):
                np.testing.assert_allclose(outputs[probe], desired[1:3], rtol=1e-5)
        return outputs

    fit, evaluate, _ = calls([A, B], [P, Q])
    results(fit, evaluate, predict)


def test_a_generator_that_ends_changes_nothing_else():
    """Keras starts a step with no data, and finds out in the middle of it."""
    net = layered(synapse=0.01)
    spec = tf.TensorSpec((BATCH, STEPS, 2), tf.float32)
    data = tf.data.Dataset.from_generator(
        lambda: iter([X[:BATCH]] * 3), output_signature=spec
    )
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mse", metrics=["mae"])
        sim.predict(data, verbose=0, stateful=True)
        assert sim.n_steps == 3 * STEPS
        pairs = data.map(lambda x: (x, tf.zeros((BATCH, STEPS, 3))))
        expected = sim.evaluate(pairs.take(3), verbose=0)
        counted = pairs.apply(tf.data.experimental.assert_cardinality(3))
        assert expected == sim.evaluate(counted, verbose=0)


# --- losses, metrics and their weights --------------------------------------------


def mean_loss(array, targets):
    return np.mean((array - targets) ** 2, dtype="float64")


# arguments of compile, and what they say in terms of the probes p and q
OBJECTIVES = {
    "every probe": (lambda net: {"loss": "mse"}, {"p": 1, "q": 1}),
    "list": (
        lambda net: {"loss": ["mse", "mse"], "loss_weights": [0.5, 2]},
        {"p": 0.5, "q": 2},
    ),
    "names": (
        lambda net: {"loss": {"p": "mse", "q": "mse"}, "loss_weights": {"q": 3}},
        {"p": 1, "q": 3},
    ),
    "objects": (
        lambda net: {
            "loss": {net.q: keras.losses.MeanSquaredError(), net.p: squared},
            "loss_weights": {net.q: 3.0, "p": 0.1},
        },
        {"p": 0.1, "q": 3},
    ),
    "one object": (lambda net: {"loss": {net.q: "mse"}}, {"q": 1}),
    "one name": (lambda net: {"loss": {"p": "mse"}}, {"p": 1}),
    "list with None": (lambda net: {"loss": [None, "mse"]}, {"q": 1}),
}


def squared(y_true, y_pred):
    return keras.ops.square(y_pred - y_true)


@pytest.mark.parametrize("arguments, factors", OBJECTIVES.values(), ids=OBJECTIVES)
def test_objectives(arguments, factors):
    """The total is the weighted sum, and all but what is in it stays as it is."""
    net = two_layers()
    targets = {"p": P, "q": Q}
    y = {name: targets[name] for name in factors}
    with make_sim(net, minibatch_size=BATCH) as sim:
        before = (
            net.p.target.tensor_func.get_weights(),
            net.q.target.tensor_func.get_weights(),
        )
        sim.compile(keras.optimizers.SGD(0.1), **arguments(net))
        scores = sim.evaluate([A, B], y, verbose=0)
        assert list(scores) == ["loss", *(f"{name}_loss" for name in factors)]
        outputs = sim.predict([A, B], verbose=0)
        losses = {
            probe.label: mean_loss(outputs[probe], targets[probe.label])
            for probe in (net.p, net.q)
        }
        for name in factors:
            np.testing.assert_allclose(scores[f"{name}_loss"], losses[name], rtol=1e-5)
        total = sum(factor * losses[name] for name, factor in factors.items())
        np.testing.assert_allclose(scores["loss"], total, rtol=1e-5)
        sim.fit([A, B], y, **QUIET)
        for probe, (kernel, _) in zip((net.p, net.q), before, strict=True):
            changed = not np.array_equal(
                kernel, probe.target.tensor_func.get_weights()[0]
            )
            assert changed == (probe.label in factors)


# where it is not said for which probe, metrics are for those with a loss
KEYS = {
    "string": (lambda net: "accuracy", ["p_accuracy"]),
    "for each": (lambda net: ["mae", "mse"], ["p_mae", "q_mse"]),
    "several": (
        lambda net: ["mae", "mse", squared],
        [f"p_{key}" for key in ("mae", "mse", "squared")],
    ),
    "objects": (lambda net: {net.q: ["mae", squared]}, ["q_mae", "q_squared"]),
    "name": (lambda net: {"p": keras.metrics.MeanSquaredError("x")}, ["p_x"]),
    "list of lists": (lambda net: [["mae"], ["mse"]], ["p_mae", "q_mse"]),
}


@pytest.mark.parametrize("metrics, keys", KEYS.values(), ids=KEYS)
def test_keys_of_metrics(metrics, keys):
    net = two_layers()
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss={net.p: "mse"}, metrics=metrics(net))
        y = {net.p: P, net.q: Q}
        scores = sim.evaluate([A, B], y, verbose=0)
    assert list(scores) == ["loss", "p_loss", *keys]
    assert all(type(score) is float for score in scores.values())


def test_keys_of_an_unlabelled_probe():
    with make_sim(layered(), minibatch_size=BATCH) as sim:
        loss = SparseCategoricalCrossentropy(from_logits=True)
        sim.compile("sgd", loss=loss, metrics=["accuracy"])
        labels = np.argmax(Y[:, -1:], axis=-1)[..., None].repeat(STEPS, axis=1)
        keys = ["loss", "probe_loss", "probe_accuracy"]
        scores = sim.evaluate(X, labels, verbose=0)
        assert list(scores) == keys
        outputs = next(iter(sim.predict(X, verbose=0).values()))
        accuracy = np.mean(np.argmax(outputs, axis=-1) == labels[..., 0])
        np.testing.assert_allclose(scores["probe_accuracy"], accuracy)
        history = sim.fit(X, labels, epochs=2, validation_data=(X, labels), **QUIET)
        assert list(history.history) == [*keys, *(f"val_{key}" for key in keys)]
        assert all(len(values) == 2 for values in history.history.values())


# --- validation, weights of samples and classes -----------------------------------


def test_validation():
    """Given data or a part of the training data: as evaluate says."""
    x, y = draw(3 * BATCH, STEPS, 2), draw(3 * BATCH, STEPS, 3, seed=1)
    weights = draw(3 * BATCH) + 1
    kept, held = slice(2 * BATCH), slice(2 * BATCH, None)
    pairs = tf.data.Dataset.from_tensor_slices((x[held], y[held])).batch(BATCH)
    net = layered()
    with make_sim(net, minibatch_size=BATCH) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
        start = sim.keras_model.get_weights()
        results = []
        for arguments in (
            {"validation_data": (x[held], y[held])},
            {"validation_data": [{net.stimulus: x[held]}, {net.probe: y[held]}]},
            {"validation_data": ({"in": x[held]}, [y[held]], weights[held])},
            {"validation_data": pairs},
            {"validation_split": 1 / 3, "x": x, "y": y},
            {"validation_data": pairs, "validation_freq": 2, "epochs": 2},
        ):
            sim.keras_model.set_weights(start)
            given = {"x": x[kept], "y": y[kept], **QUIET, **arguments}
            history = sim.fit(**given).history
            assert list(history) == [
                *("loss", "probe_loss", "probe_mae"),
                *("val_loss", "val_probe_loss", "val_probe_mae"),
            ]
            sample_weight = weights[held] if len(results) == 2 else None
            scores = sim.evaluate(
                x[held], y[held], sample_weight=sample_weight, verbose=0
            )
            for key, value in scores.items():
                np.testing.assert_allclose(history[f"val_{key}"], [value], rtol=1e-5)
            results.append(history["loss"][0])
    np.testing.assert_allclose(results, results[0], rtol=1e-5)


def test_refused_validation_split():
    with make_sim(layered(), minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mse")
        with pytest.raises(
            ValidationError, match="validation_split: expected two part"
        ):
            sim.fit(X, Y, validation_split=0.25)


W = np.array([0.5, 2.0, 0.0, 1.0])
PER_STEP = np.linspace(0, 2, ITEMS * STEPS).reshape(ITEMS, STEPS)
WEIGHTS = {
    "array": (lambda net: W, W[:, None]),
    "list": (lambda net: W.tolist(), W[:, None]),
    "object": (lambda net: {net.probe: W}, W[:, None]),
    "name": (lambda net: {"probe": W}, W[:, None]),
    "list of arrays": (lambda net: [W], W[:, None]),
    "per step": (lambda net: PER_STEP, PER_STEP),
}


@pytest.mark.parametrize("weights, factors", WEIGHTS.values(), ids=WEIGHTS)
def test_sample_weights(weights, factors):
    """Losses are weighted, in evaluation and in training."""
    net = layered()
    with make_sim(net, minibatch_size=ITEMS) as sim:
        sim.compile(keras.optimizers.SGD(0.5), loss="mse")
        outputs = sim.predict(X, verbose=0)[net.probe]
        losses = np.mean((outputs - Y) ** 2, axis=-1) * factors
        score = sim.evaluate(X, Y, sample_weight=weights(net), verbose=0)
        np.testing.assert_allclose(score["loss"], losses.mean(), rtol=1e-5)
        bias = net.layer.bias.numpy()
        sim.fit(X, Y, sample_weight=weights(net), **QUIET)
        slope = np.mean(2 / 3 * (outputs - Y) * factors[..., None], axis=(0, 1))
        np.testing.assert_allclose(
            net.layer.bias, bias - 0.5 * slope, rtol=1e-4, atol=1e-6
        )


def test_class_weights():
    labels = np.array([0, 2, 1, 2]).reshape((ITEMS, 1, 1)).repeat(STEPS, axis=1)
    one_hot = np.eye(3)[labels[..., 0]]
    per_step = np.where(labels[..., 0] == 2, 0.5, 1)
    net = layered()
    with make_sim(net, minibatch_size=BATCH) as sim:
        start = sim.keras_model.get_weights()
        results = []
        for loss, y, arguments in (
            (SparseCategoricalCrossentropy, labels, {"class_weight": {2: 0.5}}),
            (CategoricalCrossentropy, one_hot, {"class_weight": {0: 1, 2: 0.5}}),
            (CategoricalCrossentropy, one_hot, {"sample_weight": per_step}),
        ):
            sim.compile(keras.optimizers.SGD(0.1), loss=loss(from_logits=True))
            sim.keras_model.set_weights(start)
            sim.fit(X, y, **QUIET, **arguments)
            results.append(net.layer.get_weights())
    assert not np.array_equal(results[0][0], start[0])
    for weights in results[1:]:
        for actual, desired in zip(weights, results[0], strict=True):
            np.testing.assert_allclose(actual, desired, rtol=1e-5)


def test_batch_sizes_are_those_of_the_simulator():
    with make_sim(layered(), minibatch_size=BATCH) as sim:
        sim.compile("sgd", loss="mse")
        for call in (
            lambda: sim.fit(X, Y, batch_size=3, **QUIET),
            lambda: sim.evaluate(X, Y, batch_size=3, verbose=0),
            lambda: sim.predict(X, batch_size=3, verbose=0),
        ):
            with pytest.warns(
                UserWarning, match="batch_size=3 is ignored: a minibatch"
            ):
                call()
        with pytest.warns(UserWarning, match="minibatch"):
            outputs = sim.predict(X[:3], verbose=0)
        assert all(len(array) == BATCH for array in outputs.values())
