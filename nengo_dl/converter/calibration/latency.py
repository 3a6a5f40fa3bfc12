"""How soon the average output of a network is that of the model."""

from collections.abc import Sequence

import nengo
import numpy as np

from nengo_dl.converter.conversion import Conversion, Decision, check_series
from nengo_dl.converter.presentation import flat, presented

# The average counts as right once its error stays below this part of the output, and
# that of a classifier once it decides as the model does for all but this part of items.
TOLERANCE, TOLERATED_DECISIONS = 0.05, 0.01
MAX_STEPS, N_ITEMS, N_DECISIONS = 128, 32, 128
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
    inputs = [x[:N_ITEMS] for x in inputs]
    wanted = conversions[0].source.compute(inputs)
    return [
        np.max(list(map(_relative, averages, map(_so_far, wanted))), axis=0)
        for averages in _averages(net, conversions, inputs)
    ]


def recommended_steps(
    net: nengo.Network, conversion: Conversion, inputs: Sequence[np.ndarray]
) -> int | None:
    """Return after how many steps all average outputs have come to stay right.

    Outputs of classifiers are right if they decide as the model does, for at least 99 %
    of at most 128 items; others if `errors` are below 5 %. None if they are not after
    128 steps.
    """
    specs = conversion.source.outputs
    n_items = N_DECISIONS if any(spec.decide for spec in specs) else N_ITEMS
    inputs = [x[:n_items] for x in inputs]
    wanted = map(_so_far, conversion.source.compute(inputs))
    (averages,) = _averages(net, [conversion], inputs)
    found = [
        steps_needed(_relative(values, target))
        if spec.decide is None
        else steps_needed(
            _disagreement(spec.decide, spec.signal_shape, values, target),
            TOLERATED_DECISIONS,
        )
        for spec, values, target in zip(specs, averages, wanted, strict=True)
    ]
    known = [n for n in found if n is not None]
    return max(known) if len(known) == len(found) else None


def _averages(
    net: nengo.Network, conversions: Sequence[Conversion], inputs: Sequence[np.ndarray]
) -> list[list[np.ndarray]]:
    """Return each output of each conversion, averaged over the steps so far.

    The arrays have shape (n_items, n_steps, size).
    """
    source = conversions[0].source
    check_series(source, "Converter.recommended_steps")
    arrays = flat(source, inputs)
    data = {
        node: x
        for conversion in conversions
        for node, x in zip(conversion.inputs, arrays, strict=True)
    }
    probes = {probe: probe for each in conversions for probe in each.outputs}
    n_steps = arrays[0].shape[1] if source.n_outer_axes > 1 else MAX_STEPS
    parts = list(presented(net, probes, data, n_steps))
    found = {probe: np.concatenate([part[probe] for part in parts]) for probe in probes}
    return [
        [
            found[probe] if probe in each.averages else _so_far(found[probe])
            for probe in each.outputs
        ]
        for each in conversions
    ]


def _so_far(values: np.ndarray) -> np.ndarray:
    """Average over the steps so far, of (n_items, n_steps, size) arrays."""
    n = np.arange(1, values.shape[1] + 1)[:, None]
    return np.cumsum(values, axis=1, dtype=float) / n


def _relative(averages: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the error after each step."""
    size = np.sqrt(np.mean(wanted**2))
    error = np.sqrt(np.mean((averages - wanted) ** 2, axis=(0, 2)))
    return error / max(size, np.finfo(float).tiny)


def _disagreement(
    decide: Decision, shape: tuple[int, ...], averages: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Return for which part of the items decisions differ, after each step."""
    decided, right = (
        decide(values.reshape(*values.shape[:2], *shape))
        for values in (averages, wanted)
    )
    differs = decided != right
    return differs.mean(axis=tuple(i for i in range(differs.ndim) if i != 1))


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
