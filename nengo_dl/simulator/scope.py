"""The surroundings in which a simulation is built and run."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf


@contextlib.contextmanager
def scope(device: str | None, dtype: str) -> Iterator[None]:
    """Choose the device and the precision of what Keras makes; restore both.

    Parameters
    ----------
    device : str or None
        Name of a TensorFlow device; None leaves the choice to TensorFlow.
    dtype : str
        "float32" or "float64".
    """
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        with contextlib.nullcontext() if device is None else tf.device(device):
            yield
    finally:
        keras.config.set_floatx(before)
