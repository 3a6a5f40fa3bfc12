"""That a translated model computes what the module does."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from nengo.exceptions import BuildError

from nengo_dl.torch.library import import_torch
from nengo_dl.torch.modes import unchanged

TOLERANCE = {"float32": 1e-3, "float64": 1e-7}  # relative to the largest output


def check_same(
    where: str, module: Any, model: keras.Model, examples: tuple[Any, ...]
) -> None:
    """Compare outputs for the examples, and for their negatives.

    Raises
    ------
    BuildError
        If some differ by more than precision explains.
    """
    torch = import_torch(where)
    inputs = [
        torch.cat([x, -x if x.is_floating_point() else x, x[:1]]) for x in examples
    ]
    with unchanged(module), torch.no_grad():
        module.eval()
        outputs = list(leaves(module(*(x.clone() for x in inputs))))
    arrays = [keras.ops.convert_to_tensor(x.cpu().numpy()) for x in inputs]
    found = keras.tree.flatten(model(arrays[0] if len(arrays) == 1 else arrays))
    for i, (theirs, ours) in enumerate(zip(outputs, found, strict=True)):
        theirs, ours = theirs.cpu().numpy(), keras.ops.convert_to_numpy(ours)
        error = _error(ours, theirs)
        if error > TOLERANCE.get(ours.dtype.name, TOLERANCE["float32"]):
            raise BuildError(
                f"{where}: expected the outputs of the module (got output {i} that "
                f"differs by {error:.2g} of the largest element). Report this module, "
                "as this is a mistake of the translation."
            )


def leaves(outputs: Any) -> Iterator[Any]:
    """Yield the tensors in outputs of a module, in the order in which it has them."""
    if isinstance(outputs, Mapping):
        outputs = tuple(outputs.values())
    if not isinstance(outputs, tuple | list):
        yield outputs
        return
    for part in outputs:
        yield from leaves(part)


def _error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference relative to the largest element that is finite."""
    if ours.shape != theirs.shape:
        return np.inf
    ours, theirs = (np.asarray(x, dtype=float) for x in (ours, theirs))
    finite = np.isfinite(theirs)
    if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
        return np.inf
    if not finite.any():
        return 0.0
    scale = np.max(np.abs(theirs[finite]))
    return float(np.max(np.abs(ours[finite] - theirs[finite])) / max(scale, 1e-6))
