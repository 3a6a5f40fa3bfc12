"""Losses that leave out part of the output."""

from typing import Any

from keras import ops
from keras.saving import register_keras_serializable
from nengo.exceptions import ValidationError


@register_keras_serializable(package="nengo_dl")
def nan_mse(y_true: Any, y_pred: Any) -> Any:
    """Compute the mean squared error, with no error where the target is NaN.

    So a network can be trained on part of its output, for instance on the last time
    steps alone. NaNs count as zero error: they lower the mean.

    Parameters
    ----------
    y_true : tensor of shape (..., size)
        Targets.
    y_pred : tensor of shape (..., size)
        Outputs.

    Returns
    -------
    loss : tensor of shape (...)
        The mean over the last axis; Keras averages over the others.

    Examples
    --------
    .. testcode::

       print(np.array(nengo_dl.losses.nan_mse([[1.0, np.nan]], [[3.0, 5.0]])))

    .. testoutput::

       [2.]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    _check_shapes(tuple(y_true.shape), tuple(y_pred.shape))
    error = y_pred - y_true
    # before squaring, so that the gradient at NaN is zero times a finite number
    error = ops.where(ops.isnan(y_true), ops.zeros_like(error), error)
    return ops.mean(ops.square(error), axis=-1)


def _check_shapes(y_true: tuple, y_pred: tuple) -> None:
    """Check that targets fit outputs, as far as their shapes are known."""
    pairs = zip(reversed(y_true), reversed(y_pred), strict=False)
    if not all(n == m or 1 in (n, m) or None in (n, m) for n, m in pairs):
        raise ValidationError(
            f"expected targets of the shape of the outputs, {y_pred} (got {y_true}). "
            "Put NaN where there is no target.",
            attr="nan_mse",
        )
