"""Labels that are words of the package itself, or of Keras, are labels as any other."""

import os

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from tests.simulator.helpers import make_sim

X = np.linspace(-1, 1, 12).reshape((2, 3, 2))
Y = X[..., :1]

# Names of inputs, settings, arguments, reports, layers, files
WORDS = [
    *("time", "n_steps", "keep", "loss", "learning_phase", "val", "state/n_steps"),
    *("nengo>network", "sample_weight"),
]


def make_net(node, probe):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.stimulus = nengo.Node(np.zeros(2), label=node)
        target = nengo.Node(size_in=1, label=probe)
        weights = np.ones((1, 2))
        conn = nengo.Connection(
            net.stimulus, target, transform=weights, synapse=0.01, label=node
        )
        nengo_dl.configure_settings(trainable=None)
        net.config[conn].trainable = True
        net.probe = nengo.Probe(target, label=probe)
    return net


def everything(net, folder):
    """Call all that uses names; return what has come out."""
    path = os.path.join(folder, "params")
    found = []
    with make_sim(net, minibatch_size=1) as sim:
        node, probe = sim.get_name(net.stimulus), sim.get_name(net.probe)
        sim.compile(keras.optimizers.SGD(0.1), loss={probe: "mse"}, metrics=["mae"])
        sim.run_steps(3, data={node: X[:1]})
        found.append(sim.data[net.probe])
        n_steps = np.full((2, 1), 3)
        inputs = [{node: X}]
        if node != "n_steps":
            inputs += [{node: X, "n_steps": n_steps}, [X, n_steps]]
        found += [sim.predict(x, verbose=0)[net.probe] for x in inputs]
        found.append(sim.predict(n_steps=3, verbose=0)[net.probe])
        data = tf.data.Dataset.from_tensor_slices({node: X}).batch(1)
        found.append(sim.predict(data, verbose=0)[net.probe])
        validation = ({node: X}, {probe: Y})
        history = sim.fit(
            {node: X}, {probe: Y}, validation_data=validation, verbose=0, shuffle=False
        ).history
        assert len(history) == 6 and len(set(history)) == 6
        found += history.values()
        found += sim.evaluate({net.stimulus: X}, {net.probe: Y}, verbose=0).values()
        sim.save_params(path, include_state=True)
        found.append(sim.predict(X, verbose=0)[net.probe])
    with make_sim(net, minibatch_size=1) as sim:
        sim.load_params(path, include_state=True)
        found.append(sim.predict(X, verbose=0)[net.probe])
        np.testing.assert_array_equal(found[-1], found[-2])
    layer = nengo_dl.NengoLayer(net, inputs=[node], outputs=[probe])
    inputs = keras.Input((3, 2))
    found.append(keras.Model(inputs, layer(inputs)).predict(X, verbose=0))
    found.append(layer({node: X}))
    return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return everything(make_net("a", "b"), tmp_path_factory.mktemp("expected"))


@pytest.mark.parametrize("word", WORDS)
def test_words(word, expected, tmp_path):
    actual = everything(make_net(word, word), tmp_path)
    wanted = list(expected)
    if word == "n_steps":  # the name of a node, and nothing else
        del wanted[2:4]
    for one, other in zip(actual, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("word", ["time", "n_steps"])
def test_no_input_or_one_that_is_a_function(word):
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        nengo.Node(lambda t: t, label=word)
        target = nengo.Node(size_in=1)
        nengo.Connection(net.nodes[0], target, synapse=None)
        nengo.Probe(target, label=word)
    with make_sim(net) as sim:
        (y,) = sim.predict(n_steps=3, verbose=0).values()
        np.testing.assert_allclose(y[0, :, 0], [0.001, 0.002, 0.003])
        (y,) = sim.predict({word: np.ones((1, 2, 1))}, verbose=0).values()
        np.testing.assert_array_equal(y, np.ones((1, 2, 1)))
    layer = nengo_dl.NengoLayer(net)
    np.testing.assert_allclose(layer(np.zeros((1, 2, 0)))[0, :, 0], [0.001, 0.002])
    np.testing.assert_array_equal(layer({word: np.ones((1, 2, 1))}), np.ones((1, 2, 1)))
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        nengo.Probe(nengo.Node(size_in=1, label=word), label=word)
    with make_sim(net, minibatch_size=2) as sim:
        steps = np.full((2, 1), 4)
        for y in (
            sim.predict(n_steps=4, verbose=0),
            sim.predict({"n_steps": steps}, verbose=0),
            sim.predict(tf.data.Dataset.from_tensors({"n_steps": steps}), verbose=0),
        ):
            assert [value.shape for value in y.values()] == [(2, 4, 1)]


def test_reports_of_probes_whose_names_begin_alike():
    """A probe "val_p" and the validation of a probe "p" have different keys."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ens = nengo.Ensemble(2, 1, neuron_type=nengo.LIFRate())
        for label in ("p", "val_p", "val"):
            nengo.Probe(ens, label=label)
    y = [np.full((1, 2, 1), i) for i in range(3)]
    with make_sim(net) as sim:
        sim.compile("sgd", loss="mse", metrics=["mae"])
        history = sim.fit(
            n_steps=2, y=y, validation_data=(None, y), verbose=0, epochs=2
        ).history
    assert len(history) == 2 * 7
    assert {"p_loss", "val_p_loss", "val_p_loss_1", "val_val_p_loss_1"} <= set(history)
    assert all(len(values) == 2 for values in history.values())
