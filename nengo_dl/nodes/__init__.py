"""Nodes and transforms of our own: each object, its operator and its kernel.

Importing this folder registers the kernels.
"""

from nengo_dl.nodes import (
    array_node_kernel,
    running_mean_kernel,
    stencil_kernel,
    tensor_node_kernel,
)
from nengo_dl.nodes.array_node import ArrayFunction, ArrayNode
from nengo_dl.nodes.running_mean import RunningMean
from nengo_dl.nodes.stencil import Stencil
from nengo_dl.nodes.tensor_node import Layer, TensorNode, tensor_layer

__all__ = [
    "ArrayFunction",
    "ArrayNode",
    "Layer",
    "RunningMean",
    "Stencil",
    "TensorNode",
    "array_node_kernel",
    "running_mean_kernel",
    "stencil_kernel",
    "tensor_layer",
    "tensor_node_kernel",
]
