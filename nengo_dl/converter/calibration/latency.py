"""How soon the average output of a network is that of the model."""

from collections.abc import Sequence

import nengo
import numpy as np

from nengo_dl.converter.conversion import Conversion, check_series
from nengo_dl.converter.presentation import flat, presented

# The average counts as right once its error stays below this part of the output.
TOLERANCE = 0.05
MAX_STEPS, N_ITEMS = 128, 32
# For how many steps leaky neurons are tuned; with synapses, too.
TUNED_STEPS = 32


def errors(
    net: nengo.Network, conversions: Sequence[Conversion], inputs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Measure how far average outputs are from those of the model, after each step.

    The conversions are parts of the network, and run on at most 32 items for at most
    128 steps. The errors, of shape (n_steps,) for each conversion, are root mean
    squares over items and elements, as parts of that of the output; of the output for
    which they are largest.
    """
    source = conversions[0].source
    check_series(source, "Converter.recommended_steps")
    inputs = [x[:N_ITEMS] for x in inputs]
    arrays = flat(source, inputs)
    data = {
        node: x
        for conversion in conversions
        for node, x in zip(conversion.inputs, arrays, strict=True)
    }
    probes = {probe: probe for each in conversions for probe in each.outputs}
    n_steps = arrays[0].shape[1] if source.n_outer_axes > 1 else MAX_STEPS
    (found,) = presented(net, probes, data, n_steps)
    wanted = source.compute(inputs)
    return [
        np.max(
            [
                _relative(found[probe], values, probe in conversion.averages)
                for probe, values in zip(conversion.outputs, wanted, strict=True)
            ],
            axis=0,
        )
        for conversion in conversions
    ]


def _relative(found: np.ndarray, wanted: np.ndarray, is_average: bool) -> np.ndarray:
    """Compare averages over the steps so far, of (n_items, n_steps, size) arrays."""
    wanted = wanted.astype(float)
    n = np.arange(1, found.shape[1] + 1)[:, None]
    averages = found if is_average else np.cumsum(found, axis=1, dtype=float) / n
    if wanted.shape[1] > 1:
        wanted = np.cumsum(wanted, axis=1) / n
    size = np.sqrt(np.mean(wanted**2))
    error = np.sqrt(np.mean((averages - wanted) ** 2, axis=(0, 2)))
    return error / max(size, np.finfo(float).tiny)


def steps_needed(errors: np.ndarray, tolerance: float = TOLERANCE) -> int | None:
    """Return after how many steps errors, of shape (n_steps,), stay below a tolerance.

    None if they do not stay below.
    """
    too_large = np.flatnonzero(errors > tolerance)
    n_steps = too_large[-1] + 2 if too_large.size else 1
    return int(n_steps) if n_steps <= len(errors) else None


def soonest(errors: Sequence[np.ndarray]) -> int:
    """Return which errors, each of shape (n_steps,), become small soonest.

    If none is small after all steps, those count that are least after 32 steps, for
    which neurons are tuned: while a synapse smooths what arrives, it makes each layer
    later, so that the least error over all steps would rarely be found with one.
    """
    ranks = [(steps_needed(e) or np.inf, e[:TUNED_STEPS][-1]) for e in errors]
    return ranks.index(min(ranks))
