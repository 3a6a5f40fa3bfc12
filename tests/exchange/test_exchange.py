"""Graphs as Keras models: layouts, forms of weights, windows, and what is refused."""

import itertools

import keras
import numpy as np
import pytest

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange import coverage, translate
from nengo_dl.exchange.bindings import ArrayForm
from nengo_dl.exchange.graph import Graph, Input, Node, Ref, Weight
from nengo_dl.exchange.layers import BatchNormalization
from nengo_dl.exchange.operators import resizing
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.padding import pads_of, source_index
from nengo_dl.exchange.operators.pooling import Pool
from nengo_dl.exchange.operators.product import matmul
from nengo_dl.exchange.operators.shapes import reshape
from nengo_dl.exchange.registry import OPERATORS, register
from nengo_dl.exchange.values import Value, broadcast_array, plain_value

FORMS = [
    (ArrayForm(), (3, 4), (3, 4)),
    (ArrayForm((1, 0)), (3, 4), (4, 3)),
    (ArrayForm((2, 3, 1, 0)), (8, 4, 3, 2), (3, 2, 4, 8)),
    (ArrayForm((2, 3, 0, 1), (4, 2, 3, 2)), (8, 1, 3, 2), (3, 2, 4, 2)),
    (ArrayForm((1, 0), rows=(2, 4)), (6, 3), (3, 2)),
    (ArrayForm(), (4,), (1, 1, 4)),
]


@pytest.mark.parametrize("form, shape, of_variable", FORMS)
def test_forms_lead_both_ways(form, shape, of_variable):
    array = np.random.RandomState(0).normal(size=shape)
    variable = form.to_variable(array, of_variable)
    assert variable.shape == of_variable
    into = np.zeros(shape)
    form.to_source(variable, into)
    rows = slice(*(form.rows or (None, None)))
    np.testing.assert_array_equal(into[rows], array[rows])
    assert np.count_nonzero(into) == array[rows].size


@pytest.mark.parametrize("axes", itertools.permutations(range(4)))
def test_transposing_moves_no_element(axes):
    value = plain_value(keras.Input((2, 3, 4)))
    moved = value.transposed(axes)
    assert moved.tensor is value.tensor
    assert moved.shape == tuple(value.shape[axis] for axis in axes)
    for axis in range(4):
        if axis != moved.batch:
            assert moved.tensor.shape[moved.axis(axis)] == moved.shape[axis]
    with pytest.raises(InvalidValue, match="other than the minibatch"):
        moved.axis(moved.batch)


@pytest.mark.parametrize("order", itertools.permutations((1, 2, 3)))
@pytest.mark.parametrize("shape", [(), (4,), (3, 1), (2, 1, 1), (1, 2, 3, 4)])
def test_constants_broadcast_in_all_orders(order, shape):
    rng = np.random.RandomState(0)
    x, constant = rng.normal(size=(5, 2, 3, 4)), rng.normal(size=shape)
    tensor = keras.Input([(5, 2, 3, 4)[axis] for axis in order])
    array = broadcast_array(constant, Value(tensor, order))
    expected = (x * constant).transpose((0, *order))
    np.testing.assert_allclose(x.transpose((0, *order)) * array, expected)


def graph(*nodes, shape=(None, 4, 3), weights=(), outputs=("y",)):
    """Return a graph of one input, "x"."""
    named = {weight.name: weight for weight in weights}
    return Graph("graph", (Input("x", shape),), nodes, outputs, named)


def node(operator, *arguments, outputs=("y",), shapes=(), **keywords):
    return Node(
        operator, operator[5:], f"at.{operator}", arguments, keywords, outputs, shapes
    )


@pytest.fixture(autouse=True)
def operators(monkeypatch):
    """Register some operators for a while."""
    known = dict(OPERATORS)
    register("test.add", keras="x")(
        lambda emit, a, b: elementwise(emit, keras.ops.add, a, b)
    )
    register("test.product", keras="x")(matmul)
    register("test.flip", keras="x")(lambda emit, x, axes: x.transposed(axes))
    register("test.flat", keras="x")(
        lambda emit, x: reshape(emit, x, emit.node.shapes[0])
    )
    yield
    OPERATORS.clear()
    OPERATORS.update(known)


def test_operators_are_registered_once():
    with pytest.raises(ValueError, match="no function yet"):
        register("test.add")(lambda emit: None)


