import functools
import itertools

import nengo
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from nengo.builder.neurons import SimNeurons
from nengo.builder.node import SimPyFunc
from nengo.exceptions import BuildError
from nengo.utils.simulator import operator_dependency_graph

from nengo_dl.graph.plan import Traits, plan, plan_unmerged
from nengo_dl.graph.program import from_model
from nengo_dl.graph.rewrite import rewrite
from nengo_dl.graph.simplify import DEFAULT
from nengo_dl.ops import Builder
from nengo_dl.ops.registry import LARGE
from tests import small_networks
from tests.graph.interpreter import assert_equal, build, program_of, run
from tests.network_specs import build as build_spec
from tests.random_networks import networks

PLANNERS = (plan, plan_unmerged)


def groups_of(net, planner=plan, passes=DEFAULT):
    program = rewrite(program_of(net), passes)
    return planner(program, Builder.traits)


def assert_in_order(groups, program):
    """Check that sets come before increments, then reads, then updates."""
    place = {op: i for i, group in enumerate(groups) for op in group}
    assert set(place) == set(program.operators)
    assert sum(map(len, groups)) == len(program.operators)
    stages = {op: (op.sets, op.incs, op.reads, op.updates) for op in program.operators}
    for first, second in itertools.permutations(program.operators, 2):
        if place[first] < place[second]:
            continue
        for early, late in itertools.combinations(range(4), 2):
            for a, b in itertools.product(stages[first][early], stages[second][late]):
                if (early, late) == (0, 1) or late > 1:
                    shared = a.base is b.base and a.may_share_memory(b)
                    assert not shared, f"{second} runs before {first}"


@pytest.mark.parametrize("planner", PLANNERS)
@pytest.mark.parametrize("make", small_networks.ALL)
def test_order_respects_dependencies(make, planner):
    program = program_of(make())
    groups = planner(program, Builder.traits)
    assert_in_order(groups, program)
    order = [op for group in groups for op in group]
    assert_equal(run(program, order=order), run(program))


@pytest.mark.filterwarnings("ignore")
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(networks())
def test_order_of_random_networks(spec):
    try:
        model = build(build_spec(spec), spec["dt"])
    except Exception:  # Nengo's builder refuses some
        assume(False)
    program = from_model(model)
    for planner in PLANNERS:
        assert_in_order(planner(program, Builder.traits), program)


@pytest.mark.parametrize("make", small_networks.ALL)
def test_only_equal_keys_are_merged(make):
    for group in groups_of(make()):
        assert len({Builder.traits(op) for op in group}) == 1


@pytest.mark.parametrize("make", small_networks.ALL)
def test_unmerged_groups_are_single(make):
    assert all(len(group) == 1 for group in groups_of(make(), plan_unmerged))


