import pytest

from nengo_dl.graph.rewrite import MAX_ROUNDS, rewrite
from tests import small_networks
from tests.graph.interpreter import program_of

PROGRAM = program_of(small_networks.feedforward())


def drop_last(program):
    """Drop operators one at a time, down to two."""
    if len(program.operators) <= 2:
        return program
    return program.replace(operators=program.operators[:-1])


def keep(program):
    return program


@pytest.mark.parametrize("passes", [(), (keep,), [keep, keep], iter(())])
def test_nothing_to_do_returns_the_same_object(passes):
    assert rewrite(PROGRAM, passes) is PROGRAM


@pytest.mark.parametrize("passes", [(drop_last,), (keep, drop_last), (drop_last, keep)])
def test_passes_run_until_nothing_changes(passes):
    assert rewrite(PROGRAM, passes).operators == PROGRAM.operators[:2]


def test_passes_run_in_turn():
    calls = []

    def first(program):
        calls.append("first")
        return program

    def second(program):
        calls.append("second")
        return drop_last(program) if len(calls) < 4 else program

    rewrite(PROGRAM, iter((first, second)))
    assert calls == ["first", "second", "first", "second"]


def test_passes_that_undo_each_other():
    calls = []

    def never_settled(program):
        calls.append(program)
        return program.replace()

    with pytest.raises(RuntimeError, match="settle within 100 rounds.*the same object"):
        rewrite(PROGRAM, (never_settled,))
    assert len(calls) == MAX_ROUNDS
