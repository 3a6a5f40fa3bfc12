"""From outputs at all time steps to one output per item, for losses and metrics.

Which steps count, and how much, is one tensor of weights of shape (items, n_steps),
made of Keras' sample weights and of the mask that Keras layers attach to outputs. The
largest weight of an item is the item's own; the others count relative to it.
"""

from collections.abc import Callable
from numbers import Real
from typing import Any

from keras import ops
from keras.losses import Loss
from nengo.exceptions import ValidationError

from nengo_dl.errors import InvalidValue


class AnySteps:
    """A base for losses and metrics that need no target for every step of an output.

    Targets then may have another number of time steps than the output that they are
    for: a single one, say, with one label per item. It does nothing by itself, but
    losses and metrics that inherit from it say this about themselves.

    Examples
    --------
    .. testcode::

       class LastStep(nengo_dl.losses.AnySteps, keras.losses.Loss):
           def call(self, y_true, y_pred):
               return keras.ops.square(y_true[:, -1] - y_pred[:, -1])


       print(float(LastStep()(np.ones((3, 1, 1)), np.zeros((3, 10, 1)))))

    .. testoutput::

       1.0
    """


class _OnesOfSteps(Loss):
    """A loss of 1 at each step, of which Keras makes the weights of steps."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        del y_true
        return ops.ones(ops.shape(y_pred)[:2], self.dtype)


def weights_of_steps(y_pred: Any, sample_weight: Any, dtype: str) -> Any:
    """Merge sample weights and the mask of outputs, to shape (items, n_steps).

    Outputs have the shape (items, n_steps, ...), and sample weights (items,), (items,
    1) or (items, n_steps), or they are None. All others raise `InvalidValue`.
    """
    shape = getattr(y_pred, "shape", None) or ops.shape(y_pred)
    if len(shape) < 3:
        raise InvalidValue(
            f"expected outputs of shape (items, n_steps, size) (got shape "
            f"{tuple(shape)}). Let the probe or layer keep all steps, or use a loss "
            "without time."
        )
    if sample_weight is not None:
        sample_weight = _with_steps(sample_weight, shape)
    # with no reduction, Keras gives back what it would have averaged
    ones = _OnesOfSteps("weights_of_steps", reduction=None, dtype=dtype)
    return ones(ops.zeros((1,)), y_pred, sample_weight)


def targets_of_items(y_true: Any, y_pred: Any) -> Any:
    """Take away the time axis of targets, if there is one.

    From shape (items,), (items, ...) or (items, 1, ...), where ``...`` are the axes
    that an output has without time, as labels have them, they get the shape (items,
    ...). If a dataset does not say their number of steps, the first one counts; targets
    for several steps raise a `ValidationError`.
    """
    if len(y_true.shape) == 1:
        return ops.expand_dims(y_true, -1)
    if len(y_true.shape) < len(y_pred.shape):
        return y_true
    if y_true.shape[1] not in (1, None):
        raise InvalidValue(
            f"expected one target for each item, of shape (items, 1, size) (got shape "
            f"{tuple(y_true.shape)}). Pass y[:, -1:], or a loss that compares "
            "all steps."
        )
    return y_true[:, 0]


def relative(weights: Any) -> Any:
    """Divide the weights of steps by the largest one of each item.

    Items of which no step counts get 1 for all steps, so that losses of them are
    numbers like all others. As their own weight is 0, it makes no difference.
    """
    largest = ops.max(weights, axis=1, keepdims=True)
    ones = ops.ones_like(weights)
    return ops.where(largest > 0, weights / ops.where(largest > 0, largest, 1), ones)


def mean_of_steps(values: Any, weights: Any) -> Any:
    """Compute the mean over axis 1; 0 where all weights are 0."""
    weights = _to_rank(weights, values)
    total = ops.sum(weights, axis=1)
    counted = ops.where(weights > 0, values, ops.zeros_like(values))
    return ops.sum(weights * counted, axis=1) / ops.where(total > 0, total, 1)


def _sum(values: Any, weights: Any) -> Any:
    weights = _to_rank(weights, values)
    return ops.sum(
        weights * ops.where(weights > 0, values, ops.zeros_like(values)), axis=1
    )


def _last(values: Any, weights: Any) -> Any:
    steps = ops.arange(ops.shape(values)[1])
    counted = ops.where(weights > 0, steps, -1)
    is_last = ops.equal(steps, ops.max(counted, axis=1, keepdims=True))
    is_last = _to_rank(is_last, values)
    return ops.sum(ops.where(is_last, values, ops.zeros_like(values)), axis=1)


def _max(values: Any, weights: Any) -> Any:
    counts = _to_rank(weights > 0, values)
    return ops.max(ops.where(counts, values, -float("inf")), axis=1)


_REDUCTIONS: dict[str, Callable] = {
    "mean": mean_of_steps,
    "sum": _sum,
    "last": _last,
    "max": _max,
}


def check_reduce(reduce: str | None, scale: float) -> None:
    """Raise ValidationError for arguments that no loss or metric over time takes."""
    if reduce is not None and reduce not in _REDUCTIONS:
        raise ValidationError(
            f"must be one of {', '.join(map(repr, _REDUCTIONS))} or None (got "
            f"{reduce!r}). 'mean' compares the mean output of all steps, None the "
            "output of each of them.",
            attr="reduce",
        )
    if not isinstance(scale, Real) or not scale > 0:
        raise ValidationError(
            f"must be a positive number (got {scale!r}). Outputs are multiplied by it.",
            attr="scale",
        )


def reduce_steps(y_pred: Any, weights: Any, reduce: str, scale: float) -> Any:
    """Reduce outputs of shape (items, n_steps, ...) to one per item.

    ``weights`` come from `relative`; ``reduce`` is "mean", "sum", "last" or "max".
    """
    return scale * _REDUCTIONS[reduce](y_pred, weights)


def for_each_step(y_true: Any, y_pred: Any) -> Any:
    """Repeat targets of items, of shape (items, ...), for all steps of the outputs."""
    shape = ops.shape(y_true)
    n_steps = ops.shape(y_pred)[1]
    return ops.broadcast_to(ops.expand_dims(y_true, 1), (shape[0], n_steps, *shape[1:]))


def mean_of_axes(values: Any, rank: int) -> Any:
    """Average over all axes but the first ones, as many as `rank`."""
    axes = tuple(range(rank, len(values.shape)))
    return ops.mean(values, axis=axes) if axes else values


def _to_rank(weights: Any, values: Any) -> Any:
    for _ in range(len(values.shape) - len(weights.shape)):
        weights = ops.expand_dims(weights, -1)
    return weights


def _with_steps(sample_weight: Any, shape: tuple[int | None, ...]) -> Any:
    weights = ops.convert_to_tensor(sample_weight)
    if len(weights.shape) == 1:
        return ops.expand_dims(weights, -1)
    if len(weights.shape) == 2 and (
        weights.shape[1] in (1, None, shape[1]) or shape[1] is None
    ):
        return weights
    raise InvalidValue(
        f"expected sample weights of shape (items,) or (items, {shape[1]}) (got "
        f"{tuple(weights.shape)}). They weight items, or steps of the output."
    )
