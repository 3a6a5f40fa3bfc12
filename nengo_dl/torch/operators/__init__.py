"""Operators of PyTorch: the signatures of ATen, handed over to ``exchange``.

Each function has the arguments of its operator, in their order and with their names.
"""

from nengo_dl.torch.operators import (
    activation,
    arithmetic,
    casting,
    conv,
    normalization,
    pooling,
    products,
    reduction,
    resizing,
    shapes,
)

__all__ = [
    "activation",
    "arithmetic",
    "casting",
    "conv",
    "normalization",
    "pooling",
    "products",
    "reduction",
    "resizing",
    "shapes",
]
