"""Wrapped models do what the models do that they come from, call for call."""

from unittest.mock import Mock

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from sklearn.datasets import load_digits

import nengo_dl
from nengo_dl.wrapped.inference import FilledUp, size_of_minibatches
from tests.small_networks import integrator

# Without XLA, which compiles for longer than examples run: ours, and Keras' argument
PLAIN = {"jit_compile": False}
kl = keras.layers


def several_ends():
    """Return a model with dicts of inputs and outputs, and a layer that falls back."""
    image, number = keras.Input((5, 5, 2), name="image"), keras.Input((), name="number")
    x = kl.Conv2D(3, 2, activation="relu")(image)
    x = kl.PReLU()(kl.BatchNormalization()(x))
    x = kl.Concatenate()([kl.Flatten()(x), kl.Reshape((1,))(number)])
    outputs = {
        "kind": kl.Dense(3, activation="softmax", name="kind")(x),
        "age": kl.Dense(1, name="age")(x),
    }
    return keras.Model({"image": image, "number": number}, outputs), {}


def sequential():
    """Return a model whose output has axes."""
    layers = [kl.Dense(4, activation="tanh"), kl.Reshape((2, 6))]
    return keras.Sequential([keras.Input((3, 2)), *layers]), {}


def over_time():
    """Return a model whose data has a time axis."""
    x = keras.Input((None, 2))
    states = kl.SimpleRNN(4, return_sequences=True)(x)
    last = kl.LSTM(3)(states)
    return keras.Model(x, [kl.Dense(2)(states), kl.Dense(1)(last)]), {
        "temporal_model": True
    }


