"""Kinds of labels, by Keras' rule."""

from typing import Any


def by_labels(y_true, y_pred, binary: Any, sparse: Any, categorical: Any) -> Any:
    """Choose by the kind of labels, with Keras' rule.

    An output of size 1 is binary; else, integer labels have a last axis of size 1 (or
    no such axis), and one-hot labels have the size of the output.
    """
    if y_pred.shape[-1] == 1:
        return binary
    if len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1:
        return sparse
    return categorical
