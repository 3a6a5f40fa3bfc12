"""Nengo networks on TensorFlow: compiled, differentiable, at home in Keras."""

import nengo_dl.backend as _backend  # noqa: F401
from nengo_dl import (
    callbacks,
    coding,
    converter,
    dists,
    hardware,
    layers,
    losses,
    metrics,
    neurons,
    nir,
    onnx,
    plots,
    surrogates,
    torch,
)
from nengo_dl.config import configure_settings
from nengo_dl.converter import Converter
from nengo_dl.converter.report.measure import report
from nengo_dl.keras_model.nengo_layer import NengoLayer
from nengo_dl.loihi import LoihiLIF
from nengo_dl.neurons import IntegrateAndFire, LeakyReLU, SoftLIFRate, SpikingLeakyReLU
from nengo_dl.nodes import Layer, TensorNode, tensor_layer
from nengo_dl.resuming import resume_fit
from nengo_dl.simulator import Simulator
from nengo_dl.stepped import SteppedLI, SteppedLIF
from nengo_dl.version import __copyright__, __license__, __version__
from nengo_dl.wrapped import WrappedModel, wrap

__all__ = [
    "Converter",
    "IntegrateAndFire",
    "Layer",
    "LeakyReLU",
    "LoihiLIF",
    "NengoLayer",
    "Simulator",
    "SoftLIFRate",
    "SpikingLeakyReLU",
    "SteppedLI",
    "SteppedLIF",
    "TensorNode",
    "WrappedModel",
    "__copyright__",
    "__license__",
    "__version__",
    "callbacks",
    "coding",
    "configure_settings",
    "converter",
    "dists",
    "hardware",
    "layers",
    "losses",
    "metrics",
    "neurons",
    "nir",
    "onnx",
    "plots",
    "report",
    "resume_fit",
    "surrogates",
    "tensor_layer",
    "torch",
    "wrap",
]
