"""What a Simulator is made with, and what it then has."""

import inspect
import warnings

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ReadonlyError

import nengo_dl
from nengo_dl.simulator.devices import unused_gpu
from tests import small_networks
from tests.simulator.helpers import assert_same_data, data_of, filtered, make_sim, relay

ARGUMENTS = {
    "network": inspect.Parameter.empty,
    "dt": 0.001,
    "seed": None,
    "model": None,
    "device": None,
    "unroll_simulation": 1,
    "minibatch_size": None,
    "progress_bar": True,
}


# --- agreement with Nengo ---------------------------------------------------------


@pytest.mark.parametrize("make", small_networks.ALL)
def test_results_are_those_of_nengo(make):
    net = make()
    with net:
        nengo_dl.configure_settings(dtype="float64")
    with make_sim(net) as sim, nengo.Simulator(net, progress_bar=False) as reference:
        for n_steps in (13, 1, 6):
            sim.run_steps(n_steps)
            reference.run_steps(n_steps)
            assert (sim.n_steps, sim.dt) == (reference.n_steps, reference.dt)
            np.testing.assert_allclose(sim.time, reference.time)
        for probe in net.all_probes:
            assert isinstance(sim.data[probe], np.ndarray)
            assert sim.data[probe].dtype == np.float64
            np.testing.assert_allclose(
                sim.data[probe], reference.data[probe], rtol=1e-6, atol=1e-9
            )


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("float64", 1e-9)])
def test_precision(dtype, tolerance):
    net = small_networks.integrator()
    with net:
        nengo_dl.configure_settings(dtype=dtype)
    with make_sim(net) as sim, nengo.Simulator(net, progress_bar=False) as reference:
        sim.run_steps(20)
        reference.run_steps(20)
        assert sim.data[net.ensembles[0]].encoders.dtype == dtype
    (probe,) = net.probes
    assert sim.data[probe].dtype == dtype
    np.testing.assert_allclose(sim.data[probe], reference.data[probe], atol=tolerance)


# --- arguments and attributes -----------------------------------------------------


def test_arguments_and_their_defaults():
    parameters = inspect.signature(nengo_dl.Simulator).parameters
    assert {name: p.default for name, p in parameters.items()} == ARGUMENTS
    assert list(parameters) == list(ARGUMENTS)
    run_steps = inspect.signature(nengo_dl.Simulator.run_steps).parameters
    assert [(name, p.default) for name, p in run_steps.items()][2:] == [
        ("data", None),
        ("progress_bar", None),
        ("stateful", True),
    ]


def test_attributes():
    net = relay([1.0], nengo.processes.WhiteNoise(seed=0))
    a, b = net.nodes
    with make_sim(net, dt=0.002, seed=3, unroll_simulation=2, minibatch_size=4) as sim:
        assert not sim.closed
        assert (sim.dt, sim.seed, sim.unroll, sim.minibatch_size) == (0.002, 3, 2, 4)
        assert (sim.n_steps, sim.time) == (0, 0.0)
        assert sim.stateful and sim.progress_bar is False
        assert isinstance(sim.model, nengo.builder.Model)
        assert sim.model.toplevel is net
        assert list(sim.node_inputs) == [a, b]
        np.testing.assert_array_equal(sim.node_inputs[a], [1.0])
        assert sim.node_inputs[b] is b.output
        sim.run_steps(3)
        assert (sim.n_steps, sim.time) == (3, 0.006)
        with pytest.raises(ReadonlyError, match="dt is read-only"):
            sim.dt = 0.1
        with pytest.raises(ReadonlyError, match="seed is read-only.*to `reset`"):
            sim.seed = 1
        for name in ("n_steps", "time"):
            with pytest.raises(AttributeError):
                setattr(sim, name, 1)
    assert sim.closed


@pytest.mark.parametrize(
    "network_seed, seed, expected",
    [(None, 5, 5), (7, 5, 5), (7, None, 8), (0, None, 1)],
)
def test_seed(network_seed, seed, expected):
    net = relay()
    net.seed = network_seed
    with make_sim(net, seed=seed) as sim:
        assert sim.seed == expected


def test_seed_is_random_without_one():
    seeds = set()
    for _ in range(3):
        net = relay()
        net.seed = None
        with make_sim(net) as sim:
            seeds.add(sim.seed)
    assert len(seeds) == 3
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize("dt", [0.0005, np.float32(0.002), np.array(0.01), 1])
def test_time_step(dt):
    net = relay()
    with make_sim(net, dt=dt) as sim:
        sim.run_steps(3)
        assert sim.dt == float(dt)
        assert sim.time == 3 * float(dt)
    times = float(dt) * np.arange(1, 4)
    np.testing.assert_allclose(sim.trange(), times)
    np.testing.assert_allclose(sim.data[net.probes[0]][:, 0], 10 * times, rtol=1e-6)


