"""Train a converted network through its spikes, and give the weights back."""

import keras
import nengo
from sklearn.datasets import load_digits

import nengo_dl

x, y = load_digits(return_X_y=True)
x_train, y_train, x_test, y_test = x[:1300] / 16, y[:1300], x[1300:] / 16, y[1300:]
layers = [keras.layers.Dense(64, activation="relu") for _ in range(3)]
model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, metrics=["accuracy"])
model.fit(x_train, y_train, epochs=15, verbose=0)

swaps = {"relu": nengo.LIF()}
spiking = nengo_dl.wrap(model, 8, swap_activations=swaps, calibration_data=x_train)
spiking.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
print(f"Keras: {model.evaluate(x_test, y_test, verbose=0)[1]:.1%}")
print(f"8 steps: {spiking.evaluate(x_test, y_test, verbose=0)[1]:.1%}")
spiking.fit(x_train, y_train, epochs=3, validation_split=0.1, verbose=0)
print(f"trained: {spiking.evaluate(x_test, y_test, verbose=0)[1]:.1%}")
spiking.unwrap().save_weights("trained.weights.h5")
