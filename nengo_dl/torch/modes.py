"""Whether training and evaluation differ in ways that a Keras model has, too.

A Keras model is made of what a module computes in evaluation. Dropout and batch
normalisation change in training, in Keras as in PyTorch, if they follow
``module.train()``. Calls of functions are recorded in both modes to see whether they
do, and whether all others are the same.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from nengo_dl.errors import InvalidValue
from nengo_dl.simulator.stacklevel import user_level
from nengo_dl.torch.library import import_torch

MODE = "training"  # the argument of functions that have two modes
COUNTER = "num_batches_tracked"  # which normalisation counts up in training alone


def check_modes(where: str, module: Any, examples: tuple[Any, ...]) -> None:
    """Warn if a module computes something else in training.

    Raises
    ------
    InvalidValue
        If dropout or a normalisation does not follow the mode of the module.
    """
    in_evaluation = recorded_calls(module, examples, False)
    try:
        in_training = recorded_calls(module, examples, True)
    except Exception:  # whatever a module raises for few items
        in_training = None
    if in_training is None or _names(in_evaluation) != _names(in_training):
        warnings.warn(
            f"{where}: expected a module that computes the same in training and "
            "evaluation, except for dropout and normalisation (got one that does not). "
            "The Keras model computes what the module does after module.eval().",
            stacklevel=user_level(),
        )
        return
    fixed = {name for name, mode in in_training if mode is False}
    if fixed:
        raise InvalidValue(
            "expected functions that follow module.train() (got "
            f"{', '.join(sorted(fixed))} with training=False also in training). Leave "
            "out dropout that is off, and fix averages as numbers"
        )


def _names(calls: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in calls]


def recorded_calls(
    module: Any, examples: tuple, training: bool, restore: bool = True
) -> list[tuple[str, Any]]:
    """Return which functions a module calls, and in which mode.

    The module is left as it was, unless its modes and buffers are not to be restored.
    """
    torch = import_torch("nengo_dl.torch")
    calls = []
    counters = [
        id(buffer)
        for name, buffer in module.named_buffers(remove_duplicate=False)
        if name.endswith(COUNTER)
    ]

    class Recorder(torch.overrides.TorchFunctionMode):  # type: ignore[name-defined]
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            if not args or id(args[0]) not in counters:
                calls.append((function.__name__, kwargs.get(MODE)))
            return function(*args, **kwargs)

    kept = unchanged(module) if restore else nullcontext()
    with kept, torch.random.fork_rng(devices=[]), Recorder():
        module.train(training)
        module(*(example.clone() for example in examples))
    return calls


@contextmanager
def unchanged(module: Any) -> Iterator[None]:
    """Leave the modes and the buffers of a module as they are."""
    torch = import_torch("nengo_dl.torch")
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
