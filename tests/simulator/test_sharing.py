"""Simulators share what is compiled, and this never shows in results.

All networks here are one that differs in a single thing, and run one after the other in
one process. Those in `SHARED` need no compilation of their own.
"""

import threading

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.engine import shared_functions
from nengo_dl.engine.shared_functions import SHARED as FUNCTIONS
from nengo_dl.engine.shared_functions import SharedFunctions
from tests.network_specs import build
from tests.random_networks import draw_specs
from tests.simulator.helpers import make_sim

N_STEPS = 60
CHOICE = nengo.dists.Choice
LSTSQ = nengo.solvers.LstsqL2()
LIF = nengo.LIF()


def network(
    neurons=LIF,
    seed=0,
    n_neurons=10,
    function=np.square,
    transform=0.5,
    synapse=0.02,
    rule=None,
    solver=LSTSQ,
    value=0.7,
    probe=None,
    to=slice(None),
    settings=None,
    recurrent=0.01,
    **ensemble,
):
    """Build a recurrent ensemble, a second one, and all that is probed."""
    with nengo.Network(seed=seed) as net:
        nengo_dl.configure_settings(dtype="float64", **(settings or {}))
        node = nengo.Node([value, -value])
        pre = nengo.Ensemble(n_neurons, 2, neuron_type=neurons, **ensemble)
        post = nengo.Ensemble(10, 2, neuron_type=nengo.LIFRate())
        nengo.Connection(node, pre, synapse=None)
        nengo.Connection(pre, pre, synapse=recurrent, transform=0.1)
        conn = nengo.Connection(
            pre,
            post[to],
            function=function,
            transform=transform,
            synapse=synapse,
            learning_rule_type=rule,
            solver=solver,
        )
        if isinstance(rule, nengo.PES):
            nengo.Connection(node, conn.learning_rule)
        nengo.Probe(post, **(probe or {"synapse": 0.01}))
        nengo.Probe(pre.neurons)
    return net


def voltages(low, high):
    return {"initial_state": {"voltage": nengo.dists.Uniform(low, high)}}


SHARED = {
    "seed": {"seed": 1},
    "input": {"value": 0.1},
    "function": {"function": np.sin},
    "transform": {"transform": [[0.3, 0.1], [0.2, -0.4]]},
    "synapse": {"synapse": 0.03},
    "equal synapses": {"synapse": 0.005},
    "recurrent synapse": {"recurrent": 0.2},
    "probe's synapse": {"probe": {"synapse": 0.1}},
    "probe's interval": {"probe": {"synapse": 0.01, "sample_every": 0.003}},
    "radius": {"radius": 2},
    "gain": {"gain": CHOICE([2.0]), "bias": CHOICE([1.0])},
    "encoders": {"encoders": CHOICE([[1, 0]])},
    "initial voltage": {"neurons": nengo.LIF(**voltages(0.2, 0.9))},
}
UNSHARED = {
    "tau_rc": {"neurons": nengo.LIF(tau_rc=0.05)},
    "tau_ref": {"neurons": nengo.LIF(tau_ref=0.001)},
    "amplitude": {"neurons": nengo.LIF(amplitude=0.01)},
    "min_voltage": {"neurons": nengo.LIF(min_voltage=-1)},
    "neuron type": {"neurons": nengo.LIFRate()},
    "adaptation": {"neurons": nengo.AdaptiveLIF()},
    "slower adaptation": {"neurons": nengo.AdaptiveLIF(tau_n=0.5)},
    "strong adaptation": {"neurons": nengo.AdaptiveLIF(inc_n=0.5)},
    "n_neurons": {"n_neurons": 11},
    "slice": {"to": slice(None, None, -1)},
    "index": {"to": [1, 1]},
    "no synapse": {"synapse": None},
    "alpha synapse": {"synapse": nengo.Alpha(0.02)},
    "other alpha synapse": {"synapse": nengo.Alpha(0.04)},
    "triangle": {"synapse": nengo.synapses.Triangle(0.01)},
    "zero synapse": {"recurrent": 0},
    "no synapse of the probe": {"probe": {"sample_every": 0.003}},
    "learning": {"rule": nengo.PES(1e-3)},
    "ensemble noise": {"noise": nengo.processes.WhiteNoise(seed=1)},
    "training": {"settings": {"learning_phase": True}, "neurons": nengo.LIFRate()},
    "smooth": {
        "settings": {"learning_phase": True, "lif_smoothing": 0.1},
        "neurons": nengo_dl.SoftLIFRate(sigma=0.1),
    },
}
# Those after the first one share what it has compiled
LEARNING = {
    "PES": [nengo.PES(1e-3), nengo.PES(2e-3), nengo.PES(1e-3, pre_synapse=0.1)],
    "Oja": [nengo.Oja(1e-5), nengo.Oja(2e-5), nengo.Oja(1e-5, beta=0.1)],
    "BCM": [nengo.BCM(1e-9), nengo.BCM(2e-9), nengo.BCM(1e-9, theta_synapse=0.1)],
    "Voja": [nengo.Voja(1e-2), nengo.Voja(2e-2), nengo.Voja(post_synapse=0.1)],
}


