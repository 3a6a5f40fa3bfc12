"""Kernels: one builder function per operator, neuron type and process.

Importing a module of this folder registers what it implements.
"""

from nengo_dl.ops import (
    basic,
    host,
    learning,
    lif,
    loihi,
    neurons,
    on_chip,
    pointwise,
    processes,
    products,
    rates_to_spikes,
    stepped,
    tiles,
    transforms,
)
from nengo_dl.ops.registry import BuildContext, Builder

__all__ = [
    "BuildContext",
    "Builder",
    "basic",
    "host",
    "learning",
    "lif",
    "loihi",
    "neurons",
    "on_chip",
    "pointwise",
    "processes",
    "products",
    "rates_to_spikes",
    "stepped",
    "tiles",
    "transforms",
]
