"""How soon the average output of a network is that of the model."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.calibration.data import presented, run
from nengo_dl.converter.plan import check_series

# The average counts as right once its error stays below this part of the output.
TOLERANCE = 0.05
MAX_STEPS, N_ITEMS = 128, 32
# In seconds; None is no synapse at all.
SYNAPSES = (None, 0.002, 0.005)
# For how many steps leaky neurons are tuned; with synapses, too.
TUNED_STEPS = 32


def errors(converter: Any, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return how far the average output is from that of the model, after each step.

    Parameters
    ----------
    converter : `Converter`
        What is run, on at most 32 items.
    arrays : tuple of ndarray
        Calibration data, as from `check`.

    Returns
    -------
    errors : ndarray of shape (n_steps,)
        Root mean square over items and elements, as a part of that of the output; of
        the output for which it is largest. For at most 128 steps.
    """
    check_series(converter, "Converter.recommended_steps")
    arrays = tuple(x[:N_ITEMS] for x in arrays)
    data = presented(arrays, MAX_STEPS, converter.temporal_model)
    nodes = converter.inputs.values()
    (found,) = run(converter.net, dict(zip(nodes, data, strict=True)))
    model = converter.model
    inputs = keras.tree.pack_sequence_as(model.input, list(arrays))
    wanted = model(inputs, training=False)
    return np.max(
        [
            _relative(found[converter.outputs[tensor]], array, converter.temporal_model)
            for tensor, array in zip(
                model.outputs, keras.tree.flatten(wanted), strict=True
            )
        ],
        axis=0,
    )


def _relative(found, wanted, is_temporal):
    wanted = keras.ops.convert_to_numpy(wanted).astype(float)
    n_items, n_steps, _ = found.shape
    wanted = wanted.reshape(n_items, n_steps if is_temporal else 1, -1)
    n = np.arange(1, n_steps + 1)[:, None]
    averages = np.cumsum(found, axis=1, dtype=float) / n
    if is_temporal:
        wanted = np.cumsum(wanted, axis=1) / n
    size = np.sqrt(np.mean(wanted**2))
    error = np.sqrt(np.mean((averages - wanted) ** 2, axis=(0, 2)))
    return error / max(size, np.finfo(float).tiny)


def steps_needed(errors: np.ndarray, tolerance: float = TOLERANCE) -> int | None:
    """Return after how many steps the errors stay below a tolerance.

    Parameters
    ----------
    errors : ndarray of shape (n_steps,)
        After each step.
    tolerance : float
        The largest error that is accepted.

    Returns
    -------
    n_steps : int or None
        At least 1; None if they do not stay below.
    """
    too_large = np.flatnonzero(errors > tolerance)
    n_steps = too_large[-1] + 2 if too_large.size else 1
    return int(n_steps) if n_steps <= len(errors) else None


def choose_synapse(
    measure: Callable[[Any], np.ndarray], synapses: Sequence[Any] = SYNAPSES
) -> Any:
    """Return the synapse with which the output is right soonest.

    Parameters
    ----------
    measure : callable
        Returns the errors after each step with a synapse.
    synapses : sequence of float or None
        To choose from. If none is right after all steps, it is the one with the least
        error after 32 steps, for which neurons are tuned: while a synapse smooths what
        arrives, it makes each layer later, so that the least error over all steps would
        rarely be found with one.
    """
    found = [measure(synapse) for synapse in synapses]
    ranks = [(steps_needed(e) or np.inf, e[:TUNED_STEPS][-1]) for e in found]
    return synapses[ranks.index(min(ranks))]
