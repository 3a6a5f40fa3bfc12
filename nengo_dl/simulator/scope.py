"""Device, precision and strategy in which a simulation is built and run."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import keras
import tensorflow as tf

_lock = threading.Lock()
# Choices of open scopes, in their order, and the type before all of them
_chosen: dict[object, str] = {}
_before: list[str] = []


def scope(
    device: str | None, dtype: str, strategy: tf.distribute.Strategy | None = None
) -> AbstractContextManager[None]:
    """Choose a device, Keras' precision and a strategy; restore what there was."""
    # entered in every run: nothing in vain
    if device is None and strategy is None:
        if not _chosen and keras.config.floatx() == dtype:
            return nullcontext()
        return _precision(dtype)
    return _placed(device, dtype, strategy)


@contextmanager
def _placed(
    device: str | None, dtype: str, strategy: tf.distribute.Strategy | None
) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(_precision(dtype))
        if device is not None:
            stack.enter_context(tf.device(device))
        if strategy is not None:
            stack.enter_context(strategy.scope())
        yield


def current_strategy() -> tf.distribute.Strategy | None:
    """Return the strategy whose scope is open, if there is one."""
    return tf.distribute.get_strategy() if tf.distribute.has_strategy() else None


@contextmanager
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
