"""Train, go on in another process, freeze, and run on nengo.Simulator."""

import keras
import nengo
import numpy as np

import nengo_dl

x = np.random.RandomState(0).uniform(-1, 1, size=(256, 1, 2))
with nengo.Network(seed=0) as net:
    stimulus = nengo.Node([0.5, -0.5])
    hidden = nengo.Ensemble(200, 2, neuron_type=nengo.LIFRate())
    product = nengo.Node(size_in=1)
    nengo.Connection(stimulus, hidden, synapse=None)
    nengo.Connection(hidden, product, function=lambda x: x[0] * x[1], synapse=None)
    probe = nengo.Probe(product)
with nengo_dl.Simulator(net, minibatch_size=32, progress_bar=False) as sim:
    sim.compile(keras.optimizers.Adam(0.001), loss="mse")
    y = x.prod(axis=2, keepdims=True)
    # started again after an interruption, it goes on where it was
    nengo_dl.resume_fit(sim, x, y, "training", epochs=30, verbose=0)
    sim.save_params("product")
    sim.freeze_params(net)
with nengo.Simulator(net, progress_bar=False) as reference:
    reference.run_steps(10)
print("0.5 * -0.5 =", reference.data[probe][-1].round(2))
