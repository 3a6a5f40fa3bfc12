import keras
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.losses import Regularize, nan_mse

RNG = np.random.RandomState(0)
SIGNAL = RNG.uniform(-1, 1, size=(2, 3, 4, 5)).astype(np.float32)
ORDERS = ["euclidean", 0.5, 1, 1.5, 2, 3, np.inf]


def with_nans(*shape):
    """Make targets, of which about a third are NaN."""
    values = RNG.uniform(-1, 1, size=shape).astype(np.float32)
    return np.where(RNG.uniform(size=shape) < 0.3, np.nan, values)


@pytest.mark.parametrize("shape", [(3,), (2, 4, 3), (1, 1, 1)])
def test_nan_mse(shape):
    target = with_nans(*shape)
    output = RNG.uniform(-1, 1, size=shape).astype(np.float32)
    squares = (output - target) ** 2
    expected = np.mean(np.where(np.isnan(target), 0, squares), axis=-1)
    np.testing.assert_allclose(nan_mse(target, output), expected, rtol=1e-5)
    without = np.nan_to_num(target)
    np.testing.assert_allclose(
        nan_mse(without, output),
        keras.losses.mean_squared_error(without, output),
        rtol=1e-5,
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_of_nan_mse_is_zero_where_the_target_is_nan(jit_compile):
    target, output = with_nans(5, 4, 3), tf.constant(SIGNAL.ravel()[:60])
    output = tf.reshape(output, (5, 4, 3))

    @tf.function(jit_compile=jit_compile)
    def gradient(target, output):
        with tf.GradientTape() as tape:
            tape.watch(output)
            loss = tf.reduce_mean(nan_mse(target, output))
        return tape.gradient(loss, output)

    expected = np.where(np.isnan(target), 0, 2 * (output - target) / target.size)
    np.testing.assert_allclose(gradient(target, output), expected, atol=1e-7)


def test_targets_are_cast():
    assert nan_mse(np.array([[1, 2]]), np.float32([[2, 2]])).dtype == "float32"
    assert nan_mse(np.float64([[np.nan]]), np.float32([[2]])).dtype == "float32"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_regularize(order, axis):
    if axis is None:
        vectors = SIGNAL.reshape(2, 3, -1)
    else:
        vectors = np.moveaxis(SIGNAL, axis + 2 if axis >= 0 else axis, -1)
    magnitudes = np.abs(vectors).astype(float)
    p = 2 if order == "euclidean" else order
    norms = (
        magnitudes.max(axis=-1)
        if p == np.inf
        else np.sum(magnitudes**p, axis=-1) ** (1 / p)
    )
    loss = Regularize(order=order, axis=axis)
    got = loss(np.zeros((2, 3, 1)), SIGNAL)
    np.testing.assert_allclose(got, np.mean(norms), rtol=1e-4)
    per_step = loss.call(np.zeros((2, 3, 1)), SIGNAL)
    assert per_step.shape == (2, 3)


def test_default_is_the_length_of_the_signal():
    loss = Regularize()
    assert (loss.order, loss.axis, loss.name) == (2, None, "regularize")
    np.testing.assert_allclose(loss([[[0.0]]], [[[3.0, 4.0]]]), 5)


@pytest.mark.parametrize("order", [order for order in ORDERS if order != 0.5])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_of_regularize_at_zero_is_zero(order, jit_compile):
    signal = SIGNAL[0].copy()[None]
    signal[0, 0] = 0  # all of a step
    signal[0, 1, 0] = 0  # part of one

    @tf.function(jit_compile=jit_compile)
    def gradient(output):
        with tf.GradientTape() as tape:
            tape.watch(output)
            loss = Regularize(order)(tf.zeros((1, 3, 1)), output)
        return tape.gradient(loss, output)

    found = gradient(tf.constant(signal)).numpy()
    assert np.all(np.isfinite(found))
    assert np.all(found[0, 0] == 0) and np.any(found[0, 1] != 0)


@pytest.mark.parametrize("order", [0, -1, "fro", None])
def test_order_of_no_norm(order):
    with pytest.raises(ValidationError, match="order: must be .*got.*Choose 1"):
        Regularize(order=order)


@pytest.mark.parametrize("order", ORDERS)
def test_serialization(order):
    loss = Regularize(order, axis=1, reduction="sum", name="small")
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(copy) is Regularize
    assert copy.get_config() == loss.get_config()
    assert (copy.order, copy.axis, copy.reduction) == (order, 1, "sum")
    assert keras.losses.deserialize(keras.losses.serialize(nan_mse)) is nan_mse


@pytest.mark.parametrize("loss", [nan_mse, Regularize(order=1)])
def test_keras_trains_with_them(loss):
    inputs = keras.Input((4, 3))
    layer = keras.layers.Dense(2, kernel_initializer="ones")
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.05), loss=loss, jit_compile=True)
    x, y = np.ones((8, 4, 3), np.float32), np.zeros((8, 4, 2), np.float32)
    y[:, :3] = np.nan
    history = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert history[0] > history[1] > history[2] > 0


@pytest.mark.parametrize("order", ["euclidean", 1, np.inf])
@pytest.mark.parametrize("weight", [None, np.array([[0.5] * 3, [2.0] * 3])])
def test_regularize_needs_no_targets(order, weight):
    x = np.random.RandomState(0).normal(size=(2, 3, 4))
    loss = Regularize(order)
    without = loss(None, x, sample_weight=weight)
    np.testing.assert_allclose(without, loss(np.zeros(x.shape), x, weight))
