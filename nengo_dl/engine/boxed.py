"""Reading and writing the boxes of `nengo_dl.graph.boxes` with reshapes and slices."""

import math

import tensorflow as tf

from nengo_dl.graph.boxes import Box


def read_box(source: tf.Tensor, box: Box) -> tf.Tensor:
    """Return the elements of a box.

    Parameters
    ----------
    source : tensor of shape (box.stop - box.start, n_items)
        The range from the first element to the last.
    box : `Box`
        The elements.

    Returns
    -------
    values : tensor of shape (box.size, n_items)
    """
    n_items = source.shape[1] or tf.shape(source)[1]
    order, lengths = box.order, box.lengths
    if order:
        shape = _memory_shape(box)
        source = tf.pad(source, ((0, math.prod(shape) - source.shape[0]), (0, 0)))
        inside = (*(slice(lengths[axis]) for axis in order), 0)
        source = tf.reshape(source, (*shape, n_items))[inside]
        back = [order.index(axis) for axis in sorted(order)]
        source = tf.transpose(source, (*back, len(order)))
    is_repeated = [stride == 0 for stride in box.strides]
    once = [
        1 if repeated else n for n, repeated in zip(lengths, is_repeated, strict=True)
    ]
    source = tf.reshape(source, (*once, n_items))
    if box.repeats:
        # of a broadcast, XLA would have to know all of the shape for the gradient
        times = [
            n if repeated else 1
            for n, repeated in zip(lengths, is_repeated, strict=True)
        ]
        source = tf.tile(source, (*times, 1))
    return tf.reshape(source, (box.size, n_items))


def write_box(values: tf.Tensor, box: Box, fill: float) -> tf.Tensor:
    """Return a range of memory that is filled with a number, except for a box.

    Parameters
    ----------
    values : tensor of shape (box.size, n_items)
        The values of the box, no element of which may occur more than once.
    box : `Box`
        The elements.
    fill : float
        The value of all others.

    Returns
    -------
    range : tensor of shape (box.stop - box.start, n_items)
    """
    n_items = values.shape[1] or tf.shape(values)[1]
    order, shape = box.order, _memory_shape(box)
    values = tf.reshape(values, (*box.lengths, n_items))
    values = tf.transpose(values, (*order, len(order)))[..., None, :]
    lengths = [*(box.lengths[axis] for axis in order), 1]
    missing = [(0, n - m) for n, m in zip(shape, lengths, strict=True)]
    values = tf.pad(values, (*missing, (0, 0)), constant_values=fill)
    return tf.reshape(values, (math.prod(shape), n_items))[: box.stop - box.start]


def _memory_shape(box: Box) -> tuple[int, ...]:
    """Return the shape of memory in which a box is a corner.

    Its axes are those of the box, by stride, and the gaps between single elements.
    """
    strides = [box.strides[axis] for axis in box.order]
    if not strides:
        return (1,)
    inner = [a // b for a, b in zip(strides, strides[1:], strict=False)]
    return (box.lengths[box.order[0]], *inner, strides[-1])
