"""Bases of losses over time: one target, and one loss, for each item."""

from typing import Any

from keras import ops
from keras.losses import Loss

from nengo_dl.errors import argument, arguments_of
from nengo_dl.over_time import (
    AnySteps,
    check_reduce,
    for_each_step,
    mean_of_axes,
    mean_of_steps,
    reduce_steps,
    relative,
    targets_of_items,
    weights_of_steps,
)


class LossOfItems(AnySteps, Loss):
    """A base that brings weights and masks of steps to where a loss is computed.

    Parameters
    ----------
    reduce : str or None
        How outputs become one output per item.
    scale : float
        Factor of the reduced outputs.
    reduction, name, dtype : str or None
        See `keras.losses.Loss`.
    """

    def __init__(self, reduce, scale, reduction, name, dtype):
        with arguments_of(self):
            check_reduce(reduce, scale)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.reduce = reduce
        self.scale = float(scale)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the loss, as Keras calls it, of shape () or (items,).

        Arguments are those of `call`; sample weights, of shape (items,) or (items,
        n_steps), and a mask that a Keras layer has attached to the outputs count.
        """
        with argument(self.name):
            weights = weights_of_steps(y_pred, sample_weight, self.dtype)
        items = ops.max(weights, axis=1)
        y_true = ops.convert_to_tensor(y_true, self.dtype)
        return super().__call__(y_true, (y_pred, weights), items)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each item.

        Parameters
        ----------
        y_true : tensor of shape (items, 1, ...), (items, ...) or (items,)
            One target for each item.
        y_pred : tensor of shape (items, n_steps, ...), or tuple
            Outputs; or these, and weights of shape (items, n_steps).

        Returns
        -------
        loss : tensor of shape (items,)
        """
        with argument(self.name):
            if isinstance(y_pred, tuple | list):
                y_pred, weights = y_pred
            else:
                weights = weights_of_steps(y_pred, None, self.dtype)
            return self.of_items(y_true, y_pred, weights)

    def get_config(self):
        """Return the arguments to make the same loss with."""
        config = {**super().get_config(), "dtype": self.dtype}
        return {**config, "reduce": self.reduce, "scale": self.scale}

    def of_items(self, y_true: Any, y_pred: Any, weights: Any) -> Any:
        """Return the losses, of shape (items,); `weights` are not relative yet."""
        raise NotImplementedError


class Comparison(LossOfItems):
    """Compares a target with what is left of an output, or with all steps of it."""

    def compare(self, y_true: Any, y_pred: Any) -> Any:
        """Return the losses of targets and outputs that have no time axis."""
        raise NotImplementedError

    def of_items(self, y_true, y_pred, weights):
        y_true = targets_of_items(y_true, y_pred)
        weights = relative(weights)
        if self.reduce is not None:
            outputs = reduce_steps(y_pred, weights, self.reduce, self.scale)
            return mean_of_axes(self.compare(y_true, outputs), 1)
        y_true = for_each_step(y_true, y_pred)
        losses = self.compare(y_true, self.scale * y_pred)
        return mean_of_steps(mean_of_axes(losses, 2), weights)
