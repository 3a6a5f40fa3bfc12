"""Convert a softmax classifier to leaky integrate-and-fire neurons."""

import keras
import nengo
from sklearn.datasets import load_digits

import nengo_dl

x, y = load_digits(return_X_y=True)
(x_train, x_test), (y_train, y_test) = (
    (x[:1300] / 16, x[1300:] / 16),
    (y[:1300], y[1300:]),
)
layers = [keras.Input((64,)), keras.layers.Dense(128, activation="relu")]
model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=20, verbose=0)

spiking = nengo_dl.wrap(
    model, n_steps=32, swap_activations={"relu": nengo.LIF()}, calibration_data=x_train
)
spiking.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
for name, each in (("Keras", model), ("LIF", spiking)):
    print(f"{name}: {each.evaluate(x_test, y_test, verbose=0)[1]:.1%}")
print(spiking.converter.report(x_test[:100], y_test[:100], n_steps=32))
