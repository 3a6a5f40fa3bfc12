import nengo
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from nengo.builder import Signal

from nengo_dl.graph.kernel import Kernel, View, Write, slot, view
from nengo_dl.graph.layout import MAX_RANGES, Block, BlockPart, Layout, kinds, place
from nengo_dl.graph.plan import plan, plan_unmerged
from nengo_dl.graph.program import Program, from_model
from nengo_dl.graph.rewrite import rewrite
from nengo_dl.graph.simplify import DEFAULT
from nengo_dl.ops import BuildContext, Builder
from tests import small_networks
from tests.graph.interpreter import build, program_of
from tests.network_specs import build as build_spec
from tests.random_networks import networks


def laid_out(program, passes=DEFAULT, planner=plan):
    """Return what the layout is made from, and the layout."""
    program = rewrite(program, passes)
    ctx = BuildContext(dt=0.001, dtype=np.dtype("float32"))
    groups = planner(program, Builder.traits)
    kernels = tuple(Builder.build(group, ctx) for group in groups)
    return program, kernels, place(program, kernels)


def slots_of(program, kernels):
    for kernel in kernels:
        yield from kernel.reads
        yield from (write.views for write in kernel.writes)
    yield from (slot([signal]) for signal in program.probes.values())
    yield from (slot([signal]) for signal in program.resets)


def elements(part):
    return slice(part.start, part.stop) if part.index is None else part.index


def assert_no_overlap(layout):
    for number, block in enumerate(layout.blocks):
        owners = np.zeros(block.size, dtype=int)
        for offset, base in layout.bases(number):
            size = view(base).size
            assert offset + size <= block.size
            owners[offset : offset + size] += 1
        assert np.all(owners == 1)


def assert_reads_back(program, kernels, layout):
    """Check that each access finds the elements that its slot asks for."""
    numbers = {
        base: 1000 * i + np.arange(view(base).size)
        for i, base in enumerate(layout.places)
    }
    memory = [np.zeros(block.size) for block in layout.blocks]
    for base, (block, offset) in layout.places.items():
        memory[block][offset : offset + len(numbers[base])] = numbers[base]
    for pieces in slots_of(program, kernels):
        access = layout.access(pieces)
        found = [memory[part.block][elements(part)] for part in access]
        expected = [numbers[piece.base][piece.elements] for piece in pieces]
        np.testing.assert_array_equal(
            np.concatenate([np.zeros(0), *found]),
            np.concatenate([np.zeros(0), *expected]),
        )
        assert sum(part.size for part in access) == sum(map(len, expected))


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("passes", [DEFAULT, ()], ids=["simplified", "raw"])
@pytest.mark.parametrize("planner", [plan, plan_unmerged])
@pytest.mark.parametrize("make", small_networks.ALL)
def test_layout_holds_every_signal_once(make, planner, passes):
    program, kernels, layout = laid_out(program_of(make()), passes, planner)
    assert_no_overlap(layout)
    assert_reads_back(program, kernels, layout)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@pytest.mark.filterwarnings("ignore")
@given(networks())
def test_layout_of_random_networks(spec):
    try:
        model = build(build_spec(spec), spec["dt"])
    except Exception:  # Nengo's builder refuses some
        assume(False)
    program, kernels, layout = laid_out(from_model(model))
    assert_no_overlap(layout)
    assert_reads_back(program, kernels, layout)


# --- kinds of memory --------------------------------------------------------------


def kinds_of(model):
    program, kernels, _ = laid_out(from_model(model))
    found = kinds(program, kernels)
    return lambda signal: found[signal.base]


def test_kinds_in_a_feedforward_network():
    net = small_networks.feedforward()
    model = build(net)
    kind = kinds_of(model)
    (ens,), (node,) = net.ensembles, net.nodes
    decoded, spikes, voltage = net.probes
    assert kind(model.sig[node]["out"]) == "feed"
    assert kind(model.sig[ens]["encoders"]) == "param"
    assert kind(model.sig[ens.neurons]["bias"]) == "param"
    assert kind(model.sig[ens.neurons]["in"]) == "transient"
    assert kind(model.sig[ens.neurons]["out"]) == "transient"
    assert kind(model.sig[ens.neurons]["voltage"]) == "state"
    assert kind(model.sig[ens.neurons]["refractory_time"]) == "state"
    assert kind(model.sig[decoded]["in"]) == "transient"
    assert kind(model.sig[spikes]["in"]) == kind(model.sig[ens.neurons]["out"])
    assert kind(model.sig[voltage]["in"]) == "state"
    assert kind(model.time) == kind(model.step) == "clock"


