"""The weights of a Keras layer as parameters and buffers of a module of torch.

Names of weights have dots: ``ensemble.bias`` is the parameter ``bias`` of a child
``ensemble``, and so in ``state_dict``, too.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import torch


class Group(torch.nn.Module):
    """Holds the weights of an object of the network."""


def add_weight(
    module: torch.nn.Module, name: str, variable: keras.Variable, is_parameter: bool
) -> str:
    """Add a weight to a module, with the value of a variable.

    Parameters
    ----------
    module : torch.nn.Module
        Gets the weight.
    name : str
        Its name, with dots where objects have names of their own.
    variable : `keras.Variable`
        Its first value.
    is_parameter : bool
        Whether it is a parameter, or else a buffer.

    Returns
    -------
    name : str
        The name it has got, for `find_weight`.
    """
    *groups, last = name.split(".")
    path, owner = [], module
    for group in groups:
        children = dict(owner.named_children())
        group = group or "_"
        while hasattr(owner, group) and not isinstance(children.get(group), Group):
            group += "_"
        if group not in children:
            owner.add_module(group, Group())
        path.append(group)
        owner = owner.get_submodule(group)
    last = last or "_"
    while hasattr(owner, last):
        last += "_"
    value = torch.from_numpy(keras.ops.convert_to_numpy(variable).copy())
    if not value.is_floating_point():
        value = value.to(torch.int64)
    if is_parameter:
        parameter = torch.nn.Parameter(value, requires_grad=variable.trainable)
        owner.register_parameter(last, parameter)
    else:
        owner.register_buffer(last, value)
    return ".".join([*path, last])


def find_weight(module: torch.nn.Module, name: str) -> Any:
    """Return a weight as it is now, or what stands in its place."""
    return functools.reduce(getattr, name.split("."), module)
