"""The cases in JAX, by hand: a function for each network, compiled with XLA."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import spiking_cases
from benchmarks.peers.cases import FILTER_DECAY, VOLTAGE_DECAY, data


@jax.custom_jvp
def spike(voltage):
    """Return 1 above the threshold of 1, with the derivative of a fast sigmoid."""
    return (voltage > 1).astype(voltage.dtype)


@spike.defjvp
def _spike_jvp(primals, tangents):
    (voltage,), (tangent,) = primals, tangents
    return spike(voltage), tangent / (1 + 25 * jnp.abs(voltage - 1)) ** 2


def lif(current, voltage):
    """Advance LIF neurons by one step."""
    voltage = VOLTAGE_DECAY * voltage + current
    spikes = spike(voltage)
    return spikes, voltage - jax.lax.stop_gradient(spikes)


def convolve(x, weights):
    """Convolve images (items, rows, columns, channels), with strides of 2."""
    return jax.lax.conv_general_dilated(
        x,
        weights,
        (2, 2),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def currents(case, weights, x):
    """Return the input of the first layer; x is (items, inputs)."""
    if case.kind == "conv":
        return convolve(x.reshape((-1, 28, 28, 1)), weights[0])
    return x @ weights[0]


def advance(case, weights, state, current):
    """Advance all layers by one step."""
    spikes, *voltages, filtered = state
    if case.kind == "recurrent":
        current = current + spikes @ weights[1]
    spikes, voltages[0] = lif(current, voltages[0])
    first = spikes
    if case.kind == "conv":
        spikes, voltages[1] = lif(convolve(spikes, weights[1]), voltages[1])
    output = spikes.reshape((len(spikes), -1)) @ weights[-1]
    filtered = FILTER_DECAY * filtered + (1 - FILTER_DECAY) * output
    return [first, *voltages, filtered]


def outputs(case, is_held, weights, x):
    """Return the filtered output of the last step; x is (items, steps, inputs)."""
    held = currents(case, weights, x[:, 0])
    state = [jnp.zeros_like(held), jnp.zeros_like(held)]
    if case.kind == "conv":
        state.append(jnp.zeros_like(convolve(held, weights[1])))
    state.append(jnp.zeros((len(x), weights[-1].shape[1])))

    def step(state, x):
        current = held if is_held else currents(case, weights, x)
        return advance(case, weights, state, current), None

    steps = None if is_held else jnp.swapaxes(x, 0, 1)
    state, _ = jax.lax.scan(step, state, steps, length=case.n_steps)
    return state[-1]


def make(case, is_held, use):
    """Return a function that trains on, or predicts, all minibatches."""
    weights = [jnp.asarray(matrix) for matrix in spiking_cases.make_weights(case)]
    batches = data(case, is_held)

    def loss(weights, images, labels):
        log_p = jax.nn.log_softmax(outputs(case, is_held, weights, images))
        return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], 1))

    @jax.jit
    def update(weights, images, labels):
        gradients = jax.grad(loss)(weights, images, labels)
        return [w - 1e-3 * g for w, g in zip(weights, gradients, strict=True)]

    predict = jax.jit(lambda weights, images: outputs(case, is_held, weights, images))

    def train():
        nonlocal weights
        for images, labels in batches:
            weights = update(weights, images, labels)
        jax.block_until_ready(weights)

    def infer():
        return [np.asarray(predict(weights, images)) for images, _ in batches]

    return train if use == "train" else infer
