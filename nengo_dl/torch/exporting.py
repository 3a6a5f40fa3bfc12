"""A module as PyTorch's own graph: what ``torch.export`` makes of it."""

import warnings
from dataclasses import dataclass
from typing import Any

from nengo_dl.errors import InvalidValue
from nengo_dl.torch.in_place import without_changes_in_place
from nengo_dl.torch.library import import_torch
from nengo_dl.torch.modes import unchanged

N_ITEMS = 2  # of examples, as PyTorch takes an axis of length 1 for a constant


@dataclass(frozen=True, eq=False)
class Exported:
    """A program of ``torch.export``, and the examples that it was made with."""

    program: Any
    examples: tuple[Any, ...]


def example_tensors(where: str, example_inputs: Any) -> tuple[Any, ...]:
    """Return example inputs as tensors with several items.

    Raises
    ------
    TypeError
        If they are no tensors or arrays.
    ValueError
        If one has no axis for the minibatch, or they have different numbers of items.
    """
    torch = import_torch(where)
    is_several = isinstance(example_inputs, tuple | list)
    given = tuple(example_inputs) if is_several else (example_inputs,)
    tensors = []
    for i, example in enumerate(given):
        try:
            tensor = torch.as_tensor(example).detach().clone()
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"{where}.example_inputs: expected tensors or arrays (got "
                f"{type(example).__name__} as number {i}). Pass one, or a tuple with "
                "one for each argument of the module."
            ) from error
        if tensor.ndim == 0 or tensor.shape[0] == 0:
            raise ValueError(
                f"{where}.example_inputs: expected at least one item along the first "
                f"axis (got shape {tuple(tensor.shape)}). The first axis is the "
                "minibatch."
            )
        tensors.append(tensor)
    if len({len(tensor) for tensor in tensors}) > 1:
        raise ValueError(
            f"{where}.example_inputs: expected as many items in all of them (got "
            f"{[len(tensor) for tensor in tensors]}). The first axis is the minibatch."
        )
    return tuple(x if len(x) > 1 else torch.cat([x] * N_ITEMS) for x in tensors)


def export(where: str, module: Any, example_inputs: Any) -> Exported:
    """Return the graph of a module as it infers, for any number of items.

    Raises
    ------
    TypeError
        If it is no module, or if PyTorch cannot make a graph of it for any number of
        items.
    """
    torch = import_torch(where)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"{where}.module: expected a torch.nn.Module (got "
            f"{type(module).__name__}). Wrap a function in a module."
        )
    examples = example_tensors(where, example_inputs)
    shapes, batch = torch.export.ShapesCollection(), torch.export.Dim("items")
    for example in examples:
        shapes[example] = {0: batch}
    try:
        with unchanged(module), warnings.catch_warnings():
            module.eval()
            warnings.simplefilter("ignore")
            program = torch.export.export(
                module,
                examples,
                dynamic_shapes=shapes,
                strict=False,
            )
            program = without_changes_in_place(program)
    except InvalidValue:
        raise
    except Exception as error:  # whatever the module or PyTorch raises
        raise TypeError(
            f"{where}: expected a module that torch.export makes a graph of, for any "
            f"number of items (got {type(error).__name__}: {_first_line(error)}). "
            "Check that the module takes the example inputs, and that its forward "
            "depends on neither values nor the number of items."
        ) from error
    return Exported(program, examples)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
