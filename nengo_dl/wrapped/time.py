"""How data without an axis of time meets a network: steps, reductions and settings."""

from collections.abc import Mapping
from typing import Any

import nengo
from nengo.exceptions import ValidationError

from nengo_dl.config import configure_settings, get_setting
from nengo_dl.converter.conversion import Conversion
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.over_time import check_reduce


def chosen_reduce(reduce: str | None, n_steps: int | None, where: str) -> str | None:
    """Return how steps are reduced; "auto" depends on whether data has steps."""
    if reduce == "auto":
        return None if n_steps is None else "mean"
    try:
        check_reduce(reduce, 1.0)
    except ValidationError as error:
        error.obj = where
        raise
    return reduce


def check_steps(n_steps: int | None, has_time: bool, where: Any) -> None:
    """Check that either the data or an argument says how many steps to run."""
    with argument("n_steps", where):
        if has_time and n_steps is not None:
            raise InvalidValue(
                f"must be None for a temporal model (got {n_steps}). Leave it out: the "
                "axis of time of the data tells."
            )
        if not has_time and n_steps is None:
            raise InvalidValue(
                "must be a number of steps for a model without an axis of time (got "
                "None). Pass e.g. n_steps=16."
            )


def reductions(conversion: Conversion, reduce: str | None) -> list[str | None]:
    """Return how each output of a converted model is reduced over time.

    What is the last step, or a function of the mean of all steps so far, has its last
    value.
    """
    source = conversion.source
    found = []
    for spec, probe in zip(source.outputs, conversion.outputs, strict=True):
        is_last = spec.n_outer_axes < source.n_outer_axes
        is_mean = probe in conversion.averages and reduce == "mean"
        found.append("last" if is_last or is_mean else reduce)
    return found


def configure(network: nengo.Network, settings: Mapping[str, Any]) -> None:
    """Set up the network of a converted model, which trains the spikes it predicts."""
    network.seed = 0 if network.seed is None else network.seed
    if get_setting(network, "training_mode") is None:
        settings = {"training_mode": "spiking", **settings}
    with network:
        configure_settings(**settings)
