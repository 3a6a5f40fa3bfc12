"""Layers that Keras does not have."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.saving import register_keras_serializable

PACKAGE = "nengo_dl"
LONG = 640  # products in a sum: their order matters where there are more
SHORT = 144  # products in a sum that takes the place of a part of a long one
WIDTH = 16  # multiples of it are numbers of channels that CPUs like


@register_keras_serializable(PACKAGE)
class Parameter(keras.layers.Layer):
    """A weight as a tensor, whatever the input is.

    Parameters
    ----------
    shape : tuple of int
        Of the weight; the output has one more axis, of length 1, in front.
    **kwargs
        Arguments of all layers.
    """

    def __init__(self, shape: tuple[int, ...], **kwargs: Any):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape=None):
        """Make the weight."""
        del input_shape
        self.value = self.add_weight(
            shape=self.shape, initializer="zeros", name="value"
        )

    def call(self, inputs):
        """Return the weight."""
        del inputs
        return keras.ops.expand_dims(keras.ops.convert_to_tensor(self.value), 0)

    def compute_output_shape(self, input_shape):
        """Return the shape of the output."""
        del input_shape
        return (1, *self.shape)

    def get_config(self):
        """Return what the layer can be made of."""
        return {**super().get_config(), "shape": self.shape}


@register_keras_serializable(PACKAGE)
class ForEachItem(keras.layers.Layer):
    """Repeats what all items share for each item of another tensor."""

    def call(self, inputs):
        """Return the first input as often as the second one has items."""
        shared, other = inputs
        n_items = keras.ops.shape(other)[0]
        return keras.ops.repeat(shared, n_items, axis=0)

    def compute_output_shape(self, input_shape):
        """Return the shape of the output."""
        shared, other = input_shape
        return (other[0], *shared[1:])


@register_keras_serializable(PACKAGE)
class ProductWith(keras.layers.Layer):
    """Multiplies the last axis by a matrix, which is an input that all items share.

    Inputs are a tensor, a matrix of shape (1, size_in, size_out), and maybe a bias of
    shape (1, size_out).
    """

    def call(self, inputs):
        """Return the product."""
        x, matrix, *bias = inputs
        made = keras.ops.matmul(x, matrix[0])
        return made + bias[0][0] if bias else made


@register_keras_serializable(PACKAGE)
class Dense(keras.layers.Dense):
    """A dense layer for items with many elements, which rounds little for one of them.

    TensorFlow multiplies a single row with a matrix by adding up products one after the
    other, so that sums of thousands round much. More rows it multiplies in blocks. A
    single item therefore gets company, of zeros.
    """

    def call(self, inputs, training=None):
        """Return the product for inputs of shape (minibatch, size_in)."""
        n_items = keras.ops.shape(inputs)[0]
        missing = keras.ops.maximum(2 - n_items, 0)
        company = keras.ops.zeros((missing, inputs.shape[1]), inputs.dtype)
        rows = keras.ops.concatenate([inputs, company])
        return super().call(rows, training=training)[:n_items]


@register_keras_serializable(PACKAGE)
class Conv2D(keras.layers.Conv2D):
    """A convolution of many channels, the last axis, which rounds little.

    On CPUs, TensorFlow adds up the products of a window one after the other. Parts of
    the channels are therefore convolved by themselves.
    """

    def convolution_op(self, inputs, kernel):
        """Return the sum of the convolutions of all parts."""
        *size, n_channels, _ = kernel.shape
        length = max(WIDTH, SHORT // math.prod(size) // WIDTH * WIDTH)
        starts = list(range(length, n_channels, length))
        if not starts or tf.config.list_physical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        parts = keras.ops.split(inputs, starts, axis=-1)
        kernels = keras.ops.split(kernel, starts, axis=-2)
        return sum(map(super().convolution_op, parts, kernels))


@register_keras_serializable(PACKAGE)
class BatchNormalization(keras.layers.BatchNormalization):
    r"""Batch normalisation that keeps the unbiased variance, as PyTorch does.

    Normalisation is that of Keras. With :math:`n` elements of a channel in a minibatch,
    the moving variance follows :math:`\frac{n}{n - 1}` times their variance (Ioffe and
    Szegedy 2015, https://doi.org/10.48550/arXiv.1502.03167, algorithm 2). It counts
    minibatches, too.
    """

    def build(self, input_shape):
        """Make the weights, and a counter of minibatches."""
        super().build(input_shape)
        self.n_minibatches = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            name="n_minibatches",
        )

    def call(self, inputs, training=False, mask=None):
        """Normalise, and let the averages follow."""
        if not training or not self.trainable:
            return super().call(inputs, training=training, mask=mask)
        kept = keras.ops.multiply(self.moving_variance, self.momentum)
        outputs = super().call(inputs, training=True, mask=mask)
        # Keras has moved it to the sum of what is kept and a part of the variance
        after = keras.ops.convert_to_tensor(self.moving_variance)
        shape = keras.ops.shape(inputs)
        channels = self.axis % len(shape)
        n = math.prod(n for axis, n in enumerate(shape) if axis != channels)
        others = keras.ops.cast(keras.ops.maximum(n - 1, 1), after.dtype)
        unbiased = after + (after - kept) / others
        self.moving_variance.assign(unbiased)
        self.n_minibatches.assign_add(1)
        return outputs


@register_keras_serializable(PACKAGE)
class LocalResponseNormalization(keras.layers.Layer):
    r"""Divides by the squares of neighbouring channels.

    .. math:: y_i = x_i \left(k + \frac{\alpha}{n} \sum_j x_j^2\right)^{-\beta}

    with the :math:`n` channels :math:`j` around :math:`i` (Krizhevsky et al. 2012,
    https://doi.org/10.1145/3065386, section 3.3).

    Parameters
    ----------
    size : int
        Number of channels :math:`n`.
    alpha, beta, bias : float
        :math:`\alpha`, :math:`\beta` and :math:`k`.
    **kwargs
        Arguments of all layers.
    """

    def __init__(
        self, size: int, alpha: float, beta: float, bias: float, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.size, self.alpha, self.beta, self.bias = size, alpha, beta, bias

    def call(self, inputs):
        """Return the input, of shape (minibatch, ..., channels), normalised."""
        n, before = inputs.shape[-1], (self.size - 1) // 2
        distance = np.subtract.outer(np.arange(n), np.arange(n))
        near = (distance >= -before) & (distance <= self.size - 1 - before)
        near = keras.ops.cast(near, inputs.dtype)
        sums = keras.ops.matmul(keras.ops.square(inputs), near)
        scale = self.bias + self.alpha / self.size * sums
        return inputs * keras.ops.power(scale, -self.beta)

    def compute_output_shape(self, input_shape):
        """Return the shape of the output."""
        return input_shape

    def get_config(self):
        """Return what the layer can be made of."""
        own = {name: getattr(self, name) for name in ("size", "alpha", "beta", "bias")}
        return {**super().get_config(), **own}
