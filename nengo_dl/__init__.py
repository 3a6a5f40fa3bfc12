"""Nengo networks on TensorFlow: compiled, differentiable, at home in Keras."""

from nengo_dl.config import configure_settings
from nengo_dl.simulator import Simulator
from nengo_dl.version import __copyright__, __license__, __version__

__all__ = [
    "Simulator",
    "__copyright__",
    "__license__",
    "__version__",
    "configure_settings",
]
