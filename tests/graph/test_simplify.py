import nengo
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from nengo.builder import Signal
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Reset

import nengo_dl
from nengo_dl.graph.program import Program, from_model
from nengo_dl.graph.rewrite import rewrite
from nengo_dl.graph.simplify import (
    DEFAULT,
    fold_resets,
    remove_identity_multiplications,
    remove_zero_increments,
)
from tests import small_networks
from tests.graph.interpreter import assert_equal, build, program_of, run
from tests.network_specs import build as build_spec
from tests.random_networks import networks

PASSES = {
    **{simplify.__name__: (simplify,) for simplify in DEFAULT},
    "all": DEFAULT,
    "reversed": DEFAULT[::-1],
}


def check_pass(simplify, program):
    """Check the law of a pass: same probes, and applying it twice changes nothing.

    Parameters
    ----------
    simplify : callable
        ``Program -> Program``.
    program : `Program`
        What to apply it to.
    """
    before = program
    content = (program.operators, dict(program.resets), dict(program.probes))
    once = simplify(program)
    assert content == (before.operators, dict(before.resets), dict(before.probes))
    assert simplify(once) is once
    assert len(once.operators) <= len(program.operators)
    assert once.probes == program.probes
    assert_equal(run(once), run(program))


@pytest.mark.parametrize("passes", PASSES.values(), ids=PASSES)
@pytest.mark.parametrize("make", small_networks.ALL)
def test_law_of_passes(make, passes):
    program = program_of(make())
    check_pass(lambda program: rewrite(program, passes), program)
    for simplify in passes:
        check_pass(simplify, program)


@pytest.mark.filterwarnings("ignore")
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(networks())
def test_law_on_random_networks(spec):
    try:
        program = from_model(build(build_spec(spec), spec["dt"]))
        expected = run(program, 8, spec["dt"])
    except Exception:  # Nengo refuses some
        assume(False)
    simplified = rewrite(program, DEFAULT)
    assert rewrite(simplified, DEFAULT) is simplified
    for probe, values in run(simplified, 8, spec["dt"]).items():
        np.testing.assert_allclose(values, expected[probe], rtol=1e-6, atol=1e-6)


def make_program(*operators, **kwargs):
    step, time = Signal(np.zeros(())), Signal(np.zeros(()))
    return Program(operators, step=step, time=time, **kwargs)


def vector(*values):
    return Signal(np.array(values, dtype=float))


def test_resets_become_values():
    a, b = vector(1, 2), vector(3, 4, 5)
    copy = Copy(a, b[:2], inc=True)
    program = make_program(Reset(a), copy, Reset(b, value=2.5))
    folded = fold_resets(program)
    assert folded.operators == (copy,)
    assert dict(folded.resets) == {a: 0, b: 2.5}


def test_resets_of_parts_are_kept_apart():
    a = vector(1, 2, 3)
    parts = [a[:1], a[2:]]
    folded = fold_resets(make_program(*(Reset(part, value=7) for part in parts)))
    assert dict(folded.resets) == dict.fromkeys(parts, 7)


ZERO = np.zeros((2, 2))
# the kind of increment, its factors, and whether it adds zeros
INCREMENTS = [
    (DotInc, ZERO, [1.0, 2.0], True),
    (DotInc, np.eye(2), [0.0, 0.0], True),
    (DotInc, np.array([[0, 0], [0, 1e-30]]), [1.0, 2.0], False),
    (ElementwiseInc, np.zeros(()), [1.0, 2.0], True),
    (ElementwiseInc, np.zeros(2), [1.0, 2.0], True),
    (ElementwiseInc, np.array([0.0, 1.0]), [1.0, 2.0], False),
]


@pytest.mark.parametrize("kind, a, x, is_zero", INCREMENTS)
def test_zero_increments(kind, a, x, is_zero):
    op = kind(Signal(a), vector(*x), vector(0, 0))
    program = remove_zero_increments(make_program(op))
    assert program.operators == (() if is_zero else (op,))


@pytest.mark.parametrize("written", ["set", "part", "reset", "fed", "updated"])
def test_zeros_that_change_are_kept(written):
    """A factor that is zero only at the start is no constant."""
    a, x = vector(0, 0), vector(1, 2)
    op = ElementwiseInc(a, x, vector(0, 0))
    others = {"set": Copy(x, a), "part": Copy(x[:1], a[1:]), "reset": Reset(a, 1)}
    program = make_program(op, *([others[written]] if written in others else []))
    if written == "reset":
        program = fold_resets(program)
    elif written == "fed":
        with nengo.Network() as net:
            nengo.Node(lambda t: [t, t])
        (feed,) = program_of(net).feeds
        program = program.replace(
            operators=(ElementwiseInc(feed.signal, x, vector(0, 0)),), feeds=(feed,)
        )
    elif written == "updated":
        copy = Copy(x, a)
        copy.sets, copy.updates = [], [a]
        program = make_program(op, copy)
    assert remove_zero_increments(program) is program


def test_time_is_no_constant():
    """The time is zero when it is built."""
    program = make_program()
    op = ElementwiseInc(program.time, vector(1), vector(0))
    program = program.replace(operators=(op,))
    assert remove_zero_increments(program) is program


ONES = [
    (np.ones(()), [1.0, 2.0], True),
    (np.ones(2), [1.0, 2.0], True),
    (np.ones(2), [3.0], False),
    (np.array([1.0, 2.0]), [1.0, 2.0], False),
    (np.full((), 1 + 1e-12), [1.0, 2.0], False),
]


@pytest.mark.parametrize("a, x, is_identity", ONES)
def test_identity_multiplications(a, x, is_identity):
    y = vector(5, 6)
    op = ElementwiseInc(Signal(a), vector(*x), y, tag="tag")
    (result,) = remove_identity_multiplications(make_program(op)).operators
    if not is_identity:
        assert result is op
        return
    assert type(result) is Copy and result.inc
    assert (result.src, result.dst, result.tag) == (op.X, y, "tag")


def test_trainable_parameters_are_no_constants():
    """What training may change from 0 or 1 to something else has to stay."""
    program = program_of(small_networks.trivial_transforms())
    assert program.trainable
    read = {s.base for op in rewrite(program, DEFAULT).operators for s in op.reads}
    assert program.trainable <= read


def test_default_passes_do_something():
    net = small_networks.trivial_transforms()
    program = from_model(build(net), inference_only=True)
    for simplify in DEFAULT[:3]:  # others are for learning rules, and for modules
        assert simplify(program) is not program
    resets = [op for op in program.operators if type(op) is Reset]
    simplified = rewrite(program, DEFAULT)
    assert len(simplified.operators) < len(program.operators) - len(resets)


@pytest.mark.parametrize("trainable", [False, True])
def test_products_with_what_is_only_reset(trainable):
    """The encoders of an ensemble without input multiply zeros."""
    with nengo.Network() as net:
        nengo_dl.configure_settings(trainable=trainable)
        ens = nengo.Ensemble(5, 2)
        stimulus = nengo.Node([1.0] * 5)
        nengo.Connection(stimulus, ens.neurons, synapse=None)
        nengo.Probe(ens.neurons)
    program = rewrite(program_of(net), DEFAULT)
    products = [op for op in program.operators if type(op) is DotInc]
    assert len(products) == trainable
