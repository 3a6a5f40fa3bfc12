"""`TensorNode`, `Layer` and `tensor_layer`, where NengoDL 3.6 had them."""

from nengo_dl.nodes.tensor_node import Layer, TensorNode, tensor_layer

__all__ = ["Layer", "TensorNode", "tensor_layer"]
