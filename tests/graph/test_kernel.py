import math

import nengo
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.builder import Signal

from nengo_dl.graph.kernel import View, Write, from_elements, size_of, slot, view


def numbered(*shape):
    """Make a signal whose values are the numbers of its elements."""
    return Signal(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(float))


def shown(signal):
    """Return what NumPy says a signal shows, as elements of its base."""
    return signal.initial_value.ravel().astype(int)


def picked(piece):
    return np.arange(piece.base.size)[piece.elements]


# shape of the base, and how a view of it is made
VIEWS = {
    "scalar": ((), lambda s: s),
    "whole": ((5,), lambda s: s),
    "whole matrix": ((3, 4), lambda s: s),
    "empty": ((0,), lambda s: s),
    "no elements": ((5,), lambda s: s[2:2]),
    "range": ((5,), lambda s: s[1:4]),
    "one element": ((5,), lambda s: s[3]),
    "negative bounds": ((5,), lambda s: s[-3:-1]),
    "step": ((7,), lambda s: s[1::2]),
    "reversed": ((5,), lambda s: s[::-1]),
    "reversed part": ((9,), lambda s: s[7:1:-3]),
    "rows": ((4, 3), lambda s: s[1:3]),
    "one row": ((4, 3), lambda s: s[2]),
    "every second row": ((4, 3), lambda s: s[::2]),
    "columns": ((4, 3), lambda s: s[:, 1:]),
    "one column": ((4, 3), lambda s: s[:, 1]),
    "block": ((4, 3), lambda s: s[1:3, :2]),
    "reversed columns": ((4, 3), lambda s: s[:, ::-1]),
    "both reversed": ((4, 3), lambda s: s[::-1, ::-1]),
    "element of a matrix": ((4, 3), lambda s: s[2, 1]),
    "three axes": ((2, 3, 4), lambda s: s[:, 1:, ::2]),
    "middle axis": ((2, 3, 4), lambda s: s[:, 1]),
    "reshape": ((6,), lambda s: s.reshape((2, 3))),
    "reshape to a vector": ((2, 3), lambda s: s.reshape((6,))),
    "added axes": ((3,), lambda s: s.reshape((1, 3, 1))),
    "reshape of a range": ((8,), lambda s: s[2:].reshape((3, 2))),
    "range of a reshape": ((6,), lambda s: s.reshape((3, 2))[1:]),
    "column of a reshape": ((6,), lambda s: s.reshape((3, 2))[:, 1]),
    "reversed reshape": ((6,), lambda s: s.reshape((3, 2))[::-1]),
}


@pytest.mark.parametrize("shape, make", VIEWS.values(), ids=VIEWS)
def test_view_picks_what_numpy_shows(shape, make):
    base = numbered(*shape)
    signal = make(base)
    piece = view(signal)
    assert piece.base is base
    assert piece.size == signal.size
    np.testing.assert_array_equal(picked(piece), shown(signal))


@pytest.mark.parametrize("shape, make", VIEWS.values(), ids=VIEWS)
def test_view_is_a_range_if_it_can_be(shape, make):
    elements = shown(make(numbered(*shape)))
    consecutive = len(elements) == 0 or bool(np.all(np.diff(elements) == 1))
    assert (view(make(numbered(*shape))).index is None) == consecutive


INDICES = [
    slice(1, 3),
    slice(None, None, -1),
    slice(3, 0, -2),
    slice(2, 2),
    [2, 0],
    [1, 1, 3],
    [],
    [0, 1, 2],
    [-1, -4],
    np.array([True, False, True, False]),
    2,
    Ellipsis,
]


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize(
    "make",
    [
        lambda: numbered(4),
        lambda: numbered(9)[1:5],
        lambda: numbered(8)[::-2],
        lambda: numbered(4, 3),
        lambda: numbered(4, 3)[:, 1:],
    ],
)
def test_index_takes_from_the_first_axis(make, index):
    signal = make()
    if isinstance(index, list) and not index:
        index = np.array([], dtype=int)
    expected = signal.initial_value[index].ravel().astype(int)
    piece = view(signal, index)
    assert piece.size == len(expected)
    np.testing.assert_array_equal(picked(piece), expected)


@st.composite
def chains(draw):
    """Draw the shape of a base, and how to slice, reshape, and slice it by steps."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    flat = draw(st.booleans())
    keys = tuple(draw(st.slices(n)) for n in ([math.prod(shape)] if flat else shape))
    return shape, flat, keys


@settings(max_examples=3 * settings().max_examples, deadline=None)
@given(chains())
def test_view_of_any_slices(chain):
    shape, flat, keys = chain
    signal = numbered(*shape)
    if flat:
        signal = signal.reshape((signal.size,))
    signal = signal[keys]
    np.testing.assert_array_equal(picked(view(signal)), shown(signal))


SPARSE = np.array([[0, 2.0, 0], [0, 0, 3.0]])


@pytest.mark.parametrize(
    "matrix, stored",
    [
        (scipy.sparse.csr_matrix(SPARSE), 2),
        (scipy.sparse.coo_matrix(SPARSE), 2),
        (nengo.transforms.SparseMatrix([[0, 1], [1, 2]], [2.0, 3.0], (2, 3)), 2),
        (
            nengo.transforms.SparseMatrix([[0, 1], [0, 1], [1, 2]], np.ones(3), (2, 3)),
            3,
        ),
        (scipy.sparse.csr_matrix((2, 3)), 0),
    ],
)
def test_sparse_signals_store_their_pattern(matrix, stored):
    signal = Signal(matrix)
    assert size_of(signal) == stored
    piece = view(signal)
    assert (piece.start, piece.stop, piece.index) == (0, stored, None)


@pytest.mark.parametrize(
    "elements, expected",
    [
        ([], (0, 0)),
        ([3], (3, 4)),
        ([2, 3, 4], (2, 5)),
        ([[0, 1], [2, 3]], (0, 4)),
        ([2, 4], None),
        ([1, 0], None),
        ([1, 1], None),
    ],
)
def test_from_elements(elements, expected):
    piece = from_elements(numbered(5), np.array(elements, dtype=int))
    assert piece.size == np.size(elements)
    if expected is None:
        np.testing.assert_array_equal(piece.elements, np.ravel(elements))
    else:
        assert piece.index is None and (piece.start, piece.stop) == expected


def test_slot_keeps_the_order_of_signals():
    a, b = numbered(2), numbered(3)
    pieces = slot([b[1:], a, b[:1]])
    assert [piece.base for piece in pieces] == [b, a, b]
    assert [(piece.start, piece.stop) for piece in pieces] == [(1, 3), (0, 2), (0, 1)]


def test_values_are_frozen():
    piece = View(numbered(2), 0, 2)
    write = Write((piece,), "set")
    with pytest.raises(AttributeError):
        piece.start = 1
    with pytest.raises(AttributeError):
        write.mode = "inc"
