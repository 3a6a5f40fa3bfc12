"""``sim.data``: probe data and the live parameters of every object."""

import warnings

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from nengo.transforms import SparseMatrix

import nengo_dl
from tests import small_networks
from tests.simulator.helpers import filtered, make_sim, relay

ENSEMBLE_FIELDS = (
    "eval_points",
    "encoders",
    "intercepts",
    "max_rates",
    "scaled_encoders",
    "gain",
    "bias",
)


def objects_of(net):
    ensembles = net.all_ensembles
    rules = [
        c.learning_rule for c in net.all_connections if c.learning_rule is not None
    ]
    return [
        net,
        *net.all_networks,
        *net.all_nodes,
        *ensembles,
        *net.all_connections,
        *net.all_probes,
        *(
            rule
            for each in rules
            for rule in np.atleast_1d(np.array(each, dtype=object))
        ),
    ]


def weighted():
    """Build every kind of connection, with weights and without."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False)
        a, b = nengo.Ensemble(4, 2, radius=2), nengo.Ensemble(3, 2)
        direct = nengo.Ensemble(1, 2, neuron_type=nengo.Direct())
        node = nengo.Node(size_in=4)
        image = nengo.Convolution(1, (4, 1), kernel_size=(3,), strides=(1,))
        net.kinds = {
            "decoded": nengo.Connection(a, b),
            "weights": nengo.Connection(
                a, b, solver=nengo.solvers.LstsqL2(weights=True)
            ),
            "neurons": nengo.Connection(
                a.neurons, b.neurons, transform=np.ones((3, 4))
            ),
            "scalar": nengo.Connection(a.neurons[:2], node[:2], transform=3),
            "none": nengo.Connection(a.neurons, node),
            "direct": nengo.Connection(direct, b),
            "convolution": nengo.Connection(a.neurons, node[:2], transform=image),
            "sparse": nengo.Connection(
                a.neurons,
                node,
                transform=nengo.Sparse((4, 4), indices=[[0, 1]], init=[2]),
            ),
        }
    return net


@pytest.fixture(scope="module")
def weighted_sim():
    net = weighted()
    with make_sim(net, minibatch_size=2) as sim:
        sim.run_steps(2)
        yield net, sim


# --- a mapping --------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [weighted, small_networks.learning, small_networks.subnetworks]
)
def test_every_object_has_data(make):
    net = make()
    with make_sim(net) as sim:
        for obj in objects_of(net):
            assert obj in sim.data
            sim.data[obj]  # no error
        assert len(list(sim.data)) == len(sim.data) == len(set(sim.data))
        assert set(objects_of(net)) <= set(sim.data)
        assert dict(sim.data.items()).keys() == set(sim.data)
        assert repr(len(sim.data)) in repr(sim.data)


@pytest.mark.parametrize("key", [3, "a", None, [1], nengo.Network(), slice(None)])
def test_unknown_objects(key):
    with make_sim(relay()) as sim:
        assert key not in sim.data
        with pytest.raises(ValidationError, match="not part of the simulated network"):
            sim.data[key]


def test_objects_without_values(weighted_sim):
    net, sim = weighted_sim
    assert sim.data[net] is None
    assert sim.data[net.nodes[0]] is None


# --- parameters -------------------------------------------------------------------


def test_parameters_are_those_of_nengo(weighted_sim):
    net, sim = weighted_sim
    with nengo.Simulator(net, progress_bar=False) as reference:
        for ens in net.ensembles:
            expected = reference.data[ens]
            for field in ENSEMBLE_FIELDS:
                value = getattr(sim.data[ens], field)
                if field in ("gain", "bias") and ens is net.ensembles[2]:
                    assert value is None  # Direct mode has neither
                else:
                    np.testing.assert_allclose(value, getattr(expected, field))
        for kind, conn in net.kinds.items():
            value, expected = sim.data[conn], reference.data[conn]
            assert value.transform is None
            if kind == "sparse":
                assert isinstance(value.weights, SparseMatrix)
                np.testing.assert_array_equal(
                    value.weights.toarray(), expected.weights.toarray()
                )
            elif kind in ("none", "direct"):
                assert value.weights is None
            else:
                assert value.weights.shape == expected.weights.shape
                np.testing.assert_allclose(value.weights, expected.weights)
        decoded = net.kinds["decoded"]
        np.testing.assert_array_equal(
            sim.data[decoded].eval_points, reference.data[decoded].eval_points
        )
        assert sim.data[decoded].solver_info.keys() == {"rmses", "time"}


def test_neurons_stand_for_their_ensemble(weighted_sim):
    net, sim = weighted_sim
    ens = net.ensembles[0]
    assert ens.neurons in sim.data
    for field in ENSEMBLE_FIELDS:
        np.testing.assert_array_equal(
            getattr(sim.data[ens.neurons], field), getattr(sim.data[ens], field)
        )


def test_parameters_in_bulk(weighted_sim):
    net, sim = weighted_sim
    ens, conn = net.ensembles[0], net.kinds["decoded"]
    wanted = [
        (ens, "encoders"),
        (conn, "weights"),
        (ens, "bias"),
        (ens, "scaled_encoders"),
    ]
    for (obj, attr), value in zip(wanted, sim.data.get_params(*wanted), strict=True):
        np.testing.assert_array_equal(value, getattr(sim.data[obj], attr))
    assert sim.data.get_params((net.kinds["none"], "weights")) == [None]
    assert sim.data.get_params() == []


@pytest.mark.parametrize(
    "find, attr",
    [
        (lambda net: net.nodes[0], "encoders"),
        (lambda net: net.ensembles[0], "weights"),
        (lambda net: net.ensembles[0], "gains"),
        (lambda net: net.connections[0], "bias"),
        (lambda net: 3, "bias"),
    ],
)
def test_unknown_parameters(weighted_sim, find, attr):
    net, sim = weighted_sim
    message = f"Data.get_params: expected an Ensemble with .*with '{attr}'.*sim.data"
    with pytest.raises(ValidationError, match=message):
        sim.data.get_params((find(net), attr))


@pytest.mark.parametrize("minibatch_size", [None, 1, 3])
def test_learned_parameters_are_live(minibatch_size):
    net = small_networks.learning()
    conn, post = net.connections[1], net.ensembles[1]
    lead = () if minibatch_size is None else (minibatch_size,)
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        built = sim.model.params
        sim.run_steps(20)
        weights = sim.data[conn].weights
        assert weights.shape == (*lead, 1, 6)
        newest = [sim.data[probe][..., -1, :, :] for probe in net.probes[1:]]
        np.testing.assert_array_equal(weights, newest[0])
        live = sim.data[post]
        assert live.scaled_encoders.shape == live.encoders.shape == (*lead, 5, 1)
        np.testing.assert_array_equal(live.scaled_encoders, newest[1])
        assert not np.allclose(live.scaled_encoders, built[post].scaled_encoders)
        length = np.linalg.norm(live.scaled_encoders, axis=-1)
        expected = post.radius * length / np.linalg.norm(built[post].encoders, axis=-1)
        np.testing.assert_allclose(live.gain, expected, rtol=1e-5)
        np.testing.assert_allclose(
            live.encoders * live.gain[..., None] / post.radius,
            live.scaled_encoders,
            rtol=1e-5,
        )
        np.testing.assert_array_equal(live.bias, built[post].bias)
        assert live.max_rates.shape == live.intercepts.shape == (*lead, 5)
        for i in np.ndindex(lead):
            rates, intercepts = post.neuron_type.max_rates_intercepts(
                live.gain[i], live.bias
            )
            np.testing.assert_allclose(live.max_rates[i], rates, rtol=1e-5)
            np.testing.assert_allclose(live.intercepts[i], intercepts, rtol=1e-5)
        # what nothing learns is shared
        assert sim.data[net.ensembles[0]].encoders.shape == (6, 1)
        sim.reset()
        for item in sim.data[conn].weights.reshape(-1, 1, 6):
            np.testing.assert_array_equal(item, built[conn].weights)


def test_encoders_that_have_shrunk_to_zero():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        encoders = np.array([[1.0, 0], [0, 1]])
        ens = nengo.Ensemble(
            2,
            2,
            encoders=encoders,
            gain=[1, 1],
            bias=[1, 1],
            neuron_type=nengo.RectifiedLinear(),
        )
        nengo.Connection(
            nengo.Node([0.0, 0.0]),
            ens,
            synapse=None,
            learning_rule_type=nengo.Voja(1000, post_synapse=None),
        )
    with make_sim(net) as sim:
        sim.run_steps(2)  # the change of a step shows in the next one
        data = sim.data[ens]
        np.testing.assert_array_equal(data.scaled_encoders, 0)
        np.testing.assert_array_equal(data.encoders, 0)
        np.testing.assert_array_equal(data.gain, [1, 1])


def test_values_cannot_reach_the_simulation():
    net = small_networks.learning()
    with make_sim(net) as sim:
        sim.run_steps(1)
        weights = sim.data[net.connections[1]].weights
        before = weights.copy()
        weights[...] = 100
        np.testing.assert_array_equal(sim.data[net.connections[1]].weights, before)


# --- probes -----------------------------------------------------------------------


def test_nothing_recorded():
    net = filtered()
    with make_sim(net) as sim:
        assert sim.data[net.probes[0]] == []
        sim.run_steps(1)
        assert sim.data[net.probes[0]].shape == (1, 1)
        sim.reset()
        assert len(sim.data[net.probes[0]]) == 0


@pytest.mark.parametrize("minibatch_size", [None, 2])
def test_probe_data_is_read_only_and_stays(minibatch_size):
    net = filtered()
    (probe,) = net.probes
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        sim.run_steps(3)
        first = sim.data[probe]
        assert sim.data[probe] is first
        with pytest.raises(ValueError, match="read-only"):
            first[...] = 0
        copy = first.copy()
        sim.run_steps(3)
        np.testing.assert_array_equal(first, copy)
        second = sim.data[probe]
        assert second.shape[-2] == 6
        np.testing.assert_array_equal(second[..., :3, :], first)
        sim.reset()
        np.testing.assert_array_equal(second[..., :3, :], first)


def test_probe_shapes_follow_the_signal():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ens = nengo.Ensemble(4, 2)
        conn = nengo.Connection(ens, ens, learning_rule_type=nengo.PES())
        probes = {
            nengo.Probe(ens): (2,),
            nengo.Probe(ens.neurons): (4,),
            nengo.Probe(ens[1:]): (1,),
            nengo.Probe(conn): (2,),
            nengo.Probe(conn, "weights"): (2, 4),
            nengo.Probe(conn.learning_rule, "error"): (2,),
        }
    for minibatch_size, lead in ((None, ()), (3, (3,))):
        with make_sim(net, minibatch_size=minibatch_size) as sim:
            sim.run_steps(5)
            for probe, shape in probes.items():
                assert sim.data[probe].shape == (*lead, 5, *shape)


# --- closed simulators ------------------------------------------------------------


def test_data_after_closing():
    net = small_networks.learning()
    conn, post = net.connections[1], net.ensembles[1]
    with make_sim(net) as sim:
        sim.run_steps(5)
        kept = {probe: sim.data[probe].copy() for probe in net.probes}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for probe, values in kept.items():
            np.testing.assert_array_equal(sim.data[probe], values)
        assert sim.data[net.connections[0]].weights is None
        assert sim.data[net.nodes[0]] is None
        assert len(sim.data) == len(sim.model.params)
    for obj in (conn, post, post.neurons):
        with pytest.warns(
            UserWarning, match="closed: parameters .*was built"
        ) as record:
            value = sim.data[obj]
        assert len(record) == 1 and record[0].filename == __file__
        if obj is conn:
            np.testing.assert_array_equal(value.weights, sim.model.params[conn].weights)
        else:
            assert value is sim.model.params[post]
