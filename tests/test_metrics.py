import keras
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.losses import AnySteps
from nengo_dl.metrics import AccuracyOverTime, MetricOverTime
from tests import over_time as reference
from tests.over_time import (
    LABELS,
    MASK,
    OUTPUTS,
    REDUCTIONS,
    SHAPES,
    WEIGHTS,
    of_items,
    sample_weights,
    targets,
)


def measured(metric, *batches):
    """Return the value of a metric after some minibatches."""
    metric.reset_state()
    for batch in batches:
        metric.update_state(*batch)
    return metric.result()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_metrics_equal_numpy(reduce, weights, dtype):
    """Over two minibatches of different sizes."""
    given, full = sample_weights(weights)
    for metric, function in (
        (AccuracyOverTime(reduce, dtype=dtype), reference.is_right),
        (
            MetricOverTime(keras.metrics.CategoricalAccuracy(), reduce, dtype=dtype),
            reference.is_right,
        ),
        (MetricOverTime("mse", reduce, dtype=dtype), reference.squared_error),
    ):
        values = of_items(function, OUTPUTS, full, reduce)
        expected = np.average(values, weights=full.max(axis=1))
        for labels in LABELS if isinstance(metric, AccuracyOverTime) else ["one-hot"]:
            for shape in SHAPES:
                arrays = [targets(labels, shape), OUTPUTS.astype(dtype)]
                arrays += [] if given is None else [given]
                found = measured(
                    metric, [x[:3] for x in arrays], [x[3:] for x in arrays]
                )
                np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("threshold", [0, 0.5])
def test_binary_accuracy(threshold):
    outputs = OUTPUTS[..., :1] - 0.6
    y = reference.CLASS_OF_ITEM % 2
    expected = np.mean((outputs.mean(axis=(1, 2)) > threshold) == y)
    for form in (y, y[:, None], y[:, None, None]):
        metric = AccuracyOverTime(threshold=threshold)
        np.testing.assert_allclose(measured(metric, (form, outputs)), expected)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_masks_of_keras_count(reduce):
    masked = keras.layers.Masking(mask_value=-7)(
        np.where(MASK[..., None], OUTPUTS, -7).astype("float32")
    )
    y = targets("sparse", "keras")
    for metric in (AccuracyOverTime(reduce), MetricOverTime("mae", reduce)):
        expected = measured(metric, (y, OUTPUTS, MASK))
        np.testing.assert_allclose(measured(metric, (y, masked)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "metric",
    [
        AccuracyOverTime("last", threshold=0.5, name="right"),
        MetricOverTime(keras.metrics.TopKCategoricalAccuracy(k=2), "max", scale=2),
        MetricOverTime("mse", reduce=None, name="error"),
    ],
)
def test_serialization(metric):
    config = keras.metrics.serialize(metric)
    assert config["registered_name"] == f"nengo_dl>{type(metric).__name__}"
    copy = keras.metrics.deserialize(config)
    assert keras.metrics.serialize(copy) == config
    batch = targets("one-hot", "nengo"), OUTPUTS
    assert measured(copy, batch) == measured(metric, batch)


def test_names_are_those_of_keras():
    assert AccuracyOverTime().name == "accuracy"
    assert MetricOverTime("mae").name == "mean_absolute_error"
    assert MetricOverTime(keras.metrics.AUC(name="auc")).name == "auc"


def test_marked_as_needing_no_target_for_each_step():
    assert isinstance(AccuracyOverTime(), AnySteps)
    assert isinstance(MetricOverTime("mse"), AnySteps)


def test_arguments_are_checked():
    for make in (AccuracyOverTime, lambda reduce: MetricOverTime("mse", reduce)):
        with pytest.raises(ValidationError, match="reduce: must be one of.*'first'"):
            make("first")
    with pytest.raises(ValidationError, match="accuracy: expected one target for each"):
        AccuracyOverTime().update_state(np.zeros((5, 4, 1)), OUTPUTS)