def test_filter_output_is_carried():
    net = small_networks.integrator()
    model = build(net)
    kind = kinds_of(model)
    recurrent = net.connections[1]
    assert kind(model.sig[recurrent]["weights"]) == "param"
    # what comes out of the filter is read before it is set, at the end of the step
    assert kind(model.sig[recurrent]["weighted"]) == "state"
    (ens,) = net.ensembles
    assert kind(model.sig[ens]["in"]) == "transient"


def test_learned_parameters_are_state():
    net = small_networks.learning()
    model = build(net)
    kind = kinds_of(model)
    learned = net.connections[1]
    pre, post = net.ensembles
    assert kind(model.sig[learned]["weights"]) == "state"
    assert kind(model.sig[post]["encoders"]) == "state"
    assert kind(model.sig[pre]["encoders"]) == "param"
    assert kind(model.sig[net.connections[0]]["in"]) == "feed"


def test_a_signal_that_is_only_reset_is_no_state():
    with nengo.Network() as net:
        node = nengo.Node(size_in=2)
        nengo.Probe(node)
    model = build(net)
    assert kinds_of(model)(model.sig[node]["in"]) == "transient"


def make_program(resets=(), probes=()):
    step, time = Signal(np.zeros(())), Signal(np.zeros(()))
    return Program(
        (),
        step,
        time,
        resets=dict.fromkeys(resets, 0.0),
        probes=dict(enumerate(probes)),
    )


def kernel(reads=(), sets=(), incs=()):
    return Kernel(
        name="test",
        reads=tuple(slot([signal]) for signal in reads),
        writes=(
            *(Write(slot([signal]), "set") for signal in sets),
            *(Write(slot([signal]), "inc") for signal in incs),
        ),
        fn=lambda *args: args,
    )


A, B = Signal(np.zeros(4), name="A"), Signal(np.zeros(4), name="B")
# kernels, resets and probes, and the kind of A that follows
LIVENESS = {
    "read": ([kernel(reads=[A])], [], [], "param"),
    "probed": ([], [], [A], "param"),
    "set": ([kernel(sets=[A])], [], [], "transient"),
    "set, then read": ([kernel(sets=[A]), kernel(reads=[A])], [], [], "transient"),
    "read, then set": ([kernel(reads=[A]), kernel(sets=[A])], [], [], "state"),
    "read and set": ([kernel(reads=[A], sets=[A])], [], [], "state"),
    "increased": ([kernel(incs=[A])], [], [], "state"),
    "reset, then increased": ([kernel(incs=[A])], [A], [], "transient"),
    "reset": ([], [A], [], "transient"),
    "set, then increased": ([kernel(sets=[A]), kernel(incs=[A])], [], [], "transient"),
    "partly set, then read": (
        [kernel(sets=[A[1:]]), kernel(reads=[A])],
        [],
        [],
        "state",
    ),
    "set in parts, then read": (
        [kernel(sets=[A[::2]]), kernel(sets=[A[1::2]]), kernel(reads=[A])],
        [],
        [],
        "transient",
    ),
    "other part read": ([kernel(sets=[A[1:]]), kernel(reads=[A[:1]])], [], [], "state"),
    "same part read": (
        [kernel(sets=[A[1:]]), kernel(reads=[A[2:]])],
        [],
        [],
        "transient",
    ),
    "partly reset, then increased": ([kernel(incs=[A])], [A[1:]], [], "state"),
    "partly set, and probed": ([kernel(sets=[A[1:]])], [], [A], "state"),
    "set part probed": ([kernel(sets=[A[1:]])], [], [A[2:]], "transient"),
}


@pytest.mark.parametrize(
    "kernels, resets, probes, expected", LIVENESS.values(), ids=LIVENESS
)
def test_liveness(kernels, resets, probes, expected):
    program = make_program(resets, probes)
    assert kinds(program, kernels)[A] == expected
    layout = place(program, kernels)
    assert layout.blocks[layout.places[A][0]].kind == expected


