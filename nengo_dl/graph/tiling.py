"""Products on analog tiles: from operators that multiply to those that a tile has.

This comes after all passes, which then see products as they are.
"""

import copy
import functools
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
from nengo.builder import Signal
from nengo.builder.operator import DotInc, ElementwiseInc, Operator
from nengo.builder.processes import SimProcess
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.exceptions import BuildError
from nengo.transforms import ChannelShape, Convolution, SparseMatrix

from nengo_dl.chips.tiles import Tile
from nengo_dl.graph.on_chip import OnChip, Placement
from nengo_dl.graph.program import Program
from nengo_dl.graph.tiles import Adc, Dac, InputRange, ManagedRange

ProductLayout = tuple[int, int, int]
# What reads weights without multiplying them with a vector: diagonals, and probes
DIGITAL = (OnChip, ElementwiseInc, SimProcess)


class TileInput(NamedTuple):
    """A vector as a tile is given it.

    Parameters
    ----------
    given : Signal
        The vector, behind the DAC.
    s : Signal
        Its range.
    """

    given: Signal
    s: Signal


@functools.singledispatch
def product_layout(op: Operator) -> ProductLayout:
    """Return how many products there are before, of, and behind output channels.

    Parameters
    ----------
    op : Operator
        Multiplies weights with a vector: reads ``[weights, vector]``, incs
        ``[products]``. Register a function for operators of your own.

    Returns
    -------
    layout : tuple of int
        The shape of the products, with their channels on the second of three axes.

    Raises
    ------
    NotImplementedError
        If no function is registered for its type.
    """
    raise NotImplementedError


@product_layout.register(DotInc)
def _rows(op: DotInc) -> ProductLayout:
    return 1, op.Y.size, 1


@product_layout.register(ConvInc)
@product_layout.register(ConvTransposeInc)
def _filters(op: ConvInc | ConvTransposeInc) -> ProductLayout:
    shape: ChannelShape = op.conv.output_shape
    n_filters = shape.n_channels
    n_positions = shape.size // n_filters
    is_last = shape.channels_last
    return (n_positions, n_filters, 1) if is_last else (1, n_filters, n_positions)


@functools.singledispatch
def sum_of_inputs(op: Operator, X: Signal) -> Operator:
    """Return an operator that sums up the inputs that each product has.

    Parameters
    ----------
    op : Operator
        A product, see `product_layout`.
    X : Signal
        The inputs.

    Returns
    -------
    op : Operator
        Increments a new signal, of the size of the products, or of those of one
        channel.
    """
    return _with_ones(op, X)


def _with_ones(op: Operator, X: Signal) -> Operator:
    A = op.reads[0]
    if A.sparse:
        matrix = A.initial_value
        if isinstance(matrix, SparseMatrix):
            data = np.ones_like(matrix.data)
            ones = SparseMatrix(matrix.indices, data, matrix.shape)
        else:
            ones = matrix.copy()
            ones.data = np.ones_like(ones.data)
    else:
        ones = np.ones_like(A.initial_value)
    return _replaced(
        op, [_constant(ones), X], Signal(np.zeros_like(op.incs[0].initial_value))
    )


@sum_of_inputs.register(DotInc)
def _sum_of_vector(op: DotInc, X: Signal) -> Operator:
    if op.A.sparse:
        return _with_ones(op, X)
    ones = np.ones_like(op.A.initial_value[:1])
    return DotInc(_constant(ones), X, Signal(np.zeros(1, ones.dtype)))


@sum_of_inputs.register(ConvInc)
def _sum_of_window(op: ConvInc, X: Signal) -> Operator:
    conv = op.conv
    if conv.groups > 1:
        return _with_ones(op, X)
    one = Convolution(
        1,
        conv.input_shape,
        kernel_size=conv.kernel_size,
        strides=conv.strides,
        padding=conv.padding,
        channels_last=conv.channels_last,
    )
    ones = np.ones_like(op.W.initial_value[..., :1])
    Y = Signal(np.zeros(one.output_shape.size, ones.dtype))
    return ConvInc(_constant(ones), X, Y, one)


