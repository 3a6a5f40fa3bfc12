"""Operators of ONNX: inputs and attributes, handed over to those of ``exchange``."""

from nengo_dl.onnx.operators import (
    activation,
    arithmetic,
    conv,
    linear,
    normalization,
    reduction,
    resizing,
    shapes,
)

__all__ = [
    "activation",
    "arithmetic",
    "conv",
    "linear",
    "normalization",
    "reduction",
    "resizing",
    "shapes",
]
