"""Losses of one target per item, whatever number of steps the output has."""

from collections.abc import Callable

import keras
from keras import ops
from keras.losses import Loss
from keras.saving import register_keras_serializable

from nengo_dl.labels import by_labels
from nengo_dl.losses.items import Comparison


@register_keras_serializable(package="nengo_dl")
class LossOverTime(Comparison):
    r"""Compare one target per item with an output that is reduced over time.

    For targets :math:`y_i`, outputs :math:`o_{it}` at the steps :math:`t`, and a loss
    :math:`\ell`, the loss of an item is

    .. math:: L_i = \ell(y_i, s \cdot \bar o_i),

    where :math:`s` is `scale`, and :math:`\bar o_i` depends on `reduce`. With weights
    :math:`w_{it}` of the steps, all 1 by default and 0 for padding, it is

    =========  =====================================================================
    reduce     Output of an item
    =========  =====================================================================
    "mean"     :math:`\sum_t w_{it} o_{it} / \sum_t w_{it}`
    "sum"      :math:`\sum_t w_{it} o_{it}`
    "last"     :math:`o_{it}` at the last step with :math:`w_{it} > 0`
    "max"      the largest :math:`o_{it}` of the steps with :math:`w_{it} > 0`, for
               each dimension by itself
    None       not reduced: :math:`L_i = \sum_t w_{it}\, \ell(y_i, s \cdot o_{it}) /
               \sum_t w_{it}`
    =========  =====================================================================

    Parameters
    ----------
    loss : str or keras.losses.Loss or callable
        What compares a target with a reduced output: whatever
        ``keras.Model.compile`` takes.
    reduce : str or None
        "mean", "sum", "last", "max" or None, see above.
    scale : float
        Factor of the reduced outputs. Spikes have the height ``amplitude / dt``, with
        ``dt`` in seconds: their mean is a rate in Hz, and so ``scale=dt`` makes their
        sum the number of spikes (if the amplitude is 1).
    reduction, name, dtype : str or None
        See `keras.losses.Loss`. The reduction over items is this one, not that of
        `loss`.

    Raises
    ------
    ValidationError
        If `reduce` or `scale` is invalid.

    Notes
    -----
    Keras' ``TimeDistributed`` applies a layer at each step; this compares what all
    steps lead to.

    Targets have the shape (items, 1, size), as `nengo_dl.Simulator` takes them, or
    (items, size) or (items,), as Keras does.

    Sample weights are Keras', of shape (items,). With the shape (items, n_steps) they
    weight the steps: zeros, say, where sequences were padded to the same length. The
    largest weight of an item is its own weight :math:`w_i` in the mean over items, and
    :math:`w_{it}` are relative to it, so padding does not make an item count less, and
    an item that is all padding has the weight 0. A mask that Keras layers attach
    (`keras.layers.Masking`, `keras.layers.Embedding`) does the same.

    Examples
    --------
    The output in the last step should be the sum of all inputs; sequences have
    different lengths:

    .. testcode::

       loss = nengo_dl.losses.LossOverTime("mse", reduce="last")
       outputs = np.array([[1.0, 3.0, 6.0], [2.0, 4.0, 0.0]])[:, :, None]
       lengths = np.array([3, 2])
       mask = np.arange(3) < lengths[:, None]
       print(float(loss([[6.0], [5.0]], outputs, sample_weight=mask)))

    .. testoutput::

       0.5
    """

    def __init__(
        self,
        loss: str | Loss | Callable,
        reduce: str | None = "mean",
        scale: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "over_time",
        dtype: str | None = None,
    ):
        super().__init__(reduce, scale, reduction, name, dtype)
        self.loss = keras.losses.get(loss)

    def get_config(self):
        """Return the arguments to make the same loss with."""
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}

    def compare(self, y_true, y_pred):
        function = self.loss.call if isinstance(self.loss, Loss) else self.loss
        return function(y_true, y_pred)


