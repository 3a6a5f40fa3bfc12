"""Simulators that are built and run in several threads at once."""

import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError

import nengo_dl
from nengo_dl.silence import warnings_ignored
from nengo_dl.simulator.scope import scope
from tests.simulator.helpers import make_sim


@pytest.fixture
def impatient():
    """Switch between threads as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def network(dtype, circular=False):
    """Build a network, or one that no simulator can be made for."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype=dtype, jit_compile=False)
        ens = nengo.Ensemble(5, 1)
        net.probe = nengo.Probe(ens)
        if circular:
            node = nengo.Node(size_in=1)
            nengo.Connection(node, node, synapse=None)
    return net


def global_settings():
    """Return what all threads of a program share."""
    return nengo.rc.get("precision", "bits"), keras.config.floatx(), warnings.filters[:]


def build(dtype, circular):
    net = network(dtype, circular)
    if circular:
        with pytest.raises(BuildError):
            make_sim(net)
        return
    with make_sim(net) as sim:
        signal = sim.model.sig[net.ensembles[0]]["encoders"]
        assert signal.initial_value.dtype == dtype
        sim.run_steps(2)
        assert sim.data[net.probe].dtype == dtype


def test_threads_leave_global_settings_as_they_are(impatient):
    before = global_settings()
    cases = [(dtype, i % 3 == 2) for i in range(6) for dtype in ("float32", "float64")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(build, *zip(*cases, strict=True)))
    assert global_settings() == before


def crossed(*contexts):
    """Enter and leave contexts in threads, each before the last one is left.

    Where entering has to wait for another one to leave, it does.
    """
    entered = [threading.Event() for _ in contexts]
    leave = [threading.Event() for _ in contexts]

    def use(context, has_entered, may_leave):
        with context:
            has_entered.set()
            may_leave.wait(30)

    threads = [
        threading.Thread(target=use, args=args)
        for args in zip(contexts, entered, leave, strict=True)
    ]
    for thread, event in zip(threads, entered, strict=True):
        thread.start()
        event.wait(0.2)
    for thread, event in zip(threads, leave, strict=True):
        event.set()
        thread.join(30)


CONTEXTS = {
    "precision of Nengo": lambda dtype: nengo_dl.graph.nengo_model.precision(dtype),
    "precision of Keras": lambda dtype: scope(None, dtype),
    "warnings": lambda dtype: warnings_ignored(),
}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize(
    "dtypes", [("float32", "float64"), ("float64", "float32", "float64")]
)
def test_overlapping_changes_are_undone(context, dtypes):
    before = global_settings()
    crossed(*map(context, dtypes))
    assert global_settings() == before
    with pytest.raises(RuntimeError), context("float64"), context("float32"):
        raise RuntimeError
    assert global_settings() == before


def test_scopes_that_are_nested_in_one_thread():
    with scope(None, "float64"):
        with scope(None, "float32"):
            assert keras.config.floatx() == "float32"
        assert keras.config.floatx() == "float64"


def test_threads_run_networks_side_by_side(impatient):
    net = network("float32")
    with make_sim(net) as sim:
        sim.run_steps(30)
        expected = np.array(sim.data[net.probe])

    def run(_):
        with make_sim(network("float32")) as sim:
            for n_steps in (10, 20):
                sim.run_steps(n_steps)
            return np.array(sim.data[sim.model.probes[0]])

    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(run, range(3)):
            np.testing.assert_array_equal(result, expected)
