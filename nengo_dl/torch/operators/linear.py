"""Products with matrices."""

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.linear import linear
from nengo_dl.exchange.registry import register


@register("aten.linear.default", keras="Dense")
def convert_linear(emit: Emitter, x, weight, bias=None):
    """Convert a product with a matrix, and a bias."""
    return linear(emit, emit.value(x), weight, bias)
