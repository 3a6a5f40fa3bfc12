"""The end of a simulator, and what it puts back."""

import copy
import gc
import pickle
import warnings

import keras
import pytest
import tensorflow as tf
from nengo.exceptions import SimulatorClosed, ValidationError

from tests.simulator.helpers import filtered, make_sim, relay

NEED_OPEN = {
    "run": lambda sim: sim.run(0.1),
    "run_steps": lambda sim: sim.run_steps(1),
    "step": lambda sim: sim.step(),
    "reset": lambda sim: sim.reset(),
    "clear_probes": lambda sim: sim.clear_probes(),
    "__enter__": lambda sim: sim.__enter__(),
}


@pytest.fixture(scope="module")
def closed_sim():
    net = filtered()
    with make_sim(net) as sim:
        sim.run_steps(4)
    return net, sim


@pytest.mark.parametrize("name", NEED_OPEN)
def test_closed(closed_sim, name):
    message = rf"Simulator.{name}: the simulator is closed. Make a new Simulator"
    with pytest.raises(SimulatorClosed, match=message):
        NEED_OPEN[name](closed_sim[1])


def test_soft_reset_of_a_closed_simulator(closed_sim):
    with pytest.warns(DeprecationWarning), pytest.raises(SimulatorClosed):
        closed_sim[1].soft_reset()


def test_what_is_left_of_a_closed_simulator(closed_sim):
    net, sim = closed_sim
    sim.close()  # once more does no harm
    assert sim.closed
    assert (sim.n_steps, sim.time, sim.dt) == (4, 0.004, 0.001)
    assert sim.data[net.probes[0]].shape == (4, 1)
    assert len(sim.trange()) == 4
    assert sim.get_name(net.nodes[0]) == "node"


def test_context_restores_what_it_sets():
    net = relay(dtype="float64")
    assert keras.config.floatx() == "float32"
    sim = make_sim(net)
    sim.run_steps(1)
    sim.reset()
    assert keras.config.floatx() == "float32"
    with sim as entered:
        assert entered is sim
        assert keras.config.floatx() == "float64"
        assert tf.constant(0.0).device.endswith("CPU:0")
        sim.run_steps(1)
        assert keras.config.floatx() == "float64"
    assert keras.config.floatx() == "float32"
    assert sim.closed


def test_context_closes_after_errors():
    with pytest.raises(ZeroDivisionError):
        with make_sim(relay(dtype="float64")) as sim:
            raise ZeroDivisionError
    assert sim.closed
    assert keras.config.floatx() == "float32"


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_pickling(duplicate):
    with make_sim(relay()) as sim:
        with pytest.raises(NotImplementedError, match="cannot be pickled.*the network"):
            duplicate(sim)
        sim.run_steps(1)


def test_open_simulators_warn_when_they_are_collected():
    sim = make_sim(relay())
    with pytest.warns(RuntimeWarning, match="deallocated while open. Close"):
        del sim
        gc.collect()


def test_other_simulators_do_not_warn():
    gc.collect()
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        make_sim(relay()).close()
        with pytest.raises(ValidationError):
            make_sim(relay(), minibatch_size=-1)
        gc.collect()
    assert not [w for w in record if "deallocated" in str(w.message)]
