"""Checks that targets have the form that a loss compares outputs with.

Only losses that `nengo_dl.keras_model.loss_kinds` knows are asked. All others may have
any targets.
"""

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.keras_model.loss_kinds import (
    DISTRIBUTIONS,
    ELEMENTS,
    LABELS,
    LossKind,
    TargetSpec,
)
from nengo_dl.simulator.real_numbers import first_not_finite

# How far rounding may take a probability out of its range
ROUNDING = 1e-6


def check_target(array: np.ndarray, spec: TargetSpec, n_steps: int) -> None:
    """Raise `InvalidValue` if targets are not what a loss compares outputs with.

    Parameters
    ----------
    array : ndarray of shape (items, steps, width)
        The targets of a probe.
    spec : `TargetSpec`
        Form that they have to have.
    n_steps : int
        Number of steps that are simulated.
    """
    kind, size = spec.kind, spec.size
    _check_steps(array, spec, n_steps)
    compares = kind.for_targets(array.shape[2], size)
    if compares == LABELS:
        _check_labels(array, kind, size)
    elif array.shape[2] != size:
        raise _wrong_width(array, compares, kind, size)
    else:
        _check_finite(array, kind)
    if compares == ELEMENTS and kind.is_binary:
        _check_probabilities(array, kind)


def check_step_weights(array: np.ndarray, spec: TargetSpec, n_steps: int) -> None:
    """Raise `InvalidValue` if sample weights are not for the steps that are compared.

    They have the shape (items,) or (items, steps).
    """
    wanted = spec.kept.n_rows(n_steps)
    if array.ndim == 2 and array.shape[1] not in (1, wanted):
        raise InvalidValue(
            f"expected shape (items,) or (items, {wanted}), as the probe keeps "
            f"{_steps(wanted)} (got {array.shape}). Pass one weight for each step."
        )


def _check_steps(array: np.ndarray, spec: TargetSpec, n_steps: int) -> None:
    wanted, got = spec.kept.n_rows(n_steps), array.shape[1]
    if got == wanted:
        return
    if got == 1:
        advice = (
            "For one target per item, set keep_history=False for the probe, use a loss "
            "over time (nengo_dl.losses.CrossentropyOverTime or LossOverTime), or "
            f"repeat y: np.repeat(y, {wanted}, axis=1)."
        )
    elif not spec.kept.keeps_time:
        advice = "With keep_history=False, that is the last one: pass y[:, -1:]."
    else:
        advice = "Pass a target for each step that is simulated, and no more."
    raise InvalidValue(
        f"expected {_steps(wanted)}, as many as the probe keeps and "
        f"{spec.kind.name} compares (got {got}, in shape {array.shape}). {advice}"
    )


def _steps(number: int) -> str:
    return "1 time step" if number == 1 else f"{number} time steps"


def _wrong_width(
    array: np.ndarray, compares: str, kind: LossKind, size: int
) -> InvalidValue:
    """Say what is wrong with the last axis, and what to do."""
    advice = "Pass a target for each dimension; what is smaller would be repeated."
    if compares == DISTRIBUTIONS and array.shape[2] == 1:
        advice = (
            "For integer labels, use SparseCategoricalCrossentropy, or pass "
            f"keras.utils.to_categorical(y[..., 0], {size})."
        )
    elif size == 1:
        advice = "Probe something of that size, or pass one number for each step."
    return InvalidValue(
        f"expected a last axis of {size}, that of the probe, which {kind.name} "
        f"compares with (got shape {array.shape}). {advice}"
    )


def _check_labels(array: np.ndarray, kind: LossKind, size: int) -> None:
    width = array.shape[2]
    if width != 1:
        advice = "Pass shape (items, n_steps, 1)."
        if width == size:
            advice = (
                "For one-hot labels, use CategoricalCrossentropy, or pass "
                "y.argmax(axis=-1)[..., None]."
            )
        raise InvalidValue(
            f"expected one class number for each step, which {kind.name} takes (got "
            f"shape {array.shape}). {advice}"
        )
    labels = np.unique(array)
    good = (labels >= 0) & (labels < size) & (labels == np.rint(labels))
    if kind.ignores is not None:
        good |= labels == kind.ignores
    if not good.all():
        raise InvalidValue(
            f"expected class numbers from 0 to {size - 1}, as the probe has {size} "
            f"dimensions (got {labels[~good][0]}). Count classes from 0, and give the "
            "probe a dimension for each."
        )


def _check_finite(array: np.ndarray, kind: LossKind) -> None:
    """Check that there are numbers, but for NaN where the loss leaves it out."""
    if kind.ignores is not None and np.isnan(kind.ignores):
        array = np.where(np.isnan(array), 0, array)
    bad = first_not_finite(array)
    if bad is not None:
        raise InvalidValue(
            f"expected finite numbers, which {kind.name} needs (got {bad}). For parts "
            "without a target, use NaN and the loss nengo_dl.losses.nan_mse."
        )


def _check_probabilities(array: np.ndarray, kind: LossKind) -> None:
    outside = array[(array < -ROUNDING) | (array > 1 + ROUNDING)]
    if outside.size:
        raise InvalidValue(
            f"expected numbers from 0 to 1, which {kind.name} takes for the "
            f"probabilities of classes (got {outside[0]}). Write 0 for no and 1 for "
            "yes; for several classes, use SparseCategoricalCrossentropy."
        )
