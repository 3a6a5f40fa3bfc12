"""Operators of ``nengo.builder.operator``: constants, copies, products.

All kernels see flat slots of shape (minibatch_size or 1, total size); a group of k
products of an (r, c) matrix with a vector sees (., k r c) and (., k c).
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from nengo.builder.operator import (
    BsrDotInc,
    Copy,
    DotInc,
    ElementwiseInc,
    Reset,
    SparseDotInc,
)

from nengo_dl.graph.kernel import Kernel, View, Write, from_elements, slot, view
from nengo_dl.ops.registry import Builder

# On the CPU, matrices with fewer columns (and more rows) are multiplied transposed, and
# products with fewer elements than this are cheaper fused (benchmarks/products.py).
MAX_SHORT_AXIS = 12
MIN_SIZE_OF_PRODUCT = 512


@Builder.register(Reset, merge_key=lambda op: ())
def build_reset(ops, ctx):
    """Build ``dst[...] = value``. Sets ``dst``."""
    values = np.concatenate([np.full(op.dst.size, op.value) for op in ops])[None]
    return Kernel(
        name="Reset",
        reads=(),
        writes=(Write(slot(op.dst for op in ops), "set"),),
        fn=lambda: (tf.constant(values, dtype=ctx.dtype),),
    )


@Builder.register(Copy, merge_key=lambda op: op.inc)
def build_copy(ops, ctx):
    """Build ``dst[dst_slice] = src[src_slice]``, or ``+=``.

    Sets ``dst`` (increments it if ``inc``), reads ``src``.
    """
    del ctx
    reads, writes = [], []
    for op in ops:
        dst = view(op.dst, op.dst_slice)
        src = view(op.src, op.src_slice)
        reads.append(src if src.size == dst.size else _broadcast(op))
        writes.append(dst)
    return Kernel(
        name="Copy",
        reads=(tuple(reads),),
        writes=(Write(tuple(writes), "inc" if ops[0].inc else "set"),),
        fn=lambda src: (src,),
    )


def _broadcast(op: Copy) -> View:
    """View the source as often as NumPy's broadcasting repeats it."""
    src = view(op.src, op.src_slice)
    shape = op.src.initial_value[... if op.src_slice is None else op.src_slice].shape
    target = op.dst.initial_value[... if op.dst_slice is None else op.dst_slice].shape
    elements = np.arange(src.start, src.stop) if src.index is None else src.index
    repeated = np.broadcast_to(elements.reshape(shape), target)
    return from_elements(src.base, repeated)


@Builder.register(
    ElementwiseInc,
    merge_key=lambda op: (op.A.size == op.Y.size, op.X.size == op.Y.size),
)
def build_elementwise_inc(ops, ctx):
    """Build ``Y += A * X`` with broadcasting. Increments ``Y``, reads ``A``, ``X``."""
    del ctx
    a = _repeats([op.A for op in ops], [op.Y for op in ops])
    x = _repeats([op.X for op in ops], [op.Y for op in ops])
    size = sum(op.Y.size for op in ops)

    def fn(A, X):
        product = _take(A, a) * _take(X, x)
        return (tf.broadcast_to(product, (product.shape[0], size)),)

    return Kernel(
        name="ElementwiseInc",
        reads=(slot(op.A for op in ops), slot(op.X for op in ops)),
        writes=(Write(slot(op.Y for op in ops), "inc"),),
        fn=fn,
    )


def _repeats(signals, targets):
    """Which elements of the concatenated signals each element of the targets uses.

    None where broadcasting does it: each its own, or one value for all.
    """
    if all(s.size == t.size for s, t in zip(signals, targets, strict=True)):
        return None
    if len(signals) == 1 and signals[0].size == 1:
        return None
    offsets = np.cumsum([0, *(s.size for s in signals[:-1])])
    return np.concatenate(
        [
            np.broadcast_to(
                np.arange(s.size).reshape(s.shape) + offset, t.shape
            ).ravel()
            for s, t, offset in zip(signals, targets, offsets, strict=True)
        ]
    )


def _take(x, repeats):
    return x if repeats is None else tf.gather(x, repeats, axis=1)


