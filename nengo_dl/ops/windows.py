"""Windows that move along the axes of arrays, and gradients that compute them again."""

from collections.abc import Callable

import tensorflow as tf


def taps(x: tf.Tensor, axis: int, size: int, stride: int, n: int) -> list[tf.Tensor]:
    """Return what each position of a window reads, in each of its places.

    Parameters
    ----------
    x : tensor
        Of any shape.
    axis : int
        The axis along which the window moves.
    size, stride : int
        The length of the window, and from one place to the next.
    n : int
        Number of places.

    Returns
    -------
    taps : list of tensor
        As many as the window is long, whose axis has the length n.
    """
    before = [slice(None)] * axis
    if size == stride > 1:
        # gradients of windows side by side are put side by side, not added up
        x = x[tuple([*before, slice(0, n * size)])]
        x = tf.reshape(x, (*x.shape[:axis], n, size, *_rest(x, axis + 1)))
        return tf.unstack(x, axis=axis + 1)
    extent = (n - 1) * stride + 1
    places = [slice(i, i + extent, stride) for i in range(size)]
    return [x[tuple([*before, place])] for place in places]


def same_padding(length: int, size: int, stride: int, n: int) -> tuple[int, int]:
    """Return how many elements windows miss at both ends, for n places on a length."""
    missing = max((n - 1) * stride + size - length, 0)
    return missing // 2, missing - missing // 2


def _rest(x, axis):
    """Return the lengths of axes, of which the last one may be unknown."""
    lengths = x.shape[axis:].as_list()
    return [-1 if length is None else length for length in lengths]


def with_gradient_of(fn: Callable, other: Callable) -> Callable:
    """Return a function with the values of one and the gradient of another.

    The gradient computes the other one again, from the arguments alone. A loop over
    time then keeps nothing else of each step.

    Parameters
    ----------
    fn, other : callable
        From tensors to a tensor.

    Returns
    -------
    function : callable
        Of the same arguments.
    """

    @tf.custom_gradient
    def values(*arguments):
        def gradient(upstream):
            # Copies, since within a loop an argument comes off a list of all steps,
            # whose gradient would be another such list.
            copies = [tf.identity(x) for x in arguments]
            with tf.GradientTape() as tape:
                tape.watch(copies)
                y = other(*copies)
            return tape.gradient(y, copies, upstream)

        return fn(*arguments), gradient

    return values
