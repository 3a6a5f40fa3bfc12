"""Sweep the parameters of a network, which is compiled once."""

import nengo
import numpy as np

import nengo_dl

signal = nengo.processes.WhiteSignal(2.0, high=5, seed=0)


def error(tau, max_rate):
    """Return how far a memory of one number is off."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(signal)
        rates = nengo.dists.Uniform(max_rate / 2, max_rate)
        memory = nengo.Ensemble(100, 1, max_rates=rates)
        nengo.Connection(stimulus, memory, transform=tau, synapse=tau)
        nengo.Connection(memory, memory, synapse=tau)
        found, truth = nengo.Probe(memory, synapse=0.01), nengo.Probe(stimulus)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run(2.0)
    return np.std(sim.data[found] - np.cumsum(sim.data[truth], axis=0) * sim.dt)


for tau in (0.02, 0.05, 0.1, 0.2):
    print(f"tau={tau}:", *(f"{error(tau, rate):.3f}" for rate in (50, 100, 200)))
