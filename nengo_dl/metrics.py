"""Metrics for `Simulator.compile`, and for Keras models in general."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from keras.metrics import Metric
from keras.saving import register_keras_serializable

from nengo_dl.errors import argument, arguments_of
from nengo_dl.labels import by_labels
from nengo_dl.over_time import (
    AnySteps,
    check_reduce,
    for_each_step,
    reduce_steps,
    relative,
    targets_of_items,
    weights_of_steps,
)

__all__ = [
    "AccuracyOverTime",
    "MetricOverTime",
]


class _MetricOfItems(AnySteps, Metric):
    """A base that hands one output per item to another metric.

    Outputs become one output per item as ``reduce`` says, times ``scale``.
    """

    def __init__(self, metric, reduce, name, dtype, scale=1.0):
        with arguments_of(self):
            check_reduce(reduce, scale)
        super().__init__(name=name, dtype=dtype)
        self.metric = metric
        self.reduce = reduce
        self.scale = float(scale)
        # Keras' callbacks ask for it, where their argument mode is "auto"
        direction = getattr(metric, "_direction", None)
        if direction is not None:
            self._direction = direction

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Accumulate the values of one minibatch.

        Parameters
        ----------
        y_true : tensor of shape (items, 1, ...), (items, ...) or (items,)
            One target for each item.
        y_pred : tensor of shape (items, n_steps, ...)
            Outputs. A mask that a Keras layer has attached to them counts.
        sample_weight : tensor of shape (items,) or (items, n_steps), optional
            Weights of items, or of their steps.
        """
        with argument(self.name):
            weights = weights_of_steps(y_pred, sample_weight, self.dtype)
            y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
            y_true = targets_of_items(ops.convert_to_tensor(y_true), y_pred)
        items, weights = ops.max(weights, axis=1), relative(weights)
        if self.reduce is not None:
            y_pred = reduce_steps(y_pred, weights, self.reduce, self.scale)
            self.metric.update_state(y_true, y_pred, sample_weight=items)
            return
        weights *= items[:, None] / ops.sum(weights, axis=1, keepdims=True)
        self.metric.update_state(
            for_each_step(y_true, y_pred), self.scale * y_pred, sample_weight=weights
        )

    def result(self) -> Any:
        """Compute the value so far.

        Returns
        -------
        value : tensor of shape ()
            Or what else `metric` returns.
        """
        return self.metric.result()

    def reset_state(self) -> None:
        """Forget all values."""
        self.metric.reset_state()

    def get_config(self):
        """Return the arguments to make the same metric with."""
        return {**super().get_config(), "reduce": self.reduce}


@register_keras_serializable(package="nengo_dl")
class MetricOverTime(_MetricOfItems):
    """Measure an output that is reduced over time against one target per item.

    Parameters
    ----------
    metric : str or keras.metrics.Metric or callable
        What measures a reduced output against a target: whatever
        ``keras.Model.compile`` takes.
    reduce : str or None
        How the output is reduced over time: "mean", "sum", "last" or "max", see
        `nengo_dl.losses.LossOverTime`. None measures each step.
    scale : float
        Factor of the reduced output.
    name : str, optional
        Name of the metric; by default that of `metric`.
    dtype : str or None
        See `keras.metrics.Metric`.

    Raises
    ------
    ValidationError
        If `reduce` or `scale` is invalid.

    Notes
    -----
    Targets, sample weights and masks are those of `nengo_dl.losses.LossOverTime`. As
    with all of Keras' metrics, sample weights apply to the ``weighted_metrics`` of
    ``compile`` alone; masks of Keras layers apply to all.

    Examples
    --------
    .. testcode::

       metric = nengo_dl.metrics.MetricOverTime(
           keras.metrics.SparseTopKCategoricalAccuracy(k=2), reduce="last"
       )
       outputs = np.random.RandomState(0).uniform(size=(10, 5, 4))
       metric.update_state(outputs[:, -1].argmin(axis=1), outputs)
       print(float(metric.result()))

    .. testoutput::

       0.0
    """

    def __init__(
        self,
        metric: str | Metric | Callable,
        reduce: str | None = "mean",
        scale: float = 1.0,
        name: str | None = None,
        dtype: str | None = None,
    ):
        metric = keras.metrics.get(metric)
        if not isinstance(metric, Metric):
            label = getattr(metric, "__name__", None)
            metric = keras.metrics.MeanMetricWrapper(metric, name=label)
        super().__init__(metric, reduce, name or metric.name, dtype, scale)

    def get_config(self):
        """Return the arguments to make the same metric with."""
        metric = keras.saving.serialize_keras_object(self.metric)
        return {**super().get_config(), "metric": metric, "scale": self.scale}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MetricOverTime":
        """Make a metric from what `get_config` has returned.

        Parameters
        ----------
        config : dict
            The arguments of the class.

        Returns
        -------
        metric : `MetricOverTime`
            With no values yet.
        """
        config = dict(config)
        metric = keras.saving.deserialize_keras_object(config.pop("metric"))
        return cls(metric, **config)


@register_keras_serializable(package="nengo_dl")
class AccuracyOverTime(_MetricOfItems):
    """Measure how often the label of an item is the class of its output over time.

    Parameters
    ----------
    reduce : str or None
        What decides: the class with the largest "mean" output, with the largest "sum"
        (the number of spikes), in the "last" step, or of the largest ("max") output in
        any step. None measures each step by itself.
    threshold : float
        For outputs of size 1 and labels 0 or 1: above which reduced output the answer
        is 1. The default is right for logits, 0.5 for probabilities.
    name, dtype : str or None
        See `keras.metrics.Metric`. The name is that of Keras' metric "accuracy".

    Raises
    ------
    ValidationError
        If `reduce` is invalid.

    Notes
    -----
    Labels are those of `nengo_dl.losses.CrossentropyOverTime`, sample weights and masks
    those of `nengo_dl.losses.LossOverTime`. As with all of Keras' metrics, sample
    weights apply to the ``weighted_metrics`` of ``compile`` alone; masks of Keras
    layers apply to all.

    Examples
    --------
    .. testcode::

       outputs = np.array([[[1.0, 0.0], [0.0, 3.0], [1.0, 0.0]]])  # 1 item, 3 steps
       for reduce in ("mean", "last", None):
           metric = nengo_dl.metrics.AccuracyOverTime(reduce=reduce)
           metric.update_state([1], outputs)
           print(f"{reduce}: {float(metric.result()):.2f}")

    .. testoutput::

       mean: 1.00
       last: 0.00
       None: 0.33
    """

    def __init__(
        self,
        reduce: str | None = "mean",
        threshold: float = 0.0,
        name: str | None = "accuracy",
        dtype: str | None = None,
    ):
        metric = keras.metrics.MeanMetricWrapper(self._accuracy, dtype=dtype)
        super().__init__(metric, reduce, name, dtype)
        self.threshold = threshold
        self._direction = "up"

    def get_config(self):
        """Return the arguments to make the same metric with."""
        return {**super().get_config(), "threshold": self.threshold}

    def _accuracy(self, y_true, y_pred):
        if y_pred.shape[-1] == 1:
            return keras.metrics.binary_accuracy(y_true, y_pred, self.threshold)
        chosen = by_labels(
            y_true,
            y_pred,
            None,
            keras.metrics.sparse_categorical_accuracy,
            keras.metrics.categorical_accuracy,
        )
        return chosen(y_true, y_pred)
