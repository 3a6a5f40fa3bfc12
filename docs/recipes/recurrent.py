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
        nengo_dl.layers.RecurrentLIF(96, 0.003, trainable_tau=True, synapse=0.01),
        keras.layers.Dense(10),
    ]
)
model.compile(
    keras.optimizers.Adam(0.005),
    loss=nengo_dl.losses.CrossentropyOverTime("mean"),
    metrics=[nengo_dl.metrics.AccuracyOverTime("mean")],
    jit_compile=True,
)
model.fit(x[:1280], y[:1280], batch_size=64, epochs=20, verbose=0)
loss, accuracy = model.evaluate(x[1280:], y[1280:], batch_size=47, verbose=0)
print(f"accuracy: {accuracy:.1%}")
