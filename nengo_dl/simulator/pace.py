"""Lengths of chunks, between which a run comes back to Python."""

import time
from collections.abc import Iterator

# Runs come back to Python about this often (in seconds), to move the progress bar and
# to notice Ctrl-C.
RESPONSE_TIME = 0.2
# The first call runs this many steps, to find out how fast they are.
FIRST_STEPS = 50


class Pace:
    """Splits runs by the speed of the steps that it has seen."""

    def __init__(self) -> None:
        self._steps_per_second: float | None = None

    def chunks(self, n_steps: int, limit: int) -> Iterator[tuple[int, int]]:
        """Yield chunks (start, stop) of a run, of at most `limit` steps.

        A chunk has to be run before the next one is asked for: the time in between
        tells how fast steps are.
        """
        start = 0
        while start < n_steps:
            rate = self._steps_per_second
            wanted = FIRST_STEPS if rate is None else int(rate * RESPONSE_TIME)
            stop = min(n_steps, start + max(1, min(limit, wanted)))
            began = time.perf_counter()
            yield start, stop
            self._steps_per_second = (stop - start) / (time.perf_counter() - began)
            start = stop
