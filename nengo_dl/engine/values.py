"""Parameters and state of a simulation, and the places of signals in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from nengo.builder import Signal
from nengo.transforms import SparseMatrix

from nengo_dl.graph.kernel import size_of, view
from nengo_dl.graph.layout import Layout
from nengo_dl.graph.parameters import Parameter


@dataclass(frozen=True, eq=False)
class Values:
    """Parameters and state of a simulation between two steps.

    Parameters
    ----------
    params : tuple of tensor
        One of shape (size, 1) per block that no kernel writes.
    state : sequence of tensor
        One of shape (size, minibatch_size) per block that is carried from step to step.
    n_steps : int
        Number of steps that have been run.
    """

    params: tuple[tf.Tensor, ...]
    state: Sequence[tf.Tensor]
    n_steps: int = 0


class ValueTable:
    """The places of a simulation's signals in its `Values`.

    Parameters
    ----------
    layout : `Layout`
        The blocks.
    parameters : iterable of `Parameter`
        The parameters of the network.
    dtype : dtype
        Type of all blocks.
    minibatch_size : int or None
        Number of items of the initial state; None for a single item, to be repeated.

    Attributes
    ----------
    constant : tuple of `Parameter`
        The parameters that no step changes.
    learned : tuple of `Parameter`
        The parameters that learning rules change. In the simulation, they are state.
    """

    def __init__(
        self,
        layout: Layout,
        parameters: Iterable[Parameter],
        dtype: np.dtype,
        minibatch_size: int | None,
    ):
        self._layout = layout
        self._dtype = dtype
        self._minibatch_size = minibatch_size
        self.constant = self._of_kind("param", parameters)
        self.learned = self._of_kind("state", parameters)

    def initial(self) -> Values:
        """Return the parameters and the state that the network was built with."""
        return Values(
            params=tuple(
                self._initial_block(n, 1) for n in self._layout.of_kind("param")
            ),
            state=tuple(
                self._initial_block(n, self._minibatch_size or 1)
                for n in self._layout.of_kind("state")
            ),
        )

    def with_params(self, values: Values, other: Values) -> Values:
        """Return the state of one simulation with the parameters of another.

        Parameters that learning rules change are among the latter.

        Parameters
        ----------
        values : `Values`
            The source of the state and of the number of steps.
        other : `Values`
            The source of the parameters.
        """
        numbers = self._layout.of_kind("state")
        state = list(values.state)
        for parameter in self.learned:
            block, offset = self._layout.places[parameter.signal]
            i, stop = numbers.index(block), offset + size_of(parameter.signal)
            pieces = [state[i][:offset], other.state[i][offset:stop]]
            state[i] = tf.concat([*pieces, state[i][stop:]], axis=0)
        return Values(other.params, tuple(state), values.n_steps)

    def get(self, values: Values, signal: Signal) -> np.ndarray | None:
        """Return the current value of a parameter or state signal.

        Returns
        -------
        value : ndarray or None
            Shape (minibatch_size or 1, \\*shape of the signal), or the stored values of
            a sparse signal. None if the signal is neither a parameter nor state.
        """
        piece = view(signal)
        if piece.base not in self._layout.places:
            return None
        block, offset = self._layout.places[piece.base]
        for kind, tensors in (("param", values.params), ("state", values.state)):
            numbers = self._layout.of_kind(kind)
            if block in numbers:
                array = tensors[numbers.index(block)].numpy()
                base = array[offset : offset + size_of(piece.base)].T
                return elements_of(signal, base)
        return None

    def put(
        self, values: Values, new: Mapping[Signal, np.ndarray], n_steps: int
    ) -> Values:
        """Return values in which some parameters and state signals have been replaced.

        Parameters
        ----------
        values : `Values`
            The source of all other values.
        new : mapping of Signal to ndarray
            New values of base signals. State has the shape (minibatch_size, \\*shape),
            and parameters have the shape of the signal.
        n_steps : int
            Number of steps that have been run.
        """
        params = self._replaced("param", values.params, new)
        return Values(params, self._replaced("state", values.state, new), n_steps)

    def n_items(self, values: Values) -> int:
        """Return the number of minibatch items that have a state; 1 without state."""
        return int(values.state[0].shape[1]) if values.state else 1

    def state_signals(self) -> tuple[Signal, ...]:
        """List the base signals that are carried from step to step."""
        numbers = self._layout.of_kind("state")
        places = self._layout.places.items()
        return tuple(base for base, (block, _) in places if block in numbers)

    def is_shared(self, signal: Signal) -> bool:
        """Tell whether a signal is a parameter that all minibatch items share."""
        block, _ = self._layout.places[signal.base]
        return self._layout.blocks[block].kind == "param"

    def _of_kind(
        self, kind: str, parameters: Iterable[Parameter]
    ) -> tuple[Parameter, ...]:
        """Choose the parameters that have a place in a block of a kind."""
        numbers, places = self._layout.of_kind(kind), self._layout.places
        return tuple(p for p in parameters if places.get(p.signal, (-1,))[0] in numbers)

    def _replaced(
        self, kind: str, blocks: Sequence[tf.Tensor], new: Mapping[Signal, np.ndarray]
    ) -> tuple[tf.Tensor, ...]:
        """Return all blocks of a kind, with new values of some base signals."""
        found = []
        for number, block in zip(self._layout.of_kind(kind), blocks, strict=True):
            bases = [item for item in self._layout.bases(number) if item[1] in new]
            if bases:
                array = np.array(block)
                for offset, base in bases:
                    rows = np.reshape(new[base], (array.shape[1], -1)).T
                    array[offset : offset + size_of(base)] = rows
                block = tf.constant(array)
            found.append(block)
        return tuple(found)

    def _initial_block(self, number: int, batch: int) -> tf.Tensor:
        flat = np.zeros(self._layout.blocks[number].size, dtype=self._dtype)
        for offset, base in self._layout.bases(number):
            flat[offset : offset + size_of(base)] = stored_values(base)
        return tf.constant(np.broadcast_to(flat[:, None], (flat.size, batch)))


def stored_values(signal: Signal) -> np.ndarray:
    """Return the initial value of a signal as a flat array."""
    value = signal.initial_value
    if not signal.sparse:
        return np.ravel(value)
    return value.data if isinstance(value, SparseMatrix) else value.tocoo().data


def elements_of(signal: Signal, base: np.ndarray) -> np.ndarray:
    """Return the elements of a signal among those of its base.

    Parameters
    ----------
    signal : Signal
        A base signal or a view of one.
    base : ndarray of shape (n_items, size of the base)
        The values of the base, or the stored values of a sparse one.

    Returns
    -------
    value : ndarray of shape (n_items, \\*shape of the signal)
        For a sparse signal, the stored values.
    """
    piece = view(signal)
    shape = (piece.size,) if signal.sparse else signal.shape
    return base[:, piece.elements].reshape((-1, *shape))
