"""Models with an axis of time, step by step: recurrent layers, and others."""

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl
from keras import ops

import nengo_dl
from tests.converter.cases import seeded
from tests.converter.test_fallback import ATOL, AddsLoss, converted
from tests.nodes.test_recurrent_cells import Lmu

N_ITEMS, N_STEPS = 3, 5


class MyLstm(kl.LSTM):
    """A subclass that does what its base does."""


class Squared(kl.Layer):
    def call(self, x):
        return ops.square(x)


class Attends(kl.Layer):
    """Mixes time steps."""

    def call(self, x):
        return x - ops.mean(x, axis=1, keepdims=True)


class Doubles(kl.GRU):
    """A recurrent layer that does more than its cell."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return 2 * super().call(sequences, initial_state, mask, training)


RECURRENT = {
    "lstm": lambda x: kl.LSTM(3, return_sequences=True)(x),
    "lstm_last": lambda x: kl.Dense(2)(kl.LSTM(3)(x)),
    "gru": lambda x: kl.GRU(3, return_sequences=True, unroll=True)(x),
    "gru_before": lambda x: kl.GRU(3, reset_after=False, use_bias=False)(x),
    "simple_last": lambda x: kl.Flatten()(kl.Reshape((3, 1))(kl.SimpleRNN(3)(x))),
    "cell": lambda x: kl.RNN(kl.GRUCell(3), return_sequences=True)(x),
    "stacked": lambda x: kl.RNN([kl.LSTMCell(3), kl.LSTMCell(2)])(x),
    "states": lambda x: kl.LSTM(3, return_state=True, return_sequences=True)(x),
    "states_used": lambda x: kl.Add()(kl.GRU(3, return_state=True)(x)),
    "subclass": lambda x: MyLstm(3)(x),
    "dropout": lambda x: kl.LSTM(3, dropout=0.5, recurrent_dropout=0.2)(x),
    "decoded": lambda x: kl.GRU(2)(kl.RepeatVector(2)(kl.SimpleRNN(3)(x))),
    "backwards_within": lambda x: kl.Bidirectional(kl.LSTM(2))(
        kl.RepeatVector(2)(kl.SimpleRNN(3)(x))
    ),
    "nested": lambda x: keras.Sequential([keras.Input((N_STEPS, 4)), kl.GRU(2)])(x),
    "distributed": lambda x: kl.LSTM(2)(kl.TimeDistributed(kl.LayerNormalization())(x)),
}
ALONE = {
    "lambda": lambda x: kl.Lambda(lambda x: 2 * x)(x),
    "layer_norm": lambda x: kl.LayerNormalization()(x),
    "own": lambda x: Squared()(x),
    "operator": lambda x: ops.sin(x),
    "regularized": lambda x: kl.Dense(3, kernel_regularizer="l2")(x),
    "activity": lambda x: kl.ActivityRegularization(l1=0.1)(x),
    "active_lstm": lambda x: kl.LSTM(
        3, return_sequences=True, activity_regularizer="l2"
    )(x),
    "conv": lambda x: kl.TimeDistributed(kl.Lambda(lambda x: x[:, 1:]))(x),
    "where": lambda x: ops.where(x > 0, x, 0.1 * x),
}
MASKED = {
    "lstm": lambda x: kl.LSTM(3, return_sequences=True)(x),
    "last": lambda x: kl.GRU(3)(x),
    "zeros": lambda x: kl.RNN(
        kl.SimpleRNNCell(3), return_sequences=True, zero_output_for_mask=True
    )(x),
    "simple": lambda x: kl.SimpleRNN(3, return_sequences=True)(x),
    "distributed": lambda x: kl.GRU(2)(kl.TimeDistributed(kl.Dense(2))(x)),
    "stacked": lambda x: kl.LSTM(2)(kl.LSTM(2, return_sequences=True)(x)),
}


def model_of(cases, shape=(N_STEPS, 4)):
    x = keras.Input(shape)
    outputs = keras.tree.flatten([make(x) for make in cases.values()])
    return seeded(keras.Model(x, outputs))


def sequences(n_steps=N_STEPS, n_items=N_ITEMS, size=4):
    rng = np.random.RandomState(0)
    return rng.uniform(-1, 1, size=(n_items, n_steps, size)).astype("float32")


def check(converter, x, minibatch_size=N_ITEMS, jit_compile=False):
    """Check that steps, whole and in pieces, are those that Keras computes."""
    model = converter.model
    wanted = keras.tree.flatten(model.predict(x, verbose=0))
    with converter.net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
    (node,) = converter.inputs.values()
    flat = np.asarray(x, "float32").reshape(*x.shape[:2], -1)
    with nengo_dl.Simulator(
        converter.net, minibatch_size=minibatch_size, progress_bar=False
    ) as sim:
        predicted = sim.predict({node: flat}, verbose=0)
        sim.run_steps(2, data={node: flat[:, :2]})
        sim.run_steps(flat.shape[1] - 2, data={node: flat[:, 2:]})
        for tensor, y in zip(model.outputs, wanted, strict=True):
            probe = converter.outputs[tensor]
            for got in (predicted[probe], sim.data[probe]):
                got = np.reshape(got, (len(x), flat.shape[1], -1))
                got = got if y.ndim > 2 else got[:, -1]
                np.testing.assert_allclose(
                    got, y.reshape(got.shape), atol=ATOL, err_msg=tensor.name
                )


def test_recurrent_layers():
    options = {"inference_only": True, "split_shared_weights": True}
    converter = converted(model_of(RECURRENT), temporal_model=True, **options)
    check(converter, sequences())


def test_steps_can_be_compiled():
    """With XLA, that is; `predict` is not."""
    names = ("lstm_last", "gru_before", "stacked")
    model = model_of({name: RECURRENT[name] for name in names})
    check(converted(model, temporal_model=True), sequences(), jit_compile=True)


def test_native_forms_run_anywhere():
    """Without a TensorNode, so that ``nengo.Simulator`` runs them, too."""
    names = ("lstm", "lstm_last", "gru_before", "simple_last", "states_used")
    cases = {name: RECURRENT[name] for name in names}
    cases["gru"] = lambda x: kl.GRU(3, recurrent_activation="hard_sigmoid")(x)
    model = model_of(cases)
    converter = nengo_dl.Converter(model, temporal_model=True, allow_fallback=False)
    x = sequences(n_items=1)
    node = converter.inputs[model.inputs[0]]
    node.output = lambda t: x[0, round(t / 0.001) - 1]
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
    for tensor, y in zip(model.outputs, model.predict(x, verbose=0), strict=True):
        got = sim.data[converter.outputs[tensor]]
        wanted = y[0] if y.ndim > 2 else y
        np.testing.assert_allclose(got[-len(wanted) :], wanted, atol=ATOL)


def test_one_item_and_any_number_of_steps():
    model = model_of(
        {"lstm": RECURRENT["lstm"], "gru": RECURRENT["gru_before"]}, (None, 4)
    )
    converter = converted(model, temporal_model=True)
    check(converter, sequences(7, 1), None)
    check(converter, sequences(3, 2), 2)


def test_training_is_that_of_keras():
    """Of all steps, or of the last one where Keras has no other."""
    names = ("lstm", "lstm_last", "gru_before", "simple_last", "stacked", "cell")
    model = model_of({name: RECURRENT[name] for name in names})
    converter = converted(model, temporal_model=True)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    assert converter.verify(inputs=[sequences()], atol=ATOL)
    assert converter.verify(training=True, inputs=[sequences()], atol=ATOL)


def test_layers_that_treat_steps_alone():
    model = model_of(ALONE)
    converter = converted(model, temporal_model=True)
    check(converter, sequences())
    assert converter.verify(training=True, inputs=[sequences()], atol=ATOL)


def test_layers_that_draw_numbers_for_each_step():
    x = keras.Input((N_STEPS, 4))
    y = kl.GaussianNoise(0.5)(kl.Dropout(0.5)(x))
    converter = converted(keras.Model(x, y), temporal_model=True)
    check(converter, sequences())


@pytest.mark.parametrize("kind", ["masking", "embedding"])
def test_masks_come_step_by_step(kind):
    x = sequences()
    if kind == "masking":
        x[0, 1], x[1, 0], x[2, -2:] = 0, 0, 0
        inputs = keras.Input((N_STEPS, 4))
        masked = kl.Masking()(inputs)
    else:
        x = np.array([[1, 2, 0, 3, 0], [0, 0, 1, 1, 1], [4, 3, 2, 1, 1]])
        inputs = keras.Input((N_STEPS,), dtype="int32")
        masked = kl.Embedding(5, 3, mask_zero=True)(inputs)
    model = seeded(keras.Model(inputs, [make(masked) for make in MASKED.values()]))
    check(converted(model, temporal_model=True), x)


REFUSED = [
    (lambda x: kl.LSTM(2, go_backwards=True)(x), "LSTM with go_backwards=True"),
    (lambda x: kl.Bidirectional(kl.LSTM(2))(x), "got Bidirectional, which runs backw"),
    (lambda x: Attends()(x), "Attends, which mixes them"),
    (
        lambda x: kl.LayerNormalization(axis=1)(x),
        "expected the last axis, or the last ones .got axis=.1",
    ),
    (lambda x: ops.flip(x, axis=1), "treats each item and time step for itself"),
    (lambda x: kl.Attention()([x, x]), "Attention, which mixes them"),
    (lambda x: kl.GlobalAveragePooling1D()(x), "Pooling1D, which mixes them"),
    (lambda x: Doubles(2)(x), "Doubles, which does not call its cell step by step"),
    (
        lambda x: kl.GRU(4)(x, initial_state=kl.GRU(4)(x)),
        "all have the axis of time, or none .*of its last step",
    ),
    (
        lambda x: kl.GRU(2, activity_regularizer="l2")(x),
        "expected inference_only=True .got an activity_regularizer",
    ),
    (
        lambda x: kl.Dense(4, activation=lambda y: ops.cumsum(y, axis=1))(x),
        "an activation that treats each time step for itself",
    ),
    (lambda x: kl.BatchNormalization()(x), "averages over the minibatch"),
]


@pytest.mark.parametrize("make, message", REFUSED)
def test_what_needs_more_than_the_steps_so_far(make, message):
    x = keras.Input((N_STEPS, 4))
    with pytest.raises(TypeError, match=f"(Layer|Operator) .*'.*': .*{message}"):
        converted(keras.Model(x, make(x)), temporal_model=True)


def test_series_of_numbers():
    x = keras.Input((N_STEPS,))
    model = seeded(keras.Model(x, kl.Add()([kl.ReLU()(x), kl.Rescaling(2.0)(x)])))
    converter = converted(model, temporal_model=True)
    assert converter.verify(inputs=[np.random.RandomState(0).normal(size=(2, N_STEPS))])
    for layer in (kl.Dense(2), kl.LayerNormalization(), kl.Softmax()):
        with pytest.raises(TypeError, match="(more axes than|axes of the signal)"):
            converted(keras.Model(x, layer(x)), temporal_model=True)


def test_reports_need_all_steps():
    x = keras.Input((N_STEPS, 4))
    model = seeded(keras.Model(x, kl.Dense(2)(kl.GRU(3, name="read")(x))))
    converter = converted(model, temporal_model=True, calibration_data=sequences())
    with pytest.raises(ValueError, match="report: expected layers .*got 'read'"):
        converter.report(sequences())
    with pytest.raises(ValueError, match="recommended_steps: expected .*got 'read'"):
        _ = converter.recommended_steps


def test_losses_of_steps_add_up():
    """Each step is a call of the layer, so Keras' sum over time is the sum of steps."""
    x = keras.Input((N_STEPS, 4))
    y = kl.ActivityRegularization(l2=0.1)(kl.Dense(2)(x))
    model = seeded(keras.Model(x, y))
    converter = converted(model, temporal_model=True)
    data = sequences()
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(
        converter.net, minibatch_size=N_ITEMS, progress_bar=False
    ) as sim:
        sim.compile("sgd", loss="mse")
        target = np.zeros((N_ITEMS, N_STEPS, 2))
        got = sim.evaluate(data, target, verbose=0)["loss"]
    model.compile("sgd", loss="mse", jit_compile=False)
    wanted = model.evaluate(data, target, verbose=0, batch_size=N_ITEMS)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_own_cells_and_losses():
    """A model of what users write themselves."""
    x = keras.Input((N_STEPS, 4))
    y = kl.RNN(Lmu(3), return_sequences=True)(AddsLoss()(x))
    model = seeded(keras.Model(x, kl.Dense(2)(y)))
    with pytest.raises(TypeError, match="AddsLoss"):
        nengo_dl.Converter(model, temporal_model=True, allow_fallback=False)
    converter = converted(model, temporal_model=True)
    check(converter, sequences())
