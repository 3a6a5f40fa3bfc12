"""What is counted while a network runs.

Each `Tally` is shown every `Chunk` of a minibatch, between a `begin` and an `end`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_dl.converter.report.run import Chunk


class Tally:
    """What all have in common."""

    def begin(self, expected: Mapping[Any, np.ndarray]) -> None:
        """Start a minibatch, for which Keras computes arrays by key.

        Their shape is (n_items, n_steps or 1, size).
        """

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        raise NotImplementedError

    def end(self) -> None:
        """Finish a minibatch."""


class Activity(Tally):
    """Counts nonzero values, and the spikes of neurons that spike, of one object.

    Parameters
    ----------
    obj : Nengo object
        What is counted.
    amplitudes : ndarray of shape (size,) or None
        Height of a spike times the length of a step, for each neuron; None for values
        that are no spikes.
    dt : float
        Length of a step, in seconds.

    Attributes
    ----------
    n_nonzero, n_spikes : ndarray of shape (size,)
        In how many steps of all items each element was not zero, and how many spikes it
        had.
    """

    def __init__(self, obj: Any, amplitudes: np.ndarray | None, dt: float):
        self._obj = obj
        self._unit = None if amplitudes is None else amplitudes / dt
        self.n_nonzero = np.zeros(obj.size_out)
        self.n_spikes = np.zeros(obj.size_out)

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        values = np.abs(chunk.values[self._obj])
        self.n_nonzero += np.count_nonzero(values, axis=(0, 1))
        if self._unit is not None:
            self.n_spikes += np.rint(values / self._unit).sum(axis=(0, 1))


class Rates(Tally):
    """Measures the firing rates of a population.

    Parameters
    ----------
    neurons : Neurons
        What is measured.
    amplitudes : ndarray of shape (n_neurons,)
        Factors on their output.

    Attributes
    ----------
    sum, max : float
        Of the rates of all neurons, as averages over the time, in Hz: the sum over
        neurons and items, and the highest.
    """

    def __init__(self, neurons: Any, amplitudes: np.ndarray):
        self._neurons = neurons
        self._amplitudes = amplitudes
        self._steps, self._outputs = 0, 0.0
        self.sum, self.max = 0.0, 0.0

    def begin(self, expected: Mapping[Any, np.ndarray]) -> None:
        """Start a minibatch."""
        del expected
        self._steps, self._outputs = 0, 0.0

    def add(self, chunk: Chunk) -> None:
        """Add up one chunk."""
        values = np.abs(chunk.values[self._neurons])
        self._outputs = self._outputs + values.sum(axis=1, dtype=float)
        self._steps += values.shape[1]

    def end(self) -> None:
        """Finish the averages of a minibatch."""
        rates = self._outputs / self._steps / self._amplitudes
        self.sum += rates.sum()
        self.max = max(self.max, float(rates.max()))


class Deviation(Tally):
    """Compares what an object puts out, as an average over time, with Keras.

    In a model with an axis of time, every step is compared with its own.

    Parameters
    ----------
    obj : Nengo object
        What is compared.
    key : object
        Of what Keras computes.

    Attributes
    ----------
    squares, squares_of_keras : float
        Sums of the squares of the differences, and of what Keras computes.
    """

    def __init__(self, obj: Any, key: Any):
        self._obj = obj
        self._key = key
        self.squares, self.squares_of_keras = 0.0, 0.0

    def begin(self, expected: Mapping[Any, np.ndarray]) -> None:
        """Start a minibatch."""
        self._expected = expected[self._key]
        self.squares_of_keras += np.sum(self._expected**2, dtype=float)
        self._steps, self._outputs = 0, 0.0

    def add(self, chunk: Chunk) -> None:
        """Compare or add up one chunk."""
        values = chunk.values[self._obj]
        if self._expected.shape[1] == 1:
            self._outputs = self._outputs + values.sum(axis=1, dtype=float)
            self._steps += values.shape[1]
        else:
            self._compare(values, _slice(self._expected, chunk, values))

    def end(self) -> None:
        """Compare the averages of a minibatch."""
        if self._steps:
            self._compare(self._outputs / self._steps, self._expected[:, 0])

    def _compare(self, values, expected):
        self.squares += np.sum((values - expected) ** 2, dtype=float)


class Course(Tally):
    """Follows an output over time.

    Parameters
    ----------
    probe : Probe
        Of the output; the key of what Keras computes.
    shape : tuple of int
        Of the output, without minibatch and time.
    labels : ndarray or None
        Classes of all items.
    n_steps : int
        How many steps are run.

    Attributes
    ----------
    squares : ndarray of shape (n_steps,)
        Sums of the squares of the difference to Keras, of the mean over the steps so
        far; in a model with an axis of time, of each step.
    squares_of_keras : float or ndarray
        Of what Keras computes.
    n_labels : int
        How many classes are to be found.
    n_right_mean, n_right_last : ndarray of shape (n_steps,)
        How many are right, by the mean over the steps so far, and by that step.
    n_right_keras : int
        How many Keras has right.
    """

    def __init__(self, probe, shape, labels, n_steps):
        self._probe, self._shape, self._labels = probe, shape, labels
        self._n_items = 0
        self.n_labels = 0 if labels is None else labels.size
        self.squares = np.zeros(n_steps)
        self.squares_of_keras = 0.0
        self.n_right_mean = np.zeros(n_steps, dtype=int)
        self.n_right_last = np.zeros(n_steps, dtype=int)
        self.n_right_keras = 0

    def begin(self, expected: Mapping[Any, np.ndarray]) -> None:
        """Start a minibatch."""
        self._expected = expected[self._probe]
        squares = np.sum(self._expected**2, axis=(0, 2), dtype=float)
        self.squares_of_keras = self.squares_of_keras + squares
        self._outputs = 0.0  # the sum over all steps so far
        if self._labels is not None:
            items = slice(self._n_items, self._n_items + len(self._expected))
            self._wanted = self._labels[items]
            decided = self._expected.mean(axis=1, keepdims=True)
            self.n_right_keras += int(self._right(decided)[0])
        self._n_items += len(self._expected)

    def add(self, chunk: Chunk) -> None:
        """Follow one chunk."""
        values = chunk.values[self._probe]
        steps = slice(chunk.start, chunk.start + values.shape[1])
        sums = self._outputs + np.cumsum(values, axis=1, dtype=float)
        self._outputs = sums[:, -1:]
        means = sums / np.arange(steps.start + 1, steps.stop + 1)[:, None]
        compared = means if self._expected.shape[1] == 1 else values
        differences = compared - _slice(self._expected, chunk, values)
        self.squares[steps] += np.sum(differences**2, axis=(0, 2))
        if self._labels is not None:
            self.n_right_mean[steps] += self._right(means)
            self.n_right_last[steps] += self._right(values)

    def _right(self, values) -> np.ndarray:
        """Count right classes for each step of (n_items, n_steps, size) values."""
        decided = values.reshape(*values.shape[:2], *self._shape).argmax(axis=-1)
        right = decided == self._wanted[:, None]
        return right.sum(axis=tuple(i for i in range(right.ndim) if i != 1))


class Firing(Tally):
    """Keeps the spikes of a few neurons for the first item.

    Parameters
    ----------
    neurons : Neurons
        Whose spikes are kept.
    numbers : ndarray of int
        Which of them.
    amplitudes : ndarray of shape (n_neurons,)
        Factors on the output of all neurons.
    dt : float
        Length of a step, in seconds.
    """

    def __init__(self, neurons, numbers, amplitudes, dt):
        self._neurons = neurons
        self.numbers = numbers
        self._unit = amplitudes[numbers] / dt
        self._chunks: list[np.ndarray] = []
        self._is_first = True

    def add(self, chunk: Chunk) -> None:
        """Keep the spikes of one chunk."""
        if self._is_first:
            values = chunk.values[self._neurons][0][:, self.numbers]
            self._chunks.append(np.rint(values / self._unit).astype(int))

    def end(self) -> None:
        """Keep nothing from now on."""
        self._is_first = False

    @property
    def spikes(self) -> np.ndarray:
        """Numbers of spikes, of shape (n_steps, n_neurons)."""
        return np.concatenate(self._chunks)


def _slice(expected: np.ndarray, chunk: Chunk, values: np.ndarray) -> np.ndarray:
    """Return what Keras computes for the steps of a chunk."""
    if expected.shape[1] == 1:
        return expected
    return expected[:, chunk.start : chunk.start + values.shape[1]]


@dataclass(frozen=True, eq=False)
class Tallies:
    """All that is counted.

    Parameters
    ----------
    activity : dict of object to `Activity`
        Of all that weights are applied to, and of all neurons.
    rates : dict of Neurons to `Rates`
        Of all neurons.
    deviations : dict of `Part` to list of `Deviation`
        Of all outputs of each layer.
    courses : list of (str, `Course`)
        Of the outputs of the model, and their names.
    firing : list of (`Part`, `Firing`)
        Of all populations that spike.
    """

    activity: dict[Any, Activity]
    rates: dict[Any, Rates]
    deviations: dict[Any, list[Deviation]]
    courses: list[tuple[str, Course]]
    firing: list[tuple[Any, Firing]]

    def __iter__(self) -> Iterator[Tally]:
        yield from self.activity.values()
        yield from self.rates.values()
        for deviations in self.deviations.values():
            yield from deviations
        for _, course in self.courses:
            yield course
        for _, firing in self.firing:
            yield firing
