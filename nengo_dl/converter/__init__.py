"""From Keras models to Nengo networks.

Importing this package registers the converters in ``layers/`` and ``functions/``. Each
of the former is here as a class, too, a `LayerConverter` named ``Convert<Layer>``.
"""

from nengo_dl.converter import functions, layers
from nengo_dl.converter.build import Build
from nengo_dl.converter.converter import Converter
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.layer_converter import LayerConverter, converter_types
from nengo_dl.converter.registry import REGISTRY

__all__ = ["Build", "Converter", "LayerCall", "LayerConverter", "functions", "layers"]

_TYPES = converter_types(REGISTRY)


def __getattr__(name):
    """Return the class of a name ``Convert<Layer>``."""
    if name not in _TYPES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _TYPES[name]


def __dir__():
    """List the names of the classes, too."""
    return sorted({*globals(), *_TYPES})
