"""Targets that a loss would compare with something else than was meant."""

import functools

import keras
import nengo
import numpy as np
import pytest
from keras import losses
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.errors import InvalidValue
from nengo_dl.graph.kept import ALL_STEPS, Last
from nengo_dl.keras_model.loss_kinds import TargetSpec, crossentropy, kind_of
from nengo_dl.losses import Regularize, nan_mse
from nengo_dl.simulator.target_checks import check_target
from tests.simulator.helpers import make_sim, relay

ITEMS, STEPS, SIZE = 4, 5, 3


def mine(y_true, y_pred):
    """Compute a loss that may want anything."""
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


class Mine(losses.MeanSquaredError):
    """May want anything, too."""

    def call(self, y_true, y_pred):
        return mine(y_true[..., :1], y_pred)


ELEMENTWISE = [
    *("mse", "mae", "MSE", "mean_squared_error", "huber", "log_cosh", "poisson"),
    *("mean_absolute_percentage_error", "cosine_similarity", "kl_divergence"),
    *("MeanSquaredError", "binary_crossentropy", "hinge", "squared_hinge"),
    *(losses.mean_squared_error, losses.MeanAbsoluteError(), losses.Huber(2.0)),
    *(losses.BinaryCrossentropy(from_logits=True), losses.LogCosh(), nan_mse),
    *(losses.MeanSquaredError(reduction="sum"), losses.CosineSimilarity()),
    functools.partial(losses.huber, delta=0.5),
]
DENSE = ["categorical_crossentropy", losses.CategoricalCrossentropy(from_logits=True)]
DENSE += [losses.categorical_hinge, losses.CategoricalFocalCrossentropy()]
SPARSE = [
    "sparse_categorical_crossentropy",
    losses.SparseCategoricalCrossentropy(from_logits=True),
]
FREE = [
    *(mine, Mine(), Regularize(), lambda y, p: mine(y[:, :1], p[:, -1:])),
    *(losses.CTC(), losses.CategoricalCrossentropy(axis=1)),
]

FITTING = np.full((ITEMS, STEPS, SIZE), 0.5)
LABELS = np.arange(ITEMS * STEPS).reshape((ITEMS, STEPS, 1)) % SIZE


def spec(loss, size=SIZE, kept=ALL_STEPS):
    if loss == "crossentropy":
        loss = crossentropy
    kind = kind_of(losses.get(loss) if isinstance(loss, str) else loss)
    return None if kind is None else TargetSpec(kind, size, kept)


def check(loss, y, **kwargs):
    check_target(y, spec(loss, **kwargs), STEPS)


@pytest.mark.parametrize("loss", FREE)
def test_nothing_is_known_of_other_losses(loss):
    assert kind_of(loss) is None


# what is wrong, and what the message says: where, expected, got, what to do
WRONG_STEPS = [
    (FITTING[:, :1], "5 time steps, .*probe keeps.*got 1, .*set keep_history=False"),
    (FITTING[:, :1], r"LossOverTime\), or repeat y: np.repeat\(y, 5, axis=1\)"),
    (FITTING[:, :3], "expected 5 time steps.*got 3, in shape .*for each step that"),
    (FITTING[:, :0], "expected 5 time steps.*got 0"),
]


@pytest.mark.parametrize("loss", [*ELEMENTWISE, *DENSE])
def test_elements_need_the_shape_of_the_output(loss):
    check(loss, FITTING)
    check(loss, FITTING[:, :1], kept=Last())
    check(loss, FITTING > 1)
    for y, message in WRONG_STEPS:
        with pytest.raises(InvalidValue, match=message):
            check(loss, y)
    with pytest.raises(InvalidValue, match=r"expected 1 time step.*y\[:, -1:\]"):
        check(loss, FITTING, kept=Last())
    for width, size in ((1, 3), (2, 3), (3, 1), (0, 3)):
        message = rf"axis of {size}, that of the probe.*shape \(4, 5, {width}\)"
        with pytest.raises(InvalidValue, match=message):
            check(loss, np.zeros((ITEMS, STEPS, width)), size=size)


@pytest.mark.parametrize("loss", [*ELEMENTWISE, *DENSE])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_targets_are_finite(loss, value):
    y = FITTING.copy()
    y[2, 3, 1] = value
    if loss is nan_mse and np.isnan(value):
        check(loss, y)
        return
    message = f"finite.*got {value} at item 2, step 3, dimension 1.*losses.nan_mse"
    with pytest.raises(InvalidValue, match=message):
        check(loss, y)


@pytest.mark.parametrize("loss", DENSE)
def test_integer_labels_for_a_dense_loss(loss):
    message = r"use SparseCategoricalCrossentropy, .*to_categorical\(y\[..., 0\], 3\)"
    with pytest.raises(InvalidValue, match=message):
        check(loss, LABELS)


