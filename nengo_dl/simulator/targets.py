"""Targets of probes and their weights, from every accepted form to checked arrays.

Pure functions on arrays, as those for inputs. Targets may hold anything that a loss can
use: integer labels, NaN, or other sizes and numbers of steps than the probe has.
"""

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from nengo import Probe
from nengo.exceptions import ValidationError

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.keys import Keys, check_present
from nengo_dl.names import listing
from nengo_dl.simulator.inputs import assign
from nengo_dl.simulator.real_numbers import as_numbers


def check_targets(
    y: Any, probes: Mapping[Probe, str], needed: Iterable[str]
) -> dict[str, np.ndarray]:
    """Return targets as arrays by name, in the order of the probes.

    Parameters
    ----------
    y : None or dict or list or tuple or array_like
        A dict keyed by probes or their names, a list or tuple in the order of `probes`,
        or one array (also a ``tf.Tensor``), which goes to the first probe. Each array
        has the shape (items, n_steps, size); number of steps and size are up to the
        loss. None stands for no targets.
    probes : mapping of Probe to str
        All probes in order, with their names.
    needed : iterable of str
        Names of the probes with a loss or metric. Others need no targets; if they have
        some, these are checked and left out.

    Raises
    ------
    ValidationError
        If an array does not have three axes, if a probe is unknown, or if one that
        needs targets has none.
    """
    with argument("Data"):
        given, stated = assign(y, Keys(probes, "probe"))
    if stated is not None:
        raise ValidationError(
            "expected data for probes alone (got a number of steps, too). Leave it "
            "out: the shape of the targets says the same.",
            attr="Targets",
        )
    targets = {}
    for probe, name in probes.items():
        if given.get(probe) is not None:
            with argument(f"Targets for '{name}'"):
                targets[name] = _check_target(given[probe])
    needed = tuple(needed)
    with argument("Targets"):
        check_present(targets, needed)
    return {name: array for name, array in targets.items() if name in needed}


def check_weights(
    sample_weight: Any, probes: Mapping[Probe, str], targets: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """Return one array of sample weights for each of the targets; None if all are 1.

    Parameters
    ----------
    sample_weight : None or dict or list or array_like
        Arrays of shape (items,), or (items, n_steps) to weight time steps, see
        `.Keys.for_each`. Weights that are missing are 1.
    probes : mapping of Probe to str
        All probes in order, with their names.
    targets : mapping of str to ndarray
        From `check_targets`.

    Raises
    ------
    ValidationError
        If a probe is unknown, or an array has another number of axes.
    """
    if sample_weight is None:
        return None
    with argument("sample_weight"):
        is_list = isinstance(sample_weight, list | tuple)
        if is_list and all(map(np.isscalar, sample_weight)):
            sample_weight = as_numbers(sample_weight)
        given = Keys(probes, "probe").for_each(sample_weight)
    weights = {name: np.ones(len(array)) for name, array in targets.items()}
    for probe, weight in given.items():
        name = probes[probe]
        with argument(f"sample_weight for '{name}'"):
            array = _check_weight(weight)
        if name in weights:
            weights[name] = array
    return weights


def weights_of_classes(
    class_weight: Any, targets: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Turn weights of classes into weights of samples, of shape (items, n_steps).

    Parameters
    ----------
    class_weight : dict of int to float
        From classes to weights; others have the weight 1.
    targets : mapping of str to ndarray
        Of a single probe: integer labels, of shape (items, n_steps, 1), or one-hot
        labels, of shape (items, n_steps, number of classes).

    Raises
    ------
    ValidationError
        If there are several targets, or the weights are no dict from integers to
        numbers.
    """
    if not isinstance(class_weight, Mapping) or not all(
        isinstance(label, Integral) and isinstance(weight, Real)
        for label, weight in class_weight.items()
    ):
        raise ValidationError(
            f"expected a dict from classes, integers, to weights (got {class_weight}). "
            "For other targets, pass sample_weight.",
            attr="class_weight",
        )
    if len(targets) != 1:
        raise ValidationError(
            f"expected targets of one probe (got them for {listing(targets)}). Pass "
            "sample_weight instead: a dict from probes to arrays of shape (items,).",
            attr="class_weight",
        )
    ((name, array),) = targets.items()
    labels = np.rint(array[..., 0]) if array.shape[2] == 1 else np.argmax(array, axis=2)
    weights = np.ones(labels.shape)
    for label, weight in class_weight.items():
        weights[labels == label] = weight
    return {name: weights}


def _check_target(value: Any) -> np.ndarray:
    array = as_numbers(value)
    if array.ndim == 3:
        return array
    advice = {
        1: "For one label per item: y[:, None, None].",
        2: "Add a time axis: y[:, None, :], or for labels of steps: y[:, :, None].",
    }
    otherwise = "The axes are items, time steps and dimensions, in this order."
    raise InvalidValue(
        f"expected three axes, (items, n_steps, size) (got shape {array.shape}). "
        f"{advice.get(array.ndim, otherwise)}"
    )


def _check_weight(value: Any) -> np.ndarray:
    array = as_numbers(value)
    if array.ndim not in (1, 2):
        raise InvalidValue(
            f"expected shape (items,) or (items, n_steps), got {array.shape}. Weights "
            "apply to the loss of each item, or of each of its time steps."
        )
    return array
