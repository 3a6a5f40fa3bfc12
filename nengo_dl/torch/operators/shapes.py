"""Operators that move elements."""

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import shapes
from nengo_dl.exchange.registry import register


@register(
    "aten.view.default",
    "aten.reshape.default",
    "aten._unsafe_view.default",
    "aten.flatten.using_ints",
    "aten.unflatten.int",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
    "aten.squeeze.default",
    "aten.unsqueeze.default",
    "aten.view_as.default",
    keras="Reshape, Flatten",
    restrictions="the minibatch stays the first axis",
)
def convert_reshape(emit: Emitter, x, *arguments, **keywords):
    """Convert another shape for the same elements, which PyTorch has computed."""
    del arguments, keywords
    (shape,) = emit.node.shapes
    return shapes.reshape(emit, emit.value(x), shape)
