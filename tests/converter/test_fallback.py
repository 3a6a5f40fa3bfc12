"""What has no native form: values of all types, masks, copies, losses, time steps."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops

import nengo_dl
from tests.converter.cases import random_inputs, seeded

ATOL = 1e-5


def converted(model, **options):
    """Convert a model without a word of what falls back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        converter = nengo_dl.Converter(model, **options)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    return converter


def check(model, inputs, jit_compile=False):
    """Check that a converted model computes what Keras computes, in all ways to run."""
    converter = converted(model)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
    wanted = keras.tree.flatten(model.predict(inputs, verbose=0))
    data = {
        converter.inputs[tensor]: np.reshape(x, (len(x), 1, -1))
        for tensor, x in zip(model.inputs, inputs, strict=True)
    }
    with nengo_dl.Simulator(
        converter.net, minibatch_size=len(inputs[0]), progress_bar=False
    ) as sim:
        predicted = sim.predict(data, verbose=0)
        sim.run_steps(1, data=data)
        for tensor, y in zip(model.outputs, wanted, strict=True):
            probe = converter.outputs[tensor]
            for got in (predicted[probe], sim.data[probe]):
                np.testing.assert_allclose(
                    got.ravel(), np.ravel(y), atol=ATOL, err_msg=tensor.name
                )


def pool(x):
    return kl.GlobalAveragePooling1D()(x)


def embedded(x, **kwargs):
    return kl.Embedding(9, 3, mask_zero=True)(x, **kwargs)


# Functions of whole numbers, of shape (4,).
WHOLE = {
    "normalized": lambda x: kl.LayerNormalization()(x),
    "rms": lambda x: kl.RMSNormalization()(x),
    "embedding": lambda i: kl.Embedding(9, 3)(i),
    "mask_lstm": lambda i: kl.LSTM(2)(embedded(i)),
    "mask_gru": lambda i: kl.GRU(2, return_sequences=True)(embedded(i)),
    "mask_zeros": lambda i: kl.RNN(
        kl.LSTMCell(2), return_sequences=True, zero_output_for_mask=True
    )(embedded(i)),
    "mask_pool": lambda i: pool(embedded(i)),
    "mask_through": lambda i: pool(kl.Dense(2)(kl.Dropout(0.5)(embedded(i)))),
    "mask_attention": lambda i: kl.Attention()([embedded(i), embedded(i)]),
    "mask_nested": lambda i: keras.Sequential([keras.Input((4, 3)), kl.GRU(2)])(
        embedded(i)
    ),
    "lookup": lambda i: kl.Embedding(9, 2)(kl.IntegerLookup(vocabulary=[0, 1, 2])(i)),
    "hashing": lambda i: kl.Embedding(9, 2)(kl.Hashing(9)(i)),
    "one_hot": lambda i: kl.CategoryEncoding(5, output_mode="multi_hot")(i),
    "flat": lambda i: kl.Embedding(9, 2)(kl.Flatten()(kl.Reshape((2, 2))(i))),
    "remainder": lambda i: ops.mod(i * 3 + 1, 4),
    "cast": lambda i: kl.Dense(2)(ops.cast(i, "float32")),
}
# Functions of floats, of shape (4,).
FLOATS = {
    "discretization": lambda x: kl.Embedding(4, 2)(kl.Discretization([0.0, 1.0])(x)),
    "argmax": lambda x: ops.argmax(x, -1, keepdims=True),
    "compared": lambda x: x * ops.cast(x > 0, "float32"),
    "where": lambda x: ops.where(x > 0, x, 0.1 * x),
    "logic": lambda x: ops.logical_and(x > -0.5, ops.logical_not(x > 0.5)),
    "truncated": lambda x: ops.cast(3 * x, "int32"),
    "taken": lambda x: ops.take_along_axis(x, ops.argsort(x), axis=1),
    "top": lambda x: ops.top_k(x, 2)[1],
}
# Functions of floats, of shape (4, 2).
MASKED = {
    "lstm": lambda x: kl.LSTM(2)(kl.Masking()(x)),
    "softmax": lambda x: kl.Softmax()(x, mask=x > 0),
    "pool": lambda x: pool(kl.Masking()(x)),
    "max": lambda x: kl.GlobalMaxPooling1D()(kl.Masking()(x)),
    "states": lambda x: ops.concatenate(
        kl.GRU(3, return_state=True)(x, initial_state=kl.Dense(3)(x[:, 0])), axis=-1
    ),
    "seq2seq": lambda x: kl.LSTM(3, return_sequences=True)(
        x, initial_state=kl.LSTM(3, return_state=True)(kl.Masking()(x))[1:]
    ),
}


def cases_model(cases, shape, dtype=None):
    x = keras.Input(shape, dtype=dtype)
    model = keras.Model(x, [make(x) for make in cases.values()])
    return seeded(model)


def inputs_for(shape, dtype, n_items=3):
    rng = np.random.RandomState(0)
    if dtype.startswith("int"):
        return [rng.randint(5, size=(n_items, *shape)).astype(dtype)]
    x = rng.normal(size=(n_items, *shape)).astype("float32")
    x[1, -1] = 0  # what Masking leaves out
    return [x]


@pytest.mark.parametrize(
    "cases, shape, dtype",
    [
        (WHOLE, (4,), "int32"),
        (FLOATS, (4,), "float32"),
        (MASKED, (4, 2), "float32"),
    ],
    ids=["whole", "floats", "masked"],
)
def test_values_of_all_types(cases, shape, dtype):
    """Steps are compiled with XLA as far as it goes; `predict` is not."""
    check(cases_model(cases, shape, dtype), inputs_for(shape, dtype), "auto")


