"""Kinds of losses, by the targets that they compare outputs with.

Keras broadcasts targets to the shape of outputs, so that wrong targets often give a
number and no error. The kinds of Keras' own losses are known, but not those of
subclasses and of users' functions.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from nengo_dl.graph.kept import Kept
from nengo_dl.labels import by_labels
from nengo_dl.losses import nan_mse

# How targets relate to outputs: element by element, as class numbers, as one
# distribution over classes for each step, or in whichever of these forms they have.
ELEMENTS, LABELS, DISTRIBUTIONS, BY_LABELS = "elements", "labels", "one-hot", "either"

_COMPARISONS = {
    **dict.fromkeys(
        """
        BinaryCrossentropy BinaryFocalCrossentropy CosineSimilarity Dice Hinge Huber
        KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError
        MeanSquaredError MeanSquaredLogarithmicError Poisson SquaredHinge Tversky
        binary_crossentropy binary_focal_crossentropy cosine_similarity dice hinge huber
        kl_divergence log_cosh mean_absolute_error mean_absolute_percentage_error
        mean_squared_error mean_squared_logarithmic_error poisson squared_hinge tversky
        """.split(),
        ELEMENTS,
    ),
    **dict.fromkeys(
        """
        CategoricalCrossentropy CategoricalFocalCrossentropy CategoricalHinge
        categorical_crossentropy categorical_focal_crossentropy categorical_hinge
        """.split(),
        DISTRIBUTIONS,
    ),
    "SparseCategoricalCrossentropy": LABELS,
    "sparse_categorical_crossentropy": LABELS,
}


@dataclass(frozen=True)
class LossKind:
    """How a loss compares targets with outputs.

    Parameters
    ----------
    name : str
        Name of the loss, for messages.
    compares : str
        `ELEMENTS`, `LABELS`, `DISTRIBUTIONS` or `BY_LABELS`.
    ignores : float or None
        A label that is ignored: a class number, or NaN.
    """

    name: str
    compares: str
    ignores: float | None = None

    def for_targets(self, width: int, size: int) -> str:
        """Resolve `BY_LABELS`, given the last axes of targets and outputs."""
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
    """Return the kind of a loss, or of the function that it averages, if known."""
    options: Mapping[str, Any] = {}
    if isinstance(loss, functools.partial):
        loss, options = loss.func, loss.keywords
    if loss is nan_mse:
        return LossKind("nan_mse", ELEMENTS, float("nan"))
    if loss is crossentropy:
        return LossKind("crossentropy", BY_LABELS)
    is_loss = isinstance(loss, keras.losses.Loss)
    function = type(loss) if is_loss else loss
    name = getattr(function, "__name__", "")
    # a name alone could be that of a class of the user's
    if name not in _COMPARISONS or getattr(keras.losses, name, None) is not function:
        return None
    options = loss.get_config() if is_loss else options
    if options.get("axis", -1) != -1:
        return None
    return LossKind(name, _COMPARISONS[name], options.get("ignore_class"))


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Compute the share of correct classes, as Keras' "accuracy" does."""
    chosen = by_labels(
        y_true,
        y_pred,
        keras.metrics.binary_accuracy,
        keras.metrics.sparse_categorical_accuracy,
        keras.metrics.categorical_accuracy,
    )
    return chosen(y_true, y_pred)


def crossentropy(y_true: Any, y_pred: Any) -> Any:
    """Compute the loss that Keras calls "crossentropy"."""
    chosen = by_labels(
        y_true,
        y_pred,
        keras.losses.binary_crossentropy,
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.categorical_crossentropy,
    )
    return chosen(y_true, y_pred)


@dataclass(frozen=True)
class TargetSpec:
    """The form of the targets of one probe.

    Parameters
    ----------
    kind : `LossKind`
        Kind of the loss of the probe.
    size : int
        Length of the last axis of the output.
    kept : `Kept`
        The steps of the output.
    """

    kind: LossKind
    size: int
    kept: Kept