def ends_of(model):
    """Return the structures of inputs and outputs."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0], model.outputs[0]
    return model.input, model.output


def data_of(model, n_items=6, n_steps=5):
    """Return random inputs and targets in the structures of a model."""
    rng = np.random.RandomState(0)

    def draw(tensor):
        shape = [n or n_steps for n in tensor.shape[1:]]
        return rng.normal(size=(n_items, *shape)).astype("float32")

    inputs, outputs = ends_of(model)
    x, y = (
        keras.tree.map_structure(draw, inputs),
        keras.tree.map_structure(draw, outputs),
    )
    if isinstance(y, dict):
        y["kind"] = rng.randint(3, size=n_items)
    return x, y


def losses_of(model):
    _, outputs = ends_of(model)
    if isinstance(outputs, dict):
        loss = {"kind": "sparse_categorical_crossentropy", "age": "mse"}
        return {"loss": loss, "metrics": {"kind": "accuracy", "age": ["mae"]}}
    if isinstance(outputs, list):
        return {"loss": ["mse", "mae"], "loss_weights": [1, 2]}
    return {"loss": "mse", "metrics": ["mae"]}


def outputs_of(model, x):
    return keras.tree.flatten(model.predict(x, verbose=0))


def assert_close(first, second, **kwargs):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-4, "atol": 1e-5, **kwargs})


def n_elements(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", [several_ends, sequential, over_time])
def test_models_without_swaps_stay_the_same(make, tmp_path):
    keras.utils.set_random_seed(0)
    model, options = make()
    wrapped = nengo_dl.wrap(model, None if options else 3, settings=PLAIN, **options)
    x, y = data_of(model)
    for each in (model, wrapped):
        each.compile(keras.optimizers.SGD(0.05), **losses_of(model), **PLAIN)
    found = wrapped.predict(x, batch_size=4, verbose=0)
    keras.tree.assert_same_structure(found, model.predict(x, verbose=0))
    assert_close(outputs_of(wrapped, x), outputs_of(model, x))
    wanted = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    got = wrapped.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    assert list(got) == list(wanted)
    assert_close(got.values(), wanted.values())
    assert wrapped.name == model.name
    trained = [n_elements(m.trainable_weights) for m in (model, wrapped)]
    assert trained[0] == trained[1]

    before = model.get_weights()
    assert wrapped.unwrap() is model
    assert_close(model.get_weights(), before, rtol=0, atol=0)
    wrapped.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert_close(model.get_weights(), before, rtol=0, atol=0)
    wrapped.unwrap()
    assert not np.allclose(model.get_weights()[0], before[0])
    assert_close(outputs_of(wrapped, x), outputs_of(model, x))

    wrapped.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_close(outputs_of(loaded, x), outputs_of(wrapped, x), atol=1e-6)
    if make is sequential:  # and training goes on from there
        for each in (wrapped, loaded):
            each.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        assert_close(loaded.unwrap().get_weights(), wrapped.unwrap().get_weights())


@pytest.fixture(scope="module")
def digits():
    """Return images of digits with a channel, and one-hot labels."""
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) / 16).astype("float32")
    return images, keras.utils.to_categorical(labels, 10)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_convnet_call_for_call(digits, tmp_path):
    """Keras' example of a convolutional network, then the same with spikes."""
    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = (
        [a[:1200] for a in digits],
        [a[1200:] for a in digits],
    )
    model = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            kl.Conv2D(8, kernel_size=(3, 3), activation="relu"),
            kl.MaxPooling2D(pool_size=(2, 2)),
            kl.Conv2D(16, kernel_size=(2, 2), activation="relu"),
            kl.Flatten(),
            kl.Dropout(0.2),
            kl.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adam(0.01),
        metrics=["accuracy"],
        **PLAIN,
    )
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    score = model.evaluate(x_test, y_test, verbose=0)

    spiking = nengo_dl.wrap(
        model,
        n_steps=16,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        scale_firing_rates="auto",
        per_channel=True,
        calibration_data=x_train[:200],
        settings=PLAIN,
    )
    lines = []
    spiking.summary(print_fn=lines.append)
    for layer in model.layers:
        assert f"{layer.name} ({type(layer).__name__})" in "".join(lines)
    assert f"Total params: {model.count_params():,}" in "".join(lines)
    spiking.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adam(0.001),
        metrics=["accuracy"],
    )
    before = spiking.evaluate(x_test, y_test, verbose=0)
    assert len(before) == 2 and abs(before[1] - score[1]) < 0.02
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1)
    history = spiking.fit(
        x_train,
        y_train,
        batch_size=64,
        epochs=2,
        validation_split=0.1,
        callbacks=[stop],
        verbose=0,
    ).history
    assert sorted(history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    after = spiking.evaluate(x_test, y_test, verbose=0)
    assert after[1] > before[1] - 0.02

    spiking.save(tmp_path / "spiking.keras")
    loaded = keras.models.load_model(tmp_path / "spiking.keras")
    np.testing.assert_allclose(
        loaded.predict(x_test[:50], verbose=0), spiking.predict(x_test[:50], verbose=0)
    )
    weights = model.get_weights()
    spiking.unwrap()
    assert not np.allclose(model.get_weights()[0], weights[0])
    assert model.evaluate(x_test, y_test, verbose=0)[1] > score[1] - 0.05


def padded(steps):
    inputs = keras.Input((6, 3))
    x = keras.layers.Masking()(inputs)
    return inputs, steps(x)


def words(steps):
    inputs = keras.Input((6,), dtype="int32")
    return inputs, steps(keras.layers.Embedding(5, 3, mask_zero=True)(inputs))


def dense(x):
    return keras.layers.Dense(2, activation="tanh")(x)


def recurrent(x):
    return keras.layers.SimpleRNN(2, return_sequences=True)(x)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("steps", [dense, recurrent])
@pytest.mark.parametrize("begin", [padded, words])
def test_padding_counts_as_little_as_in_the_model(begin, steps, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Model(*begin(steps))
    rng = np.random.RandomState(0)
    x, y = (
        rng.randint(1, 5, size=(7, *model.input_shape[1:])),
        rng.normal(size=(7, 6, 2)),
    )
    for n, item in enumerate(x):
        item[n % 6 + 1 :] = 0
    wrapped = nengo_dl.wrap(model, settings=PLAIN, temporal_model=True)
    results = []
    for each in (model, wrapped):
        each.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"], **PLAIN)
        fit = each.fit(x, y, batch_size=4, shuffle=False, epochs=2, verbose=0)
        results.append([*fit.history["loss"], *each.evaluate(x, y, verbose=0)])
    np.testing.assert_allclose(*results, rtol=1e-4)
    wrapped.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.evaluate(x, y, verbose=0), wrapped.evaluate(x, y, verbose=0), rtol=1e-6
    )


@pytest.mark.parametrize("reduce", ["auto", "last", None])
def test_networks(reduce):
    net = integrator()
    x = np.random.RandomState(0).normal(size=(5, 2)).astype("float32")
    wrapped = nengo_dl.wrap(net, 7, reduce=reduce, settings=PLAIN)
    found = wrapped.predict(x, verbose=0)
    with nengo_dl.Simulator(net, minibatch_size=5, progress_bar=False) as sim:
        expected = sim.predict(x[:, None], n_steps=7, verbose=0)[net.probes[0]]
    if reduce is not None:
        expected = expected[:, -1] if reduce == "last" else expected.mean(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_networks_take_data_over_time():
    net = integrator()
    x = np.random.RandomState(0).normal(size=(5, 7, 2)).astype("float32")
    found = nengo_dl.wrap(net, settings=PLAIN).predict(x, verbose=0)
    with nengo_dl.Simulator(net, minibatch_size=5, progress_bar=False) as sim:
        expected = sim.predict(x, verbose=0)[net.probes[0]]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@keras.saving.register_keras_serializable(package="nengo_dl_tests")
def two_ends():
    """Build a network with two inputs and two outputs."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(**PLAIN)
        a, b = nengo.Node(np.zeros(2), label="b"), nengo.Node(np.zeros(1), label="a")
        ens = nengo.Ensemble(10, 2)
        nengo.Connection(a, ens)
        nengo.Connection(b, ens[0])
        nengo.Probe(ens, label="z")
        nengo.Probe(b, label="y")
    return net


def test_functions_that_make_networks_can_be_saved(tmp_path):
    wrapped = nengo_dl.wrap(two_ends, 4)
    rng = np.random.RandomState(0)
    x = {"b": rng.normal(size=(3, 2)), "a": rng.normal(size=(3, 1))}
    found = wrapped.predict(x, verbose=0)
    np.testing.assert_allclose(found["y"], x["a"], rtol=1e-6)
    assert found["z"].shape == (3, 2)
    wrapped.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0)["z"], found["z"])
    lines = []
    wrapped.summary(print_fn=lambda line, **_: lines.append(line))
    assert "nengo_network" in "".join(lines)


def test_minibatches_are_filled_up():
    sizes = [size_of_minibatches(np.zeros((n, 2)), 8) for n in (1, 3, 5, 8, 9, 100)]
    assert sizes == [1, 4, 8, 8, 8, 8]
    assert size_of_minibatches({"a": np.zeros(70)}, None) == 32
    assert size_of_minibatches(iter(()), 8) is None
    traced = []

    def double(x):
        traced.append(x.shape)
        return {"y": 2 * x}

    filled_up, x = FilledUp(double), np.arange(12.0).reshape(6, 2)
    for part in (x[:4], x[4:], x[:3]):
        found = filled_up(keras.ops.convert_to_tensor(part), 4)
        np.testing.assert_array_equal(found["y"], 2 * part)
    assert traced == [(4, 2)]


@pytest.mark.parametrize("n_items, dtype", [(3, "float32"), (8, int), (11, "float64")])
def test_arrays_are_predicted_without_kerass_loop(n_items, dtype):
    """A callback needs Keras' loop around minibatches; without any, there is none."""
    with two_ends() as net:
        nengo_dl.configure_settings(jit_compile=True)
    wrapped = nengo_dl.wrap(net, 4)
    rng = np.random.RandomState(0)
    shapes = {"b": (n_items, 2), "a": (n_items, 1)}
    x = {name: rng.randint(-2, 3, size=s).astype(dtype) for name, s in shapes.items()}
    watching = keras.callbacks.LambdaCallback()
    watching.on_predict_batch_end = Mock()
    found = wrapped.predict(x, 4, 0)
    wanted = wrapped.predict(x, 4, 0, callbacks=[watching])
    assert watching.on_predict_batch_end.call_count == -(-n_items // 4)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    with pytest.raises((ValueError, AttributeError)):  # as Keras checks dicts
        wrapped.predict(x | {"a": x["a"][1:]}, 4, 0)


def linear():
    return keras.Sequential([keras.Input((2,)), kl.Dense(2)])


def shared():
    """Return a model that calls a layer twice."""
    x, layer = keras.Input((2,)), kl.Dense(2)
    return keras.Model(x, layer(layer(x)))


def temporal():
    return nengo_dl.wrap(over_time()[0], 3, temporal_model=True)


MISTAKES = [
    (lambda: nengo_dl.wrap(linear()), "n_steps: must be a number"),
    (lambda: nengo_dl.wrap(linear(), 0), "n_steps: must be a whole"),
    (temporal, "must be None for a temporal model"),
    (lambda: nengo_dl.wrap(linear(), 3, reduce="median"), "reduce: must be one of"),
    (lambda: nengo_dl.wrap(nengo.Network(), 3), "at least one probe"),
    (lambda: nengo_dl.wrap(5, 3), "must be a nengo.Network"),
    (lambda: nengo_dl.wrap(integrator(), 3).unwrap(), "expected a Keras model"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make,message", MISTAKES)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValidationError, match=message):
        make()


def test_networks_have_no_options_and_are_not_saved():
    with pytest.raises(TypeError, match="got synapse, and a Network"):
        nengo_dl.wrap(integrator(), 3, synapse=None)
    with pytest.raises(NotImplementedError, match="a function that makes"):
        nengo_dl.wrap(integrator(), 3).get_config()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_calls_with_weights_of_their_own_cannot_be_given_back():
    model = shared()
    wrapped = nengo_dl.wrap(model, 2, split_shared_weights=True, settings=PLAIN)
    wrapped.unwrap()
    wrapped.compile("sgd", "mse")
    wrapped.fit(np.ones((4, 2)), np.zeros((4, 2)), verbose=0)
    before = model.get_weights()
    with pytest.raises(ValidationError, match="called several times"):
        wrapped.unwrap()
    assert_close(model.get_weights(), before, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_half_precision_and_many_weights_are_given_back():
    model = keras.Sequential(
        [
            keras.Input((30,)),
            kl.Dense(40, activation="relu", dtype="float16"),
            kl.Dense(3),
        ]
    )
    wrapped = nengo_dl.wrap(model, 2, settings=PLAIN)
    before = model.get_weights()
    wrapped.unwrap()
    assert_close(model.get_weights(), before, rtol=0, atol=0)
