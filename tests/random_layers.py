"""Which layers random Keras models are made of, with which arguments.

Per type of layer: arguments that it always gets, and arguments that it may get, each
with what there is to choose from. Where the choice depends on a shape, there is a
function of it. What Keras refuses is not drawn again, see `tests.random_models`.
"""

from tests.random_parts import factors

ACTIVATIONS = [
    *("relu", "relu", "tanh", "sigmoid", "elu", "gelu", "selu", "softplus", "swish"),
    *("leaky_relu", "relu6", "softmax", "linear", "exponential", "hard_sigmoid"),
    *("mish", "celu", "log_sigmoid", "softsign", "hard_tanh", "hard_silu", None),
    *("squareplus", "sparse_plus", "tanh_shrink", "soft_shrink", "hard_shrink"),
    *("log_softmax", "sparsemax", "sparse_sigmoid", "silu"),
    *(("tf.nn", name) for name in ("relu", "relu6", "tanh", "elu", "softmax", "gelu")),
    *(("tf.nn", name) for name in ("leaky_relu", "sigmoid", "silu", "softplus")),
    *(("keras.ops", name) for name in ("relu", "relu6", "tanh", "sin", "gelu", "abs")),
    *(("keras.ops", name) for name in ("softmax", "sigmoid", "leaky_relu", "square")),
    *(("activations", name) for name in ("relu", "softmax", "tanh", "linear", "selu")),
    ("layer", "ReLU", {"max_value": 0.5}),
    ("layer", "LeakyReLU", {}),
    ("layer", "Softmax", {}),
]
SWITCH = [False, True]
DTYPES = ["float64", "mixed_float16", "mixed_bfloat16", "float32"]
REGULARIZERS = [None, None, "l2", "l1"]
UNITS = [1, 2, 3, 4, 6]
OF_KERNELS = {
    "kernel_regularizer": REGULARIZERS,
    "kernel_constraint": [None, None, "non_neg"],
    "use_bias": SWITCH,
    "trainable": [False],
}

# --- of any shape -----------------------------------------------------------------

ELEMENTWISE = {
    "Activation": ({"activation": ACTIVATIONS}, {}),
    "ReLU": (
        {},
        {
            "max_value": [0.4, 6.0],
            "negative_slope": [0.1, 0.3],
            "threshold": [0.2, 0.0],
        },
    ),
    "LeakyReLU": ({}, {"negative_slope": [0.1, 0.0, 1.0]}),
    "ELU": ({}, {"alpha": [0.5, 2.0]}),
    "PReLU": ({}, {"shared_axes": [[1], [1, 2], [2], [1, 2, 3]]}),
    "Softmax": ({}, {"axis": [-1, 1, -2, (1, 2), (-1, -2)]}),
    "Dropout": ({"rate": [0.5, 0.0]}, {"noise_shape": [(1, 1), (None, 1, 1)]}),
    "GaussianNoise": ({"stddev": [0.5]}, {}),
    "GaussianDropout": ({"rate": [0.5]}, {}),
    "AlphaDropout": ({"rate": [0.5]}, {}),
    "Identity": ({}, {}),
    "Rescaling": ({"scale": [2.0, -0.5]}, {"offset": [0.5, 1]}),
    "Lambda": ({"function": [("keras.ops", "sin"), ("keras.ops", "square")]}, {}),
    "Scaled": ({}, {"factor": [-1.0, 0.5]}),
    "Residual": ({}, {"units": UNITS}),
    "Parts": ({}, {}),
    "Named": ({}, {}),
    "Counting": ({}, {}),
}
RARE = {
    "Twice": ({}, {}),
    "NoArguments": ({}, {}),
    "Penalized": ({}, {}),
    "ActivityRegularization": ({}, {"l1": [0.1], "l2": [0.1]}),
    "Masking": ({}, {"mask_value": [0.0, 1.0]}),
    "Discretization": ({"bin_boundaries": [[-0.5, 0.0, 0.7]]}, {}),
}
NORMALIZATION = {
    "BatchNormalization": (
        {},
        {
            "axis": [-1, 1, 2, -2],
            "center": SWITCH,
            "scale": SWITCH,
            "epsilon": [0.1],
            "trainable": [False],
            "gamma_regularizer": REGULARIZERS,
        },
    ),
    "LayerNormalization": (
        {},
        {"axis": [-1, 1, (1, 2), [-1, -2]], "center": SWITCH, "scale": SWITCH},
    ),
    "GroupNormalization": (
        {"groups": [1, 2, -1, 3]},
        {"axis": [-1, 1], "center": SWITCH, "scale": SWITCH},
    ),
    "RMSNormalization": ({}, {"axis": [-1, 1], "epsilon": [0.1]}),
    "UnitNormalization": ({}, {"axis": [-1, 1, (1, 2)]}),
    "Normalization": (
        {"mean": [0.5, -1.0], "variance": [2.0, 0.3]},
        {"invert": SWITCH, "axis": [None]},
    ),
}
DENSE = {
    "Dense": (
        {"units": UNITS},
        {
            "activation": ACTIVATIONS,
            **OF_KERNELS,
            "bias_regularizer": REGULARIZERS,
            "activity_regularizer": [*[None] * 4, "l2"],
        },
    ),
}

