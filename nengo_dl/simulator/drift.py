"""Losses and metrics of a simulation while the devices with its weights drift."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from nengo_dl.arguments import check_seed, whole
from nengo_dl.errors import InvalidValue, argument, arguments_of
from nengo_dl.simulator.chip import check_compensation, check_time, program_chip
from nengo_dl.simulator.drift_report import DriftMetric, DriftReport
from nengo_dl.simulator.simulation import Simulation


def drift(
    simulation: Simulation,
    evaluate: Callable[[], dict[str, float]],
    times: Iterable[float],
    programmings: int,
    seed: int,
    compensation: str | None,
) -> DriftReport:
    """Evaluate a simulation on drifting devices, see `.Simulator.evaluate_over_time`.

    All evaluations are of one compiled network, which is lent other weights.
    """
    with arguments_of(simulation.setup.owner):
        times = _checked_times(times)
        with argument("programmings"):
            programmings = whole(programmings, 1)
        with argument("compensation"):
            check_compensation(compensation)
        seed = check_seed(seed)
    simulation.check_has_own_weights("evaluate_over_time")
    program_chip(simulation, seed)  # raises without devices, before anything is run
    exact = evaluate()
    found: dict[str, list[list[float]]] = {name: [] for name in exact}
    for i in range(programmings):
        chip = program_chip(simulation, (seed + i) % 2**32)
        for values in found.values():
            values.append([])
        for t in times:
            with chip.at(t, compensation):
                values_at_t = evaluate()
            for name, values in found.items():
                values[-1].append(float(values_at_t[name]))
    metrics = (
        DriftMetric(name, float(exact[name]), tuple(map(tuple, values)))
        for name, values in found.items()
    )
    return DriftReport(times, compensation, seed, tuple(metrics))


def check_repeatable(data: Any) -> None:
    """Raise InvalidValue for data that can be read only once."""
    if isinstance(data, Iterator):
        raise InvalidValue(
            f"must be data that can be read many times (got a {type(data).__name__}). "
            "Pass arrays, or a tf.data.Dataset."
        )


def _checked_times(times: Any) -> tuple[float, ...]:
    with argument("times"):
        if not np.iterable(times) or isinstance(times, str):
            raise InvalidValue(
                f"must be several times in seconds (got {times!r}). Pass a tuple, e.g. "
                "(1, 86400)."
            )
        times = tuple(times)
        for t in times:
            check_time(t)
        if not times:
            raise InvalidValue(
                "must be one time or more (got none). Leave it out for the default."
            )
    return tuple(map(float, times))
