"""Convert a convolutional classifier to integrate-and-fire neurons, for few steps."""

import keras
from keras import layers
from sklearn.datasets import load_digits

import nengo_dl

x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 8, 8, 1) / 16
x_train, y_train, x_test, y_test = x[:1300], y[:1300], x[1300:], y[1300:]
image = keras.Input((8, 8, 1))
hidden = layers.Conv2D(16, 3, activation="relu")(image)
hidden = layers.AveragePooling2D(2)(layers.Conv2D(32, 3, activation="relu")(hidden))
output = layers.Dense(10, activation="softmax")(layers.Flatten()(hidden))
model = keras.Model(image, output)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=10, verbose=0)

swaps = {"relu": nengo_dl.IntegrateAndFire()}
spiking = nengo_dl.wrap(model, 8, swap_activations=swaps, calibration_data=x_train)
spiking.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
for name, each in (("Keras", model), ("IF, 8 steps", spiking)):
    print(f"{name}: {each.evaluate(x_test, y_test, verbose=0)[1]:.1%}")
