"""What a closed simulator leaves in memory: objects are counted, not bytes."""

import gc
from collections import Counter

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from tests.simulator.helpers import make_sim

X = np.ones((2, 1, 1))


def network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.5])
        ens = nengo.Ensemble(4, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(node, ens, synapse=None)
        nengo.Probe(ens)
    return net


def used(use):
    def make():
        with make_sim(network(), minibatch_size=2) as sim:
            sim.compile("sgd", loss="mse")
            use(sim)

    return make


def keras_model():
    inputs = keras.Input((1, 1))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", loss="mse")
    model.fit(X, X, verbose=0)


def counts():
    """Count what is alive of this package, and the graphs of TensorFlow."""
    gc.collect()
    gc.collect()
    kinds = [type(obj) for obj in gc.get_objects()]
    own = [k.__name__ for k in kinds if str(k.__module__).startswith("nengo_dl.")]
    graphs = ["FuncGraph" for k in kinds if k.__name__ == "FuncGraph"]
    return Counter(own + graphs)


def growth(make):
    """Return what there is more of each time."""
    make()  # what is there once
    before = counts()
    make()
    return dict(counts() - before)


USES = {
    "run": lambda sim: sim.run_steps(2),
    "predict": lambda sim: sim.predict(X, verbose=0),
    "evaluate": lambda sim: sim.evaluate(X, X, verbose=0),
}


@pytest.mark.parametrize("name", USES)
def test_nothing_is_left(name):
    assert growth(used(USES[name])) == {}


def test_fit_leaves_what_keras_leaves():
    """TensorFlow keeps the graph in which an optimizer has summed gradients."""
    left = growth(used(lambda sim: sim.fit(X, X, verbose=0)))
    expected = growth(keras_model)
    assert set(left) <= {"FuncGraph"}
    assert left.get("FuncGraph", 0) <= expected.get("FuncGraph", 0)
