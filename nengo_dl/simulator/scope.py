"""Device, precision and strategy in which a simulation is built and run."""

import contextlib
import threading
from collections.abc import Iterator

import keras
import tensorflow as tf

_lock = threading.Lock()
# Choices of open scopes, in their order, and the type before all of them
_chosen: dict[object, str] = {}
_before: list[str] = []


@contextlib.contextmanager
def scope(
    device: str | None, dtype: str, strategy: tf.distribute.Strategy | None = None
) -> Iterator[None]:
    """Choose a device, Keras' precision and a strategy; restore what there was."""
    nothing = contextlib.nullcontext()
    with (
        _precision(dtype),
        nothing if device is None else tf.device(device),
        nothing if strategy is None else strategy.scope(),
    ):
        yield


def current_strategy() -> tf.distribute.Strategy | None:
    """Return the strategy whose scope is open, if there is one."""
    return tf.distribute.get_strategy() if tf.distribute.has_strategy() else None


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