def test_kinds_do_not_share_blocks():
    program, _, layout = laid_out(program_of(small_networks.learning()))
    for number, block in enumerate(layout.blocks):
        bases = [base for _, base in layout.bases(number)]
        assert bases
        if block.kind == "clock":
            assert len(bases) == 1
    assert {block.kind for block in layout.blocks} == {
        "param",
        "feed",
        "state",
        "transient",
        "clock",
    }
    numbers = [
        n
        for kind in ("param", "feed", "state", "transient", "clock")
        for n in layout.of_kind(kind)
    ]
    assert sorted(numbers) == list(range(len(layout.blocks)))


# --- accesses ---------------------------------------------------------------------


def test_the_largest_slot_is_one_range():
    small, large = [Signal(np.zeros(2)) for _ in range(3)], [A, B]
    kernels = [kernel(sets=[s]) for s in (*small, *large)]
    mixed = Kernel("mixed", (slot([B, small[1], A]), slot([small[0], A])), (), None)
    layout = place(make_program(), [*kernels, mixed])
    (part,) = layout.access(slot([B, small[1], A]))
    assert part.index is None and part.size == 10
    assert len(layout.access(slot([small[0], A]))) == 2


LAYOUT = Layout(
    (Block("state", 8), Block("param", 4)),
    {A: (0, 4), B: (1, 0), (C := Signal(np.zeros(4))): (0, 0)},
)
# views, and the parts that they are in
ACCESSES = [
    ([], []),
    ([view(A)], [(0, 4, 8)]),
    ([view(C), view(A)], [(0, 0, 8)]),
    ([view(A), view(C)], [(0, 4, 8), (0, 0, 4)]),
    ([view(C), view(B)], [(0, 0, 4), (1, 0, 4)]),
    ([view(A[:2]), view(A[2:])], [(0, 4, 8)]),
    ([view(A[:2]), view(A[3:])], [(0, 4, 6), (0, 7, 8)]),
    ([view(A[0:0]), view(B[1:1])], []),
    ([view(C), view(B[2:2]), view(A)], [(0, 0, 8)]),
    ([view(A[::2])], [(0, [4, 6])]),
    ([view(A[::-1]), view(B, [3, 3])], [(0, [7, 6, 5, 4]), (1, [3, 3])]),
]


@pytest.mark.parametrize("pieces, expected", ACCESSES)
def test_access_has_as_few_parts_as_possible(pieces, expected):
    access = LAYOUT.access(tuple(pieces))
    assert len(access) == len(expected)
    for part, (block, *where) in zip(access, expected, strict=True):
        assert part.block == block
        if len(where) == 2:
            assert part.index is None and [part.start, part.stop] == where
        else:
            assert part.index.tolist() == where[0] and part.size == len(where[0])


@pytest.mark.parametrize("n", [MAX_RANGES, MAX_RANGES + 1])
def test_many_ranges_are_gathered(n):
    starts = [2 * (i % 2) for i in range(n)]
    access = LAYOUT.access(tuple(View(A, start, start + 1) for start in starts))
    assert len(access) == (n if n <= MAX_RANGES else 1)
    found = [e for part in access for e in np.arange(8)[elements(part)].tolist()]
    assert found == [4 + start for start in starts]


def test_gathers_stay_within_a_block():
    pieces = [View(base, i % 3, i % 3 + 1) for i in range(6) for base in (A, A, B)]
    pieces += [view(B, [1, 0])]
    access = LAYOUT.access(tuple(pieces))
    assert all(a.block != b.block for a, b in zip(access[:-1], access[1:], strict=True))
    found = [(p.block, e) for p in access for e in np.arange(8)[elements(p)].tolist()]
    expected = [
        (LAYOUT.places[p.base][0], LAYOUT.places[p.base][1] + e)
        for p in pieces
        for e in np.arange(4)[p.elements].tolist()
    ]
    assert found == expected


def test_layout_is_deterministic():
    net = small_networks.subnetworks()
    blocks = [laid_out(program_of(net))[2].blocks for _ in range(2)]
    assert blocks[0] == blocks[1]


def test_values_are_frozen():
    with pytest.raises(AttributeError):
        LAYOUT.blocks[0].size = 1
    with pytest.raises(AttributeError):
        BlockPart(0, 0, 1).start = 1
    _, _, layout = laid_out(program_of(small_networks.feedforward()))
    with pytest.raises(TypeError):
        layout.places[A] = (0, 0)
