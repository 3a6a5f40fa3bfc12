"""Firing rates, biases and synapses from data.

A network is run with rate neurons on typical inputs, minibatch by minibatch. Of the
activations of each population, a high percentile is mapped to a firing rate. Neurons
whose response bends are tuned by how they answer to trains of spikes.
"""

from nengo_dl.converter.calibration.calibration import Goal, calibrate
from nengo_dl.converter.calibration.latency import recommended_steps
from nengo_dl.converter.tuning import Tuning

__all__ = ["Goal", "Tuning", "calibrate", "recommended_steps"]
