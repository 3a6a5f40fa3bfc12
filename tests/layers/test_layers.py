"""Layers of neurons and memories equal NumPy, and are layers like all others."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError
from scipy.linalg import expm

import nengo_dl
from nengo_dl.layers import LIF, LMU, RecurrentLIF

N_ITEMS, N_STEPS, SIZE, DT = 3, 30, 4, 0.001


def inputs(scale=1.0):
    rng = np.random.RandomState(0)
    return (scale * rng.normal(size=(N_ITEMS, N_STEPS, SIZE))).astype("float32")


def weights_of(layer):
    return {w.name: np.asarray(w.value) for w in layer.weights}


def lif(current_of, units, tau_rc=0.02, tau_ref=0.002):
    """Step LIF neurons of Nengo; currents are a function of step and last spikes."""
    neurons = nengo.LIF(tau_rc, tau_ref, amplitude=DT)
    voltage, refractory = np.zeros((2, N_ITEMS * units))
    spikes, rows = np.zeros(N_ITEMS * units), []
    for i in range(N_STEPS):
        current = current_of(i, spikes.reshape(N_ITEMS, units)).ravel()
        neurons.step(DT, current, spikes, voltage=voltage, refractory_time=refractory)
        rows.append(spikes.reshape(N_ITEMS, units).copy())
    return np.stack(rows, axis=1)


@pytest.mark.parametrize("trainable_tau", [False, True])
@pytest.mark.parametrize("cls", [LIF, RecurrentLIF])
def test_neurons_equal_nengo(cls, trainable_tau):
    keras.utils.set_random_seed(1)
    layer, x = cls(5, tau_rc=0.03, trainable_tau=trainable_tau), inputs(3)
    found = np.asarray(layer(x))
    w = weights_of(layer)
    bias = w.get("neurons.bias", w.get("bias"))
    recurrent = w.get("recurrent_kernel.weights", np.zeros((5, 5)))
    expected = lif(
        lambda i, spikes: x[:, i] @ w["kernel.weights"].T + bias + spikes @ recurrent.T,
        5,
        tau_rc=0.03,
    )
    assert 0 < expected.mean() < 0.5
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("memory_d", [1, 2])
def test_memories_equal_numpy(memory_d):
    keras.utils.set_random_seed(1)
    layer, x = LMU(5, order=3, theta=10, memory_d=memory_d), inputs()
    found = np.asarray(layer(x))
    w = weights_of(layer)
    a = np.array([[-1, -1, -1], [3, -3, -3], [-5, 5, -5]]) / 10
    b = np.array([[1], [-3], [5]]) / 10
    discrete = expm(np.block([[a, b], [np.zeros((1, 4))]]))
    memory, h = np.zeros((N_ITEMS, memory_d, 3)), np.zeros((N_ITEMS, 5))
    for i in range(N_STEPS):
        u = x[:, i] @ w["encoder.weights"].T
        memory = memory @ discrete[:3, :3].T + u[..., None] * discrete[:3, 3]
        h = np.tanh(
            x[:, i] @ w["kernel.weights"].T
            + memory.reshape(N_ITEMS, -1) @ w["memory_kernel.weights"].T
            + h @ w["recurrent.weights"].T
            + w["neurons.bias"]
        )
        np.testing.assert_allclose(found[:, i], h, rtol=1e-4, atol=1e-5)


def test_a_memory_whose_length_is_trained_is_nearly_the_same():
    keras.utils.set_random_seed(1)
    first = LMU(5, order=3, theta=300)
    second = LMU(5, order=3, theta=300, trainable_theta=True)
    x = inputs()
    found = np.asarray(second(x))
    expected = np.asarray(first(x))
    names = {w.name: w for w in first.weights}
    for weight in second.weights:
        if weight.name in names and weight.trainable:
            weight.assign(names[weight.name].value)
    found = np.asarray(second(x))
    np.testing.assert_allclose(found, expected, atol=0.01)


CASES = [
    LIF(3, trainable_tau=True, surrogate="arctan"),
    RecurrentLIF(3, synapse=0.01, kernel_initializer="he_normal"),
    LMU(
        3,
        2,
        20,
        neuron_type=nengo.Sigmoid(tau_ref=1),
        trainable_theta=True,
        return_sequences=False,
    ),
]


@pytest.mark.parametrize("layer", CASES, ids=lambda layer: type(layer).__name__)
def test_layers_train_and_are_saved(layer, tmp_path):
    keras.utils.set_random_seed(0)
    layer = type(layer).from_config(layer.get_config())
    model = keras.Sequential([keras.Input((None, SIZE)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    x = inputs(3)
    y = np.ones(model.predict(x, verbose=0).shape)
    assert y.shape[1:] == ((1,) if not layer.return_sequences else (N_STEPS, 1))
    before = [w.numpy() for w in model.trainable_weights]
    model.fit(x, y, epochs=2, verbose=0)
    for weight, value in zip(model.trainable_weights, before, strict=True):
        assert np.all(np.isfinite(weight.numpy())), weight.path
        assert not np.allclose(weight.numpy(), value), weight.path
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
    )


def test_masks_reach_the_last_step():
    x = inputs(3)
    x[0, 20:] = 0
    layer = RecurrentLIF(5)
    whole = np.asarray(layer(x))
    last = keras.Sequential(
        [
            keras.Input((N_STEPS, SIZE)),
            keras.layers.Masking(),
            RecurrentLIF(5, return_sequences=False, synapse=0.01),
        ]
    )
    found = np.asarray(last(x))
    last.layers[-1].return_sequences = True
    every = np.asarray(last.layers[-1](x))
    np.testing.assert_allclose(found[0], every[0, 19])
    np.testing.assert_allclose(found[1:], every[1:, -1])
    assert whole.shape == every.shape


@pytest.mark.parametrize("trainable_theta", [False, True])
def test_gradients_of_memories_equal_finite_differences(trainable_theta):
    keras.utils.set_random_seed(0)
    layer, x = LMU(2, 3, 20, trainable_theta=trainable_theta), inputs()
    layer(x)

    def loss():
        return tf.reduce_sum(tf.square(layer(x, training=True)))

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [w.value for w in layer.trainable_weights])
    rng = np.random.RandomState(1)
    for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
        direction = rng.normal(size=weight.shape).astype("float32")
        start, eps = weight.numpy(), 1e-3
        sides = []
        for sign in (1, -1):
            weight.assign(start + sign * eps * direction)
            sides.append(float(loss()))
        weight.assign(start)
        slope = (sides[0] - sides[1]) / (2 * eps)
        np.testing.assert_allclose(
            np.sum(gradient * direction), slope, rtol=0.05, atol=0.05
        )


MISTAKES = [
    (lambda: LIF(0), "units: must be a whole number"),
    (lambda: LIF(3, tau_rc=-1), "tau_rc"),
    (lambda: LIF(3, dt=0), "dt: must be a positive number"),
    (lambda: LMU(3, 0, 20), "order: must be a whole number"),
    (lambda: LMU(3, 2, 0.5), "theta: must be a number of steps"),
    (lambda: LMU(3, 2, 20, memory_d=0), "memory_d: must be a whole number"),
]


@pytest.mark.parametrize("make,message", MISTAKES)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValidationError, match=message):
        make()


def test_they_are_public():
    assert nengo_dl.layers.__all__ == ["LIF", "LMU", "RecurrentLIF"]
