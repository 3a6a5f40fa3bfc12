"""What losses compare outputs with, as far as that is known.

Keras broadcasts: a target of another size than the output gives a number, and rarely
the one that was meant. What a built-in loss wants of its targets is known from its
identity; of a function of the user's, or of a subclass, nothing is.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from nengo_dl.labels import by_labels
from nengo_dl.losses import nan_mse

# How targets relate to outputs: element by element, as class numbers, as one
# distribution over classes for each step, or in whichever of these forms they have.
ELEMENTS, LABELS, DISTRIBUTIONS, BY_LABELS = "elements", "labels", "one-hot", "either"

_COMPARISONS = {
    "BinaryCrossentropy": ELEMENTS,
    "BinaryFocalCrossentropy": ELEMENTS,
    "CategoricalCrossentropy": DISTRIBUTIONS,
    "CategoricalFocalCrossentropy": DISTRIBUTIONS,
    "CategoricalHinge": DISTRIBUTIONS,
    "CosineSimilarity": ELEMENTS,
    "Dice": ELEMENTS,
    "Hinge": ELEMENTS,
    "Huber": ELEMENTS,
    "KLDivergence": ELEMENTS,
    "LogCosh": ELEMENTS,
    "MeanAbsoluteError": ELEMENTS,
    "MeanAbsolutePercentageError": ELEMENTS,
    "MeanSquaredError": ELEMENTS,
    "MeanSquaredLogarithmicError": ELEMENTS,
    "Poisson": ELEMENTS,
    "SparseCategoricalCrossentropy": LABELS,
    "SquaredHinge": ELEMENTS,
    "Tversky": ELEMENTS,
    "binary_crossentropy": ELEMENTS,
    "binary_focal_crossentropy": ELEMENTS,
    "categorical_crossentropy": DISTRIBUTIONS,
    "categorical_focal_crossentropy": DISTRIBUTIONS,
    "categorical_hinge": DISTRIBUTIONS,
    "cosine_similarity": ELEMENTS,
    "dice": ELEMENTS,
    "hinge": ELEMENTS,
    "huber": ELEMENTS,
    "kl_divergence": ELEMENTS,
    "log_cosh": ELEMENTS,
    "mean_absolute_error": ELEMENTS,
    "mean_absolute_percentage_error": ELEMENTS,
    "mean_squared_error": ELEMENTS,
    "mean_squared_logarithmic_error": ELEMENTS,
    "poisson": ELEMENTS,
    "sparse_categorical_crossentropy": LABELS,
    "squared_hinge": ELEMENTS,
    "tversky": ELEMENTS,
}


@dataclass(frozen=True)
class LossKind:
    """What a loss wants of its targets.

    Parameters
    ----------
    name : str
        Of the loss, for messages.
    compares : str
        `ELEMENTS`, `LABELS`, `DISTRIBUTIONS` or `BY_LABELS`.
    ignores : float or None
        A label that stands for none: a class number, or NaN.
    """

    name: str
    compares: str
    ignores: float | None = None

    def for_targets(self, width: int, size: int) -> str:
        """Return what is compared, given the last axes of targets and outputs."""
        if self.compares != BY_LABELS:
            return self.compares
        if size == 1:
            return ELEMENTS
        return LABELS if width == 1 else DISTRIBUTIONS

    @property
    def is_binary(self) -> bool:
        """Whether targets are probabilities of one class each."""
        return "binary" in self.name.lower()


def kind_of(loss: Any) -> LossKind | None:
    """Return what a loss wants of its targets; None if that is not known.

    Parameters
    ----------
    loss : keras.losses.Loss or callable
        A loss, or the function that it is the mean of.
    """
    options: Mapping[str, Any] = {}
    if isinstance(loss, functools.partial):
        loss, options = loss.func, loss.keywords
    if loss is nan_mse:
        return LossKind("nan_mse", ELEMENTS, float("nan"))
    if loss is crossentropy:
        return LossKind("crossentropy", BY_LABELS)
    is_loss = isinstance(loss, keras.losses.Loss)
    named = type(loss) if is_loss else loss
    name = getattr(named, "__name__", "")
    # a name alone could be that of a class of the user's
    if name not in _COMPARISONS or getattr(keras.losses, name, None) is not named:
        return None
    options = loss.get_config() if is_loss else options
    if options.get("axis", -1) != -1:
        return None
    return LossKind(name, _COMPARISONS[name], options.get("ignore_class"))


def accuracy(y_true, y_pred):
    """Compute the share of right classes, as Keras' "accuracy" does."""
    chosen = by_labels(
        y_true,
        y_pred,
        keras.metrics.binary_accuracy,
        keras.metrics.sparse_categorical_accuracy,
        keras.metrics.categorical_accuracy,
    )
    return chosen(y_true, y_pred)


def crossentropy(y_true, y_pred):
    """Compute the crossentropy that Keras means by "crossentropy"."""
    chosen = by_labels(
        y_true,
        y_pred,
        keras.losses.binary_crossentropy,
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.categorical_crossentropy,
    )
    return chosen(y_true, y_pred)


@dataclass(frozen=True)
class ExpectedTarget:
    """The form that targets of one probe have to have.

    Parameters
    ----------
    kind : `LossKind`
        What the loss of the probe wants.
    size : int
        Last axis of the output.
    last_only : bool
        Whether the output is that of the last step alone.
    """

    kind: LossKind
    size: int
    last_only: bool
