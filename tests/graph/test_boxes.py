"""Boxes have the elements of the index that they stand for, in its order."""

import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.engine.boxed import read_box, write_box
from nengo_dl.graph.boxes import boxes

IMAGE = np.arange(20 * 30 * 3).reshape(20, 30, 3)


def repeated(n_channels, n_positions, start=0):
    row = np.arange(start, start + n_channels)
    return np.broadcast_to(row, (n_positions, n_channels)).ravel()


# the index, and the number of boxes
SIMPLE = {
    "one element": ([7], 1),
    "range": (np.arange(5, 200), 1),
    "cropped": (IMAGE[3:-3, 2:-4], 1),
    "with strides": (IMAGE[::2, ::3], 1),
    "channels first": (IMAGE.transpose(2, 0, 1), 1),
    "transposed": (IMAGE.transpose(1, 0, 2), 1),
    "one for all": (np.zeros(100, int), 1),
    "biases": (repeated(64, 50, start=5), 1),
    "biases, channels first": (repeated(50, 64).reshape(64, 50).T, 1),
    "blocks": (np.concatenate([np.arange(6000), np.arange(7000, 12000)]), 2),
    "biases of layers": (
        np.concatenate([repeated(64, 200), repeated(32, 150, 64), repeated(64, 9)]),
        4,
    ),
}
IRREGULAR = {
    "shuffled": np.random.RandomState(0).permutation(1000),
    "backwards": np.arange(100)[::-1],
    "two": [7, 3],
    "pairs": np.tile([0, 1], 1000),
    "small blocks": np.concatenate([np.arange(1000), np.arange(2000, 2500)]),
    "rows that overlap": np.arange(50)[:, None] + np.arange(20),
}


@pytest.mark.parametrize("index, number", SIMPLE.values(), ids=SIMPLE)
def test_boxes_stand_for_the_index(index, number):
    index = np.ravel(index)
    found = boxes(index)
    assert len(found) == number
    np.testing.assert_array_equal(np.concatenate([b.elements for b in found]), index)


@pytest.mark.parametrize("index", IRREGULAR.values(), ids=IRREGULAR)
def test_no_boxes(index):
    assert boxes(np.ravel(index)) is None


@pytest.mark.parametrize("seed", range(50))
def test_boxes_of_random_views(seed):
    rng = np.random.RandomState(seed)
    shape = rng.randint(1, 6, size=rng.randint(1, 4))
    array = np.arange(np.prod(shape)).reshape(shape)
    array = array[tuple(slice(rng.randint(2), None, rng.randint(1, 3)) for _ in shape)]
    view = array.transpose(rng.permutation(array.ndim))
    index = np.concatenate([view.ravel(), np.tile(array.ravel(), 3)])
    found = boxes(index) if index.size else ()
    if found:
        elements = np.concatenate([box.elements for box in found])
        np.testing.assert_array_equal(elements, index)


@pytest.mark.parametrize(
    "n_items, jit_compile",
    [(1, False), (3, False), (None, False), (3, True), (None, True)],
)
@pytest.mark.parametrize("name", SIMPLE)
def test_boxes_in_memory(name, n_items, jit_compile):
    values = tf.random.stateless_normal((12000, n_items or 3), (0, 0))
    spec = tf.TensorSpec((12000, n_items))
    for box in boxes(np.ravel(SIMPLE[name][0])):

        @tf.function(input_signature=[spec], jit_compile=jit_compile)
        def run(memory, box=box):
            with tf.GradientTape() as tape:
                tape.watch(memory)
                read = read_box(memory[box.start : box.stop], box)
                loss = tf.reduce_sum(read * read)
            written = None if box.repeats else write_box(read, box, 7.0)
            return read, tape.gradient(loss, memory), written

        read, gradient, written = run(values)
        np.testing.assert_array_equal(read, values.numpy()[box.elements])
        expected = np.zeros(values.shape, np.float32)
        np.add.at(expected, box.elements, 2 * read.numpy())
        np.testing.assert_allclose(gradient, expected, rtol=1e-5)
        if written is not None:
            expected = np.full(values.shape, 7.0, np.float32)
            expected[box.elements] = read
            np.testing.assert_array_equal(written, expected[box.start : box.stop])
