"""The data that is drawn: one item of a probe's, and some of its neurons."""

from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue


def checked(data: Any) -> np.ndarray:
    """Return data as an array, if it is a probe's."""
    try:
        values = np.asarray(data, dtype=float)
    except (TypeError, ValueError):
        values = np.empty(())
    shape = f"of shape {values.shape}" if values.ndim else f"a {type(data).__name__}"
    if values.size == 0:
        raise InvalidValue(
            f"expected at least one step, and one value in each (got {shape}). Run the "
            "simulator before."
        )
    if values.ndim not in (2, 3):
        raise InvalidValue(
            "expected data of shape (n_steps, size) or (minibatch_size, n_steps, size) "
            f"(got {shape}). Pass the data of one probe, e.g. sim.data[probe]."
        )
    return values


def select(data: Any, item: int) -> np.ndarray:
    """Return the data of one item, of shape (n_steps, size)."""
    values = checked(data)
    values = values[None] if values.ndim == 2 else values
    check_item(item, len(values))
    return values[item]


def check_item(item: int, n_items: int) -> None:
    """Make sure that there is such an item."""
    if not 0 <= item < n_items:
        raise InvalidValue(
            f"expected an item from 0 to {n_items - 1}, because the data has "
            f"{n_items} (got {item}). Pass the number of one of them."
        )


def numbers_of(neurons: Any, n_neurons: int) -> np.ndarray:
    """Return the numbers of the neurons to draw."""
    numbers = np.asarray(neurons)
    is_whole = numbers.dtype.kind in "iu" and numbers.size > 0
    if is_whole and numbers.ndim == 0 and numbers >= 1:
        return np.linspace(0, n_neurons - 1, min(int(numbers), n_neurons)).astype(int)
    is_list = is_whole and numbers.ndim == 1
    if not is_list or np.any((numbers < 0) | (numbers >= n_neurons)):
        raise InvalidValue(
            "expected how many neurons to draw, at least 1, or a list of numbers from "
            f"0 to {n_neurons - 1} (got {neurons!r}). Leave it out to draw some that "
            "are evenly spaced."
        )
    return numbers


def per_neuron(amplitude: Any, n_neurons: int) -> np.ndarray:
    """Return amplitudes as an array of shape (n_neurons,)."""
    amplitudes = np.asarray(amplitude, dtype=float)
    if amplitudes.shape not in ((), (n_neurons,)) or not np.all(amplitudes > 0):
        raise InvalidValue(
            f"expected a positive amplitude, or {n_neurons}, one for each neuron (got "
            f"{amplitude!r}). Pass the amplitude of the neuron type."
        )
    return np.broadcast_to(amplitudes, n_neurons)