@register_keras_serializable(package="nengo_dl")
class CrossentropyOverTime(Comparison):
    r"""Cross entropy of one label per item with an output that is reduced over time.

    With the class :math:`c_i` of an item, this is `LossOverTime` with

    .. math:: \ell(c_i, \bar o_i) =
        -\log \frac{\exp(\bar o_{i c_i})}{\sum_k \exp(\bar o_{ik})},

    or with :math:`\ell = -\log (\bar o_{i c_i} / \sum_k \bar o_{ik})`, if outputs are
    probabilities. So it is one loss with the names that others have for its cases:

    ==========================  ====================================================
    reduce="mean"               the mean output, as usual where outputs are filtered
                                spikes or membranes; with spikes, of their rate
    reduce="sum", scale=dt      the number of spikes (Eshraghian et al. 2023), also
                                "cross entropy of the count"
    reduce="max"                the largest membrane voltage of each class over time
                                (Cramer et al. 2022)
    reduce="last"               the output when the item ends
    reduce=None                 each step has to be right (Deng et al. 2022): temporal
                                efficient training, also "rate" cross entropy
    ==========================  ====================================================

    Parameters
    ----------
    reduce : str or None
        How the output is reduced over time: "mean", "sum", "last", "max" or None.
    from_logits : bool
        Whether outputs are logits, not probabilities.
    scale : float
        Factor of the reduced output, see `LossOverTime`.
    reduction, name, dtype : str or None
        See `keras.losses.Loss`.

    Raises
    ------
    ValidationError
        If `reduce` or `scale` is invalid.

    Notes
    -----
    Labels are integers, of shape (items, 1, 1), (items, 1) or (items,), or one-hot, of
    shape (items, 1, number of classes) or (items, number of classes). If the output has
    size 1, labels are 0 or 1, and the cross entropy is the binary one.
    The words are those of `keras.losses.CategoricalCrossentropy`; but as outputs of
    networks without a softmax are logits, this is the default.

    References
    ----------
    Eshraghian et al. 2023, "Training spiking neural networks using lessons from deep
    learning", https://doi.org/10.1109/JPROC.2023.3308088

    Cramer, Stradmann, Schemmel & Zenke 2022, "The Heidelberg spiking data sets for the
    systematic evaluation of spiking neural networks",
    https://doi.org/10.1109/TNNLS.2020.3044364

    Deng, Li, Zhang & Gu 2022, "Temporal efficient training of spiking neural network
    via gradient re-weighting", https://doi.org/10.48550/arXiv.2202.11946

    Examples
    --------
    .. testcode::

       loss = nengo_dl.losses.CrossentropyOverTime(reduce="mean")
       outputs = np.array([[[4.0, 0.0], [0.0, 4.0], [4.0, 0.0]]])  # 1 item, 3 steps
       print(f"{float(loss([0], outputs)):.3f} {float(loss([1], outputs)):.3f}")

    .. testoutput::

       0.234 1.567
    """

    def __init__(
        self,
        reduce: str | None = "mean",
        from_logits: bool = True,
        scale: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "crossentropy_over_time",
        dtype: str | None = None,
    ):
        super().__init__(reduce, scale, reduction, name, dtype)
        self.from_logits = from_logits

    def get_config(self):
        """Return the arguments to make the same loss with."""
        return {**super().get_config(), "from_logits": self.from_logits}

    def compare(self, y_true, y_pred):
        if y_pred.shape[-1] == 1:
            return keras.losses.binary_crossentropy(
                y_true, y_pred, from_logits=self.from_logits
            )
        if not self.from_logits:
            # as logits, what is not a distribution (a sum, or nothing at all) will do
            y_pred = ops.log(ops.maximum(y_pred, keras.config.epsilon()))
        chosen = by_labels(
            y_true,
            y_pred,
            None,
            keras.losses.sparse_categorical_crossentropy,
            keras.losses.categorical_crossentropy,
        )
        return chosen(y_true, y_pred, from_logits=True)
