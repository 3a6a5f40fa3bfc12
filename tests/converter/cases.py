"""Cases for the law that a converted layer computes what Keras computes.

A case is a name and a function from a tensor to a tensor. Cases of one input shape are
the outputs of one model, which is converted once.
"""

import keras
import numpy as np
from keras import layers as kl

from tests.versions import KERAS

LAST, FIRST = "channels_last", "channels_first"


def seeded(model, seed=0):
    """Give all weights of a model random values that do not grow with its depth."""
    model.jit_compile = False  # it would compile longer than it runs
    rng = np.random.RandomState(seed)
    for variable in model.weights:
        if not variable.dtype.startswith("float"):
            continue
        value = rng.normal(size=variable.shape, scale=0.3)
        if "variance" in variable.path:
            value = rng.uniform(0.5, 1.5, size=variable.shape)
        variable.assign(value)
    return model


def random_inputs(model, n_items=3, seed=1, n_steps=None):
    """Draw inputs of a model."""
    rng = np.random.RandomState(seed)
    return [
        rng.uniform(-1, 1, size=(n_items, *(n_steps or s for s in x.shape[1:])))
        for x in model.inputs
    ]


def since(version, **makes):
    """Return cases that a version of Keras has, and later ones; {} for older ones."""
    return {name: make() for name, make in makes.items() if version <= KERAS}


def joined(cases, shape):
    """Make one model of cases that take inputs of one shape."""
    x = keras.Input(shape)
    return seeded(keras.Model(x, [make(x) for make in cases.values()]))


ACTIVATIONS = {
    name: kl.Activation(name)
    for name in (
        *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid"),
        *("hard_silu", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "mish"),
        *("relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax"),
        *("softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus"),
        *("tanh", "tanh_shrink"),
    )
    if hasattr(keras.activations, name)  # older versions of Keras lack some
}

