"""From nengo.Simulator to nengo_dl.Simulator, in three steps.

An ensemble of spiking neurons squares its input. Nengo simulates it, then nengo_dl; and
then nengo_dl answers a question for which Nengo would run 32 times: how well are 32
inputs squared?
"""

import nengo
import numpy as np

import nengo_dl

RUN_TIME = 0.5  # seconds

with nengo.Network(seed=1) as net:
    stimulus = nengo.Node(lambda t: np.sin(2 * np.pi * t), label="stimulus")
    ensemble = nengo.Ensemble(n_neurons=100, dimensions=1)
    output = nengo.Node(size_in=1)
    nengo.Connection(stimulus, ensemble)
    nengo.Connection(ensemble, output, function=np.square)
    probe = nengo.Probe(output, synapse=0.02)

# 1. What was
with nengo.Simulator(net, progress_bar=False) as sim:
    sim.run(RUN_TIME)
expected = sim.data[probe]

# 2. Another name in front of the same lines. The default precision is single; with
# double precision, results agree with Nengo's to rounding.
with net:
    nengo_dl.configure_settings(dtype="float64")

with nengo_dl.Simulator(net, device="/cpu:0", progress_bar=False) as sim:
    sim.run(RUN_TIME)
difference = np.abs(sim.data[probe] - expected).max()
print(f"largest difference between the simulators: {difference:.1g}")

# 3. Many inputs side by side. `data` replaces what the node puts out; its arrays, and
# those in `sim.data`, then have a leading axis for the items of the minibatch.
n_items, n_steps = 32, int(RUN_TIME / 0.001)
levels = np.linspace(-1, 1, n_items)
inputs = np.tile(levels[:, None, None], (1, n_steps, 1))
with nengo_dl.Simulator(
    net, minibatch_size=n_items, device="/cpu:0", progress_bar=False
) as sim:
    sim.run_steps(n_steps, data={stimulus: inputs})
decoded = sim.data[probe][:, -200:, 0].mean(axis=1)
for level, value in zip(levels[::5], decoded[::5], strict=True):
    print(f"{level:5.2f} squared is {level**2:.2f}, decoded as {value:.2f}")
