"""Conversions: networks, and what is known of the models that they come from.

Nothing here knows which library a model comes from.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.synapses import Synapse

from nengo_dl.converter.populations import Obj, Population
from nengo_dl.converter.tuning import Tuning


@dataclass(frozen=True)
class OneOf:
    """Decides for the class of the largest element along the last axis."""

    from_logits: bool  # whether elements are logits, not probabilities

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the number of the class."""
        return values.argmax(axis=-1)


@dataclass(frozen=True)
class EachOf:
    """Decides about each element by itself: whether it is true."""

    from_logits: bool

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return whether it is more likely true than false."""
        return values > (0.0 if self.from_logits else 0.5)


# From values of an output, with any outer axes, to what they say
Decision: TypeAlias = OneOf | EachOf


@dataclass(frozen=True)
class TensorSpec:
    """An input or an output of a model."""

    name: str
    # with the minibatch, and the time if there is an axis of it
    shape: tuple[int | None, ...]
    n_outer_axes: int = 1  # how many leading axes are no part of a signal
    decide: Decision | None = None  # if it is the output of a classifier

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """The shape without the minibatch and the time, which is known."""
        return tuple(n for n in self.shape[self.n_outer_axes :] if n is not None)


@dataclass(frozen=True, eq=False)
class SourceLayer:
    """A layer of a model."""

    name: str  # with those of the models that it is in before it
    type: str  # its class
    n_parameters: int
    calls: tuple[Hashable, ...]  # owners of the objects that they have become
    keeps_time: bool = True  # whether outputs have an axis of time, if inputs have one


class Source(Protocol):
    """A model of some library, as far as its conversions are compared with it.

    Inputs and outputs are in the order of nodes and probes, layers as they are listed.
    ``n_outer_axes`` is that of all inputs; outputs of the last time step have less.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: tuple[SourceLayer, ...]
    n_outer_axes: int

    def compute(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs, of shape (n_items, n_steps or 1, size) each."""
        ...

    def compute_all(
        self, inputs: Sequence[np.ndarray]
    ) -> tuple[Mapping[Hashable, list[np.ndarray]], list[np.ndarray]]:
        """Return the outputs of all calls of layers, too, in the same form."""
        ...


@dataclass(frozen=True, eq=False)
class Made:
    """Objects that one call of a layer has become."""

    # one for each output of the call; they may belong to calls before it
    outputs: tuple[Obj, ...]
    neurons: tuple[Neurons, ...]  # of all ensembles
    connections: tuple[nengo.Connection, ...]  # all but those that bring constants
    reason: str  # why a TensorNode computes it, or its activation
    is_opaque: bool  # whether a TensorNode computes all of it


@dataclass(frozen=True, eq=False)
class MadeLayer:
    """Objects that all calls of a layer have become."""

    layer: SourceLayer
    calls: tuple[Made, ...]

    @property
    def neurons(self) -> list[Neurons]:
        """Its populations."""
        return [neurons for made in self.calls for neurons in made.neurons]

    @property
    def connections(self) -> list[nengo.Connection]:
        """Its connections."""
        return [conn for made in self.calls for conn in made.connections]

    @property
    def reason(self) -> str:
        """Why a TensorNode computes it, or a part of it; empty if none does."""
        return next((made.reason for made in self.calls if made.reason), "")


@dataclass(frozen=True, eq=False)
class Conversion:
    """A network, and what each part of it was made of."""

    source: Source  # the model that was converted
    net: nengo.Network
    inputs: tuple[nengo.Node, ...]  # one for each input of the model
    outputs: tuple[nengo.Probe, ...]  # one for each output of the model
    # those that are functions of the mean of what has arrived in all steps so far
    averages: frozenset[nengo.Probe]
    constants: frozenset[nengo.Connection]  # those that bring biases
    made: Mapping[Hashable, Made]  # by the calls of layers, in the order of conversion
    # those that rules have asked for, in the order of conversion
    populations: tuple[Population, ...]
    tunings: tuple[Tuning, ...] | None  # of all populations, if they come from data
    synapse: Synapse | float | None  # on connections that start at neurons

    @cached_property
    def layers(self) -> tuple[MadeLayer, ...]:
        """The layers of the model, and what they have become."""
        return tuple(
            MadeLayer(layer, tuple(self.made[call] for call in layer.calls))
            for layer in self.source.layers
        )


def check_series(source: Source, where: str) -> None:
    """Raise ValueError if something in a model over time has no axis of time."""
    for layer in source.layers:
        if not layer.keeps_time:
            raise ValueError(
                f"{where}: expected layers that return all time steps (got "
                f"'{layer.name}', which returns the last one alone). Make it with "
                "return_sequences=True and return_state=False."
            )
