"""Spiking networks that Keras trains, as Nengo networks and written by hand.

By hand, each is one TensorFlow function for XLA: products and convolutions between
layers run for all steps at once, and only neurons in loops. That is about as fast as
one can be with these operations.
"""

import nengo
import numpy as np
import tensorflow as tf

import nengo_dl
from benchmarks.spiking_cases import (
    AMPLITUDE,
    BIAS,
    DECAY,
    DT,
    N_CLASSES,
    TAU_RC,
    TAU_REF,
    TAU_SYNAPSE,
)


def make_network(case, weights):
    """Make the Nengo network, which is trained through spikes.

    Returns
    -------
    net, node, probe
        The probe keeps only the last step.
    """

    def neurons(size):
        return nengo.Ensemble(
            size,
            1,
            neuron_type=nengo.LIF(
                TAU_RC,
                TAU_REF,
                amplitude=AMPLITUDE,
                initial_state={"voltage": nengo.dists.Choice([0])},
            ),
            gain=np.ones(size),
            bias=np.full(size, BIAS),
        ).neurons

    *inner, last = weights
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking", keep_history=False)
        node = nengo.Node(np.zeros(case.size_in))
        source, shape = node, (28, 28, 1)
        if case.kind == "conv":
            for kernel in inner:
                transform = nengo.Convolution(
                    kernel.shape[-1],
                    shape,
                    kernel_size=(5, 5),
                    strides=(2, 2),
                    init=kernel,
                )
                layer = neurons(transform.size_out)
                nengo.Connection(source, layer, transform=transform, synapse=None)
                source, shape = layer, transform.output_shape.shape
        else:
            layer = neurons(case.sizes[1])
            nengo.Connection(source, layer, transform=inner[0].T, synapse=None)
            for matrix in inner[1:]:
                nengo.Connection(layer, layer, transform=matrix.T, synapse=TAU_SYNAPSE)
        output = nengo.Node(size_in=N_CLASSES)
        nengo.Connection(layer, output, transform=last.T, synapse=TAU_SYNAPSE)
        probe = nengo.Probe(output)
    return net, node, probe


@tf.custom_gradient
def emit(distance):
    """Return spikes where the distance from the threshold is positive."""

    def gradient(upstream):
        return upstream * (AMPLITUDE / DT) / (1 + 10 * tf.abs(distance)) ** 2

    return tf.cast(distance > 0, distance.dtype) * (AMPLITUDE / DT), gradient


def lif(current, voltage, refractory_time):
    """Advance LIF neurons by one step."""
    refractory_time = tf.stop_gradient(refractory_time)
    active = tf.clip_by_value(2 * DT - refractory_time, 0, DT)
    voltage = current - (current - voltage) * tf.exp(-active / TAU_RC)
    spiked = voltage > 1
    safe = tf.where(spiked, (voltage - 1) / (current - 1), 0.0)
    spike_time = DT + TAU_RC * tf.stop_gradient(tf.math.log1p(-safe))
    return (
        emit(voltage - 1),
        tf.where(spiked, 0.0, tf.maximum(voltage, 0)),
        tf.where(spiked, TAU_REF + spike_time, refractory_time - DT),
    )


def spikes_of(currents, n_steps, recurrent=None):
    """Run neurons on currents of shape (n_steps or 1, size, n_items)."""
    _, size, n_items = currents.shape
    shape, held = (size, n_items), currents.shape[0] == 1
    fed = tf.TensorArray(tf.float32, currents.shape[0], element_shape=shape)
    fed = fed.unstack(currents)

    def body(i, voltage, refractory_time, filtered, rows):
        current = (currents[0] if held else fed.read(i)) + filtered + BIAS
        spikes, voltage, refractory_time = lif(current, voltage, refractory_time)
        if recurrent is not None:
            arrived = tf.matmul(recurrent, spikes, transpose_a=True)
            filtered = DECAY * filtered + (1 - DECAY) * arrived
        return i + 1, voltage, refractory_time, filtered, rows.write(i, spikes)

    rows = tf.TensorArray(tf.float32, n_steps, element_shape=shape)
    zeros = tf.zeros(shape)
    carried = (0, zeros, zeros, tf.zeros(shape if recurrent is not None else ()), rows)
    *_, rows = tf.while_loop(
        lambda i, *_: i < n_steps, body, carried, maximum_iterations=n_steps
    )
    return rows.stack()


def convolved(images, kernel):
    """Convolve images, of shape (n, size), as a product with all of their windows."""
    width, _, channels, n_filters = kernel.shape
    size = int(np.sqrt(images.shape[1] // channels))
    images = tf.reshape(images, (images.shape[0], size, size, channels))
    n = (size - width) // 2 + 1
    windows = [
        images[:, i : i + 2 * n - 1 : 2, j : j + 2 * n - 1 : 2]
        for i in range(width)
        for j in range(width)
    ]
    flat = tf.reshape(tf.concat(windows, axis=-1), (-1, width * width * channels))
    return tf.reshape(flat @ tf.reshape(kernel, (-1, n_filters)), (images.shape[0], -1))


def logits(case, x, weights):
    """Return what the probe has after the last step, of shape (n_items, classes).

    The inputs, of shape (n_items, n_steps or 1, size), have one step if they are held.
    """
    n_items, n_steps = x.shape[0], case.n_steps
    first, *between, last = weights
    by_step = tf.reshape(tf.transpose(x, (1, 0, 2)), (-1, case.size_in))

    def currents(rows):
        rows = tf.reshape(rows, (-1, n_items, rows.shape[1]))
        return tf.transpose(rows, (0, 2, 1))

    if case.kind == "conv":
        spikes = spikes_of(currents(convolved(by_step, first)), n_steps)
        rows = tf.reshape(tf.transpose(spikes, (0, 2, 1)), (-1, spikes.shape[1]))
        spikes = spikes_of(currents(convolved(rows, between[0])), n_steps)
    else:
        spikes = spikes_of(currents(by_step @ first), n_steps, *between)
    # what the filter has of the step k, at the last one; a synapse delays by a step
    k = np.arange(n_steps)
    share = np.where(k < n_steps - 1, (1 - DECAY) * DECAY ** (n_steps - 2.0 - k), 0)
    filtered = tf.einsum("t,tni->in", tf.constant(share, tf.float32), spikes)
    return filtered @ last


def make_functions(case, weights):
    """Return compiled functions from inputs (and labels): training, and inference.

    The first is one step of gradient descent, and returns the loss.
    """
    variables = [tf.Variable(w) for w in weights]

    @tf.function(jit_compile=True, autograph=False)
    def train(x, y):
        with tf.GradientTape() as tape:
            found = logits(case, x, variables)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, found)
            loss = tf.reduce_mean(loss)
        for variable, g in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(1e-3 * g)
        return loss

    @tf.function(jit_compile=True, autograph=False)
    def infer(x):
        return logits(case, x, variables)

    return train, infer
