"""Keras has to run on TensorFlow: checked once, before anything else is imported."""

import os

CURE = (
    "Set KERAS_BACKEND=tensorflow in the environment, or in os.environ before Keras is "
    'imported; or write "backend": "tensorflow" in {path}.'
)


def check_backend() -> None:
    """Check that Keras runs on TensorFlow.

    Raises
    ------
    ImportError
        If it is set to run on something else, whether that is installed or not.
    """
    try:
        import keras
    except ImportError as exc:
        if exc.name in (None, "keras", "tensorflow"):
            raise
        # Keras asks for a backend that is not installed
        raise _error(exc.name) from exc
    if keras.config.backend() != "tensorflow":
        raise _error(keras.config.backend())


def _error(backend: str) -> ImportError:
    home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
    path = os.path.join(home, "keras.json")
    where = "KERAS_BACKEND" if os.environ.get("KERAS_BACKEND") else path
    return ImportError(
        f"nengo_dl: expected Keras to run on TensorFlow (got {backend}, from {where}). "
        + CURE.format(path=path)
    )


check_backend()
