"""Layers of a user's own, for random Keras models."""

import keras
from keras import layers as kl


class Scaled(kl.Layer):
    """A layer with a weight, and a configuration that builds it again."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.offset = self.add_weight(shape=(input_shape[-1],), name="offset")

    def call(self, x):
        return self.factor * x + self.offset

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Residual(kl.Layer):
    """A layer that is made of other layers."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = kl.Dense(units, activation="tanh")
        self.normal = kl.LayerNormalization()
        self.drop = kl.Dropout(0.5)

    def build(self, input_shape):
        self.hidden.build(input_shape)
        self.out = kl.Dense(input_shape[-1])
        self.out.build((*input_shape[:-1], self.units))
        self.normal.build(input_shape)

    def call(self, x, training=None):
        y = self.drop(self.out(self.hidden(x)), training=training)
        return self.normal(x + y)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Gated(kl.Layer):
    """A layer of several inputs, in a list."""

    def call(self, inputs):
        total = inputs[0]
        for x in inputs[1:]:
            total = total * keras.ops.sigmoid(x)
        return total


class Parts(kl.Layer):
    """A layer with two outputs, in a tuple."""

    def call(self, x):
        return keras.ops.relu(x), -keras.ops.relu(-x)


class Named(kl.Layer):
    """A layer with two outputs, in a dict."""

    def call(self, x):
        return {"sum": keras.ops.sum(x, -1, keepdims=True), "half": x / 2}


class Counting(kl.Layer):
    """A layer with a variable that only training changes."""

    def build(self, input_shape):
        self.count = self.add_weight(
            shape=(), name="count", trainable=False, initializer="ones"
        )

    def call(self, x, training=False):
        if training:
            self.count.assign_add(1)
        return x / (2 + abs(self.count))


class Twice(kl.Layer):
    """A layer that trains by default."""

    def call(self, x, training=True):
        return 2 * x if training else x


class NoArguments(kl.Layer):
    """A layer that Keras runs, but cannot build from its configuration."""

    def __init__(self):
        super().__init__()
        self.dense = kl.Dense(3)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x):
        return self.dense(x)


class Penalized(kl.Layer):
    """A layer that adds a loss."""

    def call(self, x):
        self.add_loss(keras.ops.mean(x**2))
        return x


CUSTOM = {
    each.__name__: each
    for each in (
        *(Scaled, Residual, Gated, Parts, Named, Counting),
        *(Twice, NoArguments, Penalized),
    )
}
