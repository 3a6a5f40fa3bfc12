import keras
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.losses import (
    AnySteps,
    CrossentropyOverTime,
    LossOverTime,
    Regularize,
    RegularizeOverTime,
)
from tests import over_time as reference
from tests.over_time import (
    ITEMS,
    LABELS,
    MASK,
    OUTPUTS,
    REDUCTIONS,
    SHAPES,
    STEPS,
    WEIGHTS,
    of_items,
    sample_weights,
    targets,
)

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}

# Penalties, and what they are in NumPy.
PENALTIES = [
    ({"target": 0.7}, (0.7, 0.7, 2)),
    ({"target": (0.5, 0.9)}, (0.5, 0.9, 2)),
    ({"target": (None, 0.9), "order": 1}, (-np.inf, 0.9, 1)),
    ({"target": [0.9, None], "order": 3}, (0.9, np.inf, 3)),
    ({"order": 1.5}, (0, 0, 1.5)),
]


def make_losses(reduce, dtype=None):
    """Return losses of all classes, with the function of each in NumPy."""
    kwargs = {"reduce": reduce, "scale": 1.5, "dtype": dtype}
    return [
        (CrossentropyOverTime(**kwargs), reference.crossentropy),
        (
            CrossentropyOverTime(from_logits=False, **kwargs),
            reference.crossentropy_of_probabilities,
        ),
        (
            LossOverTime(keras.losses.MeanSquaredError(), **kwargs),
            reference.squared_error,
        ),
        (LossOverTime("mse", **kwargs), reference.squared_error),
        *(
            (RegularizeOverTime(**given, **kwargs), reference.distance(*ends))
            for given, ends in PENALTIES
        ),
    ]


@pytest.mark.parametrize(
    "weights, dtype", [*((kind, "float32") for kind in WEIGHTS), ("steps", "float64")]
)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_losses_equal_numpy(reduce, weights, dtype):
    given, full = sample_weights(weights)
    for loss, function in make_losses(reduce, dtype):
        values = of_items(function, OUTPUTS, full, reduce, scale=1.5)
        expected = np.mean(values * full.max(axis=1))
        for labels in LABELS if isinstance(loss, CrossentropyOverTime) else ["one-hot"]:
            for shape in SHAPES:
                y = targets(labels, shape)
                found = loss(y, OUTPUTS.astype(dtype), given)
                assert found.dtype == dtype
                np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_binary_crossentropy(reduce):
    """An output of size 1 is that of two classes of which one has the logit 0."""
    outputs, y = OUTPUTS[..., :1], reference.CLASS_OF_ITEM % 2
    both = np.concatenate([np.zeros_like(outputs), outputs], axis=-1)
    for form in (y, y[:, None], y[:, None, None]):
        found = CrossentropyOverTime(reduce)(form, outputs, MASK)
        expected = CrossentropyOverTime(reduce)(form, both, MASK)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("reduce", REDUCTIONS[:-1])
def test_penalty_of_the_mean_over_items(reduce, weights):
    given, full = sample_weights(weights)
    items = full.max(axis=1)
    outputs = np.array(
        [
            reference.reduced(output, weight if any(weight) else np.ones(STEPS), reduce)
            for output, weight in zip(OUTPUTS, full, strict=True)
        ]
    )
    mean = np.average(outputs, axis=0, weights=items)
    expected = np.mean((mean - 0.7) ** 2) * np.mean(items)
    loss = RegularizeOverTime(0.7, reduce=reduce, per_item=False)
    found = loss(np.zeros((ITEMS, 1, 1)), OUTPUTS, given)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["sum", "sum_over_batch_size", None])
