"""Datasets and generators of all forms mean what the same arrays mean."""

import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

import nengo_dl
from nengo_dl.simulator.datasets import is_dataset
from nengo_dl.simulator.rebatch import rebatched
from tests.simulator.helpers import make_sim, relay

SIZE, ITEMS = 4, 10
X = np.linspace(-1, 1, ITEMS * 8).reshape((ITEMS, 2, 4)).astype("float32")
Y = X[..., :3] ** 2
W = np.linspace(0, 1, ITEMS).astype("float32")


class Batches(keras.utils.PyDataset):
    """Has batches of any size, and any keys."""

    def __init__(self, size, *data):
        super().__init__()
        self.size, self.data, self.ends = size, data, 0

    def __len__(self):
        return -(-ITEMS // self.size)

    def __getitem__(self, index):
        part = slice(index * self.size, (index + 1) * self.size)
        return tuple(cut(array, part) for array in self.data)

    def on_epoch_end(self):
        self.ends += 1


def cut(data, part):
    if isinstance(data, dict):
        return {key: array[part] for key, array in data.items()}
    return data[part]


def generator(size, *data):
    for start in range(0, ITEMS, size or 1):
        part = slice(start, start + size) if size else start
        yield tuple(cut(array, part) for array in data)


def dataset(*data):
    return tf.data.Dataset.from_tensor_slices(data)


def is_(data):
    return data


# how the data is handed over; each leaves two items over
FORMS = {
    "batches": lambda *data: dataset(*data).batch(SIZE),
    "other batches": lambda *data: dataset(*data).batch(3),
    "larger batches": lambda *data: dataset(*data).batch(ITEMS, drop_remainder=True),
    "single items": dataset,
    "generator": lambda *data: generator(SIZE, *data),
    "generator of others": lambda *data: generator(3, *data),
    "generator of items": lambda *data: generator(None, *data),
    "PyDataset": lambda *data: Batches(SIZE, *data),
}
FEW = ["other batches", "generator of items", "PyDataset"]
BY_OBJECT = [form for form in FORMS if form.startswith(("gen", "Py"))]


def make_net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.node = nengo.Node(np.zeros(4))
        dense = keras.layers.Dense(3, kernel_initializer="ones")
        net.probe = nengo.Probe(nengo_dl.Layer(dense)(net.node))
    return net


@pytest.fixture(scope="module")
def net():
    return make_net()


@pytest.fixture(scope="module")
def sim(net):
    with make_sim(net, minibatch_size=SIZE) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
        yield sim


def fit(sim, x, y=None, **kwargs):
    before = sim.keras_model.get_weights()
    try:
        kwargs = {"verbose": 0, "shuffle": False, **kwargs}
        history = sim.fit(x, y, **kwargs).history
        return [*history.values(), *sim.keras_model.get_weights()]
    finally:
        sim.keras_model.set_weights(before)


def evaluate(sim, x, y=None, **kwargs):
    return list(sim.evaluate(x, y, verbose=0, **kwargs).values())


def assert_close(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


LEFT = "expected a multiple of minibatch_size=4 items, got .*"


@pytest.mark.filterwarnings("ignore:Your input ran out of data", "ignore:.*shuffle=T")
@pytest.mark.parametrize(
    "call, form",
    [(evaluate, form) for form in FORMS] + [(fit, form) for form in FEW],
)
def test_datasets_mean_what_arrays_mean(sim, net, form, call):
    with pytest.warns(UserWarning, match=LEFT):
        expected = call(sim, X, Y)
        weighted = call(sim, X, Y, sample_weight=W)
    with pytest.warns(UserWarning, match=LEFT + "2 more. These last"):
        assert_close(call(sim, FORMS[form]({"node": X}, {"probe": Y})), expected)
        assert_close(call(sim, FORMS[form](X, Y, W)), weighted)
    if form in BY_OBJECT:
        with pytest.warns(UserWarning, match=LEFT):
            data = FORMS[form]({net.node: X}, {net.probe: Y}, {net.probe: W})
            assert_close(call(sim, data), weighted)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("form", FORMS)
def test_predictions(sim, net, form):
    with pytest.warns(UserWarning, match=LEFT):
        (expected,) = sim.predict(X, verbose=0).values()
        (actual,) = sim.predict(FORMS[form]({"node": X}), verbose=0).values()
        assert_close(actual, expected)
        if form in BY_OBJECT:
            (actual,) = sim.predict(FORMS[form]({net.node: X}), verbose=0).values()
            assert_close(actual, expected)


@pytest.mark.parametrize("form", FEW)
def test_validation_data(sim, form):
    with pytest.warns(UserWarning, match=LEFT):
        expected = fit(sim, X[:8], Y[:8], validation_data=(X, Y))
        actual = fit(sim, X[:8], Y[:8], validation_data=FORMS[form](X, Y))
    assert_close(actual, expected)


def test_whole_minibatches_give_no_warning(sim):
    expected = fit(sim, X[:8], Y[:8], epochs=2)
    whole = dataset(X[:8], Y[:8])
    for data in (
        whole.batch(SIZE, drop_remainder=True),
        whole.batch(SIZE),
        whole.batch(2, drop_remainder=True),
        whole,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", ".*shuffle=T")
            warnings.filterwarnings("ignore", ".*copy keyword")
            assert_close(fit(sim, data, epochs=2, shuffle=True), expected)


def test_endless_data(sim):
    expected = fit(sim, X[:8], Y[:8], epochs=2)

    def endless():
        while True:
            yield {"node": X[:3]}, Y[:3]
            yield {"node": X[3:8]}, Y[3:8]

    repeated = dataset(X[:8], Y[:8]).batch(SIZE).repeat()
    for data in (endless(), repeated):
        assert_close(fit(sim, data, epochs=2, steps_per_epoch=2), expected)


def test_a_py_dataset_hears_of_epochs(sim):
    data = Batches(5, X, Y)
    with pytest.raises(ValidationError, match="expected 4 items.*minibatch_size"):
        fit(sim, data)
    data = Batches(SIZE, X[:8], Y[:8])
    fit(sim, data, epochs=2)
    assert data.ends >= 2


# elements whose first minibatch is wrong, and the error
BAD = [
    (({"node": X * np.nan}, Y), "Data for 'node': expected finite numbers"),
    (({"nodes": X}, Y), "got 'nodes'.*Did you mean 'node'"),
    (({"node": X[..., :3]}, Y), "Data for 'node': expected shape .*4"),
    (({"node": X}, {"prob": Y}), "got 'prob'.*Did you mean 'probe'"),
    (({"node": X}, Y[:, :1]), "Targets for 'probe': .*keep_history=False"),
    (({"node": X}, Y[..., :1]), "Targets for 'probe': expected a last axis of 3"),
    (({"node": X}, Y * np.inf), "Targets for 'probe': expected finite"),
    (({"node": X},), "expected an array for each of 'probe'"),
]


@pytest.mark.parametrize(
    "form, case",
    [
        (form, case)
        for form in ("batches", "generator", "PyDataset")
        for case in (range(0, 8, 4) if form == "PyDataset" else range(8))
    ],
)
def test_the_first_minibatch_is_checked(sim, form, case):
    data, message = BAD[case]
    before = sim.keras_model.get_weights()
    for call in (evaluate, lambda sim, x: sim.fit(x, verbose=0)):
        with pytest.raises(ValidationError, match=message):
            call(sim, FORMS[form](*data))
    assert_close(sim.keras_model.get_weights(), before)


@pytest.mark.parametrize("form", FORMS)
def test_too_few_items(net, form):
    with make_sim(net, minibatch_size=ITEMS + 1) as sim:
        with pytest.raises(ValidationError, match="items, the simulator's minibatch_s"):
            sim.predict(FORMS[form](X), verbose=0)


def test_errors_of_generators_come_through(sim):
    def failing():
        yield X[:SIZE], Y[:SIZE]
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        sim.fit(failing(), verbose=0)


@pytest.mark.parametrize("kind", ["batches", "single items", "generator"])
def test_number_of_steps_as_data(kind):
    net = relay(lambda t: t)
    with nengo.Network() as alone:
        nengo_dl.configure_settings(jit_compile=False)
        nengo.Probe(nengo.Node(size_in=2))
    steps = np.full((ITEMS, 1), 3)
    x = np.ones((ITEMS, 3, 1), "float32")
    with pytest.warns(UserWarning, match=LEFT):
        with make_sim(net, minibatch_size=SIZE) as sim:
            data = FORMS[kind]({"node": x, "n_steps": steps})
            (y,) = sim.predict(data, verbose=0).values()
            np.testing.assert_array_equal(y, x[:8])
        with make_sim(alone, minibatch_size=SIZE) as sim:
            data = FORMS[kind]({"n_steps": steps})
            (y,) = sim.predict(data, verbose=0).values()
            assert y.shape == (8, 3, 2)


# --- what is a dataset, and what goes with it -------------------------------------

DATASETS = [iter([X]), tf.data.Dataset.from_tensors(X), Batches(1, X), object()]
NO_DATASETS = [None, {}, [X], (X,), X, tf.constant(X), "a", b"a", 5, 1.5]


def test_datasets():
    assert all(map(is_dataset, DATASETS))
    assert not any(map(is_dataset, NO_DATASETS))


@pytest.mark.parametrize("kind", range(3))
def test_arguments_without_a_place(sim, kind):
    for call in (sim.fit, sim.evaluate, sim.predict):
        with pytest.raises(SimulationError, match="no n_steps together .*n_steps=3"):
            call(DATASETS[kind], n_steps=3)
    for argument in ({"y": Y}, {"sample_weight": W}):
        for call in (sim.fit, sim.evaluate):
            with pytest.raises(ValidationError, match=r"elements: \(x, y, sample_wei"):
                call(DATASETS[kind], **argument)
    with pytest.raises(ValidationError, match="no validation_split .*dataset.take"):
        sim.fit(DATASETS[kind], validation_split=0.2)


def test_what_is_no_dataset_at_all(sim):
    message = "Data: must be None, .* generator .*of type object.*Pass a dict"
    with pytest.raises(ValidationError, match=message):
        sim.predict(DATASETS[3])


def test_regrouping():
    def groups(*lengths, size):
        stops = np.cumsum(lengths)
        parts = [(np.arange(n, m),) for n, m in zip([0, *stops], stops, strict=False)]
        left = []
        found = [list(a) for (a,) in rebatched(parts, size, left.append)]
        assert sum(found, []) == list(range(len(found) * size))
        return len(found), *left

    assert groups(2, 2, size=2) == (2,)
    assert groups(1, 4, 1, size=2) == (3,)
    assert groups(5, size=2) == (2, 1)
    assert groups(1, 1, 1, 7, size=3) == (3, 1)
    assert groups(size=3) == (0,)
    with pytest.raises(ValidationError, match="at least 3 items.*got 2 in all"):
        groups(1, 1, size=3)
    with pytest.raises(ValidationError, match=r"same number of items .*got \[2, 3\]"):
        list(rebatched([(np.zeros(2), np.zeros(3))], 2, print))
