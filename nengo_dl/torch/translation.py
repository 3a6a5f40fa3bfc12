"""Modules of PyTorch as Keras models, and trained weights back."""

from typing import Any

import keras

from nengo_dl.errors import argument
from nengo_dl.exchange import Coverage, translate
from nengo_dl.exchange import coverage as coverage_of
from nengo_dl.exchange.registry import Operator, operators_of
from nengo_dl.torch import operators as _operators  # noqa: F401
from nengo_dl.torch.exporting import export
from nengo_dl.torch.library import import_torch
from nengo_dl.torch.reading import read


def to_keras(module: Any, example_inputs: Any, *, name: str | None = None):
    """Return a module as a Keras model."""
    where = "nengo_dl.torch.to_keras"
    exported = export(where, module, example_inputs)
    name = name or type(module).__name__.lower()
    with argument("module", obj=where):
        graph = read(module, exported.program, name)
    return translate(graph, where)


def coverage(module: Any, example_inputs: Any) -> Coverage:
    """Return which operators of a module can be translated."""
    exported = export("nengo_dl.torch.coverage", module, example_inputs)
    return coverage_of(read(module, exported.program, "coverage"))


def supported_operators() -> dict[str, Operator]:
    """Return the operators that can be translated."""
    return operators_of("aten")


def to_state_dict(model: keras.Model) -> dict[str, Any]:
    """Return the weights of a translated model as PyTorch has them."""
    torch = import_torch("nengo_dl.torch.to_state_dict")
    arrays = model.source_weights()
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def load_state_dict(module: Any, model: keras.Model) -> None:
    """Give a module the weights of the model that it became."""
    module.load_state_dict({**module.state_dict(), **to_state_dict(model)})
