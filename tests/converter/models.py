"""Small models of the shapes that are in use."""

import keras
from keras import layers as kl


def conv_norm(x, filters, kernel=3, strides=1, activation="relu", depthwise=False):
    """A convolution, batch normalisation and an activation."""
    if depthwise:
        conv = kl.DepthwiseConv2D(kernel, strides, padding="same", use_bias=False)
    else:
        conv = kl.Conv2D(filters, kernel, strides, padding="same", use_bias=False)
    x = kl.BatchNormalization()(conv(x))
    return kl.Activation(activation)(x) if activation else x


def lenet():
    """LeNet-5 with tanh and average pooling, on small images."""
    x = inputs = keras.Input((14, 14, 1))
    x = kl.AveragePooling2D(2)(kl.Conv2D(3, 3, activation="tanh")(x))
    x = kl.AveragePooling2D(2)(kl.Conv2D(4, 3, activation="tanh")(x))
    x = kl.Dense(8, activation="tanh")(kl.Flatten()(x))
    return keras.Model(inputs, kl.Dense(10, activation="softmax")(x))


def vgg():
    """Blocks of convolutions with maxima, batch normalisation and dropout."""
    x = inputs = keras.Input((9, 9, 3))
    for filters in (3, 4):
        x = conv_norm(conv_norm(x, filters), filters)
        x = kl.Dropout(0.3)(kl.MaxPooling2D()(x))
    x = kl.Dense(8, activation="relu")(kl.Flatten()(x))
    return keras.Model(inputs, kl.Dense(10)(kl.Dropout(0.5)(x)))


def resnet():
    """Residual blocks with strided shortcuts."""
    inputs = keras.Input((8, 8, 3))
    x = conv_norm(inputs, 3)
    for filters, strides in ((3, 1), (4, 2), (6, 2)):
        y = conv_norm(x, filters, strides=strides)
        y = conv_norm(y, filters, activation=None)
        if strides > 1:
            x = conv_norm(x, filters, 1, strides, activation=None)
        x = kl.ReLU()(kl.Add()([x, y]))
    return keras.Model(inputs, kl.Dense(10)(kl.GlobalAveragePooling2D()(x)))


def mobilenet():
    """Inverted residual blocks of depthwise convolutions."""
    inputs = keras.Input((8, 8, 3))
    x = conv_norm(inputs, 4, strides=2, activation="relu6")
    y = conv_norm(x, 8, 1, activation="relu6")
    y = conv_norm(y, 8, depthwise=True, activation="relu6")
    x = kl.Add()([x, conv_norm(y, 4, 1, activation=None)])
    x = kl.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = kl.SeparableConv2D(6, 3, strides=2, activation="relu6")(x)
    x = kl.GlobalAveragePooling2D(keepdims=True)(x)
    return keras.Model(inputs, kl.Flatten()(kl.Conv2D(5, 1)(x)))


def conv_1d():
    """A stack of causal, dilated convolutions."""
    x = inputs = keras.Input((12, 2))
    for rate in (1, 2, 4):
        x = kl.Conv1D(4, 2, dilation_rate=rate, padding="causal", activation="relu")(x)
    x = kl.MaxPooling1D(2)(kl.LeakyReLU()(x))
    return keras.Model(inputs, kl.Dense(3)(kl.GlobalMaxPooling1D()(x)))


def autoencoder():
    """An encoder and a decoder with transposed convolutions, as nested models."""
    x = kl.Input((8, 8, 1))
    y = kl.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    encoder = keras.Model(x, kl.Dense(6, activation="sigmoid")(kl.Flatten()(y)))
    x = kl.Input((6,))
    y = kl.Reshape((4, 4, 2))(kl.Dense(32, activation="elu")(x))
    y = kl.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu")(y)
    y = kl.Conv2D(1, 3, padding="same")(kl.UpSampling2D()(y))
    decoder = keras.Model(x, kl.Cropping2D(4)(y))
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, decoder(encoder(inputs)))


def inception():
    """Parallel branches whose channels are concatenated."""
    inputs = keras.Input((6, 6, 3))
    branches = [
        kl.Conv2D(2, 1, activation="relu")(inputs),
        kl.Conv2D(3, 3, padding="same", activation="relu")(
            kl.Conv2D(2, 1, activation="relu")(inputs)
        ),
        kl.Conv2D(2, 1)(kl.MaxPooling2D(3, strides=1, padding="same")(inputs)),
    ]
    x = kl.Concatenate()(branches)
    return keras.Model(inputs, kl.Dense(4)(kl.Flatten()(x)))


def two_inputs():
    """An image and a vector that gates its channels."""
    image, vector = keras.Input((5, 5, 2)), keras.Input((3,))
    x = kl.Conv2D(4, 2, activation="relu")(image)
    gate = kl.Reshape((1, 1, 4))(kl.Dense(4, activation="sigmoid")(vector))
    x = kl.Flatten()(kl.Multiply()([x, gate]))
    return keras.Model([image, vector], kl.Dense(2)(kl.Concatenate()([x, vector])))


MODELS = {
    make.__name__: make
    for make in (
        *(lenet, vgg, resnet, mobilenet, conv_1d, autoencoder, inception, two_inputs),
    )
}
TRAINABLE = ("lenet", "conv_1d", "autoencoder", "inception", "two_inputs")
