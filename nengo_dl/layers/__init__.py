"""Keras layers of spiking neurons and memories, without a Nengo network around them."""

from nengo_dl.layers.lif import LIF, RecurrentLIF
from nengo_dl.layers.lmu import LMU

__all__ = ["LIF", "LMU", "RecurrentLIF"]
