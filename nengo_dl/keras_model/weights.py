"""The places of a network's parameters in Keras weights and in blocks.

In Keras, parameters are weights with names and shapes. In the engine, they are elements
of blocks. Only a `WeightTable` knows both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder import Signal

from nengo_dl.engine.values import stored_values
from nengo_dl.graph.kernel import size_of
from nengo_dl.graph.layout import Layout
from nengo_dl.graph.parameters import Parameter

# Up to this many parameters of one kind and shape are weights of their own; more, e.g.
# those of an EnsembleArray, are stacked in one, since optimizers treat weights one by
# one.
MAX_SEPARATE = 8
# Blocks of so few ranges of weights, or of so long ones, are concatenated, others are
# gathered. An index of millions of elements would be copied with the graph many times.
MAX_RANGES = 16
MIN_RANGE = 256


@dataclass(frozen=True, eq=False)
class Weight:
    """A parameter, or parameters of equal shapes, stacked along a new first axis.

    Parameters
    ----------
    name : str
        A name that is unique in the network.
    parameters : tuple of `Parameter`
        The parameters that it contains.
    shape : tuple of int
        Shape of the whole weight.
    """

    name: str
    parameters: tuple[Parameter, ...]
    shape: tuple[int, ...]

    @property
    def trainable(self) -> bool:
        """Whether training changes it."""
        return self.parameters[0].trainable

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    @property
    def names_on_hardware(self) -> tuple[str | None, ...]:
        """The name of each parameter that is on hardware; None for digital ones."""
        return tuple(None if p.placement is None else p.name for p in self.parameters)

    @property
    def clipping(self) -> tuple[float, tuple[int, ...]] | None:
        """Where training clips it, and along which axes values share that."""
        n_own = len(self.shape) - (len(self.parameters) > 1)
        found = _clipping(self.parameters[0], n_own)
        if found is None:
            return None
        bound, axes = found
        return bound, tuple(axis + len(self.shape) - n_own for axis in axes)

    def position(self, parameter: Parameter) -> int | None:
        """Return the position of a parameter on the first axis; None if alone."""
        return self.parameters.index(parameter) if len(self.parameters) > 1 else None


def stored_shape(signal: Signal) -> tuple[int, ...]:
    """Return the shape of a signal, or of the stored values of a sparse one."""
    return (size_of(signal),) if signal.sparse else signal.shape


def stack(parameters: Iterable[Parameter]) -> tuple[Weight, ...]:
    """Distribute parameters over weights.

    Parameters
    ----------
    parameters : iterable of `Parameter`
        The parameters, in the order of the weights.

    Returns
    -------
    weights : tuple of `Weight`
        The weights, trainable ones first, as in ``keras.Model.weights``.
    """
    groups: dict[tuple, list[Parameter]] = {}
    for parameter in parameters:
        kind = parameter.name.rsplit(".", 1)[-1]
        shape = stored_shape(parameter.signal)
        bound = _clipping(parameter, len(shape))
        key = (not parameter.trainable, kind, shape, bound)
        groups.setdefault(key, []).append(parameter)
    weights = []
    for (_, kind, shape, _), members in groups.items():
        if len(members) <= MAX_SEPARATE:
            weights += [Weight(p.name, (p,), shape) for p in members]
        else:
            name = f"{members[0].name.rsplit('.', 1)[0]}_and_others.{kind}"
            stacked = (len(members), *shape)
            weights.append(Weight(name, tuple(members), stacked))
    return tuple(sorted(weights, key=lambda weight: not weight.trainable))


def _clipping(parameter: Parameter, ndim: int) -> tuple[float, tuple[int, ...]] | None:
    placement = parameter.placement
    return None if placement is None else placement.clipping(ndim)


class WeightTable:
    """The places of all weights in blocks.

    Parameters
    ----------
    layout : `Layout`
        The blocks. Those of kind "param" are made of weights and constants.
    parameters : iterable of `Parameter`
        The parameters in "param" blocks, which no learning rule changes.
    dtype : dtype
        Type of the blocks.

    Attributes
    ----------
    weights : tuple of `Weight`
        All weights, trainable ones first.
    """

    def __init__(self, layout: Layout, parameters: Iterable[Parameter], dtype):
        self._dtype = np.dtype(dtype)
        numbers = layout.of_kind("param")
        self.weights = stack(parameters)
        self._rows: dict[Signal, tuple[int, int | None]] = {}
        self._starts: dict[Signal, tuple[int, int]] = {}  # weight, and element of it
        for number, weight in enumerate(self.weights):
            is_stacked, start = len(weight.parameters) > 1, 0
            for row, parameter in enumerate(weight.parameters):
                self._rows[parameter.signal] = (number, row if is_stacked else None)
                self._starts[parameter.signal] = (number, start)
                start += size_of(parameter.signal)
        self._blocks = [self._block(layout, number) for number in numbers]

    def holder(self, base: Signal) -> tuple[int, int | None] | None:
        """Return the number of the weight that holds a base signal, and its row there.

        None for a signal in no weight. The row is None if the weight contains nothing
        else.
        """
        return self._rows.get(base)

    def blocks(self, values: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Assemble the parameter blocks.

        Parameters
        ----------
        values : sequence of tensor
            One for each weight, of its shape.

        Returns
        -------
        blocks : tuple of tensor
            One of shape (size, 1) per block of kind "param".
        """
        flat = [tf.reshape(tf.cast(v, self._dtype), (-1,)) for v in values]
        return tuple(block(flat)[:, None] for block in self._blocks)

    def _block(self, layout: Layout, number: int):
        """Return a function from all flat weights to one flat block."""
        constants = np.zeros(layout.blocks[number].size, self._dtype)
        n_weights, stop, ranges = len(self.weights), 0, _Ranges()
        for offset, base in sorted(layout.bases(number), key=lambda item: item[0]):
            ranges.add(n_weights, stop, offset)  # zeros between two signals
            stop = offset + size_of(base)
            if base not in self._starts:
                constants[offset:stop] = stored_values(base)
            source, start = self._starts.get(base, (n_weights, offset))
            ranges.add(source, start, start + stop - offset)
        ranges.add(n_weights, stop, len(constants))
        constant = tf.constant(constants)
        if len(ranges) > max(MAX_RANGES, len(constants) // MIN_RANGE):
            sizes = [*(weight.size for weight in self.weights), len(constants)]
            index = ranges.elements(sizes)
            return lambda flat: tf.gather(tf.concat([*flat, constant], 0), index)
        return lambda flat: tf.concat(
            [[*flat, constant][i][start:stop] for i, start, stop in ranges], 0
        )


class _Ranges(list[tuple[int, int, int]]):
    """Ranges of several sources, one after the other: source, start and stop."""

    def add(self, source: int, start: int, stop: int) -> None:
        """Add a range; if it goes on where the last one ends, they are one."""
        if start == stop:
            return
        if self and self[-1][::2] == (source, start):
            source, start, _ = self.pop()
        self.append((source, start, stop))

    def elements(self, sizes: Sequence[int]) -> np.ndarray:
        """Return the elements among those of all sources, which have these sizes."""
        first = np.cumsum([0, *sizes])
        return np.concatenate(
            [first[i] + np.arange(start, stop) for i, start, stop in self]
        )
