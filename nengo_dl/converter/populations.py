"""Populations of neurons of a converted model, at their firing rates.

Spikes of a population may differ in height. A node then multiplies them, and stands in
for the neurons wherever something is connected to them.
"""

from dataclasses import dataclass
from typing import TypeAlias

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.neurons import NeuronType

from nengo_dl.biases import set_biases
from nengo_dl.converter.forms import scaled
from nengo_dl.converter.tuning import Tuning, scaling, started
from nengo_dl.nodes.array_node import ArrayNode, Scale
from nengo_dl.wiring import set_wiring

Obj: TypeAlias = nengo.Node | nengo.Ensemble | Neurons | ObjView


def is_spiking_population(obj: Obj) -> bool:
    """Whether an object is neurons that spike."""
    return isinstance(obj, Neurons) and obj.ensemble.neuron_type.spiking


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one ensemble."""

    neurons: Neurons
    channels: np.ndarray  # to which channel each neuron belongs, of shape (n_neurons,)
    is_swapped: bool  # whether the neuron type comes from a replacement


class Populations:
    """Makes populations, in the order in which their tunings are given, if they are.

    Biases are noted in the config of the network.
    """

    def __init__(self, net: nengo.Network, tunings: tuple[Tuning, ...] | None):
        self.made: list[Population] = []
        self._net, self._tunings = net, tunings
        self._heights: dict[Neurons, ArrayNode] = {}
        self._biases: dict[Neurons, tuple[nengo.Connection, ...]] = {}

    def make(
        self,
        neuron_type: NeuronType,
        channels: np.ndarray,
        label: str,
        bias: float,
        scale: float,
        is_swapped: bool,
    ) -> Neurons:
        """Make a population of a type that stays as it is."""
        tuning, size = scaling(scale), len(channels)
        if self._tunings is not None:
            tuning = self._tunings[len(self.made)]
            neuron_type = started(neuron_type)
        height = float(np.max(tuning.amplitude))
        ensemble = nengo.Ensemble(
            size,
            1,
            neuron_type=scaled(neuron_type, height, label),
            encoders=np.ones((size, 1)),
            eval_points=np.zeros((1, 1)),
            gain=np.broadcast_to(np.asarray(tuning.gain, dtype=float), size),
            bias=np.broadcast_to(bias * tuning.gain + tuning.bias, size),
            label=label,
        )
        neurons = ensemble.neurons
        self.made.append(Population(neurons, channels, is_swapped))
        if np.any(tuning.amplitude != height):
            self._add_heights(neurons, np.asarray(tuning.amplitude) / height)
        self._biases[neurons] = ()
        set_biases(self._net, ensemble, ())
        return neurons

    def output(self, obj: Obj) -> Obj:
        """Return the object that holds the output of neurons; others hold their own."""
        return self._heights.get(obj, obj)

    def is_output(self, obj: Obj) -> bool:
        """Whether an object is neurons, or holds their output."""
        return isinstance(obj, Neurons) or obj in self._heights.values()

    def add_bias(self, obj: Obj, conn: nengo.Connection) -> None:
        """Note that a connection brings the biases of a population, if it is one."""
        if obj in self._biases:
            self._biases[obj] += (conn,)
            set_biases(self._net, obj.ensemble, self._biases[obj])

    def _add_heights(self, neurons: Neurons, factors: np.ndarray) -> None:
        shape, label = (neurons.size_out,), f"{neurons.ensemble.label}.heights"
        node = ArrayNode(Scale(shape, shape, factors), label=label)
        conn = nengo.Connection(neurons, node, synapse=None)
        self._net.config[conn].trainable = False
        set_wiring(self._net, conn)
        self._heights[neurons] = node
