"""Converters of Keras' layers, one module per family.

Each is a function ``convert_<layer>(call, build)``; importing a module registers it.
"""

from nengo_dl.converter.layers import (
    activation,
    conv,
    core,
    fallback,
    merge,
    normalization,
    pooling,
    rearrange,
    recurrent,
)

__all__ = [
    "activation",
    "conv",
    "core",
    "fallback",
    "merge",
    "normalization",
    "pooling",
    "rearrange",
    "recurrent",
]