def parallel(width):
    """Build equal chains side by side."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.5])
        for _ in range(width):
            a, b = nengo.Ensemble(3, 1), nengo.Ensemble(3, 1)
            nengo.Connection(stimulus, a)
            nengo.Connection(a, b, synapse=0.01)
            nengo.Connection(b, a, synapse=0.02)
            nengo.Probe(b)
    return net


@pytest.mark.parametrize("width", [2, 7])
def test_equal_operators_are_all_merged(width):
    """The number of groups depends on the depth of a network, not on its width."""
    narrow, wide = groups_of(parallel(1)), groups_of(parallel(width))
    assert len(wide) == len(narrow)
    kinds = [type(group[0]).__name__ for group in wide]
    assert kinds == [type(group[0]).__name__ for group in narrow]


@pytest.mark.parametrize("make", small_networks.ALL)
def test_order_is_deterministic(make):
    def described(groups):
        return [[(type(op).__name__, op.tag) for op in group] for group in groups]

    net = make()
    for obj in (*net.all_nodes, *net.all_ensembles):
        obj.label = obj.label or "object"  # default names hold addresses
    program = program_of(net)
    groups = plan(program, Builder.traits)
    assert plan(program, Builder.traits) == groups
    again = plan(program_of(net), Builder.traits)
    without_addresses = str(described(groups)), str(described(again))
    assert without_addresses[0] == without_addresses[1]


# lengths of parallel chains of Python functions, with ensembles between the functions
CHAINS = [(1,), (1, 1, 1), (3,), (1, 3), (2, 2), (3, 1, 2)]


@pytest.mark.parametrize("lengths", CHAINS, ids=str)
def test_hosts_are_as_few_as_dependencies_allow(lengths):
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.5])
        for length in lengths:
            source = stimulus
            for _ in range(length):
                node = nengo.Node(lambda t, x: x, size_in=1)
                relay = nengo.Node(size_in=1)
                nengo.Connection(source, node, synapse=None)
                nengo.Connection(node, relay, transform=2, synapse=None)
                source = relay
            nengo.Probe(source)
    hosts = [group for group in groups_of(net) if type(group[0]) is SimPyFunc]
    assert len(hosts) == max(lengths)
    assert sum(map(len, hosts)) == sum(lengths)


def test_hosts_run_when_nothing_else_can():
    """Everything that a host does not depend on, or that it needs, runs before it."""
    program = rewrite(program_of(small_networks.host_nodes()), DEFAULT)
    groups = plan(program, Builder.traits)
    dependents = operator_dependency_graph(program.operators)
    first = next(i for i, group in enumerate(groups) if type(group[0]) is SimPyFunc)
    after = set(groups[first])
    for op in (op for group in groups[first:] for op in group):
        if op in after:
            after |= set(dependents[op])
    assert all(op in after for group in groups[first:] for op in group)


def test_traits_decide_what_is_merged():
    program = rewrite(program_of(parallel(3)), DEFAULT)
    alone = plan(program, lambda op: Traits(id(op)))
    assert all(len(group) == 1 for group in alone)
    together = plan(program, lambda op: Traits("all"))
    assert len(together) < len(plan(program, Builder.traits))
    assert_in_order(together, program)


def apart():
    """Populations of one kind behind products of different shapes."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        for size in (2, 16, 128):
            stimulus, ens = nengo.Node(np.zeros(size)), nengo.Ensemble(20, 1)
            transform = rng.normal(size=(20, size))
            nengo.Connection(stimulus, ens.neurons, transform=transform, synapse=None)
    return net


def numbers_of_neuron_groups(net, n_items):
    program = rewrite(program_of(net), DEFAULT)
    groups = plan(program, functools.partial(Builder.traits, n_items=n_items))
    assert_in_order(groups, program)
    return [len(group) for group in groups if type(group[0]) is SimNeurons]


def test_large_operators_are_merged_where_their_inputs_lie_side_by_side():
    few, many = LARGE // 20, LARGE // 20 + 1
    assert numbers_of_neuron_groups(apart(), few) == [3]
    assert numbers_of_neuron_groups(apart(), many) == [1, 1, 1]
    with nengo.Network(seed=0) as side_by_side:
        for _ in range(3):
            ens = nengo.Ensemble(20, 1)
            nengo.Connection(nengo.Node([0.5]), ens, synapse=None)
    assert numbers_of_neuron_groups(side_by_side, many) == [3]


def test_many_large_operators_are_merged(monkeypatch):
    """A kernel for each would take long to compile."""
    monkeypatch.setattr("nengo_dl.graph.plan.MAX_APART", 2)
    assert numbers_of_neuron_groups(apart(), LARGE) == [3]


LOOPS = [(None, None), (None, 0.01), (0, None), (0, 0)]


@pytest.mark.parametrize("synapses", LOOPS)
def test_loops_need_a_synapse(synapses):
    with nengo.Network() as net:
        a, b = nengo.Node(size_in=1), nengo.Node(size_in=1)
        nengo.Connection(a, b, synapse=synapses[0])
        nengo.Connection(b, a, synapse=synapses[1])
    if synapses == (None, None):
        with pytest.raises(BuildError, match="every loop .* to contain a synapse"):
            groups_of(net)
    else:
        program = rewrite(program_of(net), DEFAULT)
        assert_in_order(plan(program, Builder.traits), program)


def test_no_operators():
    program = program_of(small_networks.empty())
    assert plan(program, Builder.traits) == ()


def test_any_order_gives_the_same_result():
    """Whatever is merged, as long as dependencies are respected."""
    rng = np.random.RandomState(0)
    program = program_of(small_networks.learning())
    expected = run(program)
    for _ in range(3):
        keys = {op: rng.randint(3) for op in program.operators}
        groups = plan(program, lambda op, keys=keys: Traits((type(op), keys[op])))
        order = [op for group in groups for op in group]
        assert_equal(run(program, order=order), expected)
