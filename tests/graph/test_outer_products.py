import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.graph.outer_products import FactoredInc, carry_factors
from tests.graph.interpreter import assert_equal, program_of, run

BCM, OJA = nengo.BCM(1e-8), nengo.Oja(1e-5)
VOJA = nengo.Voja(learning_rate=1e-1, post_synapse=0.01)
# a name, rules, sizes of the connected ensembles, what is probed of the first rule, and
# how many of the changes become factors
CASES = [
    ("BCM", [BCM], (9, 12), None, 1),
    ("Oja", [OJA], (9, 12), "post_filtered", 1),
    ("PES", [nengo.PES(1e-3)], (9, 12), "error", 1),
    ("Voja", [VOJA], (9, 30), "scaled_encoders", 1),
    ("probed", [BCM], (9, 12), "delta", 0),
    ("too small to pay", [nengo.PES(1e-3)], (9, 2), None, 0),
    ("two that add up", [BCM, nengo.PES(1e-3)], (9, 12), None, 2),
    ("one of two that decays", [BCM, OJA], (9, 12), None, 1),
    ("RLS", [nengo.RLS()], (9, 3), None, 0),
]


def network(rules, sizes, probed):
    """Connect two ensembles that learn."""
    with nengo.Network(seed=0) as net:
        rates = {"max_rates": nengo.dists.Uniform(100, 200)}
        dimensions = 8 if rules == [VOJA] else 1
        stimulus = nengo.Node(lambda t: np.sin(20 * t) * np.ones(dimensions))
        pre = nengo.Ensemble(sizes[0], dimensions, **rates)
        post = nengo.Ensemble(sizes[1], dimensions, **rates)
        nengo.Connection(stimulus, pre, synapse=None)
        nengo.Connection(stimulus, post, synapse=None)
        ends = (pre, post) if rules == [VOJA] else (pre.neurons, post.neurons)
        transform = 1.0 if rules == [VOJA] else np.full((sizes[1], sizes[0]), 1e-3)
        conn = nengo.Connection(*ends, transform=transform, learning_rule_type=rules)
        for rule, kind in zip(conn.learning_rule, rules, strict=True):
            if isinstance(kind, nengo.PES | nengo.RLS):
                nengo.Connection(stimulus, rule, transform=np.ones((rule.size_in, 1)))
        nengo.Probe(post.neurons, "voltage")
        nengo.Probe(conn, "weights")
        if probed is not None:
            nengo.Probe(conn.learning_rule[0], probed)
    return net


@pytest.mark.parametrize(
    "rules, sizes, probed, expected",
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_changes_become_factors(rules, sizes, probed, expected):
    """Which do, and that everything that is probed stays what it is."""
    program = program_of(network(rules, sizes, probed))
    carried = carry_factors(program)
    found = [type(op) for op in carried.operators].count(FactoredInc)
    assert found == expected
    assert carry_factors(carried) is carried
    assert (carried is program) == (expected == 0)
    assert_equal(run(carried, 50), run(program, 50))


@pytest.mark.parametrize("minibatch_size", [None, 2])
def test_same_as_nengo(minibatch_size):
    """Matrices that loops carry as such, in float64, over several runs."""
    net = network([BCM, OJA], (9, 12), None)
    with net:
        nengo_dl.configure_settings(dtype="float64")
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(60)
    with nengo_dl.Simulator(net, minibatch_size=minibatch_size) as sim:
        sim.run_steps(25)
        sim.run_steps(35)
        for probe in net.all_probes:
            expected = reference.data[probe]
            for found in sim.data[probe] if minibatch_size else [sim.data[probe]]:
                np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)
