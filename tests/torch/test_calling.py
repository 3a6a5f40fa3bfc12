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

X = torch.linspace(-1, 1, 30).reshape(5, 6)


class Untranslated(nn.Module):
    """Depends on values, as no graph can."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, x):
        return self.linear(x) if float(x.sum()) > -1e9 else x


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
    ours = keras.optimizers.SGD(0.1)
    theirs = torch.optim.SGD(module.parameters(), 0.1)
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
    nengo_dl.torch.load_state_dict(other, layer)
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