@Builder.register(DotInc, merge_key=lambda op: (op.A.shape, op.X.shape, op.A.readonly))
def build_dot_inc(ops, ctx):
    """Build ``Y += A.dot(X)``. Increments ``Y``, reads ``A``, ``X``.

    Matrices that multiply the same vector are stacked into one taller matrix, so that
    each vector is read once and the vectors of a group lie next to each other.
    """
    a, x = ops[0].A, ops[0].X
    if a.ndim == 0 or x.ndim == 0:
        return _build_scaling(ops)
    columns = a.shape[-1]
    rows = a.size // columns
    readers: dict = {}
    for op in ops:
        readers.setdefault(op.X, []).append(op)
    vectors = sorted(readers, key=lambda x: len(readers[x]))
    counts = [len(readers[x]) for x in vectors]
    ordered = [op for x in vectors for op in readers[x]]
    # one product for all vectors that are read equally often
    batches = [(counts.count(n), n * rows) for n in sorted(set(counts))]

    def prepare(A):
        parts, stop = [], 0
        for k, height in batches:
            start, stop = stop, stop + k * height * columns
            parts.append(
                matrices(A[:, start:stop], k, height, columns, ctx.minibatch_size)
            )
        return parts

    def fn(A, X):
        parts, stop = [], 0
        for (k, height), matrix in zip(batches, A, strict=True):
            start, stop = stop, stop + k * columns
            parts.append(multiply(matrix, X[:, start:stop], k, height, columns))
        return (parts[0] if len(parts) == 1 else tf.concat(parts, axis=1),)

    return Kernel(
        name="DotInc",
        reads=(slot(op.A for op in ordered), slot(vectors)),
        writes=(Write(slot(op.Y for op in ordered), "inc"),),
        fn=fn,
        prepare={0: prepare},
    )


def _build_scaling(ops):
    """Build products in which one factor is a scalar."""
    k, size = len(ops), ops[0].Y.size
    a, x = ops[0].A.size, ops[0].X.size

    def fn(A, X):
        product = tf.reshape(A, (-1, k, a)) * tf.reshape(X, (-1, k, x))
        return (tf.reshape(product, (-1, k * size)),)

    return Kernel(
        name="DotInc",
        reads=(slot(op.A for op in ops), slot(op.X for op in ops)),
        writes=(Write(slot(op.Y for op in ops), "inc"),),
        fn=fn,
    )


class Matrices(NamedTuple):
    """Several matrices of the same shape, in the form in which products are fastest.

    Parameters
    ----------
    values : tensor
        With the axes that the equation names: b (minibatch), k (matrix), r (row),
        c (column). May have zeros for padding.
    equation : str
        The product as an Einstein sum; "" for a broadcast product and a sum.
    """

    values: tf.Tensor
    equation: str


def matrices(A, k, rows, columns, minibatch_size):
    """Bring matrices into the form in which `multiply` is fastest.

    XLA vectorises a product along the axis that comes last, but not if the other one
    has a length of 1. It does not fuse it either, which keeps what a product depends on
    from being computed again for each of its elements (benchmarks/products.py).

    Parameters
    ----------
    A : tensor of shape (minibatch_size or 1, k * rows * columns)
        k matrices, one after the other; a leading 1 if all items share them.
    k, rows, columns : int
        Number and shape of the matrices.
    minibatch_size : int
        How many vectors each matrix will be multiplied with.

    Returns
    -------
    matrices : `Matrices`
    """
    if A.shape[0] > 1:
        return Matrices(tf.reshape(A, (-1, k, rows, columns)), "bkrc,bkc->bkr")
    A = tf.reshape(A, (k, rows, columns))
    if minibatch_size > 1:
        return Matrices(A, "krc,bkc->bkr")
    if k * rows * columns < MIN_SIZE_OF_PRODUCT and columns < MAX_SHORT_AXIS:
        return Matrices(A[None], "")
    if rows > columns and columns < MAX_SHORT_AXIS:
        A = tf.pad(A, ((0, 0), (0, 0), (0, max(0, 2 - columns))))
        return Matrices(tf.transpose(A, (0, 2, 1)), "kcr,bkc->bkr")
    if k > 1:
        A = tf.pad(A, ((0, 0), (0, max(0, 2 - rows)), (0, 0)))
    return Matrices(A, "krc,bkc->bkr")