# --- of some positions and channels -----------------------------------------------


def sizes(n, *choices):
    """Repeat choices for an axis for ``n`` axes, with one that differs."""
    last = choices[0]
    return [(choice,) * n for choice in choices] + [(*((last,) * (n - 1)), choices[1])]


def convolutions(n):
    """List convolutions over ``n`` axes."""
    options = {
        "strides": sizes(n, 1, 2, 3),
        "padding": ["same"] * 2 + ["causal"] * (n == 1),
        "data_format": ["channels_first"],
        "activation": ACTIVATIONS,
        **OF_KERNELS,
    }
    dilation = {"dilation_rate": sizes(n, 1, 2, 3)}
    kernel = {"kernel_size": [*sizes(n, 1, 2, 3), 2]}
    filters = {"filters": [2, 1, 3, 4]}
    plain = filters | kernel, options | dilation | {"groups": [2, 3]}
    transposed = (
        filters | kernel,
        options | dilation | {"output_padding": [*sizes(n, 0, 1), 1]},
    )
    found = {f"Conv{n}D": plain, f"Conv{n}DTranspose": transposed}
    if n < 3:
        depth = {"depth_multiplier": [2, 3]}
        rest = {name: options[name] for name in options if "kernel" not in name}
        # TensorFlow has no depthwise convolution with strides that differ
        rest |= {"strides": [(2,) * n, (1,) * n, (3,) * n]} | depth | dilation
        found[f"DepthwiseConv{n}D"] = kernel, rest
        found[f"SeparableConv{n}D"] = filters | kernel, rest
    return found


def pools(n):
    """List pooling layers over ``n`` axes, but for Keras' adaptive ones.

    Those divide by zero in TensorFlow for some shapes, which ends the process.
    """
    data_format = {"data_format": ["channels_first"]}
    window = {"pool_size": [*sizes(n, 2, 3, 1), 2]}
    options = {"strides": sizes(n, 1, 2, 3), "padding": ["same"], **data_format}
    everywhere = {"keepdims": SWITCH, **data_format}
    found = {}
    for how in ("Average", "Max"):
        found[f"{how}Pooling{n}D"] = (window, options)
        found[f"Global{how}Pooling{n}D"] = ({}, everywhere)
    return found


def moves(n):
    """List layers that move elements along ``n`` axes."""
    data_format = {"data_format": ["channels_first"]} if n > 1 else {}
    both = [((1, 0),) * n, ((0, 1),) * n, ((1, 1),) * n]
    both = [pair[0] for pair in both] if n == 1 else both
    up = {"interpolation": ["bilinear", "bicubic"]} if n == 2 else {}
    return {
        f"Cropping{n}D": ({"cropping": [1, *both]}, data_format),
        f"ZeroPadding{n}D": ({"padding": [1, *both]}, data_format),
        f"UpSampling{n}D": (
            {"size": [2, 3] if n == 1 else sizes(n, 1, 2, 3)},
            {**data_format, **up},
        ),
        f"SpatialDropout{n}D": ({"rate": [0.5]}, {}),
        "Flatten": ({}, data_format),
    }


