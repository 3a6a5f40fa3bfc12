"""The weights of a module, and which of them the inputs of a program are."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.graph import Weight


def array_of(tensor: Any) -> np.ndarray:
    """Return a tensor as an array of its own."""
    return tensor.detach().cpu().numpy().copy()


def weights_of(module: Any, program: Any) -> tuple[dict[str, Weight], dict[str, Any]]:
    """Return the weights of a module, and tensors that are constants.

    Both are by the names that the program has for them. Weights that it does not use
    are there as well, and have their own names.
    """
    state = {
        name: tensor
        for name, tensor in module.state_dict(keep_vars=True).items()
        if hasattr(tensor, "data_ptr")
    }
    weights = _by_identity(state)
    signature = program.graph_signature
    places = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    found = {ref: weights[path] for ref, path in places.items() if path in weights}
    used = {weight.name for weight in found.values()}
    found |= {w.name: w for w in weights.values() if w.name not in used}
    return found, _constants(program, places, weights)


def _by_identity(state: Mapping[str, Any]) -> dict[str, Weight]:
    """Return the weight of each name; those that share their memory are one."""
    groups: dict[Any, list[str]] = {}
    for name, tensor in state.items():
        memory = tensor.data_ptr() if tensor.numel() else name
        key = (memory, tuple(tensor.shape), tuple(tensor.stride()))
        groups.setdefault(key, []).append(name)
    weights = {}
    for names in groups.values():
        tensor = state[names[0]]
        if str(tensor.dtype) in ("torch.float16", "torch.bfloat16"):
            raise InvalidValue(
                f"expected single or double precision (got '{names[0]}' of "
                f"{tensor.dtype}). Call module.float() first"
            )
        weight = Weight(
            names[0], array_of(tensor), tensor.requires_grad, tuple(names[1:])
        )
        weights.update(dict.fromkeys(names, weight))
    return weights


def _constants(
    program: Any, places: Mapping[str, str], weights: Mapping[str, Weight]
) -> dict[str, Any]:
    """Return tensors that are no part of the module's state."""
    tensors = {**program.state_dict, **program.constants}
    lifted = program.graph_signature.inputs_to_lifted_tensor_constants
    others = {ref: path for ref, path in places.items() if path not in weights}
    return {ref: tensors[path].detach() for ref, path in {**others, **lifted}.items()}
