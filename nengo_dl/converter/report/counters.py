"""Counters that are updated while a network runs.

Each `Counter` is shown every `Chunk` of a minibatch, between a `begin` and an `end`. A
`Run` has all of them.
"""

import math
from collections.abc import Hashable, Mapping

import numpy as np
from nengo import Probe
from nengo.ensemble import Neurons

from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.fan_out import neurons_of, passes_on
from nengo_dl.converter.populations import Obj, is_spiking_population
from nengo_dl.converter.presentation import (
    Chunk,
    Shown,
    chunks,
    flat,
    minibatches,
)
from nengo_dl.converter.report.report import OutputReport
from nengo_dl.simulator import Simulator

LATENCY_PART = 0.99
N_IN_RASTER = 20

Expected = Mapping[Hashable, np.ndarray]


class Counter:
    """Base of all counters."""

    def begin(self, expected: Expected) -> None:
        """Start a minibatch, for which Keras computes arrays by key.

        Their shape is (n_items, n_steps or 1, size).
        """

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        raise NotImplementedError

    def end(self) -> None:
        """Finish a minibatch."""


class Activity(Counter):
    """Counts nonzero values of one object; of neurons also spikes and rates.

    ``n_nonzero`` and ``n_spikes``, of shape (size,), are in how many steps of all items
    each element was not zero, and how many spikes it had. Rates are averages over the
    time, in Hz: ``rate_sum`` is that over neurons and items, ``max_rate`` the highest.
    """

    def __init__(self, obj: Obj, dt: float):
        self._obj, self._dt = obj, dt
        self._amplitudes = amplitudes(obj) if isinstance(obj, Neurons) else None
        self.n_nonzero = np.zeros(obj.size_out)
        self.n_spikes = np.zeros(obj.size_out)
        self.rate_sum, self.max_rate = 0.0, 0.0

    def begin(self, expected: Expected) -> None:
        """Start a minibatch."""
        del expected
        self._steps, self._outputs = 0, np.zeros(())

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        values = np.abs(chunk.values[self._obj])
        self.n_nonzero += np.count_nonzero(values, axis=(0, 1))
        if self._amplitudes is None:
            return
        self._outputs = self._outputs + values.sum(axis=1, dtype=float)
        self._steps += values.shape[1]
        if is_spiking_population(self._obj):
            unit = self._amplitudes / self._dt
            self.n_spikes += np.rint(values / unit).sum(axis=(0, 1))

    def end(self) -> None:
        """Finish the averages of a minibatch."""
        if self._amplitudes is not None:
            rates = self._outputs / self._steps / self._amplitudes
            self.rate_sum += rates.sum()
            self.max_rate = max(self.max_rate, float(rates.max()))


class Deviation(Counter):
    """Compares what an object puts out, as an average over time, with Keras.

    In a model with an axis of time, every step is compared with its own. ``squares``
    and ``squares_of_keras`` are sums of squares, of differences and of what Keras
    computes.
    """

    def __init__(self, obj: Obj, key: Hashable):
        self.obj = obj
        self._key = key
        self.squares, self.squares_of_keras = 0.0, 0.0

    def begin(self, expected: Expected) -> None:
        """Start a minibatch."""
        self._expected = expected[self._key]
        self.squares_of_keras += np.sum(self._expected**2, dtype=float)
        self._steps, self._outputs = 0, np.zeros(())

    def add(self, chunk: Chunk) -> None:
        """Compare or add up one chunk."""
        values = chunk.values[self.obj]
        if self._expected.shape[1] == 1:
            self._outputs = self._outputs + values.sum(axis=1, dtype=float)
            self._steps += values.shape[1]
        else:
            self._compare(values, _slice(self._expected, chunk, values))

    def end(self) -> None:
        """Compare the averages of a minibatch."""
        if self._steps:
            self._compare(self._outputs / self._steps, self._expected[:, 0])

    def _compare(self, values: np.ndarray, expected: np.ndarray) -> None:
        self.squares += np.sum((values - expected) ** 2, dtype=float)


