"""Minibatches of arrays: in order, shuffled, and each shuffled for itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.keras_model import minibatches as minibatches_module
from nengo_dl.keras_model.minibatches import minibatches

N_ITEMS, SIZE = 12, 3


@pytest.fixture(params=["copied", "large", "many"], autouse=True)
def how(request, monkeypatch):
    """Small arrays are copied, large ones and many items are cut by a function."""
    if request.param == "large":
        monkeypatch.setattr(minibatches_module, "MAX_COPIED", 0)
    if request.param == "many":
        monkeypatch.setattr(minibatches_module, "MAX_ITEMS", N_ITEMS - 1)
        monkeypatch.setattr(minibatches_module, "MAX_SIZE", SIZE - 1)


def passes(shuffle, n=2, size=SIZE):
    """Return the items of each minibatch of several passes, from x and y."""
    items = np.arange(N_ITEMS, dtype=np.float32)
    data = {"x": {"a": items[:, None]}, "y": items[:, None]}
    with minibatches(data, size, shuffle) as dataset:
        assert dataset.cardinality() == -(-N_ITEMS // size)
        assert not dataset.options().autotune.enabled
        found = [[(x["a"][:, 0], y[:, 0]) for x, y in dataset] for _ in range(n)]
    for x, y in (pair for each in found for pair in each):
        np.testing.assert_array_equal(x, y)
    return [[list(map(int, y)) for _, y in each] for each in found]


class TestOrder:
    def test_in_order(self):
        expected = np.arange(N_ITEMS).reshape(-1, SIZE).tolist()
        assert passes(False) == [expected, expected]

    @pytest.mark.parametrize("shuffle", [False, True, "batch"])
    def test_the_last_one_has_what_is_left(self, shuffle):
        for each in passes(shuffle, size=5):
            assert list(map(len, each)) == [5, 5, 2]
            assert sorted(sum(each, [])) == list(range(N_ITEMS))
            if shuffle is False:
                assert each[2] == [10, 11]

    @pytest.mark.parametrize("seed", [None, 0])
    def test_shuffled(self, seed):
        """In another order in each pass, which Keras does not do with a seed."""
        tf.random.set_seed(seed)
        first, second = passes(True)
        assert first != second
        for each in (first, second):
            assert sorted(sum(each, [])) == list(range(N_ITEMS))

    def test_each_shuffled_for_itself(self):
        found = sum(passes("batch"), [])
        assert any(items != sorted(items) for items in found)
        for number, items in enumerate(found):
            start = number % (N_ITEMS // SIZE) * SIZE
            assert sorted(items) == list(range(start, start + SIZE))

    def test_a_seed_determines_the_order(self):
        orders = []
        for seed in (0, 0, 1):
            keras.utils.set_random_seed(seed)
            orders.append(passes(True))
        assert orders[0] == orders[1] != orders[2]
