"""Losses and metrics of the outputs of a model, by name.

The forms of ``compile`` (one for all outputs, a list, a dict) become a frozen list of
terms, each with the key under which its value is reported. The keys are made here,
because Keras reports losses by output only for models with several outputs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import keras
import tensorflow as tf

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.keras_model.loss_kinds import LossKind, accuracy, crossentropy, kind_of
from nengo_dl.keys import Keys
from nengo_dl.losses.items import Comparison
from nengo_dl.losses.over_time import CrossentropyOverTime
from nengo_dl.metrics import AccuracyOverTime

# By name of the output
Tensors = Mapping[str, tf.Tensor]

_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


class NamedMetric(keras.metrics.Metric):
    """A metric that is reported under another name.

    If the metric has several values, their keys begin with the name.
    """

    def __init__(self, name: str, metric: keras.metrics.Metric):
        super().__init__(name=name)
        self.metric = metric

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Accumulate the values of one minibatch."""
        self.metric.update_state(*args, **kwargs)

    def result(self) -> Any:
        """Return the current value; a dict of values if the metric has several."""
        result = self.metric.result()
        if isinstance(result, dict):
            return {f"{self.name}_{key}": value for key, value in result.items()}
        return result

    def reset_state(self) -> None:
        """Forget all values."""
        self.metric.reset_state()


class FunctionLoss(keras.losses.Loss):
    """The mean of what a function of ``(y_true, y_pred)`` returns."""

    def __init__(self, function: Callable[[Any, Any], Any]):
        super().__init__()
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the losses before the mean over items (and time steps) is taken."""
        return self.function(y_true, y_pred)


@dataclass(frozen=True)
class OutputLoss:
    """The loss of one output, with its weight in the total loss (None for 1).

    The mean over minibatches is reported, without the weight.
    """

    output: str
    loss: keras.losses.Loss
    weight: float | None
    mean: NamedMetric


@dataclass(frozen=True)
class OutputMetric:
    """One metric of one output, and whether sample weights apply to it."""

    output: str
    metric: NamedMetric
    is_weighted: bool


@dataclass(frozen=True)
class Objectives:
    """All losses and metrics of a model, in the order of their reports.

    The total loss has the type `dtype`.
    """

    losses: tuple[OutputLoss, ...] = ()
    metrics: tuple[OutputMetric, ...] = ()
    dtype: str = "float32"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that need targets."""
        names = [term.output for term in self.losses]
        names += [term.output for term in self.metrics]
        return tuple(dict.fromkeys(names))

    @property
    def kinds(self) -> dict[str, LossKind]:
        """Kinds of the losses that are known, by name of the output."""
        kinds = {term.output: kind_of(_unwrapped(term.loss)) for term in self.losses}
        return {name: kind for name, kind in kinds.items() if kind is not None}

    @property
    def trackers(self) -> list[NamedMetric]:
        """Metrics that keep the reported values, losses first."""
        return [
            *(term.mean for term in self.losses),
            *(term.metric for term in self.metrics),
        ]

    def loss_terms(
        self, y: Tensors, y_pred: Tensors, weights: Tensors
    ) -> list[tf.Tensor]:
        """Return the weighted losses of one minibatch; report them before weighting.

        Targets, outputs and sample weights are given by name; weights may be missing.
        """
        # Keras divides losses by this number, as gradients of replicas are added up
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        values = []
        for term in self.losses:
            name = term.output
            value = term.loss(y[name], y_pred[name], weights.get(name))
            value = keras.ops.cast(value, self.dtype)
            n_items = keras.ops.shape(y_pred[name])[0]
            term.mean.update_state(value * replicas, sample_weight=n_items)
            values.append(value if term.weight is None else value * term.weight)
        return values

    def update_metrics(self, y: Tensors, y_pred: Tensors, weights: Tensors) -> None:
        """Report the metrics of one minibatch; arguments as in `loss_terms`."""
        for term in self.metrics:
            name = term.output
            weight = weights.get(name) if term.is_weighted else None
            term.metric.update_state(y[name], y_pred[name], sample_weight=weight)


def build_objectives(
    names: Sequence[str],
    loss: Any = None,
    loss_weights: Any = None,
    metrics: Any = None,
    weighted_metrics: Any = None,
) -> Objectives:
    """Bring the arguments of ``compile`` into one form.

    Parameters
    ----------
    names : sequence of str
        Names of all outputs, in order.
    loss, loss_weights : object, list or dict, optional
        Losses (names, `keras.losses.Loss` or functions of ``(y_true, y_pred)``) and
        their factors in the total loss, see `.Keys.for_each`. Outputs without a loss
        need no targets, and have no factor.
    metrics, weighted_metrics : object, list or dict, optional
        Metrics, or lists of them, see `.Keys.lists_for_each`. Metrics without the name
        of an output apply to every output with a loss, or to every output if there are
        no losses. Sample weights apply to `weighted_metrics` only.

    Raises
    ------
    ValidationError
        If a name is unknown, or a list has a wrong length.

    Notes
    -----
    The keys of reports are ``<output>_loss`` and ``<output>_<metric>``. The name of a
    metric is the string that was passed, or the name of the object or function. If a
    key is taken, also by validation data (with "val_" before it), ``_1`` is appended,
    and so on. The metric "accuracy" of an output with a loss over time is
    `nengo_dl.metrics.AccuracyOverTime`, with the ``reduce`` of the loss.

    A metric object for several outputs is copied, since it has a state.
    """
    outputs = Keys.of_names(names)
    with argument("loss"):
        losses = {name: _find_loss(x) for name, x in outputs.for_each(loss).items()}
    with argument("loss_weights"):
        factors = outputs.for_each(loss_weights)
        _check_numbers(factors.values())
    meant = tuple(losses) or None  # outputs without a loss have no targets, either
    with argument("metrics"):
        plain = outputs.lists_for_each(metrics, meant)
    with argument("weighted_metrics"):
        weighted = outputs.lists_for_each(weighted_metrics, meant)
    taken: set[str] = set()
    _unused("loss", taken)
    terms = tuple(
        OutputLoss(
            name,
            found,
            factors.get(name),
            NamedMetric(_unused(f"{name}_loss", taken), keras.metrics.Mean()),
        )
        for name, found in losses.items()
    )
    with argument("metrics"):
        return Objectives(
            terms,
            _output_metrics(plain, weighted, losses, taken),
            keras.config.floatx(),
        )


