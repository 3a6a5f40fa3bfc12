"""The arrays of one call of a Keras method: inputs, targets and sample weights.

They are checked one by one in their modules. Here, they get the same number of items.
Data that is no array is for `.datasets`.
"""

import math
import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from nengo import Node, Probe
from nengo.exceptions import ValidationError

from nengo_dl.arguments import is_number
from nengo_dl.errors import argument
from nengo_dl.keras_model.loss_kinds import TargetSpec
from nengo_dl.simulator.inputs import agreed_items, read_inputs, steps_given
from nengo_dl.simulator.stacklevel import user_level
from nengo_dl.simulator.target_checks import check_step_weights, check_target
from nengo_dl.simulator.targets import check_targets, check_weights, weights_of_classes

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class DataSpec:
    """Nodes, probes and sizes that data has to fit.

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
    targets : mapping of str to `TargetSpec`
        Form of the targets by probe, as far as it is known.
    """

    nodes: Mapping[Node, str]
    probes: Mapping[Probe, str]
    needed: tuple[str, ...]
    minibatch_size: int
    targets: Mapping[str, TargetSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class ArrayData:
    """Data for whole minibatches.

    Parameters
    ----------
    inputs : dict of Node to ndarray
        Given inputs, of shape (n_items, n_steps, size_out). Those that are missing are
        to be generated.
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

    def part(self, start: int, stop: int) -> "ArrayData":
        """Return the items from `start` up to `stop`."""

        def cut(arrays: Mapping[K, np.ndarray]) -> dict[K, np.ndarray]:
            return {key: array[start:stop] for key, array in arrays.items()}

        return replace(
            self,
            inputs=cut(self.inputs),
            targets=cut(self.targets),
            weights=None if self.weights is None else cut(self.weights),
            n_items=stop - start,
        )

    def split(
        self, fraction: Any, minibatch_size: int
    ) -> tuple["ArrayData", "ArrayData"]:
        """Return training data, and the last items for validation.

        The fraction is Keras' ``validation_split``; both parts are multiples of the
        minibatch size.
        """
        if not is_number(fraction) or not 0 < fraction < 1:
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

    def with_class_weight(self, class_weight: Any) -> "ArrayData":
        """Multiply sample weights by weights of classes, see `.weights_of_classes`."""
        weights = weights_of_classes(class_weight, self.targets)
        if self.weights is not None:
            ((name, factor),) = self.weights.items()
            factor = factor[:, None] if factor.ndim == 1 else factor
            weights = {name: weights[name] * factor}
        return replace(self, weights=weights)


def check_data(
    spec: DataSpec,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    n_steps: int | None = None,
    on_batch: bool = False,
) -> ArrayData:
    """Check all data of one call.

    Parameters
    ----------
    spec : `DataSpec`
        Says what the data has to fit.
    x, y, sample_weight : object
        See `.check_inputs`, `.check_targets` and `.check_weights`.
    n_steps : int, optional
        Number of time steps; None to take it from `x`.
    on_batch : bool, optional
        Whether there must be exactly one minibatch.

    Returns
    -------
    data : `ArrayData`
        With as many items as were given, or one minibatch if nothing was. Items that
        fill no minibatch are dropped with a warning.
    """
    inputs, n_steps, sizes = read_inputs(x, spec.nodes, n_steps)
    targets = check_targets(y, spec.probes, spec.needed)
    weights = check_weights(sample_weight, spec.probes, targets)
    for name, target in spec.targets.items():
        with argument(f"Targets for '{name}'"):
            check_target(targets[name], target, n_steps)
        if weights is not None:
            with argument(f"sample_weight for '{name}'"):
                check_step_weights(weights[name], target, n_steps)
    sizes.update({name: len(array) for name, array in targets.items()})
    for name, array in (weights or {}).items():
        sizes[f"sample_weight of {name}"] = len(array)
    n_items = agreed_items(sizes, spec.minibatch_size, on_batch)
    if n_items is None:
        n_items = spec.minibatch_size
    return ArrayData(inputs, targets, weights, n_items, n_steps).part(0, n_items)


def check_validation(
    spec: DataSpec, validation_data: Any, n_steps: int | None = None
) -> ArrayData:
    """Check the validation data of ``fit``: inputs, targets and possibly weights.

    The number of steps counts if there are no inputs, or if one has a single step,
    which is held. Other inputs may have another number than those of training.
    """
    is_list = isinstance(validation_data, list | tuple)
    if not is_list or len(validation_data) not in (2, 3):
        got = type(validation_data).__name__
        if is_list:
            got = f"{len(validation_data)} elements"
        raise ValidationError(
            f"expected (inputs, targets) or (inputs, targets, sample_weight), got {got}"
            ". Use None for inputs that are to be generated.",
            attr="validation_data",
        )
    x, y, sample_weight = (*validation_data, None)[:3]
    has_own_steps = min(steps_given(x, spec.nodes), default=1) > 1
    return check_data(spec, x, y, sample_weight, None if has_own_steps else n_steps)


def without_batch_size(
    kwargs: Mapping[str, Any], minibatch_size: int
) -> dict[str, Any]:
    """Drop sizes of minibatches, which the simulator fixes, with a warning."""
    kept = dict(kwargs)
    for name in ("batch_size", "validation_batch_size"):
        if kept.pop(name, None) is not None:
            warnings.warn(
                f"{name}={kwargs[name]} is ignored: a minibatch has {minibatch_size} "
                "items, the simulator's minibatch_size.",
                stacklevel=user_level(),
            )
    return kept
