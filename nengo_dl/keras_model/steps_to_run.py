"""The number of steps of a call of a model, where its inputs do not tell."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TypeAlias

import tensorflow as tf

# A number that may not be known before the graph runs
Length: TypeAlias = int | tf.Tensor

_scope = threading.local()


@contextlib.contextmanager
def steps_to_run(n_steps: Length | None) -> Iterator[None]:
    """Say how many steps networks run that are called in this context.

    Models of layers have no argument for it.

    Parameters
    ----------
    n_steps : int or int32 scalar tensor or None
        None to leave it to the inputs.
    """
    before = current_steps()
    _scope.n_steps = n_steps
    try:
        yield
    finally:
        _scope.n_steps = before


def current_steps() -> Length | None:
    """Return the number that the context says, None without one."""
    return getattr(_scope, "n_steps", None)
