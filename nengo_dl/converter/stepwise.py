"""Whether a call over time can be done one time step after the other.

Nothing is known of layers in general, but they can be asked: a layer that treats each
step for itself computes the same of one step as of that step among others.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operators import kind_of
from nengo_dl.converter.options import Options
from nengo_dl.converter.rules import Rule
from nengo_dl.converter.unpacked import UnpackedCell, random_values

N_STEPS = 4  # where their number is not fixed
N_ITEMS = 2


def problem(
    call: LayerCall, rule: Rule | None, reason: str, options: Options
) -> str | None:
    """Return why a call over time cannot be done step by step, or None.

    The reason is why the call cannot have the native form of the rule.
    """
    layer = call.layer
    if isinstance(layer, keras.layers.RNN):
        return _problem_of_recurrent(call, options)
    if isinstance(layer, keras.layers.Bidirectional):
        return _needs_sequence("Bidirectional, which runs backwards, too")
    if rule is not None and rule.temporal and rule.trains:
        return None  # it draws random numbers for each step
    modes = [False]
    if not options.inference_only and _takes_training(layer):
        modes.append(True)
    if all(treats_steps_alone(call, training) for training in modes):
        return None
    if rule is not None and rule.temporal:
        return reason
    return mixing(kind_of(layer))


def mixing(kind: str) -> str:
    """Say that layers of a kind do not treat time steps alone."""
    return (
        "expected a layer that treats each time step for itself, because "
        f"temporal_model=True (got {kind}, which mixes them, or does so as far as is "
        "known)"
    )


def mixes_steps(function: Callable[[Any], Any], shape: Sequence[int]) -> bool:
    """Return whether a function of a tensor over time mixes steps of a shape."""
    x = np.random.RandomState(0).normal(size=(N_ITEMS, N_STEPS, *shape))
    x = keras.ops.convert_to_tensor(x.astype(np.float32))
    try:
        whole = function(x)
        alone = [function(x[:, i : i + 1]) for i in range(N_STEPS)]
    except Exception:
        return True  # it takes this number of steps alone
    return not _is_close(keras.ops.concatenate(alone, axis=1), whole)


def outer_axes(call: LayerCall) -> tuple[int, ...]:
    """Return how many axes of each output are no part of a signal.

    Outputs have an axis of time if inputs have one, but for what a recurrent layer
    returns of its last step: the network has it at each step, of the steps so far.
    """
    outer = [call.n_outer_axes] * len(call.outputs)
    if isinstance(call.layer, keras.layers.RNN) and call.n_outer_axes > 1:
        first = 2 if call.layer.return_sequences else 1
        outer = [first, *[1] * (len(outer) - 1)]
    return tuple(outer)


def _problem_of_recurrent(call: LayerCall, options: Options) -> str | None:
    layer = call.layer
    if layer.go_backwards:
        return _needs_sequence(f"{type(layer).__name__} with go_backwards=True")
    if len(call.inputs) != (2 if call.has_mask else 1):
        return (
            "expected no initial_state, because temporal_model=True (got tensors). "
            "Make them part of the input"
        )
    shows_all = layer.return_sequences and not layer.return_state
    regularized = layer.activity_regularizer is not None
    if regularized and not (shows_all or options.inference_only):
        return (
            "expected inference_only=True (got an activity_regularizer of what is "
            "returned of the last step alone)"
        )
    try:
        is_cell = _is_what_its_cell_does(call)
    except Exception as exc:
        return f"expected a cell that can be called (got {type(exc).__name__}: {exc})"
    if not is_cell:
        return _needs_sequence(
            f"{type(layer).__name__}, which does not call its cell step by step"
        )
    return None


def _needs_sequence(what: str) -> str:
    return (
        "expected a layer that needs no more than the time steps so far, because "
        f"temporal_model=True (got {what})"
    )


def _is_what_its_cell_does(call: LayerCall) -> bool:
    """Whether a recurrent layer computes what its cell does step by step."""
    values = random_values(call, (N_ITEMS, N_STEPS))
    if call.has_mask:
        values[1:] = [keras.ops.cast(keras.ops.ones((N_ITEMS, N_STEPS)), "bool")]
    with keras.StatelessScope():
        wanted = keras.tree.flatten(call.replay(call.layer, values, False))[0]
        cell = UnpackedCell(call.layer, call)
        states = cell.get_initial_state(N_ITEMS)
        for i in range(N_STEPS):
            flat = [keras.ops.reshape(x[:, i], (N_ITEMS, -1)) for x in values]
            flat = [keras.ops.cast(x, "float32") for x in flat]
            output, states = cell(keras.ops.concatenate(flat, axis=1), states)
    last = wanted[:, -1] if call.layer.return_sequences else wanted
    n = int(np.prod(last.shape[1:]))
    return _is_close(output[:, :n], keras.ops.reshape(last, (N_ITEMS, n)))


def treats_steps_alone(call: LayerCall, training: bool = False) -> bool:
    """Return whether a layer computes the same of each step alone as of all of them."""
    n_steps = call.inputs[0].shape[1]
    if n_steps in (None, 1):
        n_steps = N_STEPS
    values = random_values(call, (N_ITEMS, n_steps))
    chosen = sorted({0, 1, n_steps // 2, n_steps - 1})
    try:
        with keras.StatelessScope():
            whole = _outputs(call, values, training)
            if any(y.shape[1] != n_steps for y in whole):
                return False
            for i in chosen:
                alone = _outputs(call, [x[:, i : i + 1] for x in values], training)
                pairs = zip(alone, whole, strict=True)
                if not all(_is_close(a, y[:, i : i + 1]) for a, y in pairs):
                    return False
    except Exception:
        return False  # it takes this number of steps alone
    return True


def _outputs(call: LayerCall, values: Sequence[Any], training: bool) -> list[Any]:
    return keras.tree.flatten(call.replay(call.layer, values, training))


def _takes_training(layer: Any) -> bool:
    is_layer = isinstance(layer, keras.Layer)
    return is_layer and "training" in inspect.signature(layer.call).parameters


def _is_close(a: Any, b: Any) -> bool:
    a, b = keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind not in "fc" and str(a.dtype) != "bfloat16":
        return np.array_equal(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    is_short = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return np.allclose(a, b, rtol=1e-3, atol=1e-4 * (1 + is_short), equal_nan=True)
