"""Calibration data: what is accepted, and how a network is run on it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nengo_dl.converter.arguments import as_array
from nengo_dl.silence import warnings_ignored
from nengo_dl.simulator import Simulator

MINIBATCH_SIZE = 32
WHERE = "Converter.calibration_data"


def check(model: Any, data: Any, is_temporal: bool) -> tuple[np.ndarray, ...]:
    """Bring calibration data into one form.

    Parameters
    ----------
    model : keras.Model
        Whose inputs the data is for.
    data : array_like, or list of array_like
        One for each input of the model, with a minibatch axis.
    is_temporal : bool
        Whether the axis after the minibatch is time.

    Returns
    -------
    arrays : tuple of ndarray
        One for each input, of as many items each.

    Raises
    ------
    ValueError
        If there is none, if it does not fit the model, or has values that are no
        numbers.
    """
    tensors = model.inputs
    if data is None:
        raise ValueError(
            f'{WHERE}: expected typical inputs of the model for "auto" (got none). '
            "Pass some of the data that it was trained on; labels are not needed."
        )
    given = data if isinstance(data, list | tuple) else [data]
    if len(given) != len(tensors):
        names = ", ".join(tensor.name for tensor in tensors)
        raise ValueError(
            f"{WHERE}: expected an array for each of the {len(tensors)} inputs of the "
            f"model (got {len(given)}). Pass a list, in the order {names}."
        )
    arrays = tuple(map(_array, tensors, given))
    n_axes = 2 if is_temporal else 1
    sizes = {array.shape[:n_axes] for array in arrays}
    if len(sizes) > 1:
        raise ValueError(
            f"{WHERE}: expected as many items{' and steps' * is_temporal} for all "
            f"inputs (got {sorted(sizes)}). Cut them to the same number."
        )
    return arrays


def _array(tensor, values) -> np.ndarray:
    values = as_array(WHERE, values)
    shape = ("n_items", *("n_steps" if n is None else n for n in tensor.shape[1:]))
    fits = values.ndim == len(shape) and all(
        isinstance(wanted, str) or got == wanted
        for got, wanted in zip(values.shape, shape, strict=True)
    )
    if not fits or values.size == 0:
        wanted = ", ".join(map(str, shape))
        raise ValueError(
            f"{WHERE}: expected shape ({wanted}) with at least one item for input "
            f"'{tensor.name}' (got {values.shape}). The first axis is the minibatch."
        )
    n_wrong = int(np.sum(~np.isfinite(values)))
    if n_wrong:
        raise ValueError(
            f"{WHERE}: expected finite values for input '{tensor.name}' (got {n_wrong} "
            "that are NaN or infinite). Leave those items out."
        )
    return values


def presented(
    arrays: tuple[np.ndarray, ...], n_steps: int, is_temporal: bool
) -> list[np.ndarray]:
    """Lay items out over time.

    Parameters
    ----------
    arrays : tuple of ndarray
        As from `check`.
    n_steps : int
        For how many steps each item is presented.
    is_temporal : bool
        Whether items have an axis of time of their own, which then counts alone.

    Returns
    -------
    data : list of ndarray
        Of shape (n_items, n_steps, size) each.
    """
    if is_temporal:
        return [x.reshape(*x.shape[:2], -1) for x in arrays]
    return [np.repeat(x.reshape(len(x), 1, -1), n_steps, axis=1) for x in arrays]


def run(net: Any, data: dict[Any, np.ndarray]) -> Iterator[dict[Any, np.ndarray]]:
    """Run a network on data.

    Parameters
    ----------
    net : Network
        What is run.
    data : dict of Node to ndarray
        Of shape (n_items, n_steps, size_out) each.

    Yields
    ------
    outputs : dict of Probe to ndarray
        For one minibatch after the other, of shape (n, n_steps, size) each. The last
        one has fewer items, if the minibatch size does not divide their number.
    """
    n_items, n_steps, _ = next(iter(data.values())).shape
    minibatch_size = min(n_items, MINIBATCH_SIZE)
    with _simulator(net, minibatch_size) as sim:
        for start in range(0, n_items, minibatch_size):
            items = np.arange(start, start + minibatch_size) % n_items
            sim.reset()
            sim.run_steps(n_steps, data={node: x[items] for node, x in data.items()})
            n = min(minibatch_size, n_items - start)
            yield {probe: sim.data[probe][:n] for probe in net.all_probes}


def _simulator(net, minibatch_size):
    # what Nengo has to say of the network, it says when the user simulates it
    with warnings_ignored():
        return Simulator(
            net, minibatch_size=minibatch_size, progress_bar=False, device="/cpu:0"
        )