def test_values_under_mixed_precision():
    """Numbers of elements and classes are never rounded to half precision."""
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        x = keras.Input((1,), dtype="int32")
        y = kl.Embedding(5000, 2)(x + 1)
        model = seeded(keras.Model(x, [y, x + 1]))
    finally:
        keras.config.set_dtype_policy(with_policy)
    check(model, [np.array([[2049], [4097], [4998]])])


def test_strings_are_refused():
    x = keras.Input((2,), dtype="string")
    y = kl.Embedding(4, 2)(kl.StringLookup(vocabulary=["a", "b"])(x))
    with pytest.raises(TypeError, match="expected numbers, .*got strings.*to the data"):
        converted(keras.Model(x, y))
    x = keras.Input((2,), dtype="int32")
    words = kl.StringLookup(vocabulary=["a", "b"], invert=True)(x)
    with pytest.raises(
        TypeError, match="'string_lookup.*expected numbers.*got strings"
    ):
        converted(keras.Model(x, kl.StringLookup(vocabulary=["b"])(words)))


def test_stateful_layers_go_on():
    """From sequence to sequence, until the simulator is reset."""
    x = keras.Input(batch_shape=(3, 4, 2))
    y = kl.LSTM(2, stateful=True, return_state=True)(x)
    model = seeded(keras.Model(x, kl.Concatenate()(y)))
    converter = converted(model)
    data = inputs_for((2, 4, 2), "float32")[0]
    wanted = [model.predict(data[:, i], verbose=0) for i in range(2)]
    node = converter.inputs[model.inputs[0]]
    with nengo_dl.Simulator(converter.net, minibatch_size=3, progress_bar=False) as sim:
        for _ in range(2):
            sim.reset()
            for i in range(2):
                sim.run_steps(1, data={node: data[:, i].reshape(3, 1, 8)})
            got = sim.data[converter.outputs[model.outputs[0]]]
            np.testing.assert_allclose(got, np.stack(wanted, axis=1), atol=ATOL)


class NoKwargs(kl.Layer):
    def __init__(self):
        super().__init__()
        self.dense = kl.Dense(3)

    def call(self, x):
        return self.dense(x)


class Required(kl.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = kl.Dense(units)

    def call(self, x):
        return self.dense(x)


class TensorConfig(kl.Layer):
    def __init__(self, kernel=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel = self.add_weight(shape=(4, 3), name="kernel")

    def call(self, x):
        return ops.matmul(x, self.kernel)

    def get_config(self):
        return {**super().get_config(), "matrix": self.kernel}


class Forgets(kl.Layer):
    """Has an attribute that its configuration does not mention."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.factor = 1.0
        self.dense = kl.Dense(3)

    def call(self, x):
        return self.factor * self.dense(x)

    def get_config(self):
        return super().get_config()


class TakesUnits(kl.Layer):
    """Has a configuration that does not say how many units it has."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.dense = kl.Dense(units)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return super().get_config()


def forgetful():
    layer = Forgets()
    layer.factor = 3.0
    return layer


SHARED = {
    "no_kwargs": NoKwargs,
    "tensor": TensorConfig,
    "forgets": forgetful,
    "units": lambda: TakesUnits(3),
    "function": lambda: kl.EinsumDense("ab,bc->ac", 3, activation=lambda x: 2 * x),
}
COPIED = {
    "required": lambda: Required(3),
    "units": TakesUnits,
}


def model_of(make):
    inputs = keras.Input((4,))
    layer = make()
    x = layer(inputs)
    return seeded(keras.Model(inputs, kl.Dense(2)(kl.Flatten()(x)))), layer


@pytest.mark.parametrize("make", SHARED.values(), ids=SHARED)
def test_layers_that_cannot_be_copied_are_used_themselves(make):
    model, layer = model_of(make)
    before = model.get_weights()
    with pytest.warns(UserWarning, match="Converter: expected to copy layer .*itself"):
        converter = nengo_dl.Converter(model)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    assert converter.verify(inputs=random_inputs(model), atol=ATOL)
    assert converter.verify(training=True, inputs=random_inputs(model), atol=ATOL)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    layer.set_weights([2 * w for w in layer.get_weights()])
    assert converter.verify(inputs=random_inputs(model), atol=ATOL)


@pytest.mark.parametrize("make", COPIED.values(), ids=COPIED)
def test_other_layers_are_copied(make):
    model, _ = model_of(make)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Converter: expected to copy")
        converter = nengo_dl.Converter(model)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    assert converter.verify(training=True, inputs=random_inputs(model), atol=ATOL)


class AddsLoss(kl.Layer):
    def call(self, x):
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        return x


LOSSES = {
    "activity": lambda: kl.ActivityRegularization(l1=0.1, l2=0.2),
    "regularized": lambda: kl.Dense(4, activity_regularizer="l2"),
    "added": AddsLoss,
    "recurrent": lambda: keras.Sequential(
        [kl.Reshape((2, 2)), kl.LSTM(3, activity_regularizer="l1")]
    ),
}


def test_losses_of_layers_train():
    """They count as in Keras, also if they come from layers within layers."""
    inputs = keras.Input((4,))
    x = kl.Dense(4)(inputs)
    model = seeded(keras.Model(inputs, [make()(x) for make in LOSSES.values()]))
    converter = converted(model)
    assert converter.verify(inputs=random_inputs(model), atol=ATOL)
    assert converter.verify(training=True, inputs=random_inputs(model), atol=ATOL)
