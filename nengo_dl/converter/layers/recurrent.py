"""Layers over time."""

import keras
import nengo

from nengo_dl.converter.build import array
from nengo_dl.converter.registry import register


def _needs_time(call, converter):
    del converter
    if call.n_outer_axes > 1:
        return None
    return "expected temporal_model=True (got False)"


@register(
    keras.layers.TimeDistributed,
    temporal=True,
    check=_needs_time,
    allow_fallback=False,
    native="the layer inside",
    restrictions="temporal_model=True",
)
def convert_time_distributed(call, build):
    """Refuse: the layer inside is converted in its place."""
    del build
    raise AssertionError(call.layer.name)


@register(
    keras.layers.SimpleRNN,
    temporal=True,
    requires={
        "return_sequences": True,
        "return_state": False,
        "stateful": False,
        "go_backwards": False,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
    },
    check=_needs_time,
    native="neurons that are connected with themselves",
    restrictions="temporal_model=True, return_sequences=True; no dropout, no state",
)
def convert_simple_rnn(call, build):
    """Convert a recurrent layer; what comes back is one time step old."""
    cell = call.layer.cell
    obj = build.units(call.layer.activation)
    build.connect(obj, transform=array(cell.kernel).T, trainable=cell.kernel.trainable)
    build.link(
        obj,
        obj,
        transform=array(cell.recurrent_kernel).T,
        trainable=cell.recurrent_kernel.trainable,
        synapse=nengo.Lowpass(0),
        part="recurrent",
    )
    if cell.use_bias:
        build.bias(obj, cell.bias)
    return obj