@pytest.mark.parametrize("loss", [*SPARSE, "crossentropy"])
def test_class_numbers(loss):
    check(loss, LABELS)
    check(loss, LABELS.astype(float))
    check(loss, LABELS > 0)
    check(loss, LABELS[:, :1], kept=Last())
    with pytest.raises(InvalidValue, match="got 1.*set keep_history=False"):
        check(loss, LABELS[:, :1])
    for bad in (-1, 3, 0.5, np.nan, np.inf):
        y = np.where(LABELS == 2, bad, LABELS)
        message = f"class numbers from 0 to 2, .*got {bad}.*Count classes from 0"
        with pytest.raises(InvalidValue, match=message):
            check(loss, y)


@pytest.mark.parametrize("loss", SPARSE)
def test_one_hot_labels_for_a_sparse_loss(loss):
    message = r"For one-hot.*CategoricalCrossentropy, or pass y.argmax\(axis=-1\)\[...,"
    with pytest.raises(InvalidValue, match=message):
        check(loss, FITTING)
    with pytest.raises(InvalidValue, match="one class number.*Pass shape .items"):
        check(loss, FITTING[..., :2])


def test_a_label_that_is_ignored():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    check(loss, np.where(LABELS == 2, -1, LABELS))
    with pytest.raises(InvalidValue, match="class numbers .*got -2"):
        check(loss, np.where(LABELS == 2, -2, LABELS))


def test_crossentropy_by_labels():
    check("crossentropy", FITTING)
    check("crossentropy", FITTING[..., :1], size=1)
    with pytest.raises(InvalidValue, match="axis of 3"):
        check("crossentropy", FITTING[..., :2])


@pytest.mark.parametrize("loss", ["binary_crossentropy", losses.BinaryCrossentropy()])
@pytest.mark.parametrize("value", [-1, 2])
def test_probabilities(loss, value):
    message = f"from 0 to 1, .*got {value}.*SparseCategoricalCrossentropy"
    with pytest.raises(InvalidValue, match=message):
        check(loss, FITTING * 2 * value)


# --- in the methods of a simulator ------------------------------------------------


@pytest.fixture(scope="module")
def net():
    net = relay([0.0, 0.0, 0.0], [0.0])
    net.all_probes[0].label, net.all_probes[1].label = "wide", "narrow"
    return net


X = np.zeros((ITEMS, STEPS, SIZE))
GOOD = {"wide": FITTING, "narrow": FITTING[..., :1]}
BAD = {
    "labels": ({"wide": SPARSE[1]}, {"wide": LABELS[:, :1]}, "keep_history=False"),
    "width": (
        "mse",
        {**GOOD, "wide": FITTING[..., :1]},
        "^Targets for 'wide': expected a last axis of 3",
    ),
    "second": ("mse", {**GOOD, "narrow": FITTING}, "'narrow': .*axis of 1"),
    "nan": ({"narrow": "mae"}, {"narrow": FITTING[..., :1] * np.nan}, "nan_mse"),
}


@pytest.mark.parametrize("case", BAD)
def test_nothing_runs_with_targets_that_do_not_fit(net, case):
    loss, y, message = BAD[case]
    good = {"wide": LABELS} if case == "labels" else GOOD
    with make_sim(net, minibatch_size=2) as sim:
        sim.compile("sgd", loss=loss)
        for call in (
            lambda: sim.evaluate({"node": X}, y, verbose=0),
            lambda: sim.evaluate(n_steps=STEPS, y=y, verbose=0),
            lambda: sim.fit({"node": X}, y, verbose=0),
            lambda: sim.fit({"node": X}, good, validation_data=({"node": X}, y)),
        ):
            with pytest.raises(ValidationError, match=message):
                call()


def test_weights_of_steps_are_for_the_steps_that_there_are(net):
    with make_sim(net, minibatch_size=2) as sim:
        sim.compile(loss="mse")
        sim.evaluate({"node": X}, GOOD, verbose=0)
        message = r"sample_weight for 'wide': expected .*\(items, 5\).*got \(4, 3\)"
        with pytest.raises(ValidationError, match=message):
            sim.evaluate(
                {"node": X}, GOOD, sample_weight={"wide": np.ones((4, 3))}, verbose=0
            )


def test_targets_for_the_last_step_alone():
    net = relay([0.0, 0.0, 0.0], keep_history=False)
    with make_sim(net, minibatch_size=2) as sim:
        sim.compile(loss=SPARSE[1])
        sim.evaluate(X, LABELS[:, :1], verbose=0)
        with pytest.raises(ValidationError, match=r"pass y\[:, -1:\]"):
            sim.evaluate(X, LABELS, verbose=0)


def test_matrices_may_have_any_targets():
    """A target of zeros for all weights is what broadcasting is good for."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node, out = nengo.Node([0.0]), nengo.Node(size_in=2)
        conn = nengo.Connection(node, out, transform=[[1.0], [2.0]], synapse=None)
        probe = nengo.Probe(conn, "weights")
    with make_sim(net, minibatch_size=2) as sim:
        sim.compile(loss={probe: "mse"})
        result = sim.evaluate(y={probe: np.zeros((2, 1, 1))}, n_steps=3, verbose=0)
    assert result["loss"] == pytest.approx(2.5)