@pytest.fixture(autouse=True)
def fresh():
    FUNCTIONS.clear()


def run_dl(net, **kwargs):
    """Return probe data, and whether something was traced."""
    before = len(FUNCTIONS)
    with make_sim(net, **kwargs) as sim:
        sim.run_steps(N_STEPS)
        return [np.array(sim.data[p]) for p in net.probes], len(FUNCTIONS) > before


def check(net, is_shared=None):
    found, is_new = run_dl(net)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
    for data, probe in zip(found, net.probes, strict=True):
        np.testing.assert_allclose(data, sim.data[probe], rtol=1e-9, atol=1e-9)
    assert is_shared is None or is_shared != is_new


def test_networks_that_differ_in_values():
    check(network(), is_shared=False)
    for name, changes in SHARED.items():
        print(name)  # shown if it fails
        check(network(**changes), is_shared=True)


def test_networks_that_differ_otherwise():
    check(network(), is_shared=False)
    for name, changes in UNSHARED.items():
        print(name)
        check(network(**changes), is_shared=False)


@pytest.mark.parametrize("name", LEARNING)
def test_learning_rules(name):
    first, *others = LEARNING[name]
    solver = nengo.solvers.LstsqL2(weights=name in ("Oja", "BCM"))

    def make(rule, **changes):
        return network(rule=rule, solver=solver, **changes)

    check(make(first), is_shared=False)
    check(make(first, seed=3), is_shared=True)
    for rule in others:
        check(make(rule), is_shared=True)


@pytest.mark.parametrize(
    "changes, kwargs",
    [
        ({}, {"dt": 0.002}),
        ({}, {"minibatch_size": 2}),
        ({"settings": {"keep_history": False}}, {}),
        # on which Nengo fails
        ({"neurons": nengo.LIF(**voltages(1, 5))}, {}),
    ],
)
def test_what_else_differs(changes, kwargs):
    run_dl(network())
    net = network(**changes)
    found, is_new = run_dl(net, **kwargs)
    assert is_new
    FUNCTIONS.clear()
    for one, other in zip(found, run_dl(net, **kwargs)[0], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore:.*runs in Python")
def test_random_networks():
    """Each runs after all others, then with another seed, and then alone."""
    makers = []
    for spec in draw_specs(2, seed=5):
        for seed in (spec["seed"], spec["seed"], spec["seed"] + 1):
            makers.append(lambda spec=spec, seed=seed: build(spec | {"seed": seed}))

    def run(make):
        net = make()
        with net:
            nengo_dl.configure_settings(jit_compile=False)
        with make_sim(net, seed=1) as sim:
            sim.run_steps(10)
            return [np.array(sim.data[p]) for p in net.all_probes]

    together = [run(make) for make in makers]
    for make, expected in zip(makers, together, strict=True):
        FUNCTIONS.clear()
        for one, other in zip(run(make), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_threads():
    nets = [network(seed=seed) for seed in range(6)]
    expected = [run_dl(net)[0] for net in nets]
    FUNCTIONS.clear()
    found = {}

    def run(i):
        found[i] = run_dl(nets[i])[0]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, data in enumerate(expected):
        for one, other in zip(data, found[i], strict=True):
            np.testing.assert_array_equal(one, other)


def test_python_is_not_shared():
    calls = []

    def make(i):
        with nengo.Network(seed=0) as net:
            node = nengo.Node(lambda t, x: calls.append(i), size_in=1, size_out=0)
            nengo.Connection(nengo.Node([1]), node, synapse=None)
        return net

    for i in range(2):
        run_dl(make(i))
    assert calls == [0] * N_STEPS + [1] * N_STEPS


def test_what_is_kept(monkeypatch):
    monkeypatch.setattr(shared_functions, "MAX_FUNCTIONS", 2)
    monkeypatch.setattr(shared_functions, "MAX_BYTES", 1000)
    functions = SharedFunctions()
    traced = []

    def get(content):
        return functions.get(content, tf.zeros(1), lambda: traced.append(content))

    for content in (1, 2, 1, 3):
        get(content)
    assert traced == [1, 2, 3]
    get(1), get(2)
    assert traced == [1, 2, 3, 2]
    get(np.zeros(1000)), get(np.zeros(1000))
    assert len(traced) == 6 and len(functions) == 0


def test_where_arguments_are():
    functions = SharedFunctions()
    traced = []
    for x in (tf.zeros(1), tf.ones(1), tf.zeros(2), tf.zeros(1, tf.float64)):
        functions.get(0, (x,), lambda x=x: traced.append(x))
    assert len(traced) == 3


def test_strategies_and_graphs_share_nothing():
    functions = SharedFunctions()

    def get():
        functions.get(0, (), lambda: None)

    tf.function(get)()
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        get()
    assert len(functions) == 0
