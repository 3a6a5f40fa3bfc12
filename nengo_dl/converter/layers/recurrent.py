"""Layers over time."""

import keras
import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.converter.activations import canonical
from nengo_dl.converter.build import Build, array, reduction
from nengo_dl.converter.forms import Composite
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register


def _needs_time(call: LayerCall, options: Options) -> str | None:
    del options
    if call.is_wrapped:
        return "expected steps in the axis of time (got steps within each time step)"
    if call.n_outer_axes > 1:
        return None
    return "expected temporal_model=True (got False)"


@register(
    keras.layers.TimeDistributed,
    temporal=True,
    check=_needs_time,
    allow_fallback=False,
    native="the layer inside",
    restrictions="temporal_model=True; else it is an error",
)
def convert_time_distributed(call: LayerCall, build: Build) -> Obj:
    """Refuse: the layer inside is converted in its place."""
    del build
    raise AssertionError(call.layer.name)


def _is_plain(call: LayerCall, options: Options) -> str | None:
    """Say what a recurrent layer asks for that neurons and products cannot do."""
    layer = call.layer
    if _needs_time(call, options):
        return _needs_time(call, options)
    if len(call.inputs) > 1 and not call.has_mask:
        return "expected no initial_state (got tensors)"
    if layer.go_backwards:
        return "expected go_backwards=False (got True)"
    if not options.inference_only and (layer.dropout or layer.recurrent_dropout):
        return "expected no dropout unless inference_only is True"
    for name in ("activation", "recurrent_activation"):
        activation = getattr(layer, name, None)
        found = options.swaps(canonical(activation))
        if not (found is None or isinstance(found, NeuronType | Composite)):
            return f"expected an {name} with a native Nengo form (got {activation})"
    return None


RESTRICTIONS = "temporal_model=True; no mask; no dropout unless inference_only=True"


@register(
    keras.layers.SimpleRNN,
    temporal=True,
    check=_is_plain,
    native="neurons that are connected with themselves",
    restrictions=RESTRICTIONS,
)
def convert_simple_rnn(call: LayerCall, build: Build) -> list[Obj]:
    """Convert a recurrent layer; what comes back is one time step old."""
    cell = call.layer.cell
    obj = build.units(call.layer.activation)
    build.connect(obj, transform=array(cell.kernel).T, trainable=cell.kernel.trainable)
    output = build.finish(obj)
    _come_back(build, output, obj, cell.recurrent_kernel)
    if cell.use_bias:
        build.bias(obj, cell.bias)
    return [output] * len(call.outputs)


@register(
    keras.layers.LSTM,
    temporal=True,
    check=_is_plain,
    native="neurons for the gates, and nodes that compute products",
    restrictions=RESTRICTIONS,
)
def convert_lstm(call: LayerCall, build: Build) -> list[Obj]:
    """Convert a layer with a carry, which gates let in, keep and show.

    With gates i, f and o, the candidate g, carry c and output h, and products element
    by element: c[n] = f c[n-1] + i g, and h[n] = o tanh(c[n]).
    """
    layer, cell, units = call.layer, call.layer.cell, call.layer.units
    total = build.node(4 * units, "gates")
    build.connect(total, transform=array(cell.kernel).T, trainable=_trains(cell))
    if cell.use_bias:
        build.bias(total, cell.bias)
    functions = [layer.recurrent_activation] * 4
    functions[2] = layer.activation
    admit, keep, candidate, show = (
        _gate(build, function, [(total, i)]) for i, function in enumerate(functions)
    )
    carry = build.node(units, "carry")
    build.link(_product(build, admit, candidate), carry)
    build.link(_product(build, keep, carry, is_old=True), carry)
    shown = build.units(layer.activation)
    build.link(carry, shown)
    output = _product(build, show, build.finish(shown))
    _come_back(build, output, total, cell.recurrent_kernel)
    return [output, output, carry][: len(call.outputs)]


@register(
    keras.layers.GRU,
    temporal=True,
    check=_is_plain,
    native="neurons for the gates, and nodes that compute products",
    restrictions=RESTRICTIONS,
)
def convert_gru(call: LayerCall, build: Build) -> list[Obj]:
    """Convert a layer whose gates choose between the old output and a candidate.

    With gates z and r, candidate g and output h: h[n] = g + z (h[n-1] - g), where g has
    the old output times r, or its weighted sum times r if ``reset_after``.
    """
    layer, cell, units = call.layer, call.layer.cell, call.layer.units
    total = build.node(3 * units, "gates")
    build.connect(total, transform=array(cell.kernel).T, trainable=_trains(cell))
    output = build.node(units)
    kernel = array(cell.recurrent_kernel)
    n_old = 3 if cell.reset_after else 2
    old = build.node(n_old * units, "old")
    _come_back(build, output, old, cell.recurrent_kernel, slice(n_old * units))
    if cell.use_bias:
        biases = array(cell.bias).reshape(-1, 3 * units)
        for obj, values in zip((total, old), biases, strict=False):
            build.bias(obj, values, trainable=cell.bias.trainable)
    mix, reset = (
        _gate(build, layer.recurrent_activation, [(total, i), (old, i)])
        for i in range(2)
    )
    candidate = build.units(layer.activation)
    build.link(total, candidate, take=np.arange(2 * units, 3 * units))
    if cell.reset_after:
        build.link(_product(build, reset, (old, 2)), candidate)
    else:
        build.link(
            _product(build, reset, output, is_old=True),
            candidate,
            transform=kernel[:, 2 * units :].T,
            trainable=cell.recurrent_kernel.trainable,
            part="recurrent",
        )
    candidate = build.finish(candidate)
    change = build.node(units, "change")
    build.link(output, change, synapse=nengo.Lowpass(0))
    build.link(candidate, change, transform=-1)
    build.link(candidate, output)
    build.link(_product(build, mix, change), output)
    return [output] * len(call.outputs)


def _trains(cell):
    return cell.kernel.trainable


def _come_back(build: Build, output, obj, kernel: keras.Variable, part=slice(None)):
    """Connect an output, one time step later, by some columns of a kernel."""
    build.link(
        output,
        obj,
        transform=array(kernel)[:, part].T,
        trainable=kernel.trainable,
        synapse=nengo.Lowpass(0),
        part="recurrent",
    )


def _gate(build: Build, activation, parts):
    """Make units for a sum; a part is a node, and which of its sections counts."""
    obj = build.units(activation)
    for node, i in parts:
        build.link(node, obj, take=np.arange(i * build.size, (i + 1) * build.size))
    return build.finish(obj)


def _product(build: Build, first, second, is_old=False):
    """Multiply element by element; ``is_old`` takes the second of the step before."""
    size = build.size
    node = build.array_node(reduction("multiply", 2, (size,)))
    build.link(first, node, into=slice(0, size))
    take = None
    if isinstance(second, tuple):
        second, i = second
        take = np.arange(i * size, (i + 1) * size)
    synapse = nengo.Lowpass(0) if is_old else None
    build.link(second, node, into=slice(size, 2 * size), take=take, synapse=synapse)
    return node
