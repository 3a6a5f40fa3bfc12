"""Classify sequences with recurrently connected spiking neurons."""

import keras
import nengo
from sklearn.datasets import load_digits

import nengo_dl

x, y = load_digits(return_X_y=True)
# a row of the image for three steps each
x = x.reshape(-1, 8, 8).repeat(3, axis=1) / 16
spikes = nengo.LIF(tau_rc=0.005, tau_ref=0.001, amplitude=0.001)
model = keras.Sequential(
    [
        keras.Input(x.shape[1:]),
        nengo_dl.layers.LMU(128, order=6, theta=24, memory_d=8, neuron_type=spikes),
        keras.layers.Dense(10),
    ]
)
loss = nengo_dl.losses.CrossentropyOverTime("last")
accuracy = nengo_dl.metrics.AccuracyOverTime("last")
model.compile(keras.optimizers.Adam(0.01), loss, metrics=[accuracy], jit_compile=True)
model.fit(x[:1280], y[:1280], batch_size=64, epochs=20, verbose=0)
loss, accuracy = model.evaluate(x[1280:], y[1280:], batch_size=47, verbose=0)
print(f"accuracy: {accuracy:.1%}")