class Course(Counter):
    """Follows an output over time, and how many of its labels are right.

    ``squares``, of shape (n_steps,), are sums of the squares of the difference to
    Keras, of the mean over the steps so far; in a model with an axis of time, of each
    step. Of ``n_labels``, ``n_right_mean`` and ``n_right_last``, of the same shape, are
    right by the mean over the steps so far, and by that step, and ``n_right_keras`` by
    Keras. What is an average itself is its own mean.
    """

    def __init__(
        self,
        probe: Probe,
        shape: tuple[int, ...],
        labels: np.ndarray | None,
        n_steps: int,
        is_average: bool,
    ):
        self._probe, self._shape, self._labels = probe, shape, labels
        self._is_average = is_average
        self._n_items = 0
        self.n_labels = 0 if labels is None else labels.size
        self.squares = np.zeros(n_steps)
        self.squares_of_keras = 0.0
        self.n_right_mean = np.zeros(n_steps, dtype=int)
        self.n_right_last = np.zeros(n_steps, dtype=int)
        self.n_right_keras = 0

    def begin(self, expected: Expected) -> None:
        """Start a minibatch."""
        self._expected = expected[self._probe]
        squares = np.sum(self._expected**2, axis=(0, 2), dtype=float)
        self.squares_of_keras = self.squares_of_keras + squares
        self._outputs = np.zeros(())  # the sum over all steps so far
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
        if self._is_average:
            means = values
        compared = means if self._expected.shape[1] == 1 else values
        differences = compared - _slice(self._expected, chunk, values)
        self.squares[steps] += np.sum(differences**2, axis=(0, 2))
        if self._labels is not None:
            self.n_right_mean[steps] += self._right(means)
            self.n_right_last[steps] += self._right(values)

    def report(self, name: str, dt: float) -> OutputReport:
        """Return all that was found of an output."""
        squares = np.broadcast_to(self.squares_of_keras, self.squares.shape)
        error = tuple(map(relative, self.squares, squares))
        if self.n_labels == 0:
            return OutputReport(name, error)
        accuracy = self.n_right_mean / self.n_labels
        keras_accuracy = self.n_right_keras / self.n_labels
        from_step = latency(accuracy, keras_accuracy)
        return OutputReport(
            name,
            error,
            keras_accuracy,
            tuple(accuracy.tolist()),
            tuple((self.n_right_last / self.n_labels).tolist()),
            from_step,
            None if from_step is None else from_step * dt,
        )

    def _right(self, values: np.ndarray) -> np.ndarray:
        """Count right classes for each step of (n_items, n_steps, size) values."""
        decided = values.reshape(*values.shape[:2], *self._shape).argmax(axis=-1)
        right = decided == self._wanted[:, None]
        return right.sum(axis=tuple(i for i in range(right.ndim) if i != 1))


class Firing(Counter):
    """Keeps the spikes of a few neurons, by their numbers, for the first item."""

    def __init__(self, neurons: Neurons, numbers: np.ndarray, dt: float):
        self._neurons = neurons
        self.numbers = numbers
        self._unit = amplitudes(neurons)[numbers] / dt
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


def amplitudes(neurons: Neurons) -> np.ndarray:
    """Return the factors on spikes or rates of neurons, for each."""
    value = getattr(neurons.ensemble.neuron_type, "amplitude", 1.0)
    return np.broadcast_to(np.abs(value), neurons.size_out).astype(float)


def _slice(expected: np.ndarray, chunk: Chunk, values: np.ndarray) -> np.ndarray:
    """Return what Keras computes for the steps of a chunk."""
    if expected.shape[1] == 1:
        return expected
    return expected[:, chunk.start : chunk.start + values.shape[1]]


def latency(accuracy: np.ndarray, wanted: float) -> int | None:
    """Return from which step on (the first is 1) it stays near to what is wanted.

    None if it does not.
    """
    is_below = accuracy < LATENCY_PART * wanted
    n_steps = int(np.flatnonzero(is_below)[-1]) + 2 if is_below.any() else 1
    return n_steps if n_steps <= len(accuracy) else None


