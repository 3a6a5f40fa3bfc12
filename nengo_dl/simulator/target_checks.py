"""Do targets fit what a loss compares them with?

Only losses that `nengo_dl.keras_model.loss_kinds` knows are asked. All others may have
any targets.
"""

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.keras_model.loss_kinds import (
    DISTRIBUTIONS,
    ELEMENTS,
    LABELS,
)
from nengo_dl.simulator.finite import first_bad

# How far rounding may take a probability out of its range
ROUNDING = 1e-6


def check_comparison(array, name, comparison, n_steps):
    """Raise if the targets of a probe are not what its loss compares outputs with.

    Parameters
    ----------
    array : ndarray of shape (items, steps, width)
        The targets.
    name : str
        That of the probe.
    comparison : `ExpectedTarget`
        What they are compared with.
    n_steps : int
        Number of steps that are simulated.

    Raises
    ------
    ValidationError
        If they do not fit: in the number of steps or the width, or because there are
        numbers that are not finite or no labels.
    """
    kind, size = comparison.kind, comparison.size
    _check_steps(array, name, comparison, n_steps)
    compares = kind.for_targets(array.shape[2], size)
    if compares == LABELS:
        _check_labels(array, name, kind, size)
    elif array.shape[2] != size:
        raise _wrong_width(array, name, compares, kind, size)
    else:
        _check_finite(array, name, kind)
    if compares == ELEMENTS and kind.is_binary:
        _check_probabilities(array, name, kind)


def check_step_weights(array, name, comparison, n_steps):
    """Raise if sample weights of time steps are not for the steps that are compared.

    Parameters
    ----------
    array : ndarray of shape (items,) or (items, steps)
        The weights.
    name, comparison, n_steps
        See `check_comparison`.

    Raises
    ------
    ValidationError
        If they do not fit.
    """
    wanted = 1 if comparison.last_only else n_steps
    if array.ndim == 2 and array.shape[1] not in (1, wanted):
        raise ValidationError(
            f"expected shape (items,) or (items, {wanted}), as the probe keeps "
            f"{_steps(wanted)} (got {array.shape}). Pass one weight for each step.",
            attr=f"sample_weight for '{name}'",
        )


def _check_steps(array, name, comparison, n_steps):
    wanted, got = 1 if comparison.last_only else n_steps, array.shape[1]
    if got == wanted:
        return
    if got == 1:
        advice = (
            "For one target per item, set keep_history=False for the probe, use a loss "
            "over time (nengo_dl.losses.CrossentropyOverTime or LossOverTime), or "
            f"repeat y: np.repeat(y, {wanted}, axis=1)."
        )
    elif comparison.last_only:
        advice = "With keep_history=False, that is the last one: pass y[:, -1:]."
    else:
        advice = "Pass a target for each step that is simulated, and no more."
    raise ValidationError(
        f"expected {_steps(wanted)}, as many as the probe keeps and "
        f"{comparison.kind.name} compares (got {got}, in shape {array.shape}). "
        f"{advice}",
        attr=f"Targets for '{name}'",
    )


def _steps(number):
    return "1 time step" if number == 1 else f"{number} time steps"


def _wrong_width(array, name, compares, kind, size):
    """Say what is wrong with the last axis, and what to do."""
    width = array.shape[2]
    advice = "Pass a target for each dimension; what is smaller would be repeated."
    if compares == DISTRIBUTIONS and width == 1:
        advice = (
            "For integer labels, use SparseCategoricalCrossentropy, or pass "
            f"keras.utils.to_categorical(y[..., 0], {size})."
        )
    elif size == 1:
        advice = "Probe something of that size, or pass one number for each step."
    return ValidationError(
        f"expected a last axis of {size}, that of the probe, which {kind.name} "
        f"compares with (got shape {array.shape}). {advice}",
        attr=f"Targets for '{name}'",
    )


def _check_labels(array, name, kind, size):
    """Check class numbers."""
    where, width = f"Targets for '{name}'", array.shape[2]
    if width != 1:
        advice = "Pass shape (items, n_steps, 1)."
        if width == size:
            advice = (
                "For one-hot labels, use CategoricalCrossentropy, or pass "
                "y.argmax(axis=-1)[..., None]."
            )
        raise ValidationError(
            f"expected one class number for each step, which {kind.name} takes (got "
            f"shape {array.shape}). {advice}",
            attr=where,
        )
    labels = np.unique(array)
    good = (labels >= 0) & (labels < size) & (labels == np.rint(labels))
    if kind.ignores is not None:
        good |= labels == kind.ignores
    if not good.all():
        raise ValidationError(
            f"expected class numbers from 0 to {size - 1}, as the probe has {size} "
            f"dimensions (got {labels[~good][0]}). Count classes from 0, and give the "
            "probe a dimension for each.",
            attr=where,
        )


def _check_finite(array, name, kind):
    """Check that there are numbers, but for NaN where the loss leaves it out."""
    if kind.ignores is not None and np.isnan(kind.ignores):
        array = np.where(np.isnan(array), 0, array)
    bad = first_bad(array)
    if bad is not None:
        raise ValidationError(
            f"expected finite numbers, which {kind.name} needs (got {bad}). For parts "
            "without a target, use NaN and the loss nengo_dl.losses.nan_mse.",
            attr=f"Targets for '{name}'",
        )


def _check_probabilities(array, name, kind):
    outside = array[(array < -ROUNDING) | (array > 1 + ROUNDING)]
    if outside.size:
        raise ValidationError(
            f"expected numbers from 0 to 1, which {kind.name} takes for the "
            f"probabilities of classes (got {outside[0]}). Write 0 for no and 1 for "
            "yes; for several classes, use SparseCategoricalCrossentropy.",
            attr=f"Targets for '{name}'",
        )
