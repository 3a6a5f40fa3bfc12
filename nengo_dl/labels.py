"""Kinds of labels, by Keras' rule."""

from typing import Any

from nengo.exceptions import ValidationError


def by_labels(
    y_true: Any, y_pred: Any, binary: Any, sparse: Any, categorical: Any
) -> Any:
    """Choose by the kind of labels, with Keras' rule.

    An output of size 1 is binary; else, integer labels have a last axis of size 1 (or
    no such axis), and one-hot labels have the size of the output. It must be known,
    which it is not where a dataset does not say it.
    """
    if y_pred.shape[-1] == 1:
        return binary
    if y_true.shape[-1] is None and len(y_true.shape) == len(y_pred.shape):
        raise ValidationError(
            f"expected a known last axis (got shape {tuple(y_true.shape)}). Give it in "
            "the signature of the dataset: 1 for integers, or the number of classes.",
            attr="Labels",
        )
    if len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1:
        return sparse
    return categorical
