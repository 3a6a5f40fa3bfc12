"""Every argument of Keras' methods is honoured or refused."""

import inspect

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from tests.simulator.helpers import make_sim

X = np.linspace(-1, 1, 16).reshape((8, 1, 2))
Y = X[..., :1]


@pytest.fixture(scope="module")
def sim():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.0, 0.0])
        dense = keras.layers.Dense(1, kernel_initializer="ones")
        nengo.Probe(nengo_dl.Layer(dense)(node))
    with make_sim(net, minibatch_size=2) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse")
        yield sim


class Seen(keras.callbacks.Callback):
    """Counts what has been done."""

    def __init__(self):
        super().__init__()
        self.batches = self.tests = self.test_batches = self.epochs = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    on_predict_batch_end = on_train_batch_end

    def on_test_begin(self, logs=None):
        self.tests += 1

    def on_test_batch_end(self, batch, logs=None):
        self.test_batches += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1


def fit(sim, x=X, y=Y, **kwargs):
    seen, before = Seen(), sim.keras_model.get_weights()
    try:
        history = sim.fit(x, y, **{"verbose": 0, "callbacks": [seen], **kwargs})
        seen.history = history.history
        return seen
    finally:
        sim.keras_model.set_weights(before)


def evaluate(sim, x=X, y=Y, **kwargs):
    seen = Seen()
    seen.result = sim.evaluate(x, y, **{"verbose": 0, "callbacks": [seen], **kwargs})
    return seen


def predict(sim, x=X, **kwargs):
    seen = Seen()
    (seen.result,) = sim.predict(
        x, **{"verbose": 0, "callbacks": [seen], **kwargs}
    ).values()
    return seen


ZEROS = np.zeros(8)


def batch_size(call):
    def honoured(sim):
        with pytest.warns(UserWarning, match="batch_size=3 is ignored: a minibatch ha"):
            call(sim, batch_size=3)

    return honoured


def refused_batch_size_of_validation(sim):
    with pytest.warns(UserWarning, match="validation_batch_size=3 is ignored"):
        fit(sim, validation_batch_size=3)


def shuffle(sim):
    first = [fit(sim, shuffle=False).history["loss"] for _ in range(2)]
    assert first[0] == first[1]
    keras.utils.set_random_seed(1)
    assert fit(sim, shuffle=True).history["loss"] != first[0]


def verbose(call):
    return lambda sim, capsys: shown(sim, call, capsys)


def shown(sim, call, capsys):
    capsys.readouterr()
    call(sim, verbose=0)
    assert not capsys.readouterr().out
    call(sim, verbose=2)
    assert capsys.readouterr().out


def return_dict(sim):
    assert isinstance(evaluate(sim, return_dict=True).result, dict)
    with pytest.raises(ValidationError, match="return_dict: must be True .*list"):
        evaluate(sim, return_dict=False)


def validation_split(sim):
    assert fit(sim, validation_split=0.25).test_batches == 1
    seen = fit(sim, validation_split=0.25, validation_data=(X, Y))
    assert (seen.batches, seen.test_batches) == (4, 4), "as in Keras"


def equal(condition):
    def check(sim):
        assert condition(sim)

    return check


# what shows that an argument has been taken to heart
FIT = {
    "x": equal(lambda sim: fit(sim, X[:4], Y[:4]).batches == 2),
    "y": equal(lambda sim: fit(sim, y=Y + 1).history != fit(sim).history),
    "batch_size": batch_size(fit),
    "epochs": equal(lambda sim: fit(sim, epochs=3).epochs == 3),
    "verbose": verbose(fit),
    "callbacks": equal(lambda sim: fit(sim).batches == 4),
    "validation_split": validation_split,
    "validation_data": equal(
        lambda sim: fit(sim, validation_data=(X, Y)).test_batches == 4
    ),
    "shuffle": shuffle,
    "class_weight": equal(
        lambda sim: fit(sim, y=Y > 0, class_weight={0: 0, 1: 0}).history["loss"] == [0]
    ),
    "sample_weight": equal(
        lambda sim: fit(sim, sample_weight=ZEROS).history["loss"] == [0]
    ),
    "initial_epoch": equal(lambda sim: fit(sim, epochs=3, initial_epoch=1).epochs == 2),
    "steps_per_epoch": equal(lambda sim: fit(sim, steps_per_epoch=2).batches == 2),
    "validation_steps": equal(
        lambda sim: (
            fit(sim, validation_data=(X, Y), validation_steps=1).test_batches == 1
        )
    ),
    "validation_batch_size": refused_batch_size_of_validation,
    "validation_freq": equal(
        lambda sim: (
            fit(sim, epochs=4, validation_data=(X, Y), validation_freq=2).tests == 2
        )
    ),
}
EVALUATE = {
    "x": equal(lambda sim: evaluate(sim, X[:4], Y[:4]).test_batches == 2),
    "y": equal(lambda sim: evaluate(sim, y=Y + 9).result["loss"] > 9),
    "batch_size": batch_size(evaluate),
    "verbose": verbose(evaluate),
    "sample_weight": equal(
        lambda sim: evaluate(sim, sample_weight=ZEROS).result["loss"] == 0
    ),
    "steps": equal(lambda sim: evaluate(sim, steps=2).test_batches == 2),
    "callbacks": equal(lambda sim: evaluate(sim).test_batches == 4),
    "return_dict": return_dict,
}
PREDICT = {
    "x": equal(lambda sim: len(predict(sim, X[:4]).result) == 4),
    "batch_size": batch_size(predict),
    "verbose": verbose(predict),
    "steps": equal(lambda sim: len(predict(sim, steps=2).result) == 4),
    "callbacks": equal(lambda sim: predict(sim).batches == 4),
}
ON_BATCH = {"x": equal(lambda sim: len(sim.predict_on_batch(X[:2])) == 1)}
TABLE = {
    "fit": FIT,
    "evaluate": EVALUATE,
    "predict": PREDICT,
    "predict_on_batch": ON_BATCH,
}


@pytest.mark.parametrize("method", TABLE)
def test_the_table_is_complete(method):
    """A new argument of Keras' needs a decision here."""
    parameters = inspect.signature(getattr(keras.Model, method)).parameters.values()
    named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {"self"}
    assert named == set(TABLE[method])


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(
    "method, argument", [(m, argument) for m in TABLE for argument in TABLE[m]]
)
def test_arguments(sim, method, argument, capsys):
    check = TABLE[method][argument]
    if "capsys" in inspect.signature(check).parameters:
        check(sim, capsys)
    else:
        check(sim)


@pytest.mark.parametrize("method", TABLE)
def test_unknown_arguments_are_refused(sim, method):
    args = (X[:2],) if method.startswith("predict") else (X[:2], Y[:2])
    for argument in ("epoch", "labels"):
        with pytest.raises((TypeError, ValueError), match=argument):
            getattr(sim, method)(*args, **{argument: 1})
