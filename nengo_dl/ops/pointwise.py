"""The TensorFlow step of `nengo_dl.neurons.Pointwise`: Keras' own functions."""

import keras

from nengo_dl.neurons import Pointwise
from nengo_dl.ops import neurons


@neurons.register(Pointwise, flags=("function", "arguments"))
def pointwise_step(p, dt, J):
    """Compute an activation function of Keras."""
    del dt
    return getattr(keras.activations, p.function)(J, **dict(p.arguments))