def test_reductions_over_items_are_those_of_keras(reduction):
    mean = CrossentropyOverTime(reduction=reduction)
    plain = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=reduction
    )
    y, weights = targets("sparse", "keras"), np.arange(ITEMS)
    found = mean(y, OUTPUTS, weights)
    expected = plain(y, OUTPUTS.mean(axis=1), weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_padding_makes_no_difference(reduce):
    """However much of it there is, and whatever the output is there."""
    outputs = np.concatenate([OUTPUTS, np.full((ITEMS, 3, 3), np.nan)], axis=1)
    mask = np.arange(STEPS + 3) < np.full((ITEMS, 1), STEPS)
    for loss, _ in make_losses(reduce):
        y = targets("one-hot", "nengo")
        if reduce is not None:
            np.testing.assert_allclose(loss(y, outputs, mask), loss(y, OUTPUTS))
        outputs = np.nan_to_num(outputs, nan=5)
        np.testing.assert_allclose(loss(y, outputs, mask), loss(y, OUTPUTS), rtol=1e-6)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_masks_of_keras_and_sample_weights_are_the_same(reduce):
    """A mask times weights of items is one array of weights of steps."""
    items = np.linspace(0.5, 2, ITEMS)
    masking = keras.layers.Masking(mask_value=-7)
    outputs = np.where(MASK[..., None], OUTPUTS, -7).astype("float32")
    y = targets("sparse", "nengo")
    for loss, _ in make_losses(reduce)[:5]:
        expected = loss(y, outputs, MASK * items[:, None])
        for weights in (items, items[:, None], np.tile(items, (STEPS, 1)).T):
            found = loss(y, masking(outputs), weights)
            np.testing.assert_allclose(found, expected, rtol=1e-5)
        expected, found = loss(y, outputs, MASK), loss(y, masking(outputs))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def value_and_gradient(loss, y, outputs, weights, layer=tf.identity):
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        value = loss(y, layer(outputs), weights)
    return value, tape.gradient(value, outputs)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_gradients_equal_finite_differences(reduce):
    y = targets("one-hot", "nengo")
    direction = np.random.RandomState(1).normal(size=OUTPUTS.shape)
    for loss, _ in make_losses(reduce, "float64"):
        _, gradient = value_and_gradient(loss, y, tf.constant(OUTPUTS), MASK)
        assert np.all(gradient.numpy()[~MASK] == 0)
        ends = [
            loss(y, OUTPUTS + step * direction, MASK).numpy() for step in (1e-6, -1e-6)
        ]
        np.testing.assert_allclose(
            np.sum(gradient * direction), (ends[0] - ends[1]) / 2e-6, rtol=1e-5
        )


def test_all_is_the_same_with_xla():
    """Values and gradients, with a mask of Keras, and weights of items."""
    masking = keras.layers.Masking(mask_value=-7)
    outputs = tf.constant(np.where(MASK[..., None], OUTPUTS, -7), "float32")
    y, weights = targets("sparse", "nengo"), tf.linspace(0.5, 2.0, ITEMS)

    def compute(outputs, weights):
        return [
            value_and_gradient(loss, y, outputs, weights, masking)
            for loss in (*map(CrossentropyOverTime, REDUCTIONS), RegularizeOverTime(1))
        ]

    found = tf.function(compute, jit_compile=True)(outputs, weights)
    tf.nest.map_structure(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
        found,
        compute(outputs, weights),
    )


@pytest.mark.parametrize(
    "loss",
    [
        CrossentropyOverTime("max", from_logits=False, scale=2, name="ce"),
        LossOverTime("mse", reduce="last", reduction="sum"),
        LossOverTime(
            keras.losses.CategoricalFocalCrossentropy(gamma=3),
            reduce=None,
            dtype="float64",
        ),
        RegularizeOverTime((0.9, None), order=1, reduce="sum", per_item=False),
        RegularizeOverTime(20, scale=0.5, reduction=None),
    ],
)
def test_serialization(loss):
    config = keras.losses.serialize(loss)
    assert config["registered_name"] == f"nengo_dl>{type(loss).__name__}"
    copy = keras.losses.deserialize(config)
    assert type(copy) is type(loss)
    assert keras.losses.serialize(copy) == config
    y = targets("one-hot", "nengo")
    np.testing.assert_array_equal(copy(y, OUTPUTS), loss(y, OUTPUTS))


def test_marked_as_needing_no_target_for_each_step():
    for loss in (CrossentropyOverTime(), LossOverTime("mse"), RegularizeOverTime()):
        assert isinstance(loss, AnySteps)
    assert isinstance(Regularize(), AnySteps)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CrossentropyOverTime("first"), "reduce: must be one of 'mean'.*first"),
        (
            lambda: LossOverTime("mse", reduce="none"),
            "reduce: .*'none'.*None the output",
        ),
        (
            lambda: LossOverTime("mse", scale=0),
            "scale: must be a positive number .got 0",
        ),
        (lambda: RegularizeOverTime(order=0.5), "order: .*at least 1 .got 0.5"),
        (lambda: RegularizeOverTime("high"), "target: must be a number, or a pair"),
        (lambda: RegularizeOverTime((2, 1)), r"target: .*got \(2, 1\)"),
        (lambda: RegularizeOverTime((None, None)), "target: .*None is open"),
        (lambda: RegularizeOverTime((1, 2, 3)), "target: .*low, high"),
        (
            lambda: RegularizeOverTime(reduce=None, per_item=False),
            "per_item: must be True without a reduction",
        ),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValidationError, match=message):
        make()


@pytest.mark.parametrize(
    "y, outputs, weights, message",
    [
        ((5,), (5, 3), None, r"over_time: .*\(items, n_steps, size\).*got shape .5, 3"),
        ((5, 4, 1), (5, 4, 3), None, r"one target for each item.*\(5, 4, 1\).*-1:"),
        ((5, 1), (5, 4, 3), (5, 2), r"\(items,\) or \(items, 4\) .got \(5, 2\)"),
        ((5, 1), (5, 4, 3), (5, 4, 3), r"\(items,\) or \(items, 4\) .got \(5, 4, 3"),
    ],
)
def test_shapes_are_checked(y, outputs, weights, message):
    weights = None if weights is None else np.ones(weights)
    with pytest.raises(ValidationError, match=message):
        CrossentropyOverTime()(np.zeros(y), np.zeros(outputs), weights)


def test_labels_of_unknown_size():
    """That are integers or one-hot, nobody knows; of an unknown number of steps."""

    def traced(*shape):
        signature = [tf.TensorSpec(shape, "int64")]
        function = tf.function(
            lambda y: CrossentropyOverTime()(y, OUTPUTS),
            input_signature=signature,
            autograph=False,
        )
        return function(targets("sparse", "nengo"))

    expected = CrossentropyOverTime()(targets("sparse", "nengo"), OUTPUTS)
    np.testing.assert_allclose(traced(None, None, 1), expected, rtol=1e-6)
    with pytest.raises(
        ValidationError, match="Labels: expected a known last axis.*1 f"
    ):
        traced(None, None, None)
