"""User data for input nodes, from every accepted form to checked arrays.

Pure functions on arrays: they know nodes, names and sizes, but no simulator. An array
that leaves this module has the shape (items, n_steps, size_out), numbers only, all of
them finite, and agrees with all other arrays on items and steps; or it has one step,
which stays the same for all of a known number.
"""

import warnings
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
from nengo import Node
from nengo.exceptions import ValidationError

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.foreign import is_array
from nengo_dl.keras_model.probe_model import N_STEPS
from nengo_dl.keys import Keys
from nengo_dl.simulator.real_numbers import as_numbers, first_not_finite
from nengo_dl.simulator.stacklevel import user_level

K = TypeVar("K", bound=Hashable)


def check_inputs(
    data: Any,
    nodes: Mapping[Node, str],
    minibatch_size: int,
    n_steps: int | None = None,
    on_batch: bool = True,
) -> tuple[dict[Node, np.ndarray], int]:
    """Return user data for input nodes as arrays, and the number of steps.

    Parameters
    ----------
    data : None or dict or list or tuple or array_like
        A dict keyed by nodes or their names (nodes may be missing), a list or tuple in
        the order of `nodes`, or one array (of any library), which goes to the first
        node. Each array has the shape (items, n_steps, node.size_out). A key
        "n_steps" (in a list: one more element), an integer array of shape (items, 1),
        is checked and dropped.
    nodes : mapping of Node to str
        All input nodes in order, with their names.
    minibatch_size : int
        Number of items simulated at a time.
    n_steps : int, optional
        Number of time steps; None to take it from the data. If it is given, arrays may
        have a single step, which is held for all steps.
    on_batch : bool, optional
        True: the data must have exactly `minibatch_size` items. False: at least as
        many; what exceeds a multiple of `minibatch_size` is dropped with a warning.

    Raises
    ------
    ValidationError
        If the data does not fit the nodes, or nothing says how many steps to run.
    """
    arrays, steps, sizes = read_inputs(data, nodes, n_steps)
    n_items = agreed_items(sizes, minibatch_size, on_batch)
    return {node: array[:n_items] for node, array in arrays.items()}, steps


def read_inputs(
    data: Any, nodes: Mapping[Node, str], n_steps: int | None = None
) -> tuple[dict[Node, np.ndarray], int, dict[str, int]]:
    """Do as `check_inputs`, but keep all items, and return their numbers by name."""
    keys = Keys(nodes, "input node")
    with argument("Data"):
        given, stated = assign(data, keys)
    arrays = {}
    for node, name in nodes.items():
        if node in given:
            with argument(f"Data for '{name}'"):
                arrays[node] = _check_array(given[node], node.size_out)
    sizes = {nodes[node]: len(array) for node, array in arrays.items()}
    found = {nodes[node]: array.shape[1] for node, array in arrays.items()}
    with argument(N_STEPS):
        steps = _agreed_steps(found, n_steps)
    if stated is not None:
        with argument(f"Data for '{N_STEPS}'"):
            sizes[N_STEPS], steps = _stated_steps(stated, steps)
    if steps == 0:
        raise ValidationError(
            "must be 1 or more (got 0). Give data of at least one time step.",
            attr=N_STEPS,
        )
    if steps is None:
        raise ValidationError(
            "must be given when no input data is passed (got None). Pass n_steps, or "
            f"data for an input node (known names: {keys}).",
            attr=N_STEPS,
        )
    return arrays, steps, sizes


def steps_given(data: Any, nodes: Mapping[Node, str]) -> list[int]:
    """Return the number of steps of each input that has a time axis."""
    with argument("Data"):
        given, _ = assign(data, Keys(nodes, "input node"))
    return [np.shape(array)[1] for array in given.values() if np.ndim(array) == 3]


