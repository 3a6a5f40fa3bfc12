"""Run passes over a program until none of them changes it."""

from collections.abc import Callable, Iterable

from nengo_dl.graph.program import Program

Pass = Callable[[Program], Program]

# A pass only ever removes operators or moves them to cheaper forms, so the number of
# rounds is small; this bound catches two passes that undo each other.
MAX_ROUNDS = 100


def rewrite(program: Program, passes: Iterable[Pass]) -> Program:
    """Apply the passes in order, again and again, until nothing changes.

    Parameters
    ----------
    program : `Program`
        What to simplify.
    passes : iterable of callable
        Each takes a `Program` and returns an equivalent one; the same object if there
        was nothing to do.

    Returns
    -------
    program : `Program`

    Raises
    ------
    RuntimeError
        If the passes do not settle.
    """
    passes = tuple(passes)
    for _ in range(MAX_ROUNDS):
        before = program
        for simplify in passes:
            program = simplify(program)
        if program is before:
            return program
    raise RuntimeError(
        f"Simplifications: expected to settle within {MAX_ROUNDS} rounds. Each pass "
        "must return the same object when it changes nothing."
    )
