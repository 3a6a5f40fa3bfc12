"""Firing rates, biases and synapses from data.

A network is run with rate neurons on typical inputs, minibatch by minibatch. Of the
activations of each population, a high percentile is mapped to a firing rate. Neurons
whose response bends are tuned by how they answer to trains of spikes.
"""

from nengo_dl.converter.calibration.calibration import Calibration
from nengo_dl.converter.calibration.data import check
from nengo_dl.converter.calibration.latency import errors, steps_needed
from nengo_dl.converter.calibration.tuning import Tuning, scaling, started

__all__ = [
    "Calibration",
    "Tuning",
    "check",
    "errors",
    "scaling",
    "started",
    "steps_needed",
]
