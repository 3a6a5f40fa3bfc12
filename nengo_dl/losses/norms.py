"""Penalties on the size of a signal, step by step."""

from numbers import Integral, Real
from typing import Any

from keras import ops
from keras.losses import Loss
from keras.saving import register_keras_serializable
from nengo.exceptions import ValidationError

from nengo_dl.over_time import AnySteps


@register_keras_serializable(package="nengo_dl")
class Regularize(AnySteps, Loss):
    """Penalise the size of a signal: its norm, averaged over minibatch and time.

    Targets are ignored: they can have any width, or be None where the loss is called.

    Parameters
    ----------
    order : float or str
        Order of the norm: "euclidean", 1, 2, ``np.inf`` or any other positive number.
        (Below 1, the slope at zero is infinite.)
    axis : int or None
        Axis of the signal to take the norm along; 0 is the first one after minibatch
        and time. None takes the norm of the flattened signal.
    reduction, name, dtype : str or None
        See `keras.losses.Loss`.

    Raises
    ------
    ValidationError
        If the order is not the order of a norm.

    Examples
    --------
    Keep weights small, by means of a probe that records them:

    .. testcode::

       with nengo.Network(seed=0) as net:
           nengo_dl.configure_settings(keep_history=True)
           a, b = nengo.Ensemble(10, 1), nengo.Ensemble(10, 1)
           conn = nengo.Connection(a, b)
           probe = nengo.Probe(conn, "weights")
           net.config[probe].keep_history = False
       loss = nengo_dl.losses.Regularize(order=1)
       print(float(loss(np.zeros((1, 1, 1)), np.ones((1, 1, 10)))))

    .. testoutput::

       10.0
    """

    def __init__(
        self,
        order: float | str = 2,
        axis: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "regularize",
        dtype: str | None = None,
    ):
        if order != "euclidean" and not (isinstance(order, Real) and order > 0):
            raise ValidationError(
                f"must be 'euclidean' or a positive number (got {order!r}). Choose 1 "
                "for the sum of absolute values, 2 for the length of the vector.",
                attr="order",
                obj=self,
            )
        if axis is not None and not isinstance(axis, Integral):
            raise ValidationError(
                f"must be a whole number or None (got {axis!r}). 0 is the first axis "
                "after minibatch and time.",
                attr="axis",
                obj=self,
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.order = order
        self.axis = axis

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the loss, see `keras.losses.Loss`; without targets if they are None.

        Sample weights are those of items, or of items and steps.
        """
        y_true = y_pred if y_true is None else y_true
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the norm at each step.

        Parameters
        ----------
        y_true : tensor of any shape
            Ignored.
        y_pred : tensor of shape (minibatch_size, n_steps, ...)
            The signal.

        Returns
        -------
        loss : tensor of shape (minibatch_size, n_steps)

        Raises
        ------
        ValidationError
            If the signal has no such axis.
        """
        del y_true
        shape = ops.shape(y_pred)
        axis = self.axis
        if axis is None:
            y_pred, axis = ops.reshape(y_pred, (*shape[:2], -1)), 0
        n_axes = len(y_pred.shape) - 2
        if not -n_axes <= axis < n_axes:
            raise ValidationError(
                f"must be an axis of the signal, from 0 to {n_axes - 1} (got {axis} "
                f"for outputs of shape {tuple(y_pred.shape)}). Minibatch and time do "
                "not count.",
                attr="axis",
                obj=self,
            )
        norms = _norm(y_pred, self.order, axis + 2 if axis >= 0 else axis)
        return ops.mean(ops.reshape(norms, (*shape[:2], -1)), axis=-1)

    def get_config(self):
        """Return the arguments to make the same loss with."""
        return {**super().get_config(), "order": self.order, "axis": self.axis}


def _norm(x, order, axis):
    """Compute norms whose gradient at zero is zero; that of a root is infinite."""
    is_zero = ops.all(ops.equal(x, 0), axis=axis)
    safe = ops.where(ops.expand_dims(is_zero, axis), ops.ones_like(x), x)
    order = 2 if order == "euclidean" else order
    norm = ops.norm(safe, ord=order, axis=axis)
    return ops.where(is_zero, ops.zeros_like(norm), norm)
