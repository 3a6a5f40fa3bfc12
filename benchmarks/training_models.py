"""The same models three times: as Nengo networks, in Keras, and as a loop by hand.

All have 784 inputs, 128 hidden units and 10 outputs, and start from the same weights.
"""

from dataclasses import dataclass

import keras
import nengo
import numpy as np
import tensorflow as tf

N_PIXELS, N_HIDDEN, N_CLASSES = 784, 128, 10
DT, TAU_SYNAPSE = 0.001, 0.005
LIF = nengo.LIF(amplitude=0.01)


@dataclass(frozen=True)
class Weights:
    """Initial weights, for products with row vectors.

    Parameters
    ----------
    hidden : ndarray of shape (784, 128)
        To the hidden units.
    bias : ndarray of shape (128,)
        Of the hidden units.
    output : ndarray of shape (128, 10)
        From the hidden units.
    """

    hidden: np.ndarray
    bias: np.ndarray
    output: np.ndarray


def make_weights(bias=0.0, gain=1.0, seed=0):
    """Draw weights of variance 1 / (number of inputs), times the gain."""
    rng = np.random.default_rng(seed)

    def draw(rows, columns):
        values = rng.standard_normal((rows, columns), dtype=np.float32)
        return values * np.float32(gain / np.sqrt(rows))

    return Weights(
        draw(N_PIXELS, N_HIDDEN),
        np.full(N_HIDDEN, bias, np.float32),
        draw(N_HIDDEN, N_CLASSES),
    )


def make_data(n_items, seed=1):
    """Draw images of shape (n_items, 784) and labels of shape (n_items, 1)."""
    rng = np.random.default_rng(seed)
    images = rng.random((n_items, N_PIXELS), dtype=np.float32)
    return images, rng.integers(0, N_CLASSES, (n_items, 1))


def make_network(weights, neuron_type, synapse=None):
    """Make the model as a Nengo network with one input node and one probe."""
    with nengo.Network(seed=0) as net:
        screen = nengo.Node(np.zeros(N_PIXELS))
        hidden = nengo.Ensemble(
            N_HIDDEN,
            1,
            neuron_type=neuron_type,
            gain=np.ones(N_HIDDEN),
            bias=weights.bias,
        ).neurons
        output = nengo.Node(size_in=N_CLASSES)
        nengo.Connection(screen, hidden, transform=weights.hidden.T, synapse=None)
        nengo.Connection(hidden, output, transform=weights.output.T, synapse=synapse)
        nengo.Probe(output)
    return net


def make_dense(weights):
    """Make the model of rectified linear units in Keras."""
    model = keras.Sequential(
        [
            keras.Input((N_PIXELS,)),
            keras.layers.Dense(N_HIDDEN, activation="relu"),
            keras.layers.Dense(N_CLASSES, use_bias=False),
        ]
    )
    model.set_weights([weights.hidden, weights.bias, weights.output])
    return model


class LoopByHand(keras.layers.Layer):
    """LIF rates and a lowpass filter, with the items of a minibatch in front.

    What `make_network(weights, LIF, TAU_SYNAPSE)` is in training, as one would write it
    without any package for it.

    Parameters
    ----------
    weights : `Weights`
        Initial values.
    """

    def __init__(self, weights):
        super().__init__()
        self.hidden = self._add(weights.hidden)
        self.bias = self._add(weights.bias)
        self.output_weights = self._add(weights.output)

    def _add(self, value):
        return self.add_weight(shape=value.shape, initializer=lambda *_, **__: value)

    def compute_output_shape(self, input_shape):
        """Tell Keras the shape, which it cannot find out without running a loop."""
        return (*input_shape[:2], N_CLASSES)

    def call(self, x):
        """Run all steps of `x`, of shape (minibatch_size, n_steps, 784)."""
        n_items, n_steps = tf.unstack(tf.shape(x)[:2])
        hidden, bias, output = map(
            tf.convert_to_tensor, (self.hidden, self.bias, self.output_weights)
        )
        decay = np.exp(-DT / TAU_SYNAPSE)
        inputs = tf.TensorArray(x.dtype, n_steps, element_shape=(None, N_PIXELS))
        inputs = inputs.unstack(tf.transpose(x, (1, 0, 2)))

        def step(i, filtered, outputs):
            rates = _lif_rates(inputs.read(i) @ hidden + bias)
            outputs = outputs.write(i, filtered)
            return i + 1, decay * filtered + (1 - decay) * (rates @ output), outputs

        start = (0, tf.zeros((n_items, N_CLASSES)), tf.TensorArray(x.dtype, n_steps))
        _, _, outputs = tf.while_loop(
            lambda i, *_: i < n_steps, step, start, maximum_iterations=n_steps
        )
        return tf.transpose(outputs.stack(), (1, 0, 2))


def _lif_rates(current):
    above = current - 1
    active = above > 0
    safe = tf.where(active, above, tf.ones_like(above))
    rates = LIF.amplitude / (LIF.tau_ref + LIF.tau_rc * tf.math.log1p(1 / safe))
    return tf.where(active, rates, tf.zeros_like(rates))


def make_loop(weights):
    """Make the model of LIF neurons as a loop written by hand."""
    inputs = keras.Input((None, N_PIXELS))
    return keras.Model(inputs, LoopByHand(weights)(inputs))
