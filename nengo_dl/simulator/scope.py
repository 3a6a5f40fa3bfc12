"""The surroundings in which a simulation is built and run."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf


@contextlib.contextmanager
def scope(
    device: str | None, dtype: str, strategy: tf.distribute.Strategy | None = None
) -> Iterator[None]:
    """Choose the device and the precision of what Keras makes; restore both.

    Parameters
    ----------
    device : str or None
        Name of a TensorFlow device; None leaves the choice to TensorFlow.
    dtype : str
        "float32" or "float64".
    strategy : tf.distribute.Strategy, optional
        Whose scope to enter, too.
    """
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        with contextlib.ExitStack() as stack:
            if device is not None:
                stack.enter_context(tf.device(device))
            if strategy is not None:
                stack.enter_context(strategy.scope())
            yield
    finally:
        keras.config.set_floatx(before)