def steps_of(array: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return some steps of data, of which one may stand for all.

    Parameters
    ----------
    array : ndarray of shape (items, n_steps or 1, size)
        The data of a node.
    start, stop : int
        The steps.

    Returns
    -------
    steps : ndarray of shape (items, stop - start, size)
        A view.
    """
    if array.shape[1] == 1:
        items, _, size = array.shape
        return np.broadcast_to(array, (items, stop - start, size))
    return array[:, start:stop]


def assign(data: Any, keys: Keys[K]) -> tuple[dict[K, Any], Any]:
    """Return user data by object, and its entry "n_steps", both as they are.

    See `check_inputs` for the forms of data.
    """
    kind = keys.kind
    if data is None:
        return {}, None
    if isinstance(data, Mapping):
        return _assign_by_key(data, keys)
    if isinstance(data, list | tuple) and _is_one_array(data):
        data = np.asarray(data)
    if isinstance(data, list | tuple):
        return _assign_in_order(data, keys)
    if isinstance(data, str | bytes) or not is_array(data):
        raise InvalidValue(
            f"must be None, a dict, a list or an array (got {type(data).__name__}). "
            f"Pass a dict from {kind}s, or their names, to arrays."
        )
    if not keys:
        raise InvalidValue(
            f"must be None in a network without {kind}s (got an array). Pass no data, "
            f"or add the {kind} that it is meant for."
        )
    if len(keys) > 1:
        _warn_count("one array, which goes to the first", keys)
    return {next(iter(keys.names)): data}, None


def agreed_items(
    sizes: Mapping[str, int], minibatch_size: int, on_batch: bool = True
) -> int | None:
    """Return how many items to use, those of whole minibatches; None without arrays.

    Parameters
    ----------
    sizes : mapping of str to int
        Number of items of each array, by its name in messages.
    minibatch_size, on_batch
        See `check_inputs`.
    """
    if not sizes:
        return None
    n_items = next(iter(sizes.values()))
    if len(set(sizes.values())) > 1:
        problem = "the same number of items everywhere"
    elif on_batch and n_items != minibatch_size:
        problem = f"{minibatch_size} items, the simulator's minibatch_size"
    elif n_items < minibatch_size:
        problem = f"at least {minibatch_size} items, the simulator's minibatch_size"
    else:
        dropped = n_items % minibatch_size
        if dropped:
            warnings.warn(
                f"Data: expected a multiple of minibatch_size={minibatch_size} items, "
                f"got {n_items}. The last {dropped} will not be used.",
                stacklevel=user_level(),
            )
        return n_items - dropped
    got = ", ".join(f"{size} for '{name}'" for name, size in sizes.items())
    raise ValidationError(
        f"expected {problem} on the first axis (got {got}). Pass other data, or make "
        "the Simulator with another minibatch_size.",
        attr="Data",
    )


def _is_one_array(data: list | tuple) -> bool:
    """Tell a nested list, which is one array, from a list of arrays."""
    item: Any = data
    for _ in range(3):
        if not isinstance(item, list | tuple) or not item:
            return False
        item = item[0]
    return np.ndim(item) == 0 and not isinstance(item, str | bytes)


def _warn_count(got: str, keys: Keys) -> None:
    warnings.warn(
        f"Data: expected one array for each of the {len(keys)} {keys.kind}s "
        f"({keys}), got {got}. Elements go to the first ones in order; pass a dict to "
        "choose by name.",
        stacklevel=user_level(),
    )


def _assign_in_order(data: list | tuple, keys: Keys[K]) -> tuple[dict[K, Any], Any]:
    stated = None
    elements = list(data)
    if len(elements) == len(keys) + 1 and as_numbers(data[-1]).ndim < 3:
        stated = elements.pop()
    if len(elements) != len(keys):
        _warn_count(f"a list of {len(data)}", keys)
    return dict(zip(keys.names, elements, strict=False)), stated


def _assign_by_key(data: Mapping, keys: Keys[K]) -> tuple[dict[K, Any], Any]:
    stated = None
    if keys.find(N_STEPS) is None:
        stated = data.get(N_STEPS)
        data = {key: value for key, value in data.items() if key != N_STEPS}
    return keys.by_object(data), stated


def _check_array(value: Any, size: int) -> np.ndarray:
    """Return one node's data; its items and steps are compared later."""
    array = as_numbers(value)
    if array.ndim != 3 or array.shape[2] != size:
        raise InvalidValue(
            f"expected shape (minibatch_size, n_steps, {size}), got {array.shape}. "
            f"{_shape_advice(array, size)}"
        )
    bad = first_not_finite(array)
    if bad is not None:
        raise InvalidValue(
            f"expected finite numbers (got {bad}). Remove or replace such values, e.g. "
            "with np.nan_to_num."
        )
    return array


def _shape_advice(array: np.ndarray, size: int) -> str:
    """Tell how to reach three axes with the right last one."""
    fits = array.ndim > 0 and array.shape[-1] == size
    if array.ndim == 2 and fits:
        return "Add a time axis: x[:, None, :], or a batch axis: x[None, :, :]."
    if array.ndim == 2 and size == 1:
        return "Add an axis for the single dimension: x[:, :, None]."
    if array.ndim == 1 and fits:
        return "Add batch and time axes: x[None, None, :]."
    if array.ndim > 3:
        return "Flatten each step: x.reshape(minibatch_size, n_steps, -1)."
    if array.ndim == 3:
        return f"The last axis must be the node's size_out, {size}."
    return "The axes are items, time steps and dimensions, in this order."


def _agreed_steps(found: Mapping[str, int], n_steps: Any) -> int | None:
    """Return the number of steps that all data and the argument agree on."""
    if n_steps is not None:
        if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer):
            raise InvalidValue(
                f"must be an integer (got {n_steps!r}). Round it to whole steps."
            )
        if n_steps < 0:
            raise InvalidValue(
                f"must be 0 or more (got {n_steps}). A simulation runs forward only."
            )
        held = {name for name, steps in found.items() if steps == 1 and n_steps > 1}
        found = {name: steps for name, steps in found.items() if name not in held}
        found = {"the n_steps argument": int(n_steps), **found}
    if len(set(found.values())) > 1:
        got = ", ".join(f"{steps} for {name}" for name, steps in found.items())
        raise InvalidValue(
            f"must be the same everywhere (got {got}). Give all data the number of "
            "time steps to run, or a single step, which n_steps= holds for all of them."
        )
    return next(iter(found.values()), None)


def _stated_steps(stated: Any, n_steps: int | None) -> tuple[int, int]:
    """Check an entry "n_steps"; return its number of items and its value."""
    array = as_numbers(stated)
    if array.ndim != 2 or array.shape[1] != 1 or len(array) == 0:
        problem = f"shape {array.shape}"
    elif not np.all(array == array[0, 0]):
        problem = f"values from {array.min()} to {array.max()}"
    elif array[0, 0] < 0 or not float(array[0, 0]).is_integer():
        problem = f"{array[0, 0]}"
    elif n_steps is not None and array[0, 0] != n_steps:
        problem = f"{array[0, 0]}, where all else has {n_steps} steps"
    else:
        return len(array), int(array[0, 0])
    raise InvalidValue(
        "expected an array of shape (minibatch_size, 1) that holds the number of steps "
        f"in every row (got {problem}). Leave it out: the data's shape says the same."
    )
