"""Networks, and converted models, as Keras models of data without a time axis."""

from nengo_dl.wrapped.model import WrappedModel
from nengo_dl.wrapped.wrap import wrap

__all__ = ["WrappedModel", "wrap"]