CELLS = [
    ("layer", "LSTMCell", {"units": 2}),
    ("layer", "GRUCell", {"units": 3, "reset_after": False}),
    ("layer", "SimpleRNNCell", {"units": 2, "activation": "relu"}),
]
OF_RECURRENCE = {
    "return_sequences": SWITCH,
    "return_state": [True],
    "go_backwards": [True],
    "unroll": [True],
    "dropout": [0.3],
    "recurrent_dropout": [0.3],
    "use_bias": SWITCH,
}
INNER_RECURRENT = [
    ("layer", "LSTM", {"units": 2, "return_sequences": True}),
    ("layer", "GRU", {"units": 3}),
    ("layer", "SimpleRNN", {"units": 1}),
]
RECURRENT = {
    "LSTM": ({"units": UNITS}, OF_RECURRENCE | {"activation": ["relu", "linear"]}),
    "GRU": ({"units": UNITS}, OF_RECURRENCE | {"reset_after": [False]}),
    "SimpleRNN": ({"units": UNITS}, OF_RECURRENCE | {"activation": ACTIVATIONS[:8]}),
    "Bidirectional": (
        {"layer": INNER_RECURRENT},
        {"merge_mode": ["sum", "mul", "ave", None]},
    ),
    "RNN": ({"cell": CELLS}, {"return_sequences": SWITCH, "go_backwards": [True]}),
}
ATTENTION = {
    "MultiHeadAttention": ({"num_heads": [1, 2], "key_dim": [2]}, {}),
    "Attention": ({}, {"score_mode": ["concat"], "use_scale": [True]}),
    "AdditiveAttention": ({}, {}),
    "Dot": ({"axes": [(2, 2), 2, 1, -1]}, {"normalize": [True]}),
}
TIMED = [
    ("layer", "Dense", {"units": 3, "activation": "relu"}),
    ("layer", "Dense", {"units": 2}),
    ("layer", "Conv1D", {"filters": 2, "kernel_size": 2}),
    ("layer", "Conv2D", {"filters": 2, "kernel_size": 2, "padding": "same"}),
    ("layer", "MaxPooling2D", {}),
    ("layer", "Flatten", {}),
    ("layer", "LSTM", {"units": 2}),
    ("layer", "LayerNormalization", {}),
    ("layer", "Softmax", {}),
    ("layer", "TimeDistributed", {"layer": ("layer", "Dense", {"units": 2})}),
]
OVER_TIME = {"TimeDistributed": ({"layer": TIMED}, {})}
IMAGES = {
    "RandomFlip": ({}, {"mode": ["horizontal"]}),
    "RandomRotation": ({"factor": [0.2]}, {}),
    "RandomContrast": ({"factor": [0.5]}, {}),
    "Resizing": ({"height": [2, 3], "width": [3, 2]}, {"interpolation": ["nearest"]}),
    "CenterCrop": ({"height": [2], "width": [2, 3]}, {}),
    "SpectralNormalization": (
        {"layer": [("layer", "Conv2D", {"filters": 2, "kernel_size": 2})]},
        {},
    ),
    "ConvLSTM1D": ({"filters": [2], "kernel_size": [2]}, {"return_sequences": SWITCH}),
}
EINSUM = {1: "ab,bc->ac", 2: "abc,cd->abd", 3: "abcd,de->abce"}
MERGES = {
    "Add": ({}, {}),
    "Subtract": ({}, {}),
    "Average": ({}, {}),
    "Multiply": ({}, {}),
    "Maximum": ({}, {}),
    "Minimum": ({}, {}),
    "Concatenate": ({}, {"axis": [1, 2, -1, -2]}),
    "Gated": ({}, {}),
}
OF_INTEGERS = {
    "Embedding": (
        {"input_dim": [5, 6], "output_dim": [3, 1, 2]},
        {"mask_zero": [True]},
    ),
    "CategoryEncoding": (
        {"num_tokens": [5]},
        {"output_mode": ["one_hot", "multi_hot", "count"]},
    ),
    "IntegerLookup": ({"vocabulary": [[0, 1, 2]]}, {"output_mode": ["int", "one_hot"]}),
    "Hashing": ({"num_bins": [4]}, {}),
}

# --- by shape ---------------------------------------------------------------------


def reshaped(rng, shape):
    """Draw the arguments of a Reshape."""
    size = 1
    for length in shape:
        size *= length
    target = list(rng.choice(factors(size, rng.randint(1, 3))))
    if rng.random() < 0.4:
        target[rng.randrange(len(target))] = -1
    return {"target_shape": tuple(target)}


def permuted(rng, shape):
    """Draw the arguments of a Permute."""
    return {"dims": tuple(rng.sample(range(1, len(shape) + 1), len(shape)))}


def repeated(rng, shape):
    """Draw the arguments of a RepeatVector."""
    del shape
    return {"n": rng.randint(1, 3)}


def multiplied(rng, shape):
    """Draw the arguments of an EinsumDense."""
    return {
        "equation": EINSUM[len(shape)],
        "output_shape": (*shape[:-1], rng.randint(1, 3)),
        "activation": rng.choice(ACTIVATIONS),
    }


def by_rank(rank):
    """Return the families of layers that take tensors of some rank."""
    families = [ELEMENTWISE, NORMALIZATION, DENSE]
    if rank in (2, 3, 4):
        n = rank - 1
        families += [convolutions(n), convolutions(n), pools(n), moves(n)]
    if rank == 2:
        families += [RECURRENT, RECURRENT, ATTENTION]
    if rank == 3:
        families.append(IMAGES)
    return families