def built(net, dt=0.001):
    model = nengo.builder.Model(dt=dt)
    model.build(net)
    return model


def test_a_model_that_is_built():
    net = small_networks.feedforward()
    with make_sim(None, model=built(net), seed=0) as sim, make_sim(net) as expected:
        for each in (sim, expected):
            each.run_steps(5)
        assert sim.model.toplevel is net
        assert_same_data(data_of(sim), data_of(expected), rtol=1e-5, atol=1e-6)


def test_settings_come_from_the_network_of_the_model():
    net = relay(dtype="float64", stateful=False, keep_history=False)
    with make_sim(None, model=built(net)) as sim:
        assert not sim.stateful
        sim.run_steps(5)
        assert sim.data[net.probes[0]].dtype == np.float64
        assert sim.data[net.probes[0]].shape == (1, 1)


def test_a_network_is_built_into_the_model():
    model = nengo.builder.Model(dt=0.001)
    net = relay()
    with make_sim(net, model=model) as sim:
        assert sim.model is model and net.nodes[0] in model.params


def test_the_time_step_of_the_model_wins():
    model = nengo.builder.Model(dt=0.005)
    with pytest.warns(NengoWarning, match=r"made with dt=0.005.*instead of dt=0.001"):
        sim = make_sim(relay(), model=model)
    with sim:
        assert sim.dt == 0.005
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_sim(relay(), model=nengo.builder.Model(dt=0.005), dt=0.005).close()


def test_a_model_without_network():
    with pytest.warns(UserWarning, match="no top-level network: no parameter is train"):
        sim = make_sim(None, model=nengo.builder.Model(dt=0.001))
    with sim:
        sim.run_steps(2)
        assert sim.n_steps == 2


def test_a_gpu_that_is_not_used():
    """There is something to say only where there is one."""
    unused = unused_gpu() and not tf.config.list_physical_devices("GPU")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_sim(relay(), device=None).close()
    messages = [str(w.message) for w in caught if "GPU" in str(w.message)]
    assert len(messages) == bool(unused)
    assert all('pass device="/cpu:0"' in message for message in messages)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_sim(relay(), device="/cpu:0").close()


GPUS = [
    ((), {}, None),
    (("null", "nvidiactl", "nvidia-uvm"), {}, None),
    (("nvidia0", "nvidia1"), {}, "nvidia0"),
    (("dxg",), {}, "dxg"),
    (("nvidia0",), {"CUDA_VISIBLE_DEVICES": "0"}, "nvidia0"),
    (("nvidia0",), {"CUDA_VISIBLE_DEVICES": ""}, None),
    (("nvidia0",), {"CUDA_VISIBLE_DEVICES": "-1"}, None),
]


@pytest.mark.parametrize("names, environment, found", GPUS)
def test_which_gpu_is_not_used(names, environment, found, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    expected = None if found is None else str(tmp_path / found)
    assert unused_gpu(str(tmp_path), environment) == expected


@pytest.mark.parametrize("minibatch_size, lead", [(None, ()), (1, (1,)), (3, (3,))])
def test_shapes_of_data(minibatch_size, lead):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ens = nengo.Ensemble(5, 2)
        conn = nengo.Connection(ens, nengo.Node(size_in=2))
        probes = [
            nengo.Probe(ens),
            nengo.Probe(ens.neurons, sample_every=0.002),
            nengo.Probe(conn, "weights"),
        ]
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        assert sim.minibatch_size == (minibatch_size or 1)
        sim.run_steps(4)
        assert sim.data[probes[0]].shape == (*lead, 4, 2)
        assert sim.data[probes[1]].shape == (*lead, 2, 5)
        # all items share these weights
        assert sim.data[probes[2]].shape == (*lead[:0], *[1] * len(lead), 4, 2, 5)


@pytest.mark.parametrize("unroll", [1, 4])
def test_unrolling_changes_nothing(unroll):
    net = filtered()
    with make_sim(net, unroll_simulation=unroll) as sim:
        for n_steps in (1, 3, 7):
            sim.run_steps(n_steps)
        assert sim.n_steps == 11
        assert sim.data[net.probes[0]].shape == (11, 1)
        with make_sim(net) as expected:
            expected.run_steps(11)
        assert_same_data(data_of(sim), data_of(expected), rtol=1e-6)


# --- names ------------------------------------------------------------------------


def test_names():
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        nodes = [nengo.Node([0], label=label) for label in (None, "a b", "A_B")]
        nengo.Node(size_in=1, label="a b")
        probes = [nengo.Probe(nodes[0]), nengo.Probe(nodes[1], label="node")]
    with make_sim(net) as sim:
        names = [sim.get_name(obj) for obj in (*nodes, *probes)]
    assert names == ["node", "a_b", "A_B_1", "probe", "node_1"]
