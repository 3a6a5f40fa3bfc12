"""Data may come in the arrays of any library."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.foreign import as_array

X = np.random.RandomState(0).normal(size=(4, 3, 2)).astype(np.float32)


class Exchanged:
    """An array that can be had through DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kwargs):
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Converted:
    """An array that NumPy can be asked for alone."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class Refused(Converted):
    """Something that is an array, but does not give its numbers."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("on another planet")


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node(np.zeros(2))
        b = nengo.Node(size_in=2)
        nengo.Connection(net.a, b, synapse=None, transform=2)
        net.p = nengo.Probe(b)
    return net


@pytest.fixture(scope="module")
def sim(net):
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        sim.compile("sgd", "mse")
        yield sim


@pytest.mark.parametrize("kind", [Exchanged, Converted])
def test_arrays_of_other_libraries(kind, net, sim):
    x = kind(X)
    assert np.array_equal(sim.predict(x, verbose=0)[net.p], 2 * X)
    sim.run_steps(3, data={net.a: x})
    assert np.array_equal(sim.data[net.p][:, -3:], 2 * X)
    assert sim.evaluate({net.a: x}, {net.p: kind(2 * X)}, verbose=0)["loss"] == 0
    sim.fit([x], kind(2 * X), verbose=0)
    layer = nengo_dl.NengoLayer(net)
    for given in (x, [x], {"node": x}):
        assert np.array_equal(layer(given), 2 * X)


@pytest.mark.parametrize("kind", [Exchanged, Converted])
def test_memory_is_shared(kind):
    assert np.shares_memory(as_array(kind(X)), X)


def test_arrays_that_cannot_be_read(net, sim):
    with pytest.raises(ValidationError, match="got Refused: on another planet"):
        sim.predict(Refused(X))
    with pytest.raises(ValidationError, match="got Refused: on another planet"):
        nengo_dl.NengoLayer(net)(Refused(X))


def test_variables_stay_variables(net):
    assert np.array_equal(nengo_dl.NengoLayer(net)(keras.Variable(X)), 2 * X)