NATIVE = {
    (): {
        "activation": kl.Activation("sigmoid"),
        "relu_clipped": kl.ReLU(max_value=0.4),
        "leaky_relu": kl.LeakyReLU(0.15),
        "elu": kl.ELU(0.7),
        "identity": kl.Identity(),
        "rescaling": kl.Rescaling(2.0, offset=-0.5),
        "flatten": kl.Flatten(),
        "reshape": kl.Reshape((1,)),
    },
    (7,): {
        "dense": kl.Dense(3),
        "dense_relu": kl.Dense(3, activation="relu"),
        "dense_one_unit": kl.Dense(1, activation="tanh"),
        "dense_without_bias": kl.Dense(3, activation="sigmoid", use_bias=False),
        "dense_softmax": kl.Dense(4, activation="softmax"),
        "dense_relu6": kl.Dense(4, activation="relu6"),
        "identity": kl.Identity(),
        "repeat_vector": kl.RepeatVector(3),
        "reshape": kl.Reshape((7, 1)),
        "relu": kl.ReLU(),
        "relu_clipped": kl.ReLU(max_value=0.4),
        "relu_sloped": kl.ReLU(negative_slope=0.1),
        "relu_sloped_clipped": kl.ReLU(negative_slope=0.1, max_value=0.4),
        "relu_threshold": kl.ReLU(threshold=0.2, negative_slope=0.1, max_value=0.8),
        "leaky_relu": kl.LeakyReLU(0.15),
        "elu": kl.ELU(0.7),
        "prelu": kl.PReLU(),
        "softmax": kl.Softmax(),
        "rescaling": kl.Rescaling(2.0, offset=-0.5),
        **since((3, 8), normalization=lambda: kl.Normalization(mean=0.5, variance=2.0)),
        "normalization_each": kl.Normalization(
            mean=np.arange(7), variance=np.arange(1, 8), invert=True
        ),
    },
    (5, 3): {
        "dense": kl.Dense(4, activation="relu"),
        "dense_as_many_units": kl.Dense(3),
        "conv": kl.Conv1D(4, 3, activation="relu"),
        "conv_same": kl.Conv1D(4, 2, padding="same", strides=2),
        "conv_causal": kl.Conv1D(4, 3, padding="causal"),
        "conv_causal_dilated": kl.Conv1D(4, 2, padding="causal", dilation_rate=2),
        "conv_dilated": kl.Conv1D(4, 2, dilation_rate=3, activation="tanh"),
        "conv_groups": kl.Conv1D(6, 2, groups=3),
        "transpose": kl.Conv1DTranspose(4, 3, activation="relu"),
        "transpose_same": kl.Conv1DTranspose(4, 3, strides=2, padding="same"),
        "transpose_gaps": kl.Conv1DTranspose(2, 2, strides=3),
        "transpose_padded": kl.Conv1DTranspose(2, 3, strides=2, output_padding=1),
        "depthwise": kl.DepthwiseConv1D(2, depth_multiplier=2, activation="relu"),
        **since(
            (3, 15),
            depthwise_both=lambda: kl.DepthwiseConv1D(2, strides=2, dilation_rate=2),
            separable_both=lambda: kl.SeparableConv1D(
                3, 2, padding="same", strides=2, dilation_rate=2
            ),
        ),
        "separable": kl.SeparableConv1D(4, 3, padding="same", activation="relu"),
        "average_pool": kl.AveragePooling1D(2),
        "average_pool_same": kl.AveragePooling1D(3, strides=2, padding="same"),
        "max_pool": kl.MaxPooling1D(2, strides=1),
        "max_pool_same": kl.MaxPooling1D(3, padding="same"),
        "global_average": kl.GlobalAveragePooling1D(),
        "global_max": kl.GlobalMaxPooling1D(keepdims=True),
        "cropping": kl.Cropping1D((1, 2)),
        "zero_padding": kl.ZeroPadding1D((1, 2)),
        "up_sampling": kl.UpSampling1D(2),
        "flatten": kl.Flatten(),
        "permute": kl.Permute((2, 1)),
        "reshape": kl.Reshape((-1, 5)),
        "softmax": kl.Softmax(axis=1),
        "softmax_all": kl.Softmax(axis=(1, 2)),
        "prelu": kl.PReLU(),
        "prelu_shared": kl.PReLU(shared_axes=[1]),
        "prelu_one": kl.PReLU(shared_axes=[1, 2]),
        "normalization": kl.Normalization(mean=[1, 2, 3], variance=[1, 2, 3]),
        "layer_normalization": kl.LayerNormalization(),
        "layer_normalization_all": kl.LayerNormalization(axis=(1, 2), epsilon=0.1),
        "layer_normalization_plain": kl.LayerNormalization(center=False, scale=False),
        "layer_normalization_shift": kl.LayerNormalization(scale=False),
        **since((3, 9), rms_normalization=lambda: kl.RMSNormalization()),
    },
    (5, 6, 4): {
        "dense": kl.Dense(3),
        "conv": kl.Conv2D(3, (2, 3), activation="relu"),
        "conv_same": kl.Conv2D(3, 3, padding="same", strides=(2, 1)),
        "conv_valid_strides": kl.Conv2D(2, (3, 2), strides=2, use_bias=False),
        "conv_dilated": kl.Conv2D(2, 2, dilation_rate=(1, 2), padding="same"),
        "conv_groups": kl.Conv2D(6, 3, groups=2),
        "conv_groups_dilated": kl.Conv2D(4, 2, groups=2, dilation_rate=2),
        "transpose": kl.Conv2DTranspose(3, (2, 3), activation="relu"),
        "transpose_same": kl.Conv2DTranspose(3, 3, strides=2, padding="same"),
        "transpose_valid": kl.Conv2DTranspose(2, 2, strides=2),
        "transpose_gaps": kl.Conv2DTranspose(2, (1, 2), strides=(2, 3)),
        "transpose_dilated": kl.Conv2DTranspose(2, 2, dilation_rate=2),
        "depthwise": kl.DepthwiseConv2D(3, padding="same", activation="relu"),
        "depthwise_strides": kl.DepthwiseConv2D(2, strides=2, depth_multiplier=2),
        "depthwise_dilated": kl.DepthwiseConv2D(2, dilation_rate=2),
        **since(
            (3, 15),
            depthwise_both=lambda: kl.DepthwiseConv2D(2, strides=3, dilation_rate=2),
            depthwise_both_same=lambda: kl.DepthwiseConv2D(
                3, strides=2, padding="same", dilation_rate=2
            ),
            separable_both=lambda: kl.SeparableConv2D(3, 2, strides=2, dilation_rate=2),
        ),
        "separable": kl.SeparableConv2D(3, 2, depth_multiplier=2, activation="relu"),
        "average_pool": kl.AveragePooling2D((2, 3)),
        "average_pool_same": kl.AveragePooling2D(3, strides=2, padding="same"),
        "max_pool": kl.MaxPooling2D(2),
        "max_pool_same": kl.MaxPooling2D((3, 2), padding="same", strides=(2, 1)),
        "global_average": kl.GlobalAveragePooling2D(),
        "global_max": kl.GlobalMaxPooling2D(),
        "cropping": kl.Cropping2D(((1, 0), (2, 1))),
        "zero_padding": kl.ZeroPadding2D(((1, 0), (2, 1))),
        "up_sampling": kl.UpSampling2D((2, 3)),
        "up_sampling_bilinear": kl.UpSampling2D(2, interpolation="bilinear"),
        "flatten": kl.Flatten(),
        "permute": kl.Permute((3, 1, 2)),
        "prelu": kl.PReLU(shared_axes=[1, 2]),
    },
    (4, 5, 6): {
        "conv": kl.Conv2D(3, 3, data_format=FIRST, activation="relu"),
        "conv_same": kl.Conv2D(2, 3, data_format=FIRST, padding="same", strides=2),
        "conv_dilated": kl.Conv2D(2, 2, data_format=FIRST, dilation_rate=2),
        "average_pool": kl.AveragePooling2D(2, data_format=FIRST),
        "average_pool_same": kl.AveragePooling2D(3, 2, "same", data_format=FIRST),
        "max_pool": kl.MaxPooling2D(2, data_format=FIRST),
        "max_pool_same": kl.MaxPooling2D(3, 2, "same", data_format=FIRST),
        "global_average": kl.GlobalAveragePooling2D(data_format=FIRST),
        "global_max": kl.GlobalMaxPooling2D(data_format=FIRST),
        "cropping": kl.Cropping2D(1, data_format=FIRST),
        "zero_padding": kl.ZeroPadding2D(1, data_format=FIRST),
        "up_sampling": kl.UpSampling2D(2, data_format=FIRST),
        "up_sampling_bilinear": kl.UpSampling2D(
            2, data_format=FIRST, interpolation="bilinear"
        ),
        "flatten": kl.Flatten(data_format=FIRST),
    },
    (3, 4, 5, 2): {
        "conv": kl.Conv3D(3, 2, activation="relu"),
        "conv_same": kl.Conv3D(3, (1, 2, 3), padding="same", strides=2),
        "transpose": kl.Conv3DTranspose(2, 2, strides=2, padding="same"),
        "average_pool": kl.AveragePooling3D(2),
        "average_pool_same": kl.AveragePooling3D((2, 3, 2), padding="same"),
        "max_pool": kl.MaxPooling3D(2, strides=1),
        "global_average": kl.GlobalAveragePooling3D(),
        "global_max": kl.GlobalMaxPooling3D(),
        "cropping": kl.Cropping3D(1),
        "zero_padding": kl.ZeroPadding3D(1),
        "up_sampling": kl.UpSampling3D((1, 2, 1)),
    },
}

