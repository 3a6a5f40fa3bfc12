"""Losses that leave out part of the output."""

from typing import Any

from keras import ops
from keras.saving import register_keras_serializable


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
    error = y_pred - y_true
    # before squaring, so that the gradient at NaN is zero times a finite number
    error = ops.where(ops.isnan(y_true), ops.zeros_like(error), error)
    return ops.mean(ops.square(error), axis=-1)
