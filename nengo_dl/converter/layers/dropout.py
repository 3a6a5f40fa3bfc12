"""Dropout that XLA compiles to fast code."""

import keras
import tensorflow as tf
from keras.saving import register_keras_serializable


@register_keras_serializable("nengo_dl")
class CompiledDropout(keras.layers.Dropout):
    """Keras' dropout, with random numbers from the Philox generator.

    The generator that TensorFlow chooses for XLA takes about 300 ns for a number on a
    CPU, Philox 10. Without XLA, it is the one that TensorFlow chooses. A seed has the
    same masks as in `keras.layers.Dropout` there.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Set random elements to zero, and scale the others up."""
        if not training or self.rate in (0, 1):
            return super().call(inputs, training)
        seed = self.seed_generator.next()
        noise_shape = self.noise_shape and [
            tf.shape(inputs)[i] if n is None else n
            for i, n in enumerate(self.noise_shape)
        ]
        return tf.nn.experimental.stateless_dropout(
            inputs,
            self.rate,
            seed=tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32),
            rng_alg="philox",
            noise_shape=noise_shape,
        )
