"""The surroundings in which a simulation is built and run."""

import contextlib
import threading
from collections.abc import Iterator

import keras
import tensorflow as tf

_lock = threading.Lock()
# Who has chosen a type, in this order, and what there was before all of them.
_chosen: dict[object, str] = {}
_before: list[str] = []


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
    with contextlib.ExitStack() as stack:
        stack.enter_context(_precision(dtype))
        if device is not None:
            stack.enter_context(tf.device(device))
        if strategy is not None:
            stack.enter_context(strategy.scope())
        yield


@contextlib.contextmanager
def _precision(dtype: str) -> Iterator[None]:
    """Choose Keras' type of numbers, which all threads share.

    Of threads that choose at the same time, the last one decides. None of them waits,
    since a scope can be open for as long as a program runs. The last one to leave
    restores what there was before the first.
    """
    key = object()
    with _lock:
        if not _chosen:
            _before[:] = [keras.config.floatx()]
        _chosen[key] = dtype
        keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        with _lock:
            del _chosen[key]
            keras.config.set_floatx([*_before, *_chosen.values()][-1])