def test_weights_are_owned_or_shared(tmp_path):
    """A weight with two uses is a tensor of its own; both go back, also from files."""
    rng = np.random.RandomState(0)
    arrays = {"own": rng.normal(size=(3, 5)), "both": rng.normal(size=(5,))}
    weights = [Weight(name, array.astype("float32")) for name, array in arrays.items()]
    unused = Weight("unused", np.arange(6).reshape(2, 3), False, ("other",))
    steps = (
        node("test.product", Ref("x"), Ref("own"), outputs=("a",)),
        node("test.add", Ref("a"), Ref("both"), outputs=("b",)),
        node("test.add", Ref("both"), Ref("b"), outputs=("y",)),
    )
    model = translate(graph(*steps, weights=[*weights, unused]), "here")
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    expected = x @ arrays["own"] + 2 * arrays["both"]
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.source_weights()
    assert set(found) == {"own", "both", "unused", "other"}
    for name, array in arrays.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-6)
    np.testing.assert_array_equal(found["other"], unused.array)


def test_orders_are_undone_at_outputs():
    steps = (
        node("test.flip", Ref("x"), (0, 2, 1), outputs=("a",)),
        node("test.flat", Ref("a"), shapes=((None, 12),)),
    )
    model = translate(graph(*steps, outputs=("y", "a")), "here")
    x = np.arange(24.0).reshape(2, 4, 3)
    flat, flipped = model(x)
    np.testing.assert_array_equal(flipped, x.transpose(0, 2, 1))
    np.testing.assert_array_equal(flat, x.transpose(0, 2, 1).reshape(2, 12))


def test_all_that_cannot_be_translated_is_named():
    steps = (
        node("test.unknown", Ref("x"), outputs=("a",), shapes=((None, 4, 3),)),
        node("test.flip", Ref("a"), (0, 2), outputs=("b",), shapes=((None, 3, 4),)),
        node("test.add", Ref("x"), 1.0, 2, outputs=("c",), shapes=((None, 4, 3),)),
        node("test.add", Ref("x"), Ref("a")),
    )
    covered = coverage(graph(*steps))
    assert [use.is_supported for use in covered] == [False, False, False, True]
    with pytest.raises(TypeError, match="here: .*test.unknown in at.test.unknown: no"):
        translate(graph(*steps), "here")


@pytest.mark.parametrize("steps", [1, 3])
def test_batch_normalization_keeps_the_unbiased_variance(steps):
    layer = BatchNormalization(momentum=0.8)
    rng = np.random.RandomState(0)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(steps):
        x = rng.normal(2, 3, size=(4, 5, 3)).astype("float32")
        layer(x, training=True)
        mean = 0.8 * mean + 0.2 * x.mean((0, 1))
        variance = 0.8 * variance + 0.2 * x.reshape(-1, 3).var(0, ddof=1)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    assert int(layer.n_minibatches) == steps


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    "n, size, stride, pad", [(9, 3, 2, 1), (10, 2, 3, 0), (7, 4, 3, 2)]
)
def test_windows_lie_within_the_padding(n, size, stride, pad, ceil_mode):
    pool = Pool((size,), (stride,), pads_of((pad,)), ceil_mode)
    ((before, after),) = pool.all_pads((n,))
    assert (n + before + after - size) // stride + 1 == pool.count(0, n)
    last = (pool.count(0, n) - 1) * stride
    assert last < n + pad and (ceil_mode or last + size <= n + 2 * pad)


def test_interpolation_keeps_constants_and_lines():
    for kernel, reach in ((resizing.linear_kernel, 1), (resizing.cubic_kernel(), 2)):
        places = np.linspace(2, 5, 7)
        matrix = resizing.interpolation(8, places, kernel, reach)
        np.testing.assert_allclose(matrix.sum(0), 1)
        np.testing.assert_allclose(np.arange(8) @ matrix, places, atol=0.2)


def test_mirrored_padding_is_that_of_numpy():
    x = np.arange(5)
    for mode, theirs in (("reflect", "reflect"), ("edge", "edge"), ("wrap", "wrap")):
        index = source_index(5, 3, 4, mode)
        np.testing.assert_array_equal(x[index], np.pad(x, (3, 4), theirs))
    with pytest.raises(InvalidValue, match="reflect fewer"):
        source_index(3, 3, 0, "reflect")
    with pytest.raises(InvalidValue, match="known mode"):
        source_index(3, 1, 0, "other")
