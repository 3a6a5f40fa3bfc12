"""Converters of the functions of ``keras.ops``, one module per family.

Each is a function ``convert_<function>(call, build)``; importing a module registers it.
"""

from nengo_dl.converter.functions import (
    activation,
    arithmetic,
    elementwise,
    products,
    rearrange,
    reduction,
)

__all__ = [
    "activation",
    "arithmetic",
    "elementwise",
    "products",
    "rearrange",
    "reduction",
]
