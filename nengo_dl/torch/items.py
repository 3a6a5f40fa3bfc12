"""Whether a module treats each item of a minibatch by itself, found by calling it.

Steps of a simulation may then be items of one call, or share what one call returns.
"""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import torch

from nengo_dl.torch.modes import recorded_calls

N_ITEMS = 3
# How many numbers of input a call takes at most, if it may take fewer
BLOCK = 2**21


class Treatment(NamedTuple):
    """How a module treats the items of a minibatch.

    Parameters
    ----------
    is_apart : bool
        Whether each item's output follows from its input, and from random numbers that
        are drawn for each item.
    repeats : bool
        Whether it follows from the input alone, so that it is the same in each call.
    """

    is_apart: bool
    repeats: bool


def treatments(
    module: torch.nn.Module, examples: Sequence[torch.Tensor]
) -> tuple[Treatment, Treatment]:
    """Return how a module treats items.

    In evaluation, a copy of the module gets several items, and then each by itself, in
    another order. In training, where dropout makes outputs random, it has to call the
    same functions as in evaluation, and to leave its buffers as they are. Random
    numbers leave a trace in the generator of torch.

    Parameters
    ----------
    module : torch.nn.Module
        The module, which is not changed.
    examples : sequence of torch.Tensor
        Inputs, with the minibatch along the first axis.

    Returns
    -------
    in_evaluation, in_training : `Treatment`
    """
    module = copy.deepcopy(module)
    items = [_items(example) for example in examples]
    found = []
    with (
        contextlib.suppress(Exception),  # for other numbers, or fewer items
        torch.no_grad(),
        torch.random.fork_rng(devices=[]),
    ):
        found.append(_are_apart(module, items))
        found.append(found[0] and _trains_alike(module, items))
        found.append(found[1] and _draws_nothing(module, items))
    in_evaluation, in_training, repeats = [*found, False, False, False][:3]
    return Treatment(in_evaluation, in_evaluation), Treatment(in_training, repeats)


def blocks(arrays: Sequence[np.ndarray]) -> Iterator[slice]:
    """Cut inputs into parts of so many items that memory is no concern."""
    n_items, size = len(arrays[0]), sum(array.size for array in arrays)
    length = max(1, n_items * BLOCK // max(size, 1))
    for start in range(0, max(n_items, 1), length):
        yield slice(start, start + length)


def concatenated(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the parts of an array, one after the other."""
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return np.asarray(whole, order="C")


def _items(example: torch.Tensor) -> torch.Tensor:
    """Return items that differ, of what a module takes."""
    if example.is_floating_point():
        generator = torch.Generator().manual_seed(0)
        shape = (N_ITEMS, *example.shape[1:])
        return torch.randn(shape, dtype=example.dtype, generator=generator)
    return example[torch.arange(N_ITEMS) % len(example)]


def _are_apart(module: torch.nn.Module, items: list[torch.Tensor]) -> bool:
    module.eval()
    together = _flat(module(*items))
    for i in reversed(range(N_ITEMS)):
        alone = _flat(module(*(x[i : i + 1].clone() for x in items)))
        for some, one in zip(together, alone, strict=True):
            if not _are_close(some[i : i + 1], one):
                return False
    return True


def _are_close(some: torch.Tensor, one: torch.Tensor) -> bool:
    """Tell whether numbers are the same, up to the rounding of another order."""
    scale = 1e-5 * float(one.abs().nan_to_num().max()) if one.numel() else 0.0
    return torch.allclose(some, one, rtol=1e-4, atol=scale, equal_nan=True)


def _trains_alike(module: torch.nn.Module, items: list[torch.Tensor]) -> bool:
    before = [buffer.clone() for buffer in module.buffers()]
    evaluated = recorded_calls(module, tuple(items), False)
    trained = recorded_calls(module, tuple(items), True, restore=False)
    return (
        [name for name, _ in evaluated] == [name for name, _ in trained]
        and all("dropout" in name for name, mode in trained if mode)
        and all(map(torch.equal, before, module.buffers()))
    )


def _draws_nothing(module: torch.nn.Module, items: list[torch.Tensor]) -> bool:
    """Tell whether a module draws no random numbers in training."""
    module.train()
    before = torch.random.get_rng_state()
    module(*items)
    return torch.equal(torch.random.get_rng_state(), before)


def _flat(outputs: Any) -> list[torch.Tensor]:
    return keras.tree.flatten(outputs)
