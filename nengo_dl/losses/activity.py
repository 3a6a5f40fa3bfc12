"""Penalties on what neurons do over time: firing rates, counts of spikes, voltages."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, TypeAlias

from keras import ops
from keras.saving import register_keras_serializable
from nengo.exceptions import ValidationError

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.losses.items import LossOfItems
from nengo_dl.over_time import mean_of_axes, mean_of_steps, reduce_steps, relative

Target: TypeAlias = float | tuple[float | None, float | None]


@register_keras_serializable(package="nengo_dl")
class RegularizeOverTime(LossOfItems):
    r"""Penalise activity over time for its distance from a target, or from a range.

    With the output :math:`\bar o_{in}` of neuron :math:`n`, reduced over time as in
    `LossOverTime`, and a target from :math:`a` to :math:`b`, the loss of an item is

    .. math:: L_i = \frac{1}{N} \sum_n
        \max(0,\; a - s \bar o_{in},\; s \bar o_{in} - b)^p.

    For a single number, :math:`a = b`. So it is

    ==========================================  ====================================
    target=20                                   mean squared distance of each
                                                neuron's firing rate from 20 Hz
    target=(5, 50)                              bounds on the rate: neither silent,
                                                nor too busy
    target=0, order=1, reduce="sum", scale=dt   L1 norm of the number of spikes,
                                                divided by the number of neurons
    target=0, order=2, reduce=None              L2 of each step, e.g. of membrane
                                                voltages
    target=(-1, 1), reduce=None                 voltages outside of a range
    ==========================================  ====================================

    Parameters
    ----------
    target : float or tuple of float or None
        The value that activity should have, or the ends of a range that it should be
        in; an end that is None is open. Of the mean of spikes (of neurons with an
        amplitude of 1) it is a rate in Hz.
    order : float
        The exponent :math:`p`, at least 1.
    reduce : str or None
        How the output is reduced over time: "mean", "sum", "last", "max", or None for a
        penalty at each step, of which the mean is taken.
    scale : float
        Factor of the reduced output. For neurons with another amplitude than 1,
        ``1 / amplitude`` makes it a rate in Hz.
    per_item : bool
        Whether the activity of each item should reach the target. Otherwise, the mean
        over all items of a minibatch should: a neuron may then respond to few of them
        strongly.
    reduction, name, dtype : str or None
        See `keras.losses.Loss`.

    Raises
    ------
    ValidationError
        If an argument is invalid.

    Notes
    -----
    Targets in the sense of ``Simulator.fit`` are ignored, but Keras wants some, of any
    width and any number of steps. Weights and masks of steps count as in
    `LossOverTime`. To weight this loss against others, pass ``loss_weights`` to
    ``compile``: squared rates are large numbers.

    A range for each neuron is described in Zenke & Vogels 2021
    (https://doi.org/10.1162/neco_a_01367), a target for the mean over a minibatch in
    Bellec et al. 2018 (https://doi.org/10.48550/arXiv.1803.09574).

    Examples
    --------
    Two neurons fire at 10 and at 60 Hz on average:

    .. testcode::

       loss = nengo_dl.losses.RegularizeOverTime(target=(5, 50))
       spikes = np.array([[[0.0, 100.0], [20.0, 20.0]]])  # 1 item, 2 steps
       print(float(loss([0], spikes)))

    .. testoutput::

       50.0
    """

    def __init__(
        self,
        target: float | Sequence[float | None] = 0.0,
        order: float = 2,
        reduce: str | None = "mean",
        scale: float = 1.0,
        per_item: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "regularize_over_time",
        dtype: str | None = None,
    ):
        super().__init__(reduce, scale, reduction, name, dtype)
        if not isinstance(order, Real) or not order >= 1:
            raise ValidationError(
                f"must be a number of at least 1 (got {order!r}). 1 is the distance, 2 "
                "its square.",
                attr="order",
                obj=self,
            )
        if not per_item and reduce is None:
            raise ValidationError(
                "must be True without a reduction (got False). Choose reduce='mean' to "
                "regularize rates.",
                attr="per_item",
                obj=self,
            )
        with argument("target", self):
            self.target: Target = _checked_target(target)
        self.order: float = order
        self.per_item: bool = per_item

    def get_config(self):
        """Return the arguments to make the same loss with."""
        own = {"target": self.target, "order": self.order, "per_item": self.per_item}
        return {**super().get_config(), **own}

    def of_items(self, y_true, y_pred, weights):
        items, weights = ops.max(weights, axis=1), relative(weights)
        if self.reduce is None:
            distances = mean_of_axes(self._distance(self.scale * y_pred), 2)
            return mean_of_steps(distances, weights)
        outputs = reduce_steps(y_pred, weights, self.reduce, self.scale)
        if not self.per_item:
            # all items have the same loss; the mean over them is that of Keras
            mean = mean_of_steps(outputs[None], items[None])
            outputs = ops.broadcast_to(mean, ops.shape(outputs))
        return mean_of_axes(self._distance(outputs), 1)

    def _distance(self, outputs: Any) -> Any:
        """Return the powers of distances from the range."""
        target = self.target
        low, high = target if isinstance(target, tuple) else (target, target)
        distance = ops.zeros_like(outputs)
        if low is not None:
            distance = ops.maximum(distance, low - outputs)
        if high is not None:
            distance = ops.maximum(distance, outputs - high)
        return distance if self.order == 1 else distance**self.order


def _checked_target(target: Any) -> Target:
    if isinstance(target, Real):
        return float(target)
    if isinstance(target, Sequence) and not isinstance(target, str):
        ends = [float(x) if isinstance(x, Real) else x for x in target]
        numbers = [x for x in ends if x is not None]
        if (
            len(ends) == 2
            and numbers
            and all(isinstance(x, float) for x in numbers)
            and numbers == sorted(numbers)
        ):
            return ends[0], ends[1]
    raise InvalidValue(
        f"must be a number, or a pair of them, (low, high) (got {target!r}). An end "
        "that is None is open."
    )
