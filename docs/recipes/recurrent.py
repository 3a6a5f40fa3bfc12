"""Classify sequences with recurrently connected spiking neurons."""

import keras
from sklearn.datasets import load_digits

import nengo_dl

x, y = load_digits(return_X_y=True)
x = (
    x.reshape(-1, 8, 8).repeat(3, axis=1) / 16
)  # a row of the image for three steps each
model = keras.Sequential(
    [
        keras.Input(x.shape[1:]),
        nengo_dl.layers.RecurrentLIF(64, tau_rc=0.01, trainable_tau=True),
        nengo_dl.layers.LIF(10, tau_rc=0.01, synapse=0.01),
    ]
)
model.compile(
    keras.optimizers.Adam(0.005),
    loss=nengo_dl.losses.CrossentropyOverTime("mean", scale=20),
    metrics=[nengo_dl.metrics.AccuracyOverTime("mean")],
    jit_compile=True,
)
model.fit(x[:1280], y[:1280], batch_size=64, epochs=10, verbose=0)
print(
    f"accuracy: {model.evaluate(x[1280:], y[1280:], batch_size=47, verbose=0)[1]:.1%}"
)
