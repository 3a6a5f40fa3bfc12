"""Spike codes: from numbers to spike trains, and back.

Data sets have numbers, and networks of spiking neurons may want spikes. Each code is an
object with two methods: ``encode`` returns an array with a time axis, which ``fit``,
``evaluate``, ``predict`` and ``run_steps`` take as data of a node (flatten the axes
after it), and ``decode`` goes the other way. Spikes are counts, 1 for one spike.
Nengo's neurons put out ``1 / dt`` for a spike: divide by ``dt`` to have the same.
"""

from nengo_dl.coding.events import EventFrames
from nengo_dl.coding.population import Population
from nengo_dl.coding.rate import Bernoulli, Poisson, Regular
from nengo_dl.coding.temporal import Delta, Latency

__all__ = [
    "Bernoulli",
    "Delta",
    "EventFrames",
    "Latency",
    "Poisson",
    "Population",
    "Regular",
]