# What has the form of a single layer, but takes several inputs.
MERGES = {
    "add": kl.Add(),
    "subtract": kl.Subtract(),
    "average": kl.Average(),
    "multiply": kl.Multiply(),
    "maximum": kl.Maximum(),
    "minimum": kl.Minimum(),
    "concatenate": kl.Concatenate(),
    "concatenate_space": kl.Concatenate(axis=1),
    "concatenate_space_from_behind": kl.Concatenate(axis=-2),
}

# Those that train otherwise than they infer.
INFERENCE = {
    (5, 6, 4): {
        "batch_normalization": kl.BatchNormalization(),
        "batch_normalization_axis": kl.BatchNormalization(axis=1),
        "batch_normalization_plain": kl.BatchNormalization(center=False, scale=False),
        "dropout": kl.Dropout(0.5),
        "spatial_dropout": kl.SpatialDropout2D(0.5),
        "noise": kl.GaussianNoise(0.5),
        "gaussian_dropout": kl.GaussianDropout(0.5),
        "alpha_dropout": kl.AlphaDropout(0.5),
        "activity": kl.ActivityRegularization(l1=0.1),
        "regularized": kl.Dense(3, kernel_regularizer="l2"),
        "constrained": kl.Dense(3, kernel_constraint="non_neg"),
    }
}
