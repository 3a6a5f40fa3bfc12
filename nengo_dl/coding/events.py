"""Frames of events, as cameras and ears that send changes record them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_dl.arguments import whole
from nengo_dl.coding import checks
from nengo_dl.errors import InvalidValue, argument, arguments_of

FIELDS = ("x", "y", "t", "p")


@dataclass(frozen=True)
class EventFrames:
    """Counts of events, in each step and at each place.

    A recording is a structured array with the fields ``x``, ``y``, ``t`` (the time) and
    ``p`` (the polarity), one element for each event. Data sets of the package tonic
    (https://tonic.readthedocs.io) yield such arrays.

    Parameters
    ----------
    shape : tuple of int
        Numbers of polarities, rows and columns.
    n_steps : int
        Number of steps of a presentation.
    window : float, optional
        Seconds of a recording that are one step. Later events are left out. By default,
        the time from the first event to the last is divided among all steps.
    time_unit : float
        Seconds in a unit of the field ``t``: those of tonic are microseconds.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    Examples
    --------
    .. testcode::

       kind = [("x", int), ("y", int), ("t", int), ("p", int)]
       recording = np.array([(0, 1, 0, 0), (2, 1, 1500, 1), (2, 1, 1900, 1)], kind)
       code = nengo_dl.coding.EventFrames((2, 2, 3), n_steps=3, window=0.001)
       frames = code.encode([recording])
       print(frames.shape)
       print(frames[0, 1, 1])

    .. testoutput::

       (1, 3, 2, 2, 3)
       [[0. 0. 0.]
        [0. 0. 2.]]
    """

    shape: tuple[int, int, int]
    n_steps: int
    window: float | None = None
    time_unit: float = 1e-6

    def __post_init__(self) -> None:
        checks.checked_fields(
            self, shape=_shape, n_steps=checks.n_steps, time_unit=checks.positive
        )
        if self.window is not None:
            checks.checked_fields(self, window=checks.positive)

    def encode(self, recordings: Sequence[Any]) -> np.ndarray:
        """Return the number of events in each step and at each place.

        Parameters
        ----------
        recordings : sequence of structured ndarray
            One for each item, of shape (n_events,). Times count from the first event.

        Returns
        -------
        frames : ndarray of float32, of shape (n_items, n_steps, \\*shape)
            As data of a node, with the axes of ``shape`` flattened.

        Raises
        ------
        ValidationError
            If a recording has other fields, or events outside of the frame.
        """
        frames = np.zeros((len(recordings), self.n_steps, *self.shape), np.float32)
        with arguments_of(type(self)), argument("recordings"):
            for frame, recording in zip(frames, recordings, strict=True):
                np.add.at(frame, self._places(np.asarray(recording)), 1)
        return frames

    def decode(self, frames: Any) -> list[np.ndarray]:
        """Return events that lead to the same frames.

        Parameters
        ----------
        frames : array of shape (n_items, n_steps, \\*shape)
            Numbers of events.

        Returns
        -------
        recordings : list of structured ndarray
            One for each item, of shape (n_events,). Each event is in the middle of its
            step, in the time unit; without a window, a step is one unit.
        """
        counts = checks.trains(frames, self).astype(int)
        length = 1.0 if self.window is None else self.window / self.time_unit
        kinds = [(name, float if name == "t" else int) for name in FIELDS]
        found = []
        for item in counts:
            step, p, y, x = np.repeat(np.nonzero(item), item[item > 0], axis=1)
            recording = np.zeros(len(step), kinds)
            for name, values in zip(
                FIELDS, (x, y, (step + 0.5) * length, p), strict=True
            ):
                recording[name] = values
            found.append(recording)
        return found

    def _places(self, recording: np.ndarray) -> tuple[np.ndarray, ...]:
        names = recording.dtype.names or ()
        if not set(FIELDS) <= set(names):
            raise InvalidValue(
                f"expected the fields {', '.join(FIELDS)} (got {', '.join(names)}). "
                "Pass a structured array for each item, in a list."
            )
        if not len(recording):
            return tuple(np.zeros((4, 0), int))
        times = (recording["t"] - recording["t"].min()) * self.time_unit
        window = self.window
        if window is None:  # the last event belongs to the last step
            window = times.max() / self.n_steps or 1.0
            steps = np.minimum((times / window).astype(int), self.n_steps - 1)
        else:
            # rounding must not move what is on the border
            steps = np.floor(times / window + 1e-9).astype(int)
        is_in = steps < self.n_steps
        places = [recording[name].astype(int)[is_in] for name in ("p", "y", "x")]
        for place, size, name in zip(places, self.shape, ("p", "y", "x"), strict=True):
            if len(place) and not 0 <= place.min() <= place.max() < size:
                raise InvalidValue(
                    f"expected {name} from 0 to {size - 1} (got {place.min()} to "
                    f"{place.max()}). Pass a larger shape, (polarities, rows, columns)."
                )
        return (steps[is_in], *places)


def _shape(value: Any) -> tuple[int, int, int]:
    sizes = tuple(value) if isinstance(value, Sequence) else ()
    if len(sizes) != 3:
        raise InvalidValue(
            f"must be the numbers of polarities, rows and columns (got {value!r}). "
            "Sensors of tonic have (width, height, polarities) as sensor_size."
        )
    polarities, rows, columns = (whole(size, 1) for size in sizes)
    return polarities, rows, columns