def relative(squares: float, squares_of_keras: float) -> float | None:
    """Return a relative error from two sums of squares; None if it is infinite."""
    if squares_of_keras > 0:
        return math.sqrt(squares / squares_of_keras)
    return 0.0 if squares == 0 else None


class Run:
    """The counters of a run, and what it is a run of.

    Parameters
    ----------
    conversion : `Conversion`
        Has the network.
    shown : `Shown`
        The data.
    outputs_only : bool
        Whether nothing is followed but the outputs.
    """

    def __init__(
        self, conversion: Conversion, shown: Shown, outputs_only: bool = False
    ):
        self.conversion, self.shown = conversion, shown
        dt, has_outputs = shown.dt, bool(conversion.outputs)
        self.layers = () if outputs_only else conversion.layers
        conns = [conn for layer in self.layers for conn in layer.connections]
        weighted = [neurons_of(conn.pre_obj) for conn in conns if not passes_on(conn)]
        neurons = [obj for layer in self.layers for obj in layer.neurons]
        rng = np.random.RandomState(0)
        self.activity = {
            obj: Activity(obj, dt) for obj in dict.fromkeys([*weighted, *neurons])
        }
        # what comes from no model is compared with none
        self.deviations = {
            made: [
                Deviation(obj, (call, i))
                for call, of_call in zip(made.layer.calls, made.calls, strict=True)
                for i, obj in enumerate(of_call.outputs if has_outputs else ())
            ]
            for made in self.layers
        }
        self.courses = _courses(conversion, shown)
        self.firing = {
            obj: Firing(obj, _some(obj.size_out, rng), dt)
            for obj in filter(is_spiking_population, neurons)
        }

    def probed(self) -> dict:
        """Return what is probed, without any order."""
        outputs = [d.obj for found in self.deviations.values() for d in found]
        return dict.fromkeys([*self.activity, *outputs, *self.conversion.outputs])

    def show(
        self,
        sim: Simulator,
        probes: Mapping[Obj | Probe, Probe],
        keeps_weights: bool = False,
    ) -> None:
        """Show all minibatches to all counters; see `chunks` for the weights."""
        counters: list[Counter] = [
            d for found in self.deviations.values() for d in found
        ]
        for group in (self.activity, self.courses, self.firing):
            counters += group.values()
        conversion, shown = self.conversion, self.shown
        for items in minibatches(shown.n_items, sim.minibatch_size):
            chosen = [x[items] for x in shown.inputs]
            expected = self._expected(chosen)
            values = flat(conversion.source, chosen)
            data = dict(zip(conversion.inputs, values, strict=True))
            for counter in counters:
                counter.begin(expected)
            for chunk in chunks(
                sim, probes, data, shown.n_steps, keeps_weights=keeps_weights
            ):
                for counter in counters:
                    counter.add(chunk)
            for counter in counters:
                counter.end()

    def _expected(self, inputs: list[np.ndarray]) -> Expected:
        """Return what the model computes: outputs by probe, and by call of a layer."""
        probes, model = self.conversion.outputs, self.conversion.source
        if not self.layers:
            return dict(zip(probes, model.compute(inputs), strict=True))
        found, outputs = model.compute_all(inputs)
        by_call = {
            (call, i): values
            for call, arrays in found.items()
            for i, values in enumerate(arrays)
        }
        return {**dict(zip(probes, outputs, strict=True)), **by_call}

    def outputs(self) -> tuple[OutputReport, ...]:
        """Return what was found of all outputs."""
        return tuple(
            course.report(spec.name, self.shown.dt)
            for spec, course in zip(
                self.conversion.source.outputs, self.courses.values(), strict=True
            )
        )


def _courses(conversion: Conversion, shown: Shown) -> dict[Probe, Course]:
    probes, specs = conversion.outputs, conversion.source.outputs
    return {
        p: Course(p, spec.signal_shape, wanted, shown.n_steps, p in conversion.averages)
        for p, spec, wanted in zip(probes, specs, shown.labels, strict=True)
    }


def _some(n: int, rng: np.random.RandomState) -> np.ndarray:
    return np.sort(rng.permutation(n)[:N_IN_RASTER])
