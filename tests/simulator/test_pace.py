import time

import pytest

from nengo_dl.simulator.pace import FIRST_STEPS, RESPONSE_TIME, Pace


@pytest.mark.parametrize("n_steps, limit", [(1, 10), (7, 7), (1000, 300), (999, 1)])
def test_chunks_follow_each_other(n_steps, limit):
    chunks = list(Pace().chunks(n_steps, limit))
    starts, stops = zip(*chunks, strict=True)
    assert starts == (0, *stops[:-1]) and stops[-1] == n_steps
    assert all(1 <= stop - start <= limit for start, stop in chunks)


def test_the_first_chunk_is_short_and_others_grow_with_speed():
    sizes = [stop - start for start, stop in Pace().chunks(10_000, 1000)]
    assert sizes[0] == FIRST_STEPS and set(sizes[1:-1]) == {1000}


def test_slow_steps_come_one_by_one_in_later_runs_too():
    pace = Pace()
    for _ in pace.chunks(1, 1000):
        time.sleep(1.1 * RESPONSE_TIME)
    start, stop = next(pace.chunks(1000, 1000))
    assert stop - start == 1
