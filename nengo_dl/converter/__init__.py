"""From Keras models to Nengo networks.

Importing this package registers the converters in ``layers/``.
"""

from nengo_dl.converter import layers
from nengo_dl.converter.build import Build
from nengo_dl.converter.converter import Converter
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.layer_converter import LayerConverter

__all__ = ["Build", "Converter", "LayerCall", "LayerConverter", "layers"]
