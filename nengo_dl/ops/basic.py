"""Operators of ``nengo.builder.operator``: constants, copies, products.

All kernels see flat slots of shape (total size, minibatch_size or 1); a group of k
products of an (r, c) matrix with a vector sees (., k r c) and (., k c).
"""

import numpy as np
import tensorflow as tf
from nengo.builder.operator import (
    BsrDotInc,
    Copy,
    ElementwiseInc,
    Reset,
    SparseDotInc,
)

from nengo_dl.graph.kernel import Kernel, View, Write, from_elements, slot, view
from nengo_dl.ops.products import matrices, multiply
from nengo_dl.ops.registry import Builder


@Builder.register(Reset, merge_key=lambda op: ())
def build_reset(ops, ctx):
    """Build ``dst[...] = value``. Sets ``dst``."""
    values = np.concatenate([np.full(op.dst.size, op.value) for op in ops])[:, None]
    return Kernel(
        name="Reset",
        reads=(),
        writes=(Write(slot(op.dst for op in ops), "set"),),
        fn=lambda: (tf.constant(values, dtype=ctx.dtype),),
    )


@Builder.register(Copy, merge_key=lambda op: op.inc, is_elementwise=lambda op: True)
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
    is_elementwise=lambda op: True,
)
def build_elementwise_inc(ops, ctx):
    """Build ``Y += A * X`` with broadcasting. Increments ``Y``, reads ``A``, ``X``."""
    del ctx
    a = _repeats([op.A for op in ops], [op.Y for op in ops])
    x = _repeats([op.X for op in ops], [op.Y for op in ops])
    size = sum(op.Y.size for op in ops)

    def fn(A, X):
        product = _take(A, a) * _take(X, x)
        # of tf.broadcast_to, XLA would have to know the shape for gradients of loops
        is_whole = product.shape[0] == size
        return (product if is_whole else product + tf.zeros((size, 1), product.dtype),)

    return Kernel(
        name="ElementwiseInc",
        reads=(slot(op.A for op in ops), slot(op.X for op in ops)),
        writes=(Write(slot(op.Y for op in ops), "inc"),),
        fn=fn,
    )


def _repeats(signals, targets):
    """Return which element of the signals, joined, each element of the targets uses.

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
    return x if repeats is None else tf.gather(x, repeats)


@Builder.register(SparseDotInc, merge_key=lambda op: ())
def build_sparse_dot_inc(ops, ctx):
    """Build ``Y += A.dot(X)`` for sparse ``A``. Increments ``Y``, reads ``A``, ``X``.

    The stored values are multiplied with gathered inputs and summed by row, a form that
    XLA compiles (it has no sparse products).
    """
    del ctx
    pairs = []
    row_offset = column_offset = 0
    for op in ops:
        row, column = _pattern(op.A.initial_value)
        pairs.append((row + row_offset, column + column_offset))
        row_offset += op.Y.size
        column_offset += op.X.size
    rows, columns = map(np.concatenate, zip(*pairs, strict=True))

    def fn(A, X):
        values = A * tf.gather(X, columns)
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
    """Sum rows that have the same index.

    From shape (n, minibatch_size or 1), with an index of shape (n,), to (size,
    minibatch_size or 1).
    """
    zeros = tf.zeros((size, values.shape[1] or tf.shape(values)[1]), values.dtype)
    return tf.tensor_scatter_nd_add(zeros, index[:, None], values)


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
        products = multiply(A, tf.gather(X, take), k, rows, columns)
        return (sum_by_index(products, into, op.Y.size),)

    return Kernel(
        name="BsrDotInc",
        reads=(slot([op.A]), slot([op.X])),
        writes=(Write(slot([op.Y]), "inc"),),
        fn=fn,
        prepare={0: lambda A: matrices(A, k, rows, columns, ctx.minibatch_size)},
    )