def multiply(A, X, k, rows, columns):
    """Multiply matrices with one vector each.

    Parameters
    ----------
    A : `Matrices`
        k matrices.
    X : tensor of shape (minibatch_size or 1, k * columns)
        Vectors, one after the other.
    k, rows, columns : int
        Number and shape of the matrices.

    Returns
    -------
    Y : tensor of shape (minibatch_size or 1, k * rows)
    """
    X = tf.reshape(X, (-1, k, columns))
    if A.equation == "":
        Y = tf.reduce_sum(A.values * X[:, :, None], axis=-1)
    else:
        padding = max(0, 2 - columns) if A.equation.startswith("kcr") else 0
        X = tf.pad(X, ((0, 0), (0, 0), (0, padding))) if padding else X
        Y = tf.einsum(A.equation, A.values, X)[:, :, :rows]
    return tf.reshape(Y, (-1, k * rows))


@Builder.register(SparseDotInc, merge_key=lambda op: ())
def build_sparse_dot_inc(ops, ctx):
    """Build ``Y += A.dot(X)`` for sparse ``A``. Increments ``Y``, reads ``A``, ``X``.

    The stored values are multiplied with gathered inputs and summed by row, a form that
    XLA compiles (it has no sparse products).
    """
    del ctx
    rows, columns = [], []
    row_offset = column_offset = 0
    for op in ops:
        row, column = _pattern(op.A.initial_value)
        rows.append(row + row_offset)
        columns.append(column + column_offset)
        row_offset += op.Y.size
        column_offset += op.X.size
    rows, columns = np.concatenate(rows), np.concatenate(columns)

    def fn(A, X):
        values = A * tf.gather(X, columns, axis=1)
        return (sum_by_index(values, rows, row_offset),)

    return Kernel(
        name="SparseDotInc",
        reads=(slot(op.A for op in ops), slot(op.X for op in ops)),
        writes=(Write(slot(op.Y for op in ops), "inc"),),
        fn=fn,
    )


def _pattern(matrix):
    """Return the rows and columns of the stored values of a sparse matrix."""
    if hasattr(matrix, "tocoo"):
        coo = matrix.tocoo()
        return np.asarray(coo.row, np.int64), np.asarray(coo.col, np.int64)
    return matrix.indices[:, 0], matrix.indices[:, 1]


def sum_by_index(values, index, size):
    """Sum columns that have the same index.

    Parameters
    ----------
    values : tensor of shape (minibatch_size or 1, n)
        What to sum.
    index : ndarray of int of shape (n,)
        Where each column goes.
    size : int
        Number of columns of the result.

    Returns
    -------
    sums : tensor of shape (minibatch_size or 1, size)
    """
    zeros = tf.zeros((size, values.shape[0]), dtype=values.dtype)
    sums = tf.tensor_scatter_nd_add(zeros, index[:, None], tf.transpose(values))
    return tf.transpose(sums)


@Builder.register(BsrDotInc)
def build_bsr_dot_inc(ops, ctx):
    """Build ``Y += A.dot(X)`` for a block-sparse ``A`` as Nengo's optimizer makes them.

    Increments ``Y``, reads ``A`` (blocks of shape (k, r, c)) and ``X``.
    """
    (op,) = ops
    k, rows, columns = op.A.shape
    block_row = np.repeat(np.arange(len(op.indptr) - 1), np.diff(op.indptr))
    take = (np.asarray(op.indices)[:, None] * columns + np.arange(columns)).ravel()
    into = (block_row[:, None] * rows + np.arange(rows)).ravel()

    def fn(A, X):
        products = multiply(A, tf.gather(X, take, axis=1), k, rows, columns)
        return (sum_by_index(products, into, op.Y.size),)

    return Kernel(
        name="BsrDotInc",
        reads=(slot([op.A]), slot([op.X])),
        writes=(Write(slot([op.Y]), "inc"),),
        fn=fn,
        prepare={0: lambda A: matrices(A, k, rows, columns, ctx.minibatch_size)},
    )
