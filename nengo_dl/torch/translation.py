"""Modules of PyTorch as Keras models, and trained weights back."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.libraries import register_library
from nengo_dl.errors import argument
from nengo_dl.exchange import Coverage, translate
from nengo_dl.exchange import coverage as coverage_of
from nengo_dl.exchange.bindings import assign
from nengo_dl.exchange.model import TranslatedModel
from nengo_dl.exchange.registry import Operator, operators_of
from nengo_dl.nodes.modules import ModuleLayer
from nengo_dl.torch import operators as _operators  # noqa: F401
from nengo_dl.torch.checking import check_same
from nengo_dl.torch.exporting import export
from nengo_dl.torch.library import import_torch
from nengo_dl.torch.modes import check_modes
from nengo_dl.torch.reading import read


def to_keras(
    module: Any, example_inputs: Any, *, name: str | None = None
) -> keras.Model:
    """Return a PyTorch module as a Keras model.

    Parameters
    ----------
    module : torch.nn.Module
        Any module that ``torch.export`` makes a graph of. It is left as it is.
    example_inputs : tensor or tuple of tensor
        Typical inputs, one for each argument of the module; arrays will do. Each is of
        shape (minibatch, ...); the size of the minibatch is free.
    name : str, optional
        Of the model; by default the class of the module.

    Returns
    -------
    model : keras.Model
        A functional model. Its inputs and outputs have the shapes and the order of
        axes that the module's have, e.g. channels first; several outputs are a list.
        Layers are named by the paths of modules. Parameters are trainable variables,
        unless they do not require gradients; buffers are variables that training does
        not change, except for averages of batch normalisation.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If some operators cannot be translated, which names all of them; if
        ``torch.export`` makes no graph of the module for any number of items.
    ValueError
        If inputs have no axis for the minibatch.
    ValidationError
        If the module has weights in half precision, changes its buffers in evaluation,
        or uses dropout that does not follow ``module.train()``.
    BuildError
        If the model does not compute what the module does, which is checked with the
        example inputs.

    Warns
    -----
    UserWarning
        If the module computes something else in training than in evaluation, apart
        from dropout and normalisation. The model computes what it does in evaluation.

    Notes
    -----
    Images have their channels last inside of the model, and are permuted at its
    inputs, and where they become vectors. Batch normalisation keeps the unbiased
    variance, as in PyTorch. `to_state_dict` leads back.

    Examples
    --------
    .. code-block:: python

       module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
       model = nengo_dl.torch.to_keras(module, torch.zeros(2, 4))
       model.compile(optimizer="sgd", loss="mse")
       model.fit(x, y)
       module.load_state_dict(nengo_dl.torch.to_state_dict(model))
    """
    where = "nengo_dl.torch.to_keras"
    return translated(where, module, example_inputs, name)


def translated(
    where: str, module: Any, example_inputs: Any, name: str | None
) -> keras.Model:
    """Return a module as a Keras model; errors begin with the name of a function."""
    with argument(f"{where}.module"):
        exported = export(where, module, example_inputs)
        check_modes(where, module, exported.examples)
        graph = read(module, exported.program, name or type(module).__name__.lower())
    model = translate(graph, where)
    check_same(where, module, model, exported.examples)
    return model


def _is_module(model: Any) -> bool:
    return any(
        cls.__module__.split(".")[0] == "torch" and cls.__name__ == "Module"
        for cls in type(model).__mro__
    )


@register_library("torch", owns=_is_module)
def _to_keras(module: Any, example_inputs: Any, where: str) -> keras.Model:
    if example_inputs is None:
        raise TypeError(
            f"{where}.example_inputs: expected typical inputs of the module (got "
            "none). Pass tensors or arrays of shape (minibatch, ...)."
        )
    return translated(where, module, example_inputs, None)


def coverage(module: Any, example_inputs: Any) -> Coverage:
    """Return which operators of a module can be translated.

    Parameters
    ----------
    module : torch.nn.Module
        Any module that ``torch.export`` makes a graph of.
    example_inputs : tensor or tuple of tensor
        As for `to_keras`, of shape (minibatch, ...).

    Returns
    -------
    coverage : Coverage
        With ``is_complete``, and ``missing`` with a reason for each operator that
        cannot be translated; printing it shows a table. Operators that compute
        constants alone are left out.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If ``torch.export`` makes no graph of the module for any number of items.
    ValidationError
        If the module has weights in half precision, or changes its buffers.
    """
    where = "nengo_dl.torch.coverage"
    with argument(f"{where}.module"):
        exported = export(where, module, example_inputs)
        return coverage_of(read(module, exported.program, "coverage"))


def supported_operators() -> dict[str, Operator]:
    """Return the operators of PyTorch that can be translated.

    Returns
    -------
    operators : dict
        From names of ATen, such as "aten.conv2d.default", to what is known of them:
        ``keras``, what they become, and ``restrictions``, what is refused.
    """
    return operators_of("aten")


def to_state_dict(model: keras.Model) -> dict[str, Any]:
    """Return the weights of a translated model as its module has them.

    Parameters
    ----------
    model : keras.Model
        That `to_keras` or `layer` returned, or ``model`` of the converter of a module;
        it may have been trained, or saved and loaded.

    Returns
    -------
    state_dict : dict
        Tensors by the names that the module has for its parameters and buffers, all of
        them, for ``module.load_state_dict``.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If the model does not come from a module.
    """
    torch = import_torch("nengo_dl.torch.to_state_dict")
    if not isinstance(model, TranslatedModel | ModuleLayer):
        raise TypeError(
            "nengo_dl.torch.to_state_dict.model: expected a model of "
            f"nengo_dl.torch.to_keras (got {type(model).__name__}). Translate the "
            "module, and train that model."
        )
    arrays = model.source_weights()
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def load_state_dict(model: keras.Model, state_dict: Mapping[str, Any]) -> None:
    """Give a translated model the weights of a module.

    Parameters
    ----------
    model : keras.Model
        That `to_keras` returned.
    state_dict : mapping of str to tensor
        From ``module.state_dict()``, one for each parameter; arrays will do.

    Raises
    ------
    TypeError
        If the model does not come from a module.
    ValueError
        If names are missing, or shapes are different.
    """
    where = "nengo_dl.torch.load_state_dict"
    if not isinstance(model, TranslatedModel):
        raise TypeError(
            f"{where}.model: expected a model of nengo_dl.torch.to_keras (got "
            f"{type(model).__name__}). Translate the module first."
        )
    arrays = {name: np.asarray(value) for name, value in detached(state_dict)}
    shapes = {b.weight: b.shape for b in model.bindings}
    missing = sorted(set(shapes) - set(arrays))
    different = sorted(
        n for n in set(shapes) - set(missing) if arrays[n].shape != shapes[n]
    )
    if missing or different:
        raise ValueError(
            f"{where}.state_dict: expected the weights of the module (got none for "
            f"{missing}, and other shapes for {different}). Pass module.state_dict()."
        )
    assign(model, model.bindings, arrays)


def detached(state_dict: Mapping[str, Any]):
    """Yield names and arrays, without gradients."""
    for name, value in state_dict.items():
        yield (
            name,
            value.detach().cpu() if callable(getattr(value, "detach", None)) else value,
        )
