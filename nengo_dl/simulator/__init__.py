"""The user's side of a simulation: `Simulator`, its data, and what goes into it."""

from nengo_dl.simulator.simulation_data import SimulationData
from nengo_dl.simulator.simulator import Simulator

__all__ = ["SimulationData", "Simulator"]
