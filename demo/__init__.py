"""What nengo_dl is for, shown on scikit-learn's handwritten digits."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without_native_messages() -> Iterator[None]:
    """Hide what compiled code writes to standard error, in the whole process."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# TensorFlow logs when it is imported, whatever TF_CPP_MIN_LOG_LEVEL says
with without_native_messages():
    import tensorflow  # noqa: F401
