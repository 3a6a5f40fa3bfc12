"""Gradients of spikes: a value from one function, its gradient from another."""

import tensorflow as tf


@tf.custom_gradient
def _replace_gradient(value, proxy):
    del proxy
    return tf.identity(value), lambda upstream: (None, upstream)


def straight_through(value, proxy):
    """Return a value, bitwise the same, that has the gradient of a proxy.

    The proxy broadcasts to the shape of the value, and need not be finite.
    """
    # of tf.broadcast_to, XLA would have to know the shape for the gradient of a loop
    return _replace_gradient(value, proxy + tf.zeros_like(value))


def emit_plainly(value, distance, height=1.0):
    """Return spikes as they are; the form of `emitter` for inference."""
    del distance, height
    return value


def emitter(surrogate):
    """Make the function ``emit`` that steps of spiking neurons call in training.

    ``emit(value, distance, height=1.0)`` returns ``value``, with the gradient
    ``height * surrogate(distance)`` with respect to ``distance``; see `.surrogates`.
    """

    def emit(value, distance, height=1.0):
        slope = tf.stop_gradient(height * surrogate(distance))
        return straight_through(value, slope * distance)

    return emit