def _check_numbers(values: Iterable[Any]) -> None:
    for value in values:
        if not isinstance(value, Real):
            raise InvalidValue(
                f"expected numbers (got {value!r}). Pass one for each output."
            )


def _output_metrics(
    metrics: Mapping[str, list],
    weighted: Mapping[str, list],
    losses: Mapping[str, keras.losses.Loss],
    taken: set[str],
) -> tuple[OutputMetric, ...]:
    """Return all metrics, with keys that are not taken; take them."""
    terms = []
    used: set[int] = set()
    for is_weighted, found in ((False, metrics), (True, weighted)):
        for output, identifiers in found.items():
            for identifier in identifiers:
                metric, label = _find_metric(identifier, losses.get(output), used)
                key = f"{output}_{label}"
                if is_weighted and key in taken:
                    key = f"{output}_weighted_{label}"
                metric = NamedMetric(_unused(key, taken), metric)
                terms.append(OutputMetric(output, metric, is_weighted))
    return tuple(terms)


def _unused(key: str, taken: set[str]) -> str:
    """Return the key, with a number if it is taken; take it.

    Validation data gets the same keys with "val_" before them, so two keys are taken.
    """
    stem, count = key, 0
    while not taken.isdisjoint((key, f"val_{key}")):
        count += 1
        key = f"{stem}_{count}"
    taken.update((key, f"val_{key}"))
    return key


def _find_loss(identifier: Any) -> keras.losses.Loss:
    if _is_one_of(identifier, _CROSSENTROPY):
        return FunctionLoss(crossentropy)
    loss = _from_keras(keras.losses.get, "keras.losses.Loss", identifier)
    return loss if isinstance(loss, keras.losses.Loss) else FunctionLoss(loss)


def _from_keras(get: Callable[[Any], Any], cls: str, identifier: Any) -> Any:
    try:
        return get(identifier)
    except (ValueError, TypeError) as error:
        raise InvalidValue(
            f"expected a name that Keras knows, a {cls} or a function of targets and "
            f"outputs (got {identifier!r}: {error}). Look for a typing error."
        ) from error


def _unwrapped(loss: keras.losses.Loss) -> Any:
    """Return the loss that the user has passed, or the one with the name."""
    return loss.function if isinstance(loss, FunctionLoss) else loss


def _find_metric(
    identifier: Any, loss: keras.losses.Loss | None, used: set[int]
) -> tuple[keras.metrics.Metric, str]:
    """Return a metric that is used only once, and the label for its key.

    The loss of the output tells how "accuracy" is meant: over time, or in each step.
    """
    if _is_one_of(identifier, _ACCURACY):
        return _accuracy_for(loss), identifier
    metric = _from_keras(keras.metrics.get, "keras.metrics.Metric", identifier)
    label = identifier if isinstance(identifier, str) else _label(metric)
    if not isinstance(metric, keras.metrics.Metric):
        metric = keras.metrics.MeanMetricWrapper(metric)
    elif id(metric) in used:
        metric = _copy(metric)
    used.add(id(metric))
    return metric, label


def _accuracy_for(loss: keras.losses.Loss | None) -> keras.metrics.Metric:
    """Return the accuracy of what a loss compares with its targets."""
    if not isinstance(loss, Comparison):
        return keras.metrics.MeanMetricWrapper(accuracy)
    has_logits = isinstance(loss, CrossentropyOverTime) and loss.from_logits
    return AccuracyOverTime(loss.reduce, threshold=0.0 if has_logits else 0.5)


def _label(metric: Any) -> str:
    """Return the name of an object or a function, or of the type of anything else."""
    for attribute in ("name", "__name__"):
        if isinstance(label := getattr(metric, attribute, None), str):
            return label
    return type(metric).__name__


def _copy(metric: keras.metrics.Metric) -> keras.metrics.Metric:
    try:
        return type(metric).from_config(metric.get_config())
    except TypeError as error:
        raise InvalidValue(
            f"expected a metric that can be copied for several outputs (got {metric}: "
            f"{error}). Give it a get_config, or pass a dict with one for each output."
        ) from error


def _is_one_of(identifier: Any, words: tuple[str, ...]) -> bool:
    return isinstance(identifier, str) and identifier.lower() in words
