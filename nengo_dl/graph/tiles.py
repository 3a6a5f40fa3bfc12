"""The operators that are around a product on an analog tile.

A product ``Y += A.dot(X)`` on a tile becomes a few operators::

    InputRange or ManagedRange   X -> s        the input range
    Dac                          X, s -> X'    what the tile is given
    the product                  A, X' -> T
    Adc                          T, s, A -> Y  what is read of it
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from nengo.builder import Signal
from nengo.builder.operator import Operator

from nengo_dl.chips.tiles import Tile, converted


class _TileOperator(Operator):
    """An operator around a product.

    Parameters
    ----------
    tile : `Tile`
        The tile.
    reads : list of Signal
        The signals that are read.
    """

    def __init__(self, tile: Tile, reads: list[Signal], tag: str | None = None):
        super().__init__(tag=tag)
        self.tile = tile
        self.reads = reads
        self.sets: list[Signal] = []
        self.incs: list[Signal] = []
        self.updates: list[Signal] = []


class InputRange(_TileOperator):
    """Set an input range to the largest magnitude of a vector.

    Parameters
    ----------
    tile : `Tile`
        The tile.
    X : Signal
        The vector.
    s : Signal
        The range, of one element.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[s]``
    2. incs ``[]``
    3. reads ``[X]``
    4. updates ``[]``
    """

    def __init__(self, tile: Tile, X: Signal, s: Signal, tag: str | None = None):
        super().__init__(tile, [X], tag)
        self.sets = [s]

    def make_step(self, signals, dt, rng):
        """Return a function that does one step in NumPy."""
        del dt, rng
        X, s = signals[self.reads[0]], signals[self.sets[0]]

        def step_input_range():
            s[...] = np.max(np.abs(X))

        return step_input_range


class ManagedRange(_TileOperator):
    """Set an input range to the smallest for which an ADC clips no product.

    It is doubled again and again, from the largest magnitude of the vector, or the
    bound that the tile has.

    Parameters
    ----------
    tile : `Tile`
        The tile.
    product : Operator
        Multiplies weights with a vector: reads ``[A, X]``, incs ``[T]``.
    layout : tuple of int
        Numbers of products before, of, and behind channels: the shape of ``T``.
    weights : Signal
        The parameter that the largest weights of channels are taken from.
    scale_axes : tuple of int
        The axes along which weights share a scale.
    s : Signal
        The range, of one element.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[s]``
    2. incs ``[]``
    3. reads ``[A, X, weights]``
    4. updates ``[]``
    """

    def __init__(
        self,
        tile: Tile,
        product: Operator,
        layout: tuple[int, int, int],
        weights: Signal,
        scale_axes: tuple[int, ...],
        s: Signal,
        tag: str | None = None,
    ):
        super().__init__(tile, [*product.reads, weights], tag)
        self.product, self.layout, self.scale_axes = product, layout, scale_axes
        self.sets = [s]

    def make_step(self, signals, dt, rng):
        """Return a function that does one step in NumPy."""
        A, X, weights = (signals[signal] for signal in self.reads)
        s, tile = signals[self.sets[0]], self.tile
        T = np.zeros(self.product.incs[0].shape)
        given = np.zeros_like(X)
        ends = dict(
            zip((*self.product.reads, *self.product.incs), (A, given, T), strict=True)
        )
        multiply = self.product.make_step(ends, dt, rng)
        largest = _largest(weights, self)

        def step_managed_range():
            s[...] = tile.input_bound or np.max(np.abs(X))
            while True:
                given[...] = converted(X, s, tile.n_inputs or None, np)
                T[...] = 0
                multiply()
                bound = tile.output_bound * s * largest()
                if np.all(np.abs(T.reshape(self.layout)) <= bound):
                    break
                s[...] *= 2

        return step_managed_range


class Dac(_TileOperator):
    """Set a signal to what a tile is given of a vector.

    Parameters
    ----------
    tile : `Tile`
        The tile.
    X, s : Signal
        The vector, and its range, of one element.
    given : Signal
        The signal that is set.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[given]``
    2. incs ``[]``
    3. reads ``[X, s]``
    4. updates ``[]``
    """

    def __init__(
        self, tile: Tile, X: Signal, s: Signal, given: Signal, tag: str | None = None
    ):
        super().__init__(tile, [X, s], tag)
        self.sets = [given]

    def make_step(self, signals, dt, rng):
        """Return a function that does one step in NumPy."""
        del dt, rng
        X, s = (signals[signal] for signal in self.reads)
        given = signals[self.sets[0]]

        def step_dac():
            given[...] = converted(X, s, self.tile.n_inputs or None, np)

        return step_dac


class Adc(_TileOperator):
    """Increment a signal by what is read of the products of a tile.

    Parameters
    ----------
    tile : `Tile`
        The tile.
    T, s : Signal
        The products, and the range of their inputs, of one element.
    weights : Signal
        The parameter that the largest weights of channels are taken from.
    Y : Signal
        The signal that is incremented.
    layout : tuple of int
        Numbers of products before, of, and behind channels: the shape of ``T``.
    scale_axes : tuple of int
        The axes along which weights share a scale.
    stream : str
        Names the random numbers.
    energy : Signal, optional
        The sums of squared inputs that products have, for noise on weights: one for
        each product, or one for those of all channels.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[]``
    2. incs ``[Y]``
    3. reads ``[T, s, weights]``, and ``energy`` if there is one
    4. updates ``[]``
    """

    def __init__(
        self,
        tile: Tile,
        T: Signal,
        s: Signal,
        weights: Signal,
        Y: Signal,
        *,
        layout: tuple[int, int, int],
        scale_axes: tuple[int, ...],
        stream: str = "",
        energy: Signal | None = None,
        tag: str | None = None,
    ):
        super().__init__(tile, [T, s, weights], tag)
        self.layout, self.scale_axes, self.stream = layout, scale_axes, stream
        if energy is not None:
            self.reads.append(energy)
        self.incs = [Y]

    @property
    def energy(self) -> Signal | None:
        """(Signal or None) The sums of squared inputs."""
        return self.reads[3] if len(self.reads) > 3 else None

    def make_step(self, signals, dt, rng):
        """Return a function that does one step in NumPy."""
        del dt
        T, s, weights, *energies = (signals[signal] for signal in self.reads)
        Y, tile = signals[self.incs[0]], self.tile
        largest = _largest(weights, self)

        def step_adc():
            values, unit = T.reshape(self.layout), largest()
            variance = np.reshape((tile.output_noise * s) ** 2, (1, 1, 1))
            for energy in energies:
                before, _, behind = self.layout
                squares = energy.reshape(before, -1, behind)
                variance = variance + tile.read_noise**2 * squares
            if tile.draws:
                xi = rng.normal(size=self.layout)
                values = values + unit * np.sqrt(variance) * xi
            if tile.output_bound is not None:
                bound = tile.output_bound * s * unit
                values = converted(values, bound, tile.n_outputs or None, np)
            Y[...] += values.reshape(Y.shape)

        return step_adc


def _largest(weights: np.ndarray, op: Any) -> Callable[[], np.ndarray]:
    """Return a function that finds the largest weights, in the shape of products."""

    def largest() -> np.ndarray:
        found = np.max(np.abs(weights), axis=op.scale_axes)
        return np.reshape(found, (1, -1, 1))

    return largest