def put_on_tiles(program: Program) -> Program:
    """Put converters and noise around the products that are on tiles.

    Parameters
    ----------
    program : `Program`
        Its parameters say what is on a tile.

    Returns
    -------
    program : `Program`
        The same program, if nothing is.

    Raises
    ------
    BuildError
        If an operator is no product that is known.
    """
    tiled = {
        p.signal: (p.name, p.placement, p.placement.tile)
        for p in program.parameters
        if p.placement is not None and p.placement.tile is not None
    }
    if not tiled:
        return program
    behind = {op.on_chip: op.weights for op in program.operators if type(op) is OnChip}
    tiling = _Tiling()
    for op in program.operators:
        bases = [behind.get(signal.base, signal.base) for signal in op.reads]
        weights = next((base for base in bases if base in tiled), None)
        if weights is None or isinstance(op, DIGITAL):
            tiling.operators.append(op)
        else:
            tiling.put(op, weights, *tiled[weights])
    return program.replace(
        operators=tuple(tiling.operators),
        resets={**program.resets, **dict.fromkeys(tiling.sums, 0.0)},
    )


class _Tiling:
    """Collects the operators of a program whose products are on tiles.

    Attributes
    ----------
    operators : list of Operator
        All operators.
    sums : list of Signal
        What operators increment, from zero in each step.
    """

    def __init__(self):
        self.operators: list[Operator] = []
        self.sums: list[Signal] = []
        self._inputs: dict[Hashable, TileInput] = {}
        self._squares: dict[Signal, Signal] = {}

    def put(
        self,
        op: Operator,
        weights: Signal,
        name: str,
        placement: Placement,
        tile: Tile,
    ) -> None:
        """Add a product on a tile."""
        layout = _layout(op)
        scale_axes = placement.shared_axes(1 if weights.sparse else weights.ndim)
        A, X = op.reads
        Y = op.incs[0]
        if tile.bound_management:
            product = _replaced(op, [A, X], _signal(Y.shape, Y, "tried"))
            s = _signal((1,), X, "range")
            managed = ManagedRange(tile, product, layout, weights, scale_axes, s)
            self.operators.append(managed)
            given = self._given(tile, X, s)
        else:
            given, s = self._input(tile, X)
        T = self._sum(Y)
        self.operators.append(_replaced(op, [A, given], T))
        energy = self._energy(op, given) if tile.read_noise else None
        self.operators.append(
            Adc(
                tile,
                T,
                s,
                weights,
                Y,
                layout=layout,
                scale_axes=scale_axes,
                stream=name,
                energy=energy,
                tag=op.tag,
            )
        )

    def _input(self, tile: Tile, X: Signal) -> TileInput:
        """Return what tiles are given of a vector; the same for equal DACs."""
        key = (X, tile.input_bits, tile.input_bound)
        if key not in self._inputs:
            if tile.input_bound is None:
                s = _signal((1,), X, "range")
                self.operators.append(InputRange(tile, X, s))
            else:
                bound = np.full(1, tile.input_bound, X.initial_value.dtype)
                s = _constant(bound)
            self._inputs[key] = TileInput(self._given(tile, X, s), s)
        return self._inputs[key]

    def _given(self, tile: Tile, X: Signal, s: Signal) -> Signal:
        if tile.input_bits is None and tile.input_bound is None:
            return X
        given = _signal(X.shape, X, "given")
        self.operators.append(Dac(tile, X, s, given))
        return given

    def _energy(self, op: Operator, X: Signal) -> Signal:
        """Return the sums of squared inputs of a product."""
        if X not in self._squares:
            self._squares[X] = squares = self._sum(X)
            self.operators.append(ElementwiseInc(X, X, squares))
        total = sum_of_inputs(op, self._squares[X])
        self.operators.append(total)
        self.sums.append(total.incs[0])
        return total.incs[0]

    def _sum(self, like: Signal) -> Signal:
        """Return a signal that is incremented from zero in each step."""
        signal = _signal(like.shape, like, "sum")
        self.sums.append(signal)
        return signal


def _layout(op: Operator) -> ProductLayout:
    try:
        before, n_channels, behind = map(int, product_layout(op))
    except NotImplementedError:
        raise BuildError(
            f"{op}: expected an operator whose products a tile can compute (got "
            f"{type(op).__name__}). Leave out the tile for its connection, or register "
            "its layout with nengo_dl.graph.tiling.product_layout.register."
        ) from None
    return before, n_channels, behind


def _replaced(op: Operator, reads: list[Signal], Y: Signal) -> Operator:
    """Return a product of other signals."""
    other = copy.copy(op)
    other.reads, other.incs = reads, [Y]
    return other


def _signal(shape: tuple[int, ...], like: Signal, what: str) -> Signal:
    value = np.zeros(shape, like.initial_value.dtype)
    return Signal(value, name=f"{like.name}.{what}")


def _constant(value: Any) -> Signal:
    return Signal(value, name="constant", readonly=True)
