"""``fit`` of wrapped models trains on the minibatches that Keras would make."""

import keras
import numpy as np
import pytest

import nengo_dl
from nengo_dl.wrapped import training_data

RNG = np.random.RandomState(0)
X, Y = RNG.rand(11, 3).astype("float32"), RNG.rand(11, 2)
OTHER = RNG.rand(5, 3), RNG.rand(5, 2)

CALLS = {
    "by position": ((X, Y, 4), {"epochs": 2}),
    "default size": ((X, Y), {}),
    "split": ((X, Y), {"batch_size": 3, "validation_split": 0.3}),
    "other data": ((X, Y, 4), {"validation_data": OTHER, "validation_split": 0.5}),
    "weights": ((X, Y, 4), {"sample_weight": np.arange(11.0)}),
    "steps": ((X, Y, 4), {"steps_per_epoch": 2}),
    "list of inputs": (([X], [Y], 4), {}),
    "tensors": ((keras.ops.convert_to_tensor, Y, 4), {}),
}


def fitted(args, kwargs):
    """Return the weights after fit, and its history."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    outputs = keras.layers.Dense(2, activation="relu")(inputs)
    model = nengo_dl.wrap(
        keras.Model(inputs, outputs), n_steps=2, settings={"jit_compile": False}
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    args = [arg(X) if callable(arg) else arg for arg in args]
    history = model.fit(*args, shuffle=False, verbose=0, **kwargs).history
    return [model.get_weights(), history]


@pytest.mark.parametrize("args, kwargs", CALLS.values(), ids=CALLS)
def test_same_as_with_minibatches_of_keras(args, kwargs, monkeypatch):
    ours = fitted(args, kwargs)
    monkeypatch.setattr(training_data, "are_arrays", lambda x: False)
    theirs = fitted(args, kwargs)
    keras.tree.assert_same_structure(ours, theirs)
    for a, b in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_fractions_that_leave_a_part_empty_are_errors():
    with pytest.raises(ValueError, match="validation_split"):
        fitted((X, Y, 4), {"validation_split": 0.99})


def test_errors_in_arguments_name_the_method():
    with pytest.raises(TypeError, match=r"^fit\(\) got an unexpected .*'epoch'"):
        fitted((X, Y, 4), {"epoch": 2})


def test_items_are_shuffled_in_each_epoch():
    seen = []
    inputs = keras.Input((1,))
    model = nengo_dl.wrap(
        keras.Model(inputs, keras.layers.Dense(1)(inputs)),
        n_steps=1,
        settings={"jit_compile": False},
    )

    def loss(y_true, y_pred):
        seen.append(np.ravel(y_true).astype(int).tolist())
        return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)

    model.compile("sgd", loss, run_eagerly=True)
    items = np.arange(12.0)[:, None]
    model.fit(items, items, batch_size=12, epochs=3, verbose=0)
    orders = {tuple(order) for order in seen}
    assert len(orders) == 3
    assert all(sorted(order) == list(range(12)) for order in orders)
