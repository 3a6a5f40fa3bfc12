"""The choice of ``jit_compile`` while Keras makes a function of a model."""

import contextlib
import threading
from collections.abc import Iterator

import keras

# The model changes for a moment, in whatever thread.
_MAKING = threading.RLock()


@contextlib.contextmanager
def compiling(model: keras.Model, jit_compile: bool) -> Iterator[None]:
    """Let Keras make functions that XLA compiles as a whole, or not.

    Parameters
    ----------
    model : `keras.Model`
        Its own choice is restored afterwards.
    jit_compile : bool
        The choice for the functions that are made within the context.
    """
    with _MAKING:
        before = model.jit_compile
        if before != jit_compile:
            model.jit_compile = jit_compile
        try:
            yield
        finally:
            if before != jit_compile:
                model.jit_compile = before
