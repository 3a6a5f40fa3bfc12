"""Let a Keras model hold a pendulum upright, in a loop of neurons and physics."""

import keras
import nengo
import numpy as np

import nengo_dl

states = np.random.RandomState(0).uniform(-2, 2, size=(2000, 2))
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.1), "mse")
model.fit(states, states @ [[-10.0], [-3.0]], epochs=20, verbose=0)
state = np.array([1.0, 0.0])  # the angle, in radians, and the velocity


def pendulum(t, force):
    state[:] += 0.001 * np.array([state[1], 5 * np.sin(state[0]) + force[0]])
    return state.copy()


with nengo.Network(seed=0) as net:
    plant = nengo.Node(pendulum, size_in=1, size_out=2)
    sensed = nengo.Ensemble(200, 2, radius=2)
    control = nengo_dl.TensorNode(model, shape_in=(2,), shape_out=(1,), pass_time=False)
    nengo.Connection(plant, sensed)
    nengo.Connection(sensed, control, synapse=0.01)
    nengo.Connection(control, plant, synapse=0)
    probe = nengo.Probe(plant)
with nengo_dl.Simulator(net, progress_bar=False) as sim:
    sim.run(3.0)
print("angle at the start, and after 3 s:", sim.data[probe][[0, -1], 0].round(2))
