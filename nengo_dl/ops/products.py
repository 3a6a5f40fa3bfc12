"""Products of matrices with vectors, many at a time.

A group holds matrices of similar shapes. Those that multiply the same vector are
stacked into one taller matrix, so that each vector is read once and the vectors of a
group lie next to each other; what then has a similar shape is one batched product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from nengo.builder.operator import DotInc

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.ops.registry import Builder

# On the CPU, matrices with fewer columns (and more rows) are multiplied transposed, and
# products with fewer elements than this are cheaper fused (benchmarks/kernels.py).
MAX_SHORT_AXIS = 12
MIN_SIZE_OF_PRODUCT = 512


@dataclass(frozen=True, eq=False)
class Batch:
    """Stacked matrices that are multiplied at once, one with each of k vectors.

    Where their shapes differ, they are padded with zeros to ``rows`` x ``columns``.
    ``a``, ``x`` and ``y`` say where the matrices, the vectors and the results are in
    the group's slots.
    """

    shapes: tuple[tuple[int, int], ...]
    a: slice
    x: slice
    y: slice

    @property
    def rows(self) -> int:
        """Largest number of rows."""
        return max(rows for rows, _ in self.shapes)

    @property
    def columns(self) -> int:
        """Largest number of columns."""
        return max(columns for _, columns in self.shapes)

    def pad_matrices(self, A):
        """Return (elements, .) as (k * rows * columns, .)."""
        sizes = [rows * columns for rows, columns in self.shapes]
        starts = np.cumsum([0, *sizes[:-1]])
        i, j = np.arange(self.rows)[:, None], np.arange(self.columns)
        index = [
            np.where((i < rows) & (j < columns), start + i * columns + j, sum(sizes))
            for start, (rows, columns) in zip(starts, self.shapes, strict=True)
        ]
        return _take(A, np.ravel(index))

    def pad_vectors(self, X):
        """Return (elements, .) as (k * columns, .)."""
        return _take(X, _padding([c for _, c in self.shapes], self.columns))

    def trim(self, Y):
        """Return (k * rows, .) as (elements, .)."""
        heights = np.asarray([rows for rows, _ in self.shapes])
        used = np.arange(self.rows) < heights[:, None]
        return Y if used.all() else tf.gather(Y, np.flatnonzero(used))


def _padding(sizes, width):
    """Return where the padded elements come from; the number of elements is a zero."""
    starts = np.cumsum([0, *sizes[:-1]])[:, None]
    j = np.arange(width)
    inside = j < np.asarray(sizes)[:, None]
    return np.where(inside, starts + j, sum(sizes)).ravel()


def _take(values, index):
    """Pick elements, where one past the end stands for a zero."""
    size = values.shape[0]
    if np.array_equal(index, np.arange(size)):
        return values
    return tf.gather(tf.pad(values, ((0, 1), (0, 0))), index)


def _shape(op):
    """Rows and columns of the matrix; a vector is a matrix of one row."""
    columns = op.A.shape[-1]
    return op.A.size // columns, columns


def _merge_key(op):
    """Merge shapes that are equal up to a factor of two in rows and columns."""
    if op.A.ndim == 0 or op.X.ndim == 0:
        return (op.A.shape, op.X.shape)
    rows, columns = _shape(op)
    return (rows.bit_length(), columns.bit_length(), op.A.readonly)


@Builder.register(DotInc, merge_key=_merge_key)
def build_dot_inc(ops, ctx):
    """Build ``Y += A.dot(X)``. Increments ``Y``, reads ``A``, ``X``."""
    if ops[0].A.ndim == 0 or ops[0].X.ndim == 0:
        return _build_scaling(ops)
    readers: dict = {}
    for op in ops:
        readers.setdefault(op.X, []).append(op)
    stacked = {x: (sum(_shape(op)[0] for op in readers[x]), x.size) for x in readers}
    vectors = sorted(readers, key=lambda x: (_size_class(stacked[x]), stacked[x]))
    batches = tuple(_batches([stacked[x] for x in vectors]))
    ordered = [op for x in vectors for op in readers[x]]

    def prepare(A):
        return [
            matrices(
                batch.pad_matrices(A[batch.a]),
                len(batch.shapes),
                batch.rows,
                batch.columns,
                ctx.minibatch_size,
            )
            for batch in batches
        ]

    def fn(A, X):
        parts = []
        for batch, matrix in zip(batches, A, strict=True):
            vector = batch.pad_vectors(X[batch.x])
            shape = (len(batch.shapes), batch.rows, batch.columns)
            parts.append(batch.trim(multiply(matrix, vector, *shape)))
        return (parts[0] if len(parts) == 1 else tf.concat(parts, axis=0),)

    return Kernel(
        name="DotInc",
        reads=(slot(op.A for op in ordered), slot(vectors)),
        writes=(Write(slot(op.Y for op in ordered), "inc"),),
        fn=fn,
        prepare={0: prepare},
        joins_steps=True,
    )


def _size_class(shape):
    """Shapes of the same class differ by less than a factor of two."""
    return tuple(n.bit_length() for n in shape)


def _batches(shapes) -> Iterator[Batch]:
    """Split stacked matrices, which are sorted by size class, into batches."""
    a = x = y = 0
    for size_class in sorted({_size_class(shape) for shape in shapes}):
        batch = tuple(shape for shape in shapes if _size_class(shape) == size_class)
        elements = sum(rows * columns for rows, columns in batch)
        width = sum(columns for _, columns in batch)
        height = sum(rows for rows, _ in batch)
        yield Batch(
            batch, slice(a, a + elements), slice(x, x + width), slice(y, y + height)
        )
        a, x, y = a + elements, x + width, y + height


def _build_scaling(ops):
    """Build products in which one factor is a scalar."""
    k, size = len(ops), ops[0].Y.size
    a, x = ops[0].A.size, ops[0].X.size

    def fn(A, X):
        product = tf.reshape(A, (k, a, -1)) * tf.reshape(X, (k, x, -1))
        return (tf.reshape(product, (k * size, -1)),)

    return Kernel(
        name="DotInc",
        reads=(slot(op.A for op in ops), slot(op.X for op in ops)),
        writes=(Write(slot(op.Y for op in ops), "inc"),),
        fn=fn,
    )


class Matrices(NamedTuple):
    """Several matrices of the same shape, in the form in which products are fastest.

    The equation is the product as an Einstein sum, with the axes b (minibatch), k
    (matrix; none for a single one), r (row) and c (column); "" is a broadcast product
    and a sum. Values may have zeros for padding.
    """

    values: tf.Tensor
    equation: str


def matrices(A, k, rows, columns, minibatch_size):
    """Bring matrices into the form in which `multiply` is fastest.

    XLA vectorises a product along the axis that comes last, but not if the other one
    has a length of 1. It does not fuse it either, which keeps what a product depends on
    from being computed again for each of its elements (benchmarks/kernels.py). A single
    matrix has no axis of its own, because XLA would fuse the product with taking that
    axis away, and then with the vector.

    ``A`` has the shape (k * rows * columns, minibatch_size or 1): k matrices, one after
    the other. ``minibatch_size`` vectors will be multiplied with each; None if that
    varies.
    """
    if A.shape[1] != 1:
        return Matrices(tf.reshape(A, (k, rows, columns, -1)), "krcb,kcb->krb")
    A = tf.reshape(A, (k, rows, columns))
    n_vectors = minibatch_size or MIN_SIZE_OF_PRODUCT
    small = k * rows * columns * n_vectors < MIN_SIZE_OF_PRODUCT
    if small and columns < MAX_SHORT_AXIS:
        return Matrices(A[..., None], "")
    is_tall = rows > columns and columns < MAX_SHORT_AXIS
    if k == 1 and not is_tall:
        return Matrices(A[0], "rc,cb->rb")
    if k > 1 or is_tall:
        missing = (max(0, 2 - rows), max(0, 2 - columns))
        A = tf.pad(A, ((0, 0), (0, missing[0]), (0, missing[1])))
    if is_tall and minibatch_size == 1:
        return Matrices(tf.transpose(A, (0, 2, 1)), "kcr,kcb->krb")
    return Matrices(A, "krc,kcb->krb")


def multiply(A, X, k, rows, columns):
    """Multiply k `Matrices` with one vector each.

    The vectors, one after the other, have the shape (k * columns, minibatch_size or 1),
    the result (k * rows, minibatch_size or 1).
    """
    X = tf.reshape(X, (k, columns, -1))
    if A.equation == "":
        Y = tf.reduce_sum(A.values * X[:, None], axis=2)
    elif A.equation == "rc,cb->rb":
        Y = A.values @ X[0]
    else:
        padding = A.values.shape[A.equation.index("c")] - columns
        X = tf.pad(X, ((0, 0), (0, padding), (0, 0))) if padding else X
        equation = A.equation
        if "b" in equation.split(",")[0] and X.shape[2] == 1:
            # einsum does not broadcast: a vector that all items share has no such axis
            X, equation = X[..., 0], equation.replace("kcb", "kc")
        Y = tf.einsum(equation, A.values, X)[:, :rows]
    return tf.reshape(Y, (k * rows, -1))
