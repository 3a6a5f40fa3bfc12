"""Laws of all kinds of keeping."""

import numpy as np
import pytest

from nengo_dl.graph.kept import ALL_STEPS, Every, Last

KINDS = [Every(), Every(period=2), Every(period=3.3), Last()]
STEPS = np.arange(12) + 1.0


@pytest.mark.parametrize("kept", KINDS, ids=str)
@pytest.mark.parametrize("n_steps", [1, 2, 12])
def test_steps_go_to_the_rows_that_are_handed_out(kept, n_steps):
    """Written one by one, or taken from all steps, they are the same rows."""
    written = np.zeros(kept.n_rows(n_steps))
    for i in range(n_steps):
        written[kept.row(i)] = STEPS[i]
    np.testing.assert_array_equal(written, kept.rows(STEPS[:n_steps]))
    assert kept.keeps_time == (kept.n_rows(2 * n_steps) > kept.n_rows(n_steps))


@pytest.mark.parametrize("kept", KINDS, ids=str)
def test_loops_that_hand_out_the_same_are_equal(kept):
    """So they are compiled once."""
    assert kept.of_loop in (ALL_STEPS, Last())
    assert kept.of_loop.n_rows(7) == kept.n_rows(7)
    assert hash(kept.of_loop) == hash(kept.of_loop.of_loop)


def test_number_of_rows_of_an_unknown_number_of_steps():
    assert [kept.n_rows(None) for kept in KINDS] == [None, None, None, 1]
