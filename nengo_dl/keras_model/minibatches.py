"""Minibatches of arrays and datasets, for Keras' methods."""

import contextlib
import functools
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Arrays of up to so many bytes in all are copied: it takes longer to trace a function
# that cuts them, and to call it for each minibatch.
MAX_COPIED = 2**26
# Where copies go item by item, it takes longer for more items than MAX_ITEMS, if more
# than MAX_SIZE are in a minibatch.
MAX_ITEMS, MAX_SIZE = 10_000, 100


@contextlib.contextmanager
def minibatches(
    data: dict[str, Any], size: int, shuffle: bool | str = False
) -> Iterator[tf.data.Dataset]:
    """Cut arrays into minibatches, each when it is needed.

    Keras would copy whole arrays to tensors before it begins. For a network that
    computes little from much data, this takes a good part of the time and the memory.
    Here, only small arrays are copied.

    TensorFlow's automatic tuning is off. When an iterator ends, it may otherwise wait
    until its thread wakes up, for as long as the iterator has been there.

    Parameters
    ----------
    data : dict of str to ndarray, or to dict of ndarray
        Arguments of a Keras method: "x", "y" and "sample_weight", as far as they are
        given. The first axes have the same length.
    size : int
        Number of items in a minibatch. The last one has what is left.
    shuffle : bool or "batch"
        Whether items are in another order each time, or each minibatch for itself.

    Yields
    ------
    dataset : tf.data.Dataset
        Replaces all of `data` in the call of the Keras method. Floating-point numbers
        have Keras' default type. It can only be used within the context.
    """
    arrays = tf.nest.flatten(data)
    dtypes = [_dtype(array) for array in arrays]
    if arrays and len(arrays[0]) == size and not shuffle:
        yield _single(data)
        return
    if _is_copied(arrays, size, shuffle):
        yield _copied(data, size, bool(shuffle))
        return

    def cut(items):
        # copies, since TensorFlow holds on to the last ones that it got
        return [
            np.array(array[items], dtype)
            for array, dtype in zip(arrays, dtypes, strict=True)
        ]

    def minibatch(items):
        parts = tf.numpy_function(cut, [items], dtypes)
        is_cut = len(arrays[0]) % size
        for part, array in zip(parts, arrays, strict=True):
            part.set_shape((None if is_cut else size, *array.shape[1:]))
        return _packed(tf.nest.pack_sequence_as(data, parts))

    with tf.device("/cpu:0"):
        order = _order(len(arrays[0]), size, shuffle)
        dataset = order.map(minibatch).prefetch(1).with_options(_options())
    try:
        yield dataset
    finally:
        # TensorFlow keeps functions of Python for as long as it runs
        arrays.clear()


def _packed(data: dict[str, Any]) -> tuple:
    """Return the element of a dataset, always as a tuple, as for ``*_on_batch``."""
    packed = keras.utils.pack_x_y_sample_weight(**data)
    return packed if isinstance(packed, tuple) else (packed,)


def _is_copied(arrays: list[np.ndarray], size: int, shuffle: bool | str) -> bool:
    """Tell whether to copy arrays, instead of cutting them by a function."""
    n_items = len(arrays[0])
    if shuffle == "batch" or sum(array.nbytes for array in arrays) > MAX_COPIED:
        return False
    is_short = n_items <= MAX_ITEMS or size <= MAX_SIZE
    return is_short or not _by_item(n_items, size, shuffle)


def _by_item(n_items: int, size: int, shuffle: bool | str) -> bool:
    """Tell whether copies go item by item; otherwise by minibatch, which is faster."""
    return bool(shuffle or n_items % size)


