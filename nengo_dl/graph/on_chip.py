"""Weights on a chip: an operator between a parameter and all that reads it.

What it sets follows from parameters alone. So it is computed once, ahead of the loop
over time, wherever a network runs or trains.
"""

import copy
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder import Signal
from nengo.builder.operator import Operator
from nengo.exceptions import BuildError
from nengo.transforms import (
    Convolution,
    ConvolutionTranspose,
    Dense,
    NoTransform,
    Transform,
)

from nengo_dl.chips.quantisation import NUMPY, quantised
from nengo_dl.chips.tiles import Tile
from nengo_dl.chips.weights import Hardware, Weights
from nengo_dl.graph.kernel import size_of


@dataclass(frozen=True)
class Placement:
    """How a parameter is held by hardware.

    Parameters
    ----------
    model : `Weights`
        The hardware.
    channel_axis : int or None
        The axis of output channels; None if it has none, and all values share a scale.
    tile : `Tile` or None
        What is around the products of the parameter with vectors.
    """

    model: Weights
    channel_axis: int | None
    tile: Tile | None = None

    def shared_axes(self, ndim: int) -> tuple[int, ...]:
        """Return the axes along which values share a scale."""
        is_one = self.model.per == "tensor"
        return tuple(range(ndim)) if is_one else self.channel_axes(ndim)

    def channel_axes(self, ndim: int) -> tuple[int, ...]:
        """Return the axes along which values are of one output channel."""
        own = None if self.channel_axis is None else self.channel_axis % ndim
        return tuple(axis for axis in range(ndim) if axis != own)

    def clipping(self, ndim: int) -> tuple[float, tuple[int, ...]] | None:
        """Return where training clips values, and along which axes they share that."""
        clip = self.model.clip
        return None if clip is None else (float(clip), self.shared_axes(ndim))

    def on_chip(self, values: np.ndarray) -> np.ndarray:
        """Return values as the hardware holds them."""
        if self.model.bits is None:
            return values
        n = values.dtype.type(self.model.n_levels)
        axes = self.shared_axes(values.ndim)
        return quantised(values, n, self.model, axes, NUMPY)


@functools.singledispatch
def channel_axis(transform: Transform) -> int:
    """Return the axis of a transform's weights that counts output channels.

    Parameters
    ----------
    transform : `nengo.transforms.Transform`
        Register a function for transforms of your own.

    Raises
    ------
    NotImplementedError
        If no function is registered for its type.
    """
    raise NotImplementedError


@channel_axis.register(Dense)
@channel_axis.register(NoTransform)
def _first_axis(transform: Dense | NoTransform) -> int:
    return 0


@channel_axis.register(Convolution)
@channel_axis.register(ConvolutionTranspose)
def _last_axis(transform: Convolution | ConvolutionTranspose) -> int:
    return -1


def placement(obj: Any, signal: Signal, hardware: Hardware) -> Placement | None:
    """Return how hardware holds a parameter; None for a single number.

    Tiles do not multiply value by value.

    Parameters
    ----------
    obj : Ensemble or Connection
        The parameter is its encoders, or its weights.
    signal : Signal
        The parameter.
    hardware : `Hardware`
        The hardware.

    Raises
    ------
    BuildError
        If it is not known which weights belong to which channel.
    """
    model = hardware.weights
    tile = None if signal.ndim < 2 else hardware.tile
    if size_of(signal) <= 1:
        return None
    # the elements of a diagonal share a scale, or there would be nothing but scales
    if signal.ndim < 2:
        return Placement(model, None)
    if not isinstance(obj, nengo.Connection):
        return Placement(model, 0, tile)
    try:
        return Placement(model, channel_axis(obj.transform), tile)
    except NotImplementedError:
        if model.per == "tensor" or not (model.holds or tile):
            return Placement(model, None, tile)
        raise BuildError(
            f"{obj}: expected a transform whose weights have output channels, for "
            f"hardware with a scale for each (got {obj.transform!r}). Choose "
            "per='tensor', or set hardware=None for this connection."
        ) from None


class OnChip(Operator):
    """Set a signal to a parameter as hardware holds it.

    Parameters
    ----------
    weights, on_chip : Signal
        The parameter, and the signal to be set.
    placement : `Placement`
        How the hardware holds it.
    stream : str
        Names the random numbers of training.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[on_chip]``
    2. incs ``[]``
    3. reads ``[weights]``
    4. updates ``[]``
    """

    def __init__(
        self,
        weights: Signal,
        on_chip: Signal,
        placement: Placement,
        stream: str = "",
        tag: str | None = None,
    ):
        super().__init__(tag=tag)
        self.placement, self.stream = placement, stream
        self.sets = [on_chip]
        self.incs: list[Signal] = []
        self.reads = [weights]
        self.updates: list[Signal] = []

    @property
    def weights(self) -> Signal:
        """(Signal) The parameter."""
        return self.reads[0]

    @property
    def on_chip(self) -> Signal:
        """(Signal) The signal that is set."""
        return self.sets[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """(tuple of int) Shape of the values that are stored."""
        is_sparse = self.weights.sparse
        return (size_of(self.weights),) if is_sparse else self.weights.shape

    def make_step(self, signals, dt, rng):
        """Return a function that does one step in NumPy."""
        del dt, rng
        weights, on_chip = signals[self.weights], signals[self.on_chip]

        def step_on_chip():
            on_chip[...] = self.placement.on_chip(weights)

        return step_on_chip


def put_on_chips(
    operators: Iterable[Operator],
    probes: Mapping[Any, Signal],
    placements: Mapping[Signal, tuple[str, Placement]],
) -> tuple[tuple[Operator, ...], dict[Any, Signal]]:
    """Let all that reads parameters read what hardware makes of them.

    Parameters
    ----------
    operators : iterable of Operator
        Stay as they are; copies take the place of those that read such a parameter.
    probes : mapping of Probe to Signal
        What probes read.
    placements : mapping of Signal to (str, `Placement`)
        The names of parameters and how hardware holds them, by their base signals.

    Returns
    -------
    operators : tuple of Operator
        With an `OnChip` for each of the parameters.
    probes : dict of Probe to Signal
        Probes of such parameters show what is on the chip.
    """
    found = {
        base: Signal(base.initial_value, name=f"{base.name}.on_chip", readonly=True)
        for base in placements
    }
    made = [
        OnChip(base, found[base], how, name) for base, (name, how) in placements.items()
    ]
    rest = [reading(op, found) for op in operators]
    signals = {probe: _moved(signal, found) for probe, signal in probes.items()}
    return (*made, *rest), signals


def reading(op: Operator, found: Mapping[Signal, Signal]) -> Operator:
    """Return an operator, or a copy that reads other base signals in place of some."""
    if not any(signal.base in found for signal in op.reads):
        return op
    other = copy.copy(op)
    other.reads = [_moved(signal, found) for signal in op.reads]
    return other


def _moved(signal: Signal, found: Mapping[Signal, Signal]) -> Signal:
    """Return the part of another base signal that a signal is of its own."""
    base = found.get(signal.base)
    if base is None:
        return signal
    if not signal.is_view:
        return base
    value = np.ndarray(
        signal.shape,
        base.initial_value.dtype,
        base.initial_value,
        signal.offset,
        signal.initial_value.strides,
    )
    return Signal(value, name=signal.name, base=base, offset=signal.offset)
