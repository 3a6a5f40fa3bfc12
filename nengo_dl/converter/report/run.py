"""Running a network on many items, a few items and steps at a time.

Nothing is kept but what is handed out, so that memory does not grow with the data.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np

from nengo_dl.config import get_setting
from nengo_dl.simulator import Simulator

MAX_VALUES = 2**25  # in one chunk, of all objects together


@dataclass(frozen=True, eq=False)
class Chunk:
    """What objects put out in some steps.

    Parameters
    ----------
    start : int
        The number of the first step, from 0.
    values : mapping of object to ndarray
        Of shape (n_items, n_steps, size) each.
    """

    start: int
    values: Mapping[Any, np.ndarray]


@contextlib.contextmanager
def probed(net: nengo.Network, objs: Iterable[Any]) -> Iterator[dict]:
    """Add probes to a network, and take them away afterwards.

    Parameters
    ----------
    net : Network
        Gets the probes.
    objs : iterable of object
        What is probed: neurons, nodes, or again what other probes record.

    Yields
    ------
    probes : dict of object to Probe
    """
    n_before = len(net.probes)
    try:
        with net:
            probes = {obj: _probe(obj) for obj in objs}
        for probe in probes.values():
            if get_setting(net, "keep_history", obj=probe) is False:
                net.config[probe].keep_history = True
        yield probes
    finally:
        del net.probes[n_before:]


def _probe(obj: Any) -> nengo.Probe:
    if isinstance(obj, nengo.Probe):
        return nengo.Probe(obj.target, synapse=obj.synapse)
    return nengo.Probe(obj, synapse=None)


class Network:
    """A simulation that hands out its values in chunks.

    Parameters
    ----------
    sim : `Simulator`
        With a minibatch size.
    probes : mapping of object to Probe
        What is handed out.
    nodes : sequence of Node
        The inputs.
    """

    def __init__(
        self, sim: Simulator, probes: Mapping[Any, Any], nodes: Sequence[nengo.Node]
    ):
        self._sim = sim
        self._probes = probes
        self._nodes = nodes
        size = sum(probe.size_in for probe in probes.values())
        size += sum(node.size_out for node in nodes)
        self._chunk = max(1, MAX_VALUES // (size * sim.minibatch_size))

    def run(self, inputs: Sequence[np.ndarray], n_steps: int) -> Iterator[Chunk]:
        """Simulate one minibatch from its start.

        Parameters
        ----------
        inputs : sequence of ndarray
            One for each node, of shape (n_items, n_steps or 1, size): values for all
            steps, or one that stays. There may be less items than the minibatch has.
        n_steps : int
            How many steps to run.

        Yields
        ------
        chunk : `Chunk`
        """
        n_items = len(inputs[0])
        missing = self._sim.minibatch_size - n_items
        padded = [np.concatenate([x, x[:1].repeat(missing, axis=0)]) for x in inputs]
        self._sim.reset()
        for start in range(0, n_steps, self._chunk):
            stop = min(n_steps, start + self._chunk)
            data = {
                node: _steps(x, start, stop)
                for node, x in zip(self._nodes, padded, strict=True)
            }
            self._sim.run_steps(stop - start, data=data)
            values = {
                obj: self._sim.data[probe][:n_items]
                for obj, probe in self._probes.items()
            }
            self._sim.clear_probes()
            yield Chunk(start, values)


def _steps(x: np.ndarray, start: int, stop: int) -> np.ndarray:
    if x.shape[1] == 1:
        return np.repeat(x, stop - start, axis=1)
    return x[:, start:stop]
