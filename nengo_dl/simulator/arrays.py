"""All that one call of a Keras method needs, as arrays that agree with each other.

Inputs, targets and sample weights are checked one by one in their modules; here, they
get the same number of items. Data that is no array is for `datasets`.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
from nengo import Node, Probe
from nengo.exceptions import ValidationError

from nengo_dl.keras_model.loss_kinds import ExpectedTarget
from nengo_dl.simulator.inputs import agreed_items, read_inputs
from nengo_dl.simulator.stacklevel import user_level
from nengo_dl.simulator.target_checks import (
    check_comparison,
    check_step_weights,
)
from nengo_dl.simulator.targets import (
    check_targets,
    check_weights,
    weights_of_classes,
)


@dataclass(frozen=True)
class Expected:
    """What data must fit.

    Parameters
    ----------
    nodes : mapping of Node to str
        All input nodes in order, with their names.
    probes : mapping of Probe to str
        All probes in order, with their names.
    needed : tuple of str
        Names of the probes that need targets.
    minibatch_size : int
        Number of items simulated at a time.
    comparisons : mapping of str to `ExpectedTarget`
        What targets are compared with, by probe, as far as it is known.
    """

    nodes: Mapping[Node, str]
    probes: Mapping[Probe, str]
    needed: tuple[str, ...]
    minibatch_size: int
    comparisons: Mapping[str, ExpectedTarget] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrays:
    """Data for whole minibatches.

    Parameters
    ----------
    inputs : dict of Node to ndarray
        What was given, of shape (n_items, n_steps, size_out). Inputs that are missing
        are to be generated.
    targets : dict of str to ndarray
        For all probes that need them, by name.
    weights : dict of str to ndarray or None
        Sample weights of all targets; None if they are all 1.
    n_items : int
        Number of items, a multiple of the minibatch size.
    n_steps : int
        Number of time steps of the inputs.
    """

    inputs: dict[Node, np.ndarray]
    targets: dict[str, np.ndarray]
    weights: dict[str, np.ndarray] | None
    n_items: int
    n_steps: int

    def part(self, start: int, stop: int) -> "Arrays":
        """Return the items from `start` up to `stop`."""

        def cut(arrays):
            return {key: array[start:stop] for key, array in arrays.items()}

        return replace(
            self,
            inputs=cut(self.inputs),
            targets=cut(self.targets),
            weights=None if self.weights is None else cut(self.weights),
            n_items=stop - start,
        )

    def split(self, fraction: float, minibatch_size: int) -> tuple["Arrays", "Arrays"]:
        """Keep the last items for validation.

        Parameters
        ----------
        fraction : float
            Which part of the items: Keras' ``validation_split``.
        minibatch_size : int
            Number of items simulated at a time.

        Returns
        -------
        training, validation : `Arrays`

        Raises
        ------
        ValidationError
            If one of the parts is no multiple of the minibatch size.
        """
        if not isinstance(fraction, Real) or not 0 < fraction < 1:
            raise ValidationError(
                f"must be a number between 0 and 1 (got {fraction!r}). Leave it out to "
                "train on all data.",
                attr="validation_split",
            )
        # rounded down as by Keras, but not for an error in the last digits
        n_training = math.floor(round(self.n_items * (1 - fraction), 6))
        n_validation = self.n_items - n_training
        if n_training % minibatch_size or n_validation % minibatch_size:
            problem = f"{n_training} and {n_validation} items"
        elif not n_training or not n_validation:
            problem = f"{n_training} and {n_validation} items, one part is empty"
        else:
            return self.part(0, n_training), self.part(n_training, self.n_items)
        raise ValidationError(
            "expected two parts that are multiples of minibatch_size="
            f"{minibatch_size} (got {problem}). Choose a fraction k * {minibatch_size} "
            f"/ {self.n_items} with a whole number k, or pass validation_data.",
            attr="validation_split",
        )

    def with_class_weight(self, class_weight: Any) -> "Arrays":
        """Multiply sample weights by weights of classes, see `weights_of_classes`."""
        weights = weights_of_classes(class_weight, self.targets)
        if self.weights is not None:
            ((name, factor),) = self.weights.items()
            factor = factor[:, None] if factor.ndim == 1 else factor
            weights = {name: weights[name] * factor}
        return replace(self, weights=weights)


def check_arrays(
    expected: Expected, x, y=None, sample_weight=None, n_steps=None, on_batch=False
):
    """Check all data of one call.

    Parameters
    ----------
    expected : `Expected`
        What the data must fit.
    x : None or dict or list or tuple or array_like
        Inputs, see `.check_inputs`.
    y : None or dict or list or tuple or array_like
        Targets, see `.check_targets`.
    sample_weight : None or dict or list or array_like
        Weights, see `.check_weights`.
    n_steps : int, optional
        Number of time steps; None to take it from `x`.
    on_batch : bool, optional
        Whether there must be exactly one minibatch.

    Returns
    -------
    arrays : `Arrays`
        With as many items as were given, or one minibatch if nothing was.

    Raises
    ------
    ValidationError
        If something does not fit.

    Warns
    -----
    UserWarning
        If items are dropped because they do not fill a minibatch.
    """
    inputs, n_steps, sizes = read_inputs(x, expected.nodes, n_steps)
    targets = check_targets(y, expected.probes, expected.needed)
    weights = check_weights(sample_weight, expected.probes, targets)
    for name, comparison in expected.comparisons.items():
        check_comparison(targets[name], name, comparison, n_steps)
        if weights is not None:
            check_step_weights(weights[name], name, comparison, n_steps)
    sizes.update({name: len(array) for name, array in targets.items()})
    for name, array in (weights or {}).items():
        sizes[f"sample_weight of {name}"] = len(array)
    n_items = agreed_items(sizes, expected.minibatch_size, on_batch)
    if n_items is None:
        n_items = expected.minibatch_size
    return Arrays(inputs, targets, weights, n_items, n_steps).part(0, n_items)


def check_validation(expected: Expected, validation_data, n_steps=None):
    """Check the validation data of ``fit``.

    Parameters
    ----------
    expected : `Expected`
        What the data must fit.
    validation_data : tuple or list
        Inputs, targets and (optionally) sample weights, as for `check_arrays`.
    n_steps : int, optional
        Number of time steps if there are no inputs in it; otherwise not used, as
        validation data may have another number than training data.

    Returns
    -------
    arrays : `Arrays`

    Raises
    ------
    ValidationError
        If something does not fit.
    """
    if not isinstance(validation_data, list | tuple) or len(validation_data) not in (
        2,
        3,
    ):
        got = type(validation_data).__name__
        if isinstance(validation_data, list | tuple):
            got = f"{len(validation_data)} elements"
        raise ValidationError(
            f"expected (inputs, targets) or (inputs, targets, sample_weight), got {got}"
            ". Use None for inputs that are to be generated.",
            attr="validation_data",
        )
    x = validation_data[0]
    is_empty = x is None or (isinstance(x, dict | list | tuple) and not x)
    return check_arrays(
        expected, *validation_data, n_steps=n_steps if is_empty else None
    )


def without_batch_size(kwargs, minibatch_size):
    """Drop the arguments of Keras that are fixed by the simulator.

    Parameters
    ----------
    kwargs : dict
        Arguments of a Keras method.
    minibatch_size : int
        That of the simulator.

    Returns
    -------
    kwargs : dict
        A new dict, without ``batch_size`` and ``validation_batch_size``.

    Warns
    -----
    UserWarning
        If one of them was given.
    """
    kept = dict(kwargs)
    for name in ("batch_size", "validation_batch_size"):
        if kept.pop(name, None) is not None:
            warnings.warn(
                f"{name}={kwargs[name]} is ignored: a minibatch has {minibatch_size} "
                "items, the simulator's minibatch_size.",
                stacklevel=user_level(),
            )
    return kept
