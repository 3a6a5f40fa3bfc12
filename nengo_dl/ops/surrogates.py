"""Gradients of spikes: a value from one function, its gradient from another."""

import tensorflow as tf


@tf.custom_gradient
def _replace_gradient(value, proxy):
    del proxy
    return tf.identity(value), lambda upstream: (None, upstream)


def straight_through(value, proxy):
    """Return a value that has the gradient of another one.

    Parameters
    ----------
    value : tensor
        Its own gradient is dropped.
    proxy : tensor
        Of a shape that broadcasts to that of ``value``. Need not be finite.

    Returns
    -------
    value : tensor
        Bitwise the same.
    """
    return _replace_gradient(value, tf.broadcast_to(proxy, tf.shape(value)))


def emit_plainly(value, distance, height=1.0):
    """Return spikes as they are; the form of `emitter` for inference."""
    del distance, height
    return value


def emitter(surrogate):
    """Make the function ``emit`` that steps of spiking neurons call in training.

    Parameters
    ----------
    surrogate : callable
        From distances to the threshold to pseudo-derivatives; see `.surrogates`.

    Returns
    -------
    emit : callable
        ``emit(value, distance, height=1.0)`` returns ``value``, with the gradient
        ``height * surrogate(distance)`` with respect to ``distance``.
    """

    def emit(value, distance, height=1.0):
        slope = tf.stop_gradient(height * surrogate(distance))
        return straight_through(value, slope * distance)

    return emit
