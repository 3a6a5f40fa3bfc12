"""Random streams: which numbers each process draws, for each item of a minibatch.

There is one parent generator for each item, and every process takes its stream from it
in Nengo's order, whether it is evaluated ahead of the loop, in Python or by TensorFlow.
So no two processes have the same stream, and the first item has those of
`nengo.Simulator` with the same seed (and ``optimize=False``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Operator
from nengo.builder.processes import SimProcess
from nengo.synapses import Synapse
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

N_SEED_WORDS = 4


@dataclass(frozen=True)
class Streams:
    """Makes the random streams of a program's operators.

    Parameters
    ----------
    processes : tuple of SimProcess
        All processes, in the order in which Nengo gives streams to them.
    neurons : tuple of SimNeurons
        The populations that have random streams of their own.
    seed : int
        Seed of the parent generator of the first item, from 0 to 2**32 - 1.
    """

    processes: tuple[SimProcess, ...] = ()
    neurons: tuple[SimNeurons, ...] = ()
    seed: int = 0

    def with_seed(self, seed: int) -> "Streams":
        """Return the streams of another seed."""
        return replace(self, seed=seed)

    def seed_of(self, item: int) -> int | np.ndarray:
        """Return the seed of the parent generator of an item.

        `nengo.Simulator` draws the numbers of this item if it gets this seed.
        """
        return self._words(item) if item else self.seed

    def of_processes(
        self, item: int, wanted: Iterable[SimProcess]
    ) -> list[np.random.RandomState]:
        """Make the streams of some processes for an item of the minibatch.

        Parameters
        ----------
        item : int
            Number of the item.
        wanted : iterable of SimProcess
            Whose streams.

        Returns
        -------
        streams : list of RandomState
            One each, at its start. A process with a seed of its own has the same
            stream for all items.
        """
        parent = np.random.RandomState(self.seed_of(item))
        made = {op: op.process.get_rng(parent) for op in self.processes}
        return [made[op] for op in wanted]

    def of_neurons(self, item: int, op: SimNeurons) -> dict[str, np.random.RandomState]:
        """Make the streams of a population for an item of the minibatch.

        Parameters
        ----------
        item : int
            Number of the item. The first one has the streams that Nengo has built.
        op : SimNeurons
            The population.

        Returns
        -------
        streams : dict of str to RandomState
            Copies of its ``state_extra``.
        """
        streams = {}
        for i, (name, built) in enumerate(op.state_extra.items()):
            streams[name] = stream = np.random.RandomState()
            stream.set_state(built.get_state())
            if item:
                stream.seed(self._words(item, 1 + self.neurons.index(op), i))
        return streams

    def _words(self, *key: int) -> np.ndarray:
        """Hash the seed and a key to a seed that no other key has."""
        entropy = np.random.SeedSequence(self.seed, spawn_key=key)
        return entropy.generate_state(N_SEED_WORDS)


def find_streams(operators: Iterable[Operator]) -> Streams:
    """Find what draws random numbers among the operators of a built model.

    Parameters
    ----------
    operators : iterable of Operator
        All of the model.

    Returns
    -------
    streams : `Streams`
        With the seed 0.
    """
    operators = list(operators)
    processes = [op for op in operators if isinstance(op, SimProcess)]
    # synapses take streams, but use none: without others, the order does not matter
    if not all(isinstance(op.process, Synapse) for op in processes):
        processes = _in_order(operators)
    neurons = [op for op in operators if isinstance(op, SimNeurons) and op.state_extra]
    return Streams(tuple(processes), tuple(neurons))


def _in_order(operators: list[Operator]) -> list[SimProcess]:
    """Sort as `nengo.Simulator` does."""
    try:
        ordered = toposort(operator_dependency_graph(operators))
    except ValueError:  # a circle, which the planner reports
        ordered = operators
    return [op for op in ordered if isinstance(op, SimProcess)]


def packed(stream: np.random.RandomState) -> np.ndarray:
    """Return where a stream is, as numbers.

    Parameters
    ----------
    stream : RandomState
        Of the default algorithm.

    Returns
    -------
    numbers : ndarray of float64 of shape (627,)
        Which hold the 624 words of 32 bits, the position among them, and the second
        one of two normal numbers that are drawn at once.
    """
    state = stream.get_state(legacy=False)
    words, position = state["state"]["key"], state["state"]["pos"]
    rest = [position, state["has_gauss"], state["gauss"]]
    return np.concatenate([words.astype(np.float64), rest])


def unpack(stream: np.random.RandomState, numbers: np.ndarray) -> None:
    """Put a stream to where `packed` has found one."""
    *words, position, has_normal, normal = numbers.tolist()
    words = np.asarray(words, dtype=np.uint32)
    stream.set_state(("MT19937", words, int(position), int(has_normal), normal))