def _order(n_items: int, size: int, shuffle: bool | str) -> tf.data.Dataset:
    """Return which items each minibatch has, anew for each pass."""
    # stateful operators would begin anew in each pass, if there is a global seed
    seeds = tf.data.Dataset.random(_seed(), rerandomize_each_iteration=True)

    def one_pass(seed):
        items = tf.range(n_items)
        if shuffle and shuffle != "batch":
            items = _shuffled(items, seed)
        starts = tf.data.Dataset.range(0, n_items, size, output_type=tf.int32)
        return starts.map(lambda start: items[start : start + size])

    order = seeds.take(1).flat_map(one_pass)
    if shuffle == "batch":
        order = tf.data.Dataset.zip(order, seeds).map(_shuffled)
    n_minibatches = -(-n_items // size)
    return order.apply(tf.data.experimental.assert_cardinality(n_minibatches))


def _seed() -> int:
    """Draw a seed as Keras does, so that its global seed determines it.

    It is the same on any number of devices, unlike TensorFlow's own, which depend on
    how many there were before.
    """
    return random.randint(1, 10**9)


def _shuffled(items: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_shuffle(items, tf.stack((seed, 0)))


def predict(call: Callable[[Any], Any], data: Any, size: int) -> Any:
    """Return outputs for arrays, without anything around minibatches.

    Datasets and callbacks of Keras take several milliseconds in each call, in which a
    small network runs thousands of steps.

    Parameters
    ----------
    call : callable
        Returns the outputs for a minibatch, as ``keras.Model.predict_on_batch`` does.
    data : ndarray or structure of ndarray
        Inputs, whose first axes have the same length.
    size : int
        Number of items in a minibatch. The last one is filled up.
    """
    n_items = len(keras.tree.flatten(data)[0])

    def cut(array, start):
        part = np.asarray(array[start : start + size], _dtype(array))
        missing = [(0, size - len(part)), *[(0, 0)] * (part.ndim - 1)]
        return part if len(part) == size else np.pad(part, missing)

    found = [
        call(keras.tree.map_structure(functools.partial(cut, start=start), data))
        for start in range(0, n_items, size)
    ]
    return keras.tree.map_structure(
        lambda *parts: (
            np.concatenate(parts)[:n_items] if parts[1:] else parts[0][:n_items]
        ),
        *found,
    )


def minibatch_spec(x: Any, size: int) -> Any:
    """Return what minibatches of inputs look like.

    Parameters
    ----------
    x : structure of ndarray
        Inputs of all items.
    size : int
        Number of items in a minibatch.

    Returns
    -------
    spec : structure of `tf.TensorSpec`
        Shape and type of the inputs of a minibatch.
    """
    return keras.tree.map_structure(
        lambda array: tf.TensorSpec((size, *array.shape[1:]), _dtype(array)), x
    )


def _single(data: dict[str, Any]) -> tf.data.Dataset:
    """Return arrays of one minibatch as a dataset, which does not cut them."""
    whole = tf.nest.map_structure(lambda x: np.asarray(x, _dtype(x)), data)
    return _constant(tf.data.Dataset.from_tensors, whole)


def _copied(data: dict[str, Any], size: int, shuffle: bool) -> tf.data.Dataset:
    """Return copies of arrays as a dataset that calls no function."""
    n_items = len(tf.nest.flatten(data)[0])
    by_item = _by_item(n_items, size, shuffle)

    def copied(array):
        array = np.asarray(array, _dtype(array))
        shape = (len(array) // size, size, *array.shape[1:])
        return array if by_item else np.reshape(array, shape)

    parts = tf.nest.map_structure(copied, data)
    dataset = _constant(tf.data.Dataset.from_tensor_slices, parts)
    if not by_item:
        return dataset
    with tf.device("/cpu:0"):
        dataset = dataset.shuffle(n_items, _seed()) if shuffle else dataset
        # the size is known if all are full
        return dataset.batch(size, drop_remainder=n_items % size == 0)


def _constant(
    make: Callable[[Any], tf.data.Dataset], data: dict[str, Any]
) -> tf.data.Dataset:
    """Return a dataset that holds arrays."""
    with tf.device("/cpu:0"):
        return make(_packed(data)).with_options(_options())


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # to look for something to optimize, TensorFlow would copy the arrays twice more
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    # each process of several has all data, and takes its part of each minibatch
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return options


def inspected(
    dataset: tf.data.Dataset,
    size: int,
    is_single: bool,
    look: Callable[[bool, Any, int], bool],
) -> tf.data.Dataset:
    """Cut a dataset into minibatches, and check those that may not be as expected.

    Parameters
    ----------
    dataset : tf.data.Dataset
        Batches of any size, or single items.
    size : int
        Number of items in a minibatch.
    is_single : bool
        Whether the elements are single items.
    look : callable
        Called with the first minibatch of each pass, and with all that are too small.
        The arguments are whether it is the first one, the element (of arrays), and its
        number of items. Returns whether to use the minibatch.

    Returns
    -------
    dataset : tf.data.Dataset
        The minibatches. Datasets of other elements than tensors are returned as they
        are.
    """
    spec = dataset.element_spec
    specs = tf.nest.flatten(spec)
    if not all(isinstance(leaf, tf.TensorSpec) for leaf in specs):
        return dataset
    length = 1 if is_single else _length(specs)
    number = _number(dataset.cardinality().numpy(), length, size)
    if is_single:
        dataset = dataset.batch(size)
    elif length != size:
        dataset = dataset.rebatch(size)

    def call(index, n_items, *leaves):
        element = tf.nest.pack_sequence_as(spec, leaves)
        return np.asarray(look(index == 0, element, int(n_items)), bool)

    def inspect(index, element):
        leaves = tf.nest.flatten(element)
        n_items = tf.shape(leaves[0])[0]
        is_good = tf.cond(
            (index == 0) | (n_items != size),
            lambda: tf.numpy_function(call, [index, n_items, *leaves], tf.bool),
            lambda: True,
        )
        with tf.control_dependencies([is_good]):
            seen = tf.nest.map_structure(tf.identity, element)
        return tf.ensure_shape(is_good, ()), seen

    def of_size(is_good, element):
        for leaf in tf.nest.flatten(element):
            leaf.set_shape((size, *leaf.shape[1:]))
        return element

    dataset = dataset.enumerate().map(inspect)
    if is_single or length != size:
        dataset = dataset.filter(lambda is_good, element: is_good)
        if number is not None:
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(number))
    return dataset.map(of_size).prefetch(1)


def _length(specs: list[tf.TensorSpec]) -> int | None:
    """Return the number of items of all elements; None if it is unknown."""
    ranks_known = all(spec.shape.rank for spec in specs)
    lengths = {spec.shape[0] for spec in specs} if ranks_known else ()
    return lengths.pop() if len(lengths) == 1 else None


def _number(n_elements: int, length: int | None, size: int) -> int | None:
    """Return the number of whole minibatches; None if it is unknown."""
    if n_elements == tf.data.INFINITE_CARDINALITY:
        return n_elements
    if n_elements == tf.data.UNKNOWN_CARDINALITY or length is None:
        return None
    return n_elements * length // size or None


def _dtype(array):
    if np.issubdtype(array.dtype, np.floating):
        return keras.backend.floatx()
    return array.dtype
