"""Modules of torch that are called from Keras layers and networks."""

import copy

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

import nengo_dl

torch = pytest.importorskip("torch")
nn = torch.nn

X = torch.tensor(np.random.RandomState(0).normal(size=(5, 6)), dtype=torch.float32)


class Untranslated(nn.Module):
    """Depends on values, as no graph can."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, x):
        return self.linear(x) if float(x.detach().sum()) > -1e9 else x


class Several(nn.Module):
    """Two inputs, two outputs, one of them of whole numbers."""

    def forward(self, a, b):
        return a * b, (a > b).long()


def with_statistics():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_training_is_that_of_torch():
    module = with_statistics()
    layer = nengo_dl.torch.layer(module, X, mode="call", name="called")
    assert [w.name for w in layer.weights[:2]] == ["0.weight", "0.bias"]
    assert layer.name == "called" and len(layer.trainable_weights) == 6
    ours = keras.optimizers.SGD(0.01)
    theirs = torch.optim.SGD(module.parameters(), 0.01)
    step = tf.function(lambda x: tf.reduce_sum(layer(x, training=True) ** 2))
    for _ in range(5):
        theirs.zero_grad()
        (module(X) ** 2).sum().backward()
        theirs.step()
        with tf.GradientTape() as tape:
            loss = step(X.numpy())
        sources = [v.value for v in layer.trainable_variables]
        ours.apply(tape.gradient(loss, sources), layer.trainable_variables)
    found = nengo_dl.torch.to_state_dict(layer)
    for name, value in module.state_dict().items():
        np.testing.assert_allclose(found[name], value, atol=1e-6)
    np.testing.assert_allclose(layer(X.numpy()), module.eval()(X).detach(), atol=1e-6)
    other = with_statistics().eval()
    other.load_state_dict(found)
    torch.testing.assert_close(other(X), module(X))


def test_dropout_is_the_same_in_gradients():
    layer = nengo_dl.torch.layer(nn.Dropout(0.5), torch.ones(2, 50), mode="call")
    x = tf.ones((2, 50))
    found = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        assert np.array_equal(tape.gradient(y, x), y)
        found.append(y.numpy())
    assert not np.array_equal(*found) and np.array_equal(layer(x), x)


def test_parts_that_are_frozen_stay_so():
    module = with_statistics()
    module[1].eval()
    layer = nengo_dl.torch.layer(module, X, mode="call")
    layer(X.numpy(), training=True)
    assert np.all(layer.source_weights()["1.running_mean"] == 0)
    assert module.training and not module[1].training


def test_several_inputs_and_outputs():
    layer = nengo_dl.torch.layer(Several(), (X, X), mode="call")
    a, b = keras.Input((6,)), keras.Input((6,))
    model = keras.Model([a, b], layer([a, b]))
    product, larger = model.predict([X.numpy(), -X.numpy()], verbose=0)
    np.testing.assert_allclose(product, -(X**2))
    assert larger.dtype == np.int64 and np.array_equal(larger, X > 0)


def test_modes():
    linear = nn.Linear(6, 4)
    expected = linear(X).detach()
    for mode in ("auto", "translate", "call"):
        layer = nengo_dl.torch.layer(linear, X, mode=mode)
        np.testing.assert_allclose(layer(X.numpy()), expected, atol=1e-6)
        assert isinstance(layer, nengo_dl.torch.CalledModule) == (mode == "call")
    assert isinstance(
        nengo_dl.torch.layer(Untranslated(), X), nengo_dl.torch.CalledModule
    )
    with pytest.raises(TypeError):
        nengo_dl.torch.layer(Untranslated(), X, mode="translate")
    with pytest.raises(ValidationError, match="must be one of 'auto', 'translate'"):
        nengo_dl.torch.layer(linear, X, mode="calls")
    with pytest.raises(NotImplementedError, match="a module of torch that is called"):
        layer.get_config()
    with pytest.raises(ValidationError, match="expected tensors with an axis"):
        nengo_dl.torch.layer(nn.Identity(), (X,), "call")._probe([()])


def network(module):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, trainable=None)
        net.a = nengo.Node(np.zeros(6))
        net.node = nengo_dl.TensorNode(module, shape_in=(6,))
        nengo.Connection(net.a, net.node, synapse=None)
        layer = nengo_dl.Layer(module)(net.a)
        net.p, net.q = nengo.Probe(net.node), nengo.Probe(layer)
    return net


@pytest.mark.parametrize("make", [with_statistics, Untranslated])
def test_modules_in_networks(make):
    module = make()
    net = network(module)
    x = X[:, None].repeat(1, 3, 1).numpy()
    module.eval()
    expected = module(torch.tensor(x).flatten(0, 1)).reshape(5, 3, 4).detach()
    with nengo_dl.Simulator(net, minibatch_size=5, progress_bar=False) as sim:
        sim.run_steps(3, data={net.a: x})
        for probe in (net.p, net.q):
            np.testing.assert_allclose(sim.data[probe], expected, atol=1e-6)
        found = sim.predict({net.a: x}, verbose=0)
        np.testing.assert_allclose(found[net.p], expected, atol=1e-6)
        sim.compile("sgd", "mse")
        zeros = np.zeros((5, 3, 4))
        before = sim.evaluate({net.a: x}, {net.p: zeros, net.q: zeros}, verbose=0)
        sim.fit({net.a: x}, {net.p: zeros, net.q: zeros}, epochs=2, verbose=0)
        after = sim.evaluate({net.a: x}, {net.p: zeros, net.q: zeros}, verbose=0)
        assert after["loss"] < before["loss"]
        sim.run_steps(1, data={net.a: x[:, :1]})
        found = sim.predict({net.a: x[:, :1]}, verbose=0)
        np.testing.assert_allclose(sim.data[net.p][:, -1:], found[net.p], atol=1e-6)


def test_errors_in_networks():
    with nengo.Network() as net:
        with pytest.raises(ValidationError, match="expected an input and no time"):
            nengo_dl.TensorNode(nn.Linear(6, 4))
        with pytest.raises(ValidationError, match="expected an input and no time"):
            nengo_dl.TensorNode(nn.Linear(6, 4), shape_in=(6,), pass_time=True)

        class Fails(Untranslated):
            def forward(self, x):
                if x.abs().sum() > 0:
                    raise ZeroDivisionError("on purpose")
                return x

        a = nengo.Node(np.ones(6))
        nengo.Probe(nengo_dl.Layer(Fails())(a))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(SimulationError, match="ZeroDivisionError: on purpose"):
            sim.run_steps(1)


def test_the_module_stays_as_it_is():
    module = with_statistics()
    before = copy.deepcopy(module.state_dict())
    layer = nengo_dl.torch.layer(module, X, mode="call")
    layer(X.numpy(), training=True)
    layer.begin()
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


class Counted(Untranslated):
    """Counts its calls, with gradients and without."""

    calls = 0

    def forward(self, x):
        Counted.calls += 1
        return super().forward(x)


def fed(module, synapse=None):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, trainable=None)
        net.a = nengo.Node(np.zeros(6))
        net.node = nengo_dl.TensorNode(module, shape_in=(6,))
        nengo.Connection(net.a, net.node, synapse=synapse)
        net.p = nengo.Probe(net.node)
    return net


def counts(calls):
    """Return how often the module is called by each of several functions."""
    found = {}
    for name, call in calls.items():
        call()  # which traces, and calls to find shapes
        Counted.calls = 0
        call()
        found[name] = Counted.calls
    return found


@pytest.mark.parametrize("synapse", [None, 0.1])
def test_one_call_for_all_steps_whose_input_is_known(synapse):
    is_known = synapse is None
    net = fed(Counted(), synapse)
    x = np.random.RandomState(1).normal(size=(3, 20, 6)).astype(np.float32)
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        sim.compile("sgd", "mse")
        y = np.zeros((3, 20, 4))
        calls = {
            "run": lambda: sim.run_steps(20, data={net.a: x}),
            "predict": lambda: sim.predict({net.a: x}, verbose=0),
            "fit": lambda: sim.fit({net.a: x}, {net.p: y}, verbose=0),
        }
        found = counts(calls)
        assert found["predict"] == (1 if is_known else 20)
        # gradients compute the module once more
        assert found["fit"] == 2 * found["predict"]
        # a run has several chunks, one after the other
        assert found["run"] < 20 if is_known else found["run"] == 20


def test_one_call_for_all_steps_of_held_input():
    net = fed(Counted())
    x = np.random.RandomState(1).normal(size=(3, 1, 6)).astype(np.float32)
    y = np.zeros((3, 20, 4))
    layer = nengo_dl.NengoLayer(net)
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        sim.compile("sgd", "mse")
        calls = {
            "predict": lambda: sim.predict({net.a: x}, n_steps=20, verbose=0),
            "evaluate": lambda: sim.evaluate(
                {net.a: x}, {net.p: y}, n_steps=20, verbose=0
            ),
            "fit": lambda: sim.fit({net.a: x}, {net.p: y}, n_steps=20, verbose=0),
            "layer": lambda: layer(x, n_steps=20),
        }
        found = counts(calls)
    assert found == {"predict": 1, "evaluate": 1, "fit": 2, "layer": 1}


class Sized(Untranslated):
    """Remembers how many items its last call had."""

    n_items = 0

    def forward(self, x):
        Sized.n_items = len(x)
        return super().forward(x)


def test_runs_call_once_for_values_that_stay_the_same():
    net = fed(Sized())
    x = np.random.RandomState(1).normal(size=(3, 1, 6)).astype(np.float32)
    other = np.concatenate([x, x, x + 1], axis=1)
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        sim.run_steps(3, data={net.a: x})
        assert Sized.n_items == 3
        sim.run_steps(3, data={net.a: other})
        assert Sized.n_items > 3
        expected = sim.predict({net.a: other}, verbose=0)[net.p]
        found = sim.data[net.p]
    np.testing.assert_allclose(found[:, 3:], expected, atol=1e-6)
    np.testing.assert_array_equal(found[:, 1:3], found[:, [0, 0]])


@pytest.mark.parametrize("training", [False, True])
def test_held_input_is_that_input_in_all_steps(training):
    torch.manual_seed(0)
    net = fed(Untranslated())
    with net:
        # a second module takes what the first one returns, and what a node does
        net.sums = nengo.Node(size_in=6)
        nengo.Connection(net.node, net.sums[:4], synapse=None)
        nengo.Connection(nengo.Node(np.ones(2)), net.sums[4:], synapse=None)
        net.second = nengo_dl.TensorNode(with_statistics().eval(), shape_in=(6,))
        nengo.Connection(net.sums, net.second, synapse=None)
        nengo.Probe(net.second, synapse=0.01)
    layer = nengo_dl.NengoLayer(net)
    x = tf.constant(X[:, None].numpy())

    def run(x, n_steps):
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = list(layer(x, n_steps=n_steps, training=training).values())
            weights = np.arange(7.0).reshape(1, 7, 1)
            loss = sum(tf.reduce_sum(y**2 * weights) for y in found)
        slopes = tape.gradient(loss, [x, *layer.trainable_weights])
        return found, slopes

    found, (by_x, *slopes) = run(x, 7)
    expected, (by_all, *others) = run(tf.repeat(x, 7, axis=1), None)
    pairs = [*zip(found, expected, strict=True), *zip(slopes, others, strict=True)]
    pairs.append((by_x, tf.reduce_sum(by_all, axis=1, keepdims=True)))
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


class Stateful(Untranslated):
    """Remembers its last input, where nobody can see it."""

    last = 0.0

    def forward(self, x):
        y, self.last = super().forward(x) + self.last, float(x.detach().mean())
        return y


class Mixing(Untranslated):
    """Takes the mean of the minibatch off."""

    def forward(self, x):
        return super().forward(x - x.mean(0))


class Dropping(Untranslated):
    """Has dropout, which is another one for each item and step."""

    def forward(self, x):
        return nn.functional.dropout(super().forward(x), 0.5, self.training)


@pytest.mark.parametrize(
    "make, in_evaluation, in_training",
    [
        (Untranslated, True, True),
        (Dropping, True, True),
        (with_statistics, True, False),
        (lambda: nn.BatchNorm1d(6, track_running_stats=False), False, False),
        (lambda: nn.GroupNorm(2, 6), True, True),
        (lambda: nn.RReLU(), True, False),
        (Mixing, False, False),
        (Stateful, False, False),
    ],
)
def test_modules_that_mix_items_are_called_in_each_step(
    make, in_evaluation, in_training
):
    layer = nengo_dl.torch.layer(make(), X, mode="call")
    found = [layer.keeps_items_apart(training) for training in (False, True)]
    assert found == [in_evaluation, in_training]
    is_random = make is Dropping
    found = [layer.repeats(training) for training in (False, True)]
    assert found == [in_evaluation, in_training and not is_random]


def test_dropout_differs_in_steps_and_items_that_share_an_input():
    torch.manual_seed(0)
    net = fed(nn.Sequential(Dropping()))
    with net:
        node = nengo.Node(lambda t: np.ones(6))  # the same for all items
        net.shared = nengo_dl.TensorNode(Dropping(), shape_in=(6,))
        nengo.Connection(node, net.shared, synapse=None)
        net.q = nengo.Probe(net.shared)
    layer = nengo_dl.NengoLayer(net)
    x = np.ones((4, 8, 6), dtype=np.float32)
    found = layer(x, training=True)
    for y in map(np.asarray, found.values()):
        masks = (y == 0).reshape(32, 4)
        assert 0.2 < masks.mean() < 0.8
        assert len(np.unique(masks, axis=0)) > 8


def test_many_items_are_called_in_parts(monkeypatch):
    from nengo_dl.torch import items

    torch.manual_seed(0)
    module = Untranslated()
    layer = nengo_dl.torch.layer(module, X, mode="call")
    x = tf.constant(X)

    def results():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y**3)
        found = tape.gradient(loss, [x, *layer.trainable_weights])
        return [y, layer(x), layer.infer(X.numpy()), *found]

    layer.begin()
    whole = results()
    monkeypatch.setattr(items, "BLOCK", 2 * X.shape[1])
    for one, other in zip(whole, results(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
